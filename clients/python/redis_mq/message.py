"""What comes out of a queue."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Dict, NamedTuple, Optional, Union


class Outcome(Enum):
    """What became of one message of a batch."""

    DONE = "done"
    NOT_FOUND = "not_found"
    INVALID_RECEIPT = "invalid_receipt"


class Delivery(NamedTuple):
    """What it takes to acknowledge, give back or extend a message: for programs that keep no `Message`."""

    queue: str
    id: str
    receipt: str


@dataclass
class Message:
    """A message. What does not apply to it is None; moments are in UTC.

    Pulled messages have `visibility_until` and `receipt` (unless they were pulled with no_ack), those of `peek` and
    `get` have `state`.
    """

    id: str
    """A version 7 UUID; ids of later pushes are greater."""
    queue: str
    """The queue that it is in."""
    payload: bytes
    """What was pushed."""
    timestamp: datetime
    """When it was pushed."""
    retry_count: int
    """How often it came back; 0 on the first delivery."""
    state: Optional[str] = None
    """`ready`, `inflight` or `delayed`; of `peek` and `get` only."""
    visibility_until: Optional[datetime] = None
    """When this delivery ends."""
    receipt: Optional[str] = None
    """16 hex digits; a later delivery has a greater one."""
    consumer: Optional[str] = None
    """Who holds it; of `peek` and `get` only."""
    due_at: Optional[datetime] = None
    """When it becomes ready; of `peek` and `get` only, if it is delayed."""
    headers: Dict[str, str] = field(default_factory=dict)
    """Bytes that are not UTF-8 are lone surrogates: `value.encode("utf-8", "surrogateescape")` restores them."""
    priority: Optional[int] = None
    """1 to 9."""
    group: Optional[str] = None
    """The group whose order it keeps."""
    expires_at: Optional[datetime] = None
    """When its time to live ends."""
    deliveries: Optional[int] = None
    """The number of deliveries with this one, from the second one on."""
    first_delivered_at: Optional[datetime] = None
    """From the second delivery on."""
    last_error: Optional[str] = None
    """The last reason with which it was given back."""
    dead_from: Optional[str] = None
    """The queue in which it died; this and the next three only in dead letters."""
    dead_at: Optional[datetime] = None
    """When it died."""
    dead_reason: Optional[str] = None
    """`retries`, `rejected` or `expired`."""
    dead_retries: Optional[int] = None
    """Its last `retry_count` there."""

    def text(self) -> str:
        """The payload as UTF-8 text; UnicodeDecodeError if it is none."""
        return self.payload.decode()

    def json(self) -> Any:
        """The payload, read as JSON; ValueError if it is none."""
        return json.loads(self.payload)

    @property
    def delivery(self) -> Delivery:
        """Its queue, id and receipt; ValueError if it has no receipt."""
        if self.receipt is None:
            raise ValueError(f"message {self.id} has no receipt: it was peeked at, or pulled with no_ack")
        return Delivery(self.queue, self.id, self.receipt)


Held = Union[Message, Delivery]
"""A message as it came from a pull, or its delivery."""


def delivery_of(held: Held) -> Delivery:
    return held.delivery if isinstance(held, Message) else held
