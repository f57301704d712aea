"""The words of the options of commands. Knows no replies."""

from __future__ import annotations

from datetime import datetime
from typing import Any, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from .message import Held, delivery_of
from .wire import Duration, milliseconds, unix_milliseconds


class OnDisconnect(NamedTuple):
    """How a message comes back when the connection that pulled it closes."""

    no_count: bool = False
    """This is no retry, and there is no backoff: a message that kills its consumers then never dies."""
    grace: Optional[Duration] = None
    """So much later, unless it is extended or acknowledged meanwhile, over another connection."""


def option(name: str, value: Any) -> List[Any]:
    return [] if value is None else [name, value]


def flag(name: str, is_set: bool) -> List[Any]:
    return [name] if is_set else []


def length(name: str, duration: Optional[Duration]) -> List[Any]:
    return [] if duration is None else [name, milliseconds(duration)]


def moment(name: str, moment: Optional[datetime]) -> List[Any]:
    return [] if moment is None else [name, unix_milliseconds(moment)]


def state_word(state: Optional[str]) -> List[Any]:
    return [] if state is None else [state.upper()]


def push_options(
    delay: Optional[Duration],
    at: Optional[datetime],
    ttl: Optional[Duration],
    ttl_dead: bool,
    priority: Optional[int],
    group: Optional[str],
    headers: Optional[Mapping[str, str]],
) -> List[Any]:
    words = length("DELAY", delay) + moment("AT", at) + length("TTL", ttl) + flag("DEAD", ttl_dead)
    words += option("PRIORITY", priority) + option("GROUP", group)
    if headers:
        words += ["HEADERS", len(headers)]
        for name, value in headers.items():
            words += [name, value]
    return words


def ids_or_key(ids: Sequence[str], dedup: Optional[str]) -> List[Any]:
    if ids and dedup is not None:
        raise ValueError("ids and a deduplication key exclude each other")
    return [*ids, *option("DEDUP", dedup)]


def pull_words(queues: Union[str, Sequence[str]]) -> List[Any]:
    names = [queues] if isinstance(queues, str) else list(queues)
    return ["MQ.PULL", *names] if len(names) == 1 else ["MQ.MPULL", len(names), *names]


def pull_options(
    visibility: Optional[Duration],
    block: Optional[Duration],
    consumer: Optional[str],
    on_disconnect: Union[bool, OnDisconnect],
    no_ack: bool = False,
) -> List[Any]:
    words = length("VISIBILITY", visibility) + length("BLOCK", block) + option("CONSUMER", consumer)
    if on_disconnect:
        details = on_disconnect if isinstance(on_disconnect, OnDisconnect) else OnDisconnect()
        words += ["ONDISCONNECT", *flag("NOCOUNT", details.no_count), *length("GRACE", details.grace)]
    return words + flag("NOACK", no_ack)


def nack_options(
    delay: Optional[Duration], no_count: bool, front: bool, dead: bool, reason: Optional[str]
) -> List[Any]:
    words = length("DELAY", delay) + flag("NOCOUNT", no_count) + flag("FRONT", front)
    return words + flag("DEAD", dead) + option("REASON", reason)


def pairs_of(held: Sequence[Held]) -> Tuple[str, List[Any]]:
    """The queue, and the number of pairs with the pairs. ValueError unless all are of one queue."""
    deliveries = [delivery_of(one) for one in held]
    names = {delivery.queue for delivery in deliveries}
    if len(names) != 1:
        raise ValueError(f"the messages of one call must be of one queue, these are of {sorted(names)}")
    words: List[Any] = [len(deliveries)]
    for delivery in deliveries:
        words += [delivery.id, delivery.receipt]
    return names.pop(), words
