"""The commands of schedules, as `commands` has all others, and a schedule as the server shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Callable, Dict, List, Literal, Mapping, Optional

from . import wire
from .command import Command, encoded
from .options import length, moment, option, push_options
from .wire import Duration, Payload, payload_word

CatchUp = Literal["none", "one", "all"]
Overlap = Literal["allow", "skip"]


@dataclass
class Schedule:
    """A schedule. What it does not have is None; moments are in UTC."""

    name: str
    """Unique in its queue."""
    payload: bytes
    """Of its messages."""
    jitter: timedelta
    """Its messages are pushed later than their ticks by a part of this time."""
    catchup: CatchUp
    """Which ticks that are late have a message."""
    overlap: Overlap
    """Whether a tick has a message while an earlier one is not done."""
    paused: bool
    """Whether it has no ticks."""
    runs: int
    """Ticks that had a message."""
    missed: int
    """Late ticks without a message of their own."""
    skipped: int
    """Ticks without a message because of `overlap`, or because the queue was full."""
    triggered: int
    """Messages of `trigger`."""
    every: Optional[timedelta] = None
    """The time from tick to tick; if it has none, it has `cron` and `zone`."""
    cron: Optional[str] = None
    """The expression."""
    zone: Optional[str] = None
    """The time zone of the expression; `UTC` if none was given."""
    start: Optional[datetime] = None
    """No tick is earlier."""
    end: Optional[datetime] = None
    """No tick is later."""
    limit: Optional[int] = None
    """It ends after so many messages."""
    next_tick: Optional[datetime] = None
    """Without jitter; None if it is paused."""
    last_tick: Optional[datetime] = None
    """The last one that had a message or was skipped."""
    ttl: Optional[timedelta] = None
    """The time to live of its messages, instead of the queue's."""
    dead: bool = False
    """Whether they are then moved to the dead-letter queue."""
    priority: Optional[int] = None
    """Of its messages."""
    group: Optional[str] = None
    """Of its messages."""
    headers: Dict[str, str] = field(default_factory=dict)
    """Of its messages, without those that the server adds."""


def schedule(
    queue: str,
    name: str,
    payload: Payload,
    *,
    every: Optional[Duration] = None,
    cron: Optional[str] = None,
    zone: Optional[str] = None,
    start: Optional[datetime] = None,
    end: Optional[datetime] = None,
    limit: Optional[int] = None,
    jitter: Optional[Duration] = None,
    catchup: Optional[CatchUp] = None,
    overlap: Optional[Overlap] = None,
    paused: bool = False,
    ttl: Optional[Duration] = None,
    ttl_dead: bool = False,
    priority: Optional[int] = None,
    group: Optional[str] = None,
    headers: Optional[Mapping[str, str]] = None,
) -> Command[bool]:
    """Sets a schedule, which pushes a message at each of its ticks. Returns whether it is new.

    It can be set at every start of a program: with the same options nothing changes.

    every or cron: a tick each time this has elapsed, or in the minutes of an expression as "30 6 * * MON-FRI", in the
    time zone `zone` (UTC). start, end, limit: the first tick, the last one, and the number of messages. jitter: the
    time over which messages of equal ticks are spread. catchup: of ticks that are late because no server was running,
    the newest has a message (`one`, the default), none, or all have. overlap: with `skip` a tick has no message while
    an earlier one is not done. paused: no ticks. The others are those of `push`, for each message.

    Raises InvalidArgumentError.
    """
    words = ["MQ.SCHEDULE", queue, name, payload_word(payload)]
    words += length("EVERY", every) + option("CRON", cron) + option("TZ", zone)
    words += moment("START", start) + moment("END", end) + option("LIMIT", limit) + length("JITTER", jitter)
    words += option("CATCHUP", catchup) + option("OVERLAP", overlap) + (["PAUSED", 1] if paused else [])
    return encoded(words + push_options(None, None, ttl, ttl_dead, priority, group, headers), bool)


def unschedule(queue: str, name: str) -> Command[bool]:
    """Removes a schedule, and returns whether there was one. The messages that it has pushed stay."""
    return encoded(["MQ.UNSCHEDULE", queue, name], bool)


def schedules(
    queue: str, match: Optional[str] = None, *, offset: Optional[int] = None, count: Optional[int] = None
) -> Command[List[Schedule]]:
    """Shows the schedules of a queue, the next tick first: up to `count` (100), after the first `offset`.

    match: only those whose names match a pattern, as of KEYS.
    """
    words = ["MQ.SCHEDULES", queue, *option("MATCH", match), *option("OFFSET", offset), *option("COUNT", count)]
    return encoded(words, lambda reply: [_schedule(one) for one in reply])


def next_ticks(
    queue: str, name: str, *, count: Optional[int] = None, since: Optional[datetime] = None
) -> Command[List[datetime]]:
    """The next ticks of a schedule, without jitter: up to `count` (10), from now on, or from `since` on.

    Raises NotFoundError.
    """
    words = ["MQ.NEXT", queue, name, *option("COUNT", count), *moment("FROM", since)]
    return encoded(words, lambda reply: [wire.moment(one) for one in reply])


def trigger(queue: str, name: str) -> Command[str]:
    """Pushes a message of a schedule now, besides its ticks, and returns its id.

    With `overlap` `skip`, it returns the id of an earlier message that is not done, if there is one.

    Raises NotFoundError, QueueFullError.
    """
    return encoded(["MQ.TRIGGER", queue, name], wire.text)


def _duration(ms: int) -> timedelta:
    return timedelta(milliseconds=ms)


def _choice(value: Any) -> str:
    return wire.text(value).lower()


_FIELDS: Dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("name", "cron", "zone", "group"), wire.text),
    **dict.fromkeys(("every", "jitter", "ttl"), _duration),
    **dict.fromkeys(("start", "end", "next_tick", "last_tick"), wire.moment),
    **dict.fromkeys(("catchup", "overlap"), _choice),
    **dict.fromkeys(("paused", "dead"), bool),
    **dict.fromkeys(("limit", "runs", "missed", "skipped", "triggered", "priority"), int),
    "payload": bytes,
    "headers": wire.headers,
}


def _schedule(reply: Any) -> Schedule:
    """Fields of later versions of the server are left out."""
    return Schedule(**{name: _FIELDS[name](value) for name, value in wire.pairs(reply) if name in _FIELDS})
