"""The commands: each function makes the words of one, and says how its reply is read. Sends nothing.

The methods of `Client` and `AsyncClient` are made from these functions, and have their arguments and documentation.
Everywhere a length of time is a timedelta or a number of seconds, and a moment a datetime. What the server refuses is
raised as an error of `redis_mq.errors`; each function names those that a correct program may meet.
"""

from __future__ import annotations

import uuid
from builtins import len as count_of  # `len` is a command here
from datetime import datetime
from typing import (
    Any,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
)

from . import wire
from .command import Command, encoded
from .message import Held, Message, Outcome, delivery_of
from .options import (
    OnDisconnect,
    flag,
    ids_or_key,
    length,
    moment,
    nack_options,
    option,
    pairs_of,
    pull_options,
    pull_words,
    push_options,
    state_word,
)
from .wire import Duration, Payload, payload_word

T = TypeVar("T", covariant=True)
Acked = Tuple[List[Outcome], T]


def push(
    queue: str,
    payload: Payload,
    *,
    delay: Optional[Duration] = None,
    at: Optional[datetime] = None,
    ttl: Optional[Duration] = None,
    ttl_dead: bool = False,
    priority: Optional[int] = None,
    group: Optional[str] = None,
    dedup: Optional[str] = None,
    window: Optional[Duration] = None,
    until_done: bool = False,
    headers: Optional[Mapping[str, str]] = None,
) -> Command[str]:
    """Adds a message, and returns its id; with a `dedup` key that is held, the id of the message that holds it.

    delay, at: when it becomes ready. ttl: it is not delivered later than this after the push, but discarded, or with
    `ttl_dead` moved to the dead-letter queue. priority: 0 to 9, 9 first. group: its messages are delivered in order,
    one at a time. dedup: the key is held for the queue's `dedupwindow`, for `window`, or with `until_done` until the
    message is done. headers: come with the message.

    Raises QueueFullError.
    """
    words = ["MQ.PUSH", queue, payload_word(payload)]
    words += option("DEDUP", dedup) + length("WINDOW", window) + flag("UNTILDONE", until_done)
    return encoded(words + push_options(delay, at, ttl, ttl_dead, priority, group, headers), wire.text)


def publish(
    queue: str,
    payload: Payload,
    *,
    patience: Duration = 30,
    delay: Optional[Duration] = None,
    at: Optional[datetime] = None,
    ttl: Optional[Duration] = None,
    ttl_dead: bool = False,
    priority: Optional[int] = None,
    group: Optional[str] = None,
    dedup: Optional[str] = None,
    window: Optional[Duration] = None,
    until_done: bool = False,
    headers: Optional[Mapping[str, str]] = None,
) -> Command[str]:
    """A push that loses nothing and adds nothing twice: repeated until it is answered, for at most `patience`.

    It has a deduplication key, a random one unless `dedup` is given. The other options are those of `push`.

    Raises the last error when the time is over, and at once what time does not mend: QueueFullError, for example.
    """
    command = push(
        queue,
        payload,
        delay=delay,
        at=at,
        ttl=ttl,
        ttl_dead=ttl_dead,
        priority=priority,
        group=group,
        dedup=str(uuid.uuid4()) if dedup is None else dedup,
        window=window,
        until_done=until_done,
        headers=headers,
    )
    return Command(command.words, command.read, patience=patience)


def push_many(
    queue: str,
    payloads: Iterable[Payload],
    *,
    delay: Optional[Duration] = None,
    at: Optional[datetime] = None,
    ttl: Optional[Duration] = None,
    ttl_dead: bool = False,
    priority: Optional[int] = None,
    group: Optional[str] = None,
    headers: Optional[Mapping[str, str]] = None,
) -> Command[List[str]]:
    """Adds 1 to 10,000 messages, all or none, and returns their ids. The options are those of `push`, for each.

    Raises QueueFullError.
    """
    bodies = [payload_word(payload) for payload in payloads]
    words = ["MQ.MPUSH", queue, count_of(bodies), *bodies]
    return encoded(words + push_options(delay, at, ttl, ttl_dead, priority, group, headers), wire.texts)


def pull(
    queues: Union[str, Sequence[str]],
    *,
    visibility: Optional[Duration] = None,
    block: Optional[Duration] = None,
    consumer: Optional[str] = None,
    on_disconnect: Union[bool, OnDisconnect] = False,
    no_ack: bool = False,
) -> Command[Optional[Message]]:
    """Takes the next message: of one queue, or of the first of several that has one. None if there is none.

    visibility: how long it is hidden from others. block: waits at most that long, 0 is for ever; the connection's
    socket_timeout must be longer, and it must not repeat commands by itself, as `from_url` arranges. consumer: who
    holds it, for `peek` and `extend_consumer`. on_disconnect: it comes back when this connection closes; an
    `OnDisconnect` says how. no_ack: it is gone at once, without a receipt.

    Raises CorruptError, after which the next pull goes on.
    """
    words = pull_words(queues) + pull_options(visibility, block, consumer, on_disconnect, no_ack)
    return encoded(words, wire.message_or_none)


def pull_many(
    queues: Union[str, Sequence[str]],
    count: int,
    *,
    visibility: Optional[Duration] = None,
    block: Optional[Duration] = None,
    consumer: Optional[str] = None,
    on_disconnect: Union[bool, OnDisconnect] = False,
    no_ack: bool = False,
) -> Command[List[Message]]:
    """Takes up to `count` messages of one queue, 1 to 10,000; the same as `pull` otherwise. Empty if there is none."""
    words = [*pull_words(queues), "COUNT", count, *pull_options(visibility, block, consumer, on_disconnect, no_ack)]
    return encoded(words, wire.messages)


def ack_and_pull(
    acked: Sequence[Held],
    *,
    visibility: Optional[Duration] = None,
    block: Optional[Duration] = None,
    consumer: Optional[str] = None,
    on_disconnect: Union[bool, OnDisconnect] = False,
) -> Command[Acked[Optional[Message]]]:
    """Acknowledges messages and takes the next one of their queue, in one round trip.

    Returns the outcomes of the acknowledgments, and what `pull` returns. The acknowledgments take effect at once, even
    if the pull then waits or fails.
    """
    queue, pairs = pairs_of(acked)
    words = ["MQ.PULL", queue, *pull_options(visibility, block, consumer, on_disconnect), "ACK", *pairs]
    return encoded(words, lambda reply: (wire.outcomes(reply[0]), wire.message_or_none(reply[1])))


def ack_and_pull_many(
    acked: Sequence[Held],
    count: int,
    *,
    visibility: Optional[Duration] = None,
    block: Optional[Duration] = None,
    consumer: Optional[str] = None,
    on_disconnect: Union[bool, OnDisconnect] = False,
) -> Command[Acked[List[Message]]]:
    """Acknowledges messages and takes up to `count` of their queue, in one round trip: see `ack_and_pull`."""
    queue, pairs = pairs_of(acked)
    words = [
        "MQ.PULL",
        queue,
        "COUNT",
        count,
        *pull_options(visibility, block, consumer, on_disconnect),
        "ACK",
        *pairs,
    ]
    return encoded(words, lambda reply: (wire.outcomes(reply[0]), wire.messages(reply[1])))


def ack(message: Held) -> Command[None]:
    """The message is done, and gone. Accepted after its visibility too, until the next delivery begins.

    Raises NotFoundError, InvalidReceiptError.
    """
    return encoded(["MQ.ACK", *delivery_of(message)], wire.nothing)


def ack_many(messages: Sequence[Held]) -> Command[List[Outcome]]:
    """Acknowledges 1 to 10,000 messages of one queue, and returns what became of each."""
    queue, pairs = pairs_of(messages)
    return encoded(["MQ.ACK", queue, "IDS", *pairs], wire.outcomes)


def nack(
    message: Held,
    *,
    delay: Optional[Duration] = None,
    no_count: bool = False,
    front: bool = False,
    dead: bool = False,
    reason: Optional[str] = None,
) -> Command[None]:
    """Gives a message back. It is delivered again after `delay`, by default after the queue's backoff.

    no_count: this is no retry, and there is no backoff. front: with no_count; it keeps its place, instead of going
    behind all that wait. dead: to the dead-letter queue at once. reason: is kept as `last_error`, at most 1,024 bytes.

    Raises NotFoundError, InvalidReceiptError; with `dead` InvalidArgumentError if it is a dead letter already.
    """
    words = ["MQ.NACK", *delivery_of(message), *nack_options(delay, no_count, front, dead, reason)]
    return encoded(words, wire.nothing)


def nack_many(
    messages: Sequence[Held],
    *,
    delay: Optional[Duration] = None,
    no_count: bool = False,
    front: bool = False,
    dead: bool = False,
    reason: Optional[str] = None,
) -> Command[List[Outcome]]:
    """Gives 1 to 10,000 messages of one queue back, and returns what became of each: see `nack`."""
    queue, pairs = pairs_of(messages)
    return encoded(
        ["MQ.NACK", queue, "IDS", *pairs, *nack_options(delay, no_count, front, dead, reason)], wire.outcomes
    )


def extend(message: Held, visibility: Optional[Duration] = None) -> Command[datetime]:
    """Restarts the visibility of a message from now, and returns when it ends. Default: the queue's visibility.

    Raises NotFoundError, InvalidReceiptError.
    """
    return encoded(["MQ.EXTEND", *delivery_of(message), *length("VISIBILITY", visibility)], wire.moment)


def extend_many(
    messages: Sequence[Held], visibility: Optional[Duration] = None
) -> Command[List[Union[datetime, Outcome]]]:
    """Restarts the visibility of 1 to 10,000 messages of one queue; for each returns when it ends, or what is wrong."""
    queue, pairs = pairs_of(messages)
    return encoded(["MQ.EXTEND", queue, "IDS", *pairs, *length("VISIBILITY", visibility)], wire.extensions)


def extend_consumer(queue: str, consumer: str, visibility: Optional[Duration] = None) -> Command[int]:
    """Restarts the visibility of all messages of a queue that were pulled as `consumer`, and returns how many."""
    return encoded(["MQ.EXTEND", queue, "CONSUMER", consumer, *length("VISIBILITY", visibility)], int)


def peek(
    queue: str, state: Optional[str] = None, *, offset: Optional[int] = None, count: Optional[int] = None
) -> Command[List[Message]]:
    """Shows messages without delivering them: up to `count` (10), after the first `offset`.

    state: `ready` (default), `inflight`, `delayed`, or `dead` for those of the dead-letter queue.
    """
    words = ["MQ.PEEK", queue, *state_word(state), *option("OFFSET", offset), *option("COUNT", count)]
    return encoded(words, wire.messages)


def get(queue: str, id: Optional[str] = None, *, dedup: Optional[str] = None) -> Command[Optional[Message]]:
    """Shows one message: the one with this id, or the one that holds the deduplication key. None if there is none.

    Raises CorruptError.
    """
    return encoded(["MQ.GET", queue, *ids_or_key([] if id is None else [id], dedup)], wire.message_or_none)


def delete(queue: str, ids: Sequence[str] = (), *, dedup: Optional[str] = None) -> Command[int]:
    """Deletes messages in any state, by their ids or by a deduplication key, and returns how many there were."""
    return encoded(["MQ.DEL", queue, *ids_or_key([ids] if isinstance(ids, str) else ids, dedup)], int)


def reschedule(
    queue: str, id: str, *, delay: Optional[Duration] = None, at: Optional[datetime] = None
) -> Command[bool]:
    """Changes when a delayed message becomes ready: after `delay`, or `at` a moment. Returns whether there was one."""
    return encoded(["MQ.RESCHEDULE", queue, id, *length("DELAY", delay), *moment("AT", at)], bool)


def len(queue: str, state: Optional[str] = None) -> Command[int]:
    """The number of messages in a queue, or of those in one state: see `peek`."""
    return encoded(["MQ.LEN", queue, *state_word(state)], int)


def info(queue: str) -> Command[Dict[str, Any]]:
    """Settings, state and counters of a queue, by the server's names: see MQ.INFO.

    Settings are as in `config`; `paused_until`, `rate_window_start`, `next_due_at` and `next_tick_at` are datetimes,
    or None; `priorities` is a dict from priority to number; `delivery_times` and `processing_times` are of type
    `Histogram`; all else are numbers.
    """
    return encoded(["MQ.INFO", queue], wire.facts)


def queues(match: Optional[str] = None) -> Command[List[str]]:
    """The names of all queues that hold a message or a setting, or of those that match a pattern, as of KEYS."""
    command = encoded(["MQ.QUEUES", *option("MATCH", match)], wire.texts_of_all)
    return Command(command.words, command.read, has_key=False)


def stats(match: Optional[str] = None) -> Command[List[Dict[str, Any]]]:
    """What `info` returns, of all queues or of those that match a pattern, each with the name as `queue`.

    A queue that can't be read has `queue` and `error`, the text of the server.
    """
    command = encoded(["MQ.STATS", *option("MATCH", match)], wire.facts_of_all)
    return Command(command.words, command.read, has_key=False)


def config(queue: str) -> Command[Dict[str, Any]]:
    """The settings of a queue by name: timedeltas, numbers, and the name of the dead-letter queue."""
    return encoded(["MQ.CONFIG", queue], wire.facts)


def configure(
    queue: str,
    *,
    visibility: Optional[Duration] = None,
    maxretries: Optional[int] = None,
    deadletter: Optional[str] = None,
    backoff: Optional[Duration] = None,
    backoffmax: Optional[Duration] = None,
    delay: Optional[Duration] = None,
    ttl: Optional[Duration] = None,
    maxlen: Optional[int] = None,
    maxinflight: Optional[int] = None,
    rate: Optional[int] = None,
    rateperiod: Optional[Duration] = None,
    aging: Optional[Duration] = None,
    groupinflight: Optional[int] = None,
    dedupwindow: Optional[Duration] = None,
    maxdedup: Optional[int] = None,
    expires: Optional[Duration] = None,
    reset: Iterable[str] = (),
) -> Command[None]:
    """Changes settings of a queue, all or none; those named in `reset` get their defaults. See MQ.CONFIG for each.

    Raises InvalidArgumentError.
    """
    words = ["MQ.CONFIG", queue]
    words += option("DEADLETTER", deadletter) + option("MAXRETRIES", maxretries)
    words += length("VISIBILITY", visibility) + length("BACKOFF", backoff) + length("BACKOFFMAX", backoffmax)
    words += length("DELAY", delay) + length("TTL", ttl) + option("MAXLEN", maxlen)
    words += option("MAXINFLIGHT", maxinflight) + option("RATE", rate) + length("RATEPERIOD", rateperiod)
    words += length("AGING", aging) + option("GROUPINFLIGHT", groupinflight)
    words += length("DEDUPWINDOW", dedupwindow) + option("MAXDEDUP", maxdedup) + length("EXPIRES", expires)
    for name in reset:
        words += ["DEFAULTDEADLETTER"] if name.lower() == "deadletter" else [name, ""]
    if count_of(words) == 2:
        raise ValueError("no setting is given")
    return encoded(words, wire.nothing)


def pause(queue: str, duration: Optional[Duration] = None) -> Command[None]:
    """Stops the deliveries of a queue: for a time, or until `resume`."""
    return encoded(["MQ.PAUSE", queue, *length("FOR", duration)], wire.nothing)


def resume(queue: str) -> Command[None]:
    """Ends the pause of a queue."""
    return encoded(["MQ.RESUME", queue], wire.nothing)


def purge(queue: str, state: Optional[str] = None) -> Command[int]:
    """Deletes all messages of a queue, or those that are `ready` or `delayed`; keeps its settings; returns how many."""
    return encoded(["MQ.PURGE", queue, *state_word(state)], int)


def drop(queue: str) -> Command[bool]:
    """Deletes a queue with its messages and settings, and returns whether there was anything."""
    return encoded(["MQ.DROP", queue], bool)


def redrive(
    queue: str,
    *,
    count: Optional[int] = None,
    all: bool = False,
    ids: Optional[Sequence[str]] = None,
    from_queue: Optional[str] = None,
    reason: Optional[str] = None,
    to: Optional[str] = None,
) -> Command[int]:
    """Moves dead letters of a dead-letter queue back to the queues in which they died, and returns how many.

    count, all, ids: how many (1,000), all, or these. from_queue: only those that died there. reason: only those with
    this `dead_reason` or `last_error`. to: to this queue, wherever they died; needed on Redis 6.
    """
    words = ["MQ.REDRIVE", queue, *option("TO", to), *option("COUNT", count), *flag("ALL", all)]
    if ids is not None:
        words += ["IDS", count_of(ids), *ids]
    return encoded(words + option("FROM", from_queue) + option("REASON", reason), int)
