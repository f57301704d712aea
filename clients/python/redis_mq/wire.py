"""Words of commands and values of replies, between Python's types and those of the server: bytes, milliseconds, flat
arrays. Knows no command."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple, Union

from .histogram import Histogram
from .message import Message, Outcome

Duration = Union[timedelta, float]
"""A length of time: a timedelta, or seconds."""
Payload = Union[bytes, bytearray, memoryview, str]
"""Text is sent as UTF-8."""
Word = Union[bytes, int]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(duration: Duration) -> int:
    """At least 1, except of no time at all: 0 has meanings of its own."""
    exact = duration / _MILLISECOND if isinstance(duration, timedelta) else duration * 1000
    return round(exact) or (1 if exact > 0 else 0)


def unix_milliseconds(moment: datetime) -> int:
    """A moment without a time zone is local time."""
    return round((moment.astimezone(timezone.utc) - _EPOCH) / _MILLISECOND)


def moment(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)


def text_word(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def payload_word(payload: Payload) -> bytes:
    return payload.encode() if isinstance(payload, str) else bytes(payload)


def text(value: Any) -> str:
    """Names are bytes for the server. Those that are not UTF-8 survive as lone surrogates."""
    return str(value, "utf-8", "surrogateescape") if isinstance(value, (bytes, bytearray)) else str(value)


def pairs(reply: Any) -> Iterator[Tuple[str, Any]]:
    """A map is a map in RESP3 from Redis 7.0 on, elsewhere a flat array of names and values."""
    items = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2])
    return ((text(name), value) for name, value in items)


def headers(reply: Any) -> Dict[str, str]:
    return {name: text(value) for name, value in pairs(reply)}


_FIELDS: Dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        ("id", "queue", "state", "receipt", "consumer", "group", "last_error", "dead_from", "dead_reason"), text
    ),
    **dict.fromkeys(("timestamp", "visibility_until", "due_at", "expires_at", "first_delivered_at", "dead_at"), moment),
    **dict.fromkeys(("retry_count", "priority", "deliveries", "dead_retries"), int),
    "payload": bytes,
    "headers": headers,
}


def message(reply: Any) -> Message:
    """Fields of later versions of the server are left out."""
    return Message(**{name: _FIELDS[name](value) for name, value in pairs(reply) if name in _FIELDS})


def message_or_none(reply: Any) -> Optional[Message]:
    return None if reply is None else message(reply)


def messages(reply: Any) -> List[Message]:
    return [message(one) for one in reply]


_OUTCOMES = {1: Outcome.DONE, 0: Outcome.NOT_FOUND, -1: Outcome.INVALID_RECEIPT}


def outcomes(reply: Any) -> List[Outcome]:
    return [_OUTCOMES[one] for one in reply]


def extensions(reply: Any) -> List[Union[datetime, Outcome]]:
    return [moment(one) if one > 0 else _OUTCOMES[one] for one in reply]


def texts(reply: Any) -> List[str]:
    return [text(one) for one in reply]


def texts_of_all(reply: Any) -> List[str]:
    """Of one server, or of all servers of a cluster."""
    return texts(reply) if isinstance(reply, list) else sorted(name for part in reply.values() for name in texts(part))


def nothing(_: Any) -> None:
    return None


_DURATIONS = frozenset("visibility backoff backoffmax delay ttl rateperiod aging dedupwindow expires".split())
_MOMENTS = frozenset("paused_until rate_window_start next_due_at next_tick_at".split())
_HISTOGRAMS = frozenset("delivery_times processing_times".split())


def facts(reply: Any) -> Dict[str, Any]:
    """The map of MQ.CONFIG or MQ.INFO, or one of MQ.STATS."""
    return {name: _fact(name, value) for name, value in pairs(reply)}


def facts_of_all(reply: Any) -> List[Dict[str, Any]]:
    """The maps of MQ.STATS, of one server or of all servers of a cluster."""
    if isinstance(reply, list):
        return [facts(one) for one in reply]
    return sorted((facts(one) for part in reply.values() for one in part), key=lambda one: str(one["queue"]))


def _fact(name: str, value: Any) -> Any:
    if name in _DURATIONS:
        return timedelta(milliseconds=value)
    if name in _MOMENTS:
        return moment(value) if value else None
    if name == "priorities":
        return {int(priority): count for priority, count in pairs(value)}
    if name in _HISTOGRAMS:
        return _histogram(value)
    return text(value) if isinstance(value, bytes) else value


def _histogram(reply: Any) -> Histogram:
    fields = dict(pairs(reply))
    buckets = {timedelta(milliseconds=int(bound)): count for bound, count in pairs(fields["buckets"])}
    return Histogram(fields["count"], timedelta(milliseconds=fields["sum_ms"]), buckets)
