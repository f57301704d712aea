"""A message as it comes from a pull. Knows no connection."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from kombu.utils.json import loads


@dataclass(frozen=True)
class Delivery:
    """One delivery of a message. A later delivery of it has another receipt, and so another tag."""

    key: str
    """The name of the queue on the server."""
    id: str
    receipt: str
    payload: bytes
    redelivered: bool

    @property
    def tag(self) -> str:
        return f"{self.id}/{self.receipt}"

    def message(self) -> dict[str, Any]:
        """kombu's message. ValueError: the payload is none."""
        message = loads(self.payload)
        try:
            properties = message["properties"]
            properties["delivery_tag"] = self.tag
            properties["delivery_info"]["redelivered"] = self.redelivered
        except (KeyError, TypeError):
            raise ValueError("not a message of kombu") from None
        return message


def deliveries(reply: Iterable[Any]) -> list[Delivery]:
    """The reply of a pull with COUNT."""
    return [_delivery(fields(message)) for message in reply]


def fields(reply: Any) -> dict[bytes, Any]:
    """A map is flat in RESP2, and on servers before 7.0."""
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2]))


def _delivery(message: dict[bytes, Any]) -> Delivery:
    return Delivery(
        key=message[b"queue"].decode(),
        id=message[b"id"].decode(),
        receipt=message[b"receipt"].decode(),
        payload=message[b"payload"],
        redelivered=message.get(b"deliveries", 1) > 1,
    )


def by_queue(held: Iterable[Delivery]) -> Iterable[tuple[str, list[str]]]:
    """For every queue its name on the server, and the words ``IDS n id receipt ...``."""
    for key, group in groupby(sorted(held, key=attrgetter("key")), attrgetter("key")):
        pairs = [word for delivery in group for word in (delivery.id, delivery.receipt)]
        yield key, ["IDS", str(len(pairs) // 2), *pairs]
