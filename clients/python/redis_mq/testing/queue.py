"""The rules of one queue, in memory: what docs/delivery.md says, without persistence. Knows no words and no clock; all
times are unix milliseconds."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple

import redis

from .schedule import UNGROUPED, Schedule

DEFAULTS: Dict[str, Any] = {
    "visibility": 30_000,
    "maxretries": 25,
    "deadletter": "",
    "backoff": 1000,
    "backoffmax": 3_600_000,
    "delay": 0,
    "ttl": 0,
    "maxlen": 0,
    "maxinflight": 0,
    "rate": 0,
    "rateperiod": 1000,
    "aging": 0,
    "groupinflight": 1,
    "dedupwindow": 300_000,
    "maxdedup": 0,
    "expires": 0,
}
READY, IN_FLIGHT, DELAYED = "ready", "inflight", "delayed"
FOR_EVER = 1 << 62


Place = Tuple[int, int]
"""In the order of the ready: since when, and a number that grows with what happens in the same millisecond."""


def refusal(code: str, text: str) -> redis.ResponseError:
    return redis.ResponseError(f"{code} {text}")


@dataclass
class Stored:
    """A message, and where it is."""

    id: str
    payload: bytes
    timestamp: int
    headers: Optional[Dict[bytes, bytes]] = None
    priority: int = 0
    group: Optional[bytes] = None
    expires_at: Optional[int] = None
    dies_of_age: bool = False
    state: str = READY
    place: Place = (0, 0)
    origin: Place = (0, 0)
    number: Optional[int] = None
    due_at: int = 0
    visibility_until: int = 0
    receipt: Optional[str] = None
    may_be_late: bool = False
    is_returned: bool = False
    consumer: Optional[bytes] = None
    retry_count: int = 0
    deliveries: int = 0
    first_delivered_at: Optional[int] = None
    last_error: Optional[bytes] = None
    dead_from: Optional[str] = None
    dead_at: Optional[int] = None
    dead_reason: Optional[str] = None
    dead_retries: Optional[int] = None
    held_key: Optional[bytes] = None

    @property
    def turn(self) -> Optional[bytes]:
        """Its group, where groups have an effect."""
        return None if self.dead_from else self.group

    @property
    def rank(self) -> int:
        """Its priority, where priorities have an effect."""
        return 0 if self.dead_from else self.priority

    def fields(self, queue: str, is_delivery: bool) -> Dict[str, Any]:
        """As a reply has them; a delivery of a message that is in flight has a receipt."""
        found: Dict[str, Any] = {"id": self.id, "queue": queue, "payload": self.payload}
        found.update(timestamp=self.timestamp, retry_count=self.retry_count)
        if is_delivery:
            if self.receipt is not None:
                found.update(visibility_until=self.visibility_until, receipt=self.receipt)
        else:
            found["state"] = self.state
            if self.state == IN_FLIGHT:
                found.update(visibility_until=self.visibility_until, consumer=self.consumer)
            elif self.state == DELAYED:
                found["due_at"] = self.due_at
        if self.deliveries > (is_delivery or self.state == IN_FLIGHT):
            found.update(deliveries=self.deliveries, first_delivered_at=self.first_delivered_at)
        found.update(headers=self.headers, priority=self.priority or None, group=self.group)
        found.update(expires_at=self.expires_at, last_error=self.last_error, dead_from=self.dead_from)
        found.update(dead_at=self.dead_at, dead_reason=self.dead_reason, dead_retries=self.dead_retries)
        return {name: value for name, value in found.items() if value is not None}


class Queue:
    """`other(name)` gives another queue: the dead-letter queue. `next_receipt()` gives a greater one each time."""

    def __init__(self, name: str, other: Callable[[str], Queue], next_receipt: Callable[[], str]) -> None:
        self.name = name
        self._other = other
        self._next_receipt = next_receipt
        self.settings = dict(DEFAULTS, deadletter=_default_dead_letter(name))
        self.messages: Dict[str, Stored] = {}
        self.keys: Dict[bytes, Tuple[str, Optional[int]]] = {}
        self.paused_until = 0
        self.used_at = 0
        self.window = (0, 0)
        self._schedule = Schedule()
        self._numbers = 0

    @property
    def exists(self) -> bool:
        changed = self.settings != dict(DEFAULTS, deadletter=_default_dead_letter(self.name))
        return bool(self.messages or self.keys or self.paused_until or changed)

    def is_unused(self, now: int) -> bool:
        """Whether nobody used it for as long as its setting says."""
        expires: int = self.settings["expires"]
        return 0 < expires <= now - self.used_at

    def in_state(self, state: str) -> List[Stored]:
        """In the order in which they are shown."""
        found = [message for message in self.messages.values() if message.state == state]
        if state == READY:
            ungrouped = sorted(
                (message for message in found if message.turn is None),
                key=lambda message: (-message.rank, message.place),
            )
            return ungrouped + [one for group in self._schedule.order() for one in self._of_group(group)]
        moment = "due_at" if state == DELAYED else "visibility_until"
        return sorted(found, key=lambda message: (getattr(message, moment), message.id))

    def pass_time(self, now: int) -> None:
        """Carries out what is due: times to live, then visibilities, then delays."""
        self.keys = {key: held for key, held in self.keys.items() if held[1] is None or held[1] > now}
        if self.paused_until <= now:
            self.paused_until = 0
        for message in list(self.messages.values()):
            if message.expires_at is not None and message.expires_at <= now and message.state != IN_FLIGHT:
                self._expire(message, now)
        for message in self.in_state(IN_FLIGHT):
            if message.visibility_until <= now:
                message.may_be_late = True
                self._return(message, now, counts=True, delay=0, place=message.origin)
        for message in self.in_state(DELAYED):
            if message.due_at <= now:
                self.become_ready(message, (message.due_at, message.origin[1]))

    def clear(self) -> None:
        """Settings and a pause stay."""
        self.messages, self.keys, self._schedule = {}, {}, Schedule()

    # Pushing

    def holder(self, key: Optional[bytes]) -> Optional[str]:
        """The id of the message that holds a deduplication key."""
        return self.keys[key][0] if key in self.keys else None

    def check_room(self, count: int, key: Optional[bytes] = None) -> None:
        limit = self.settings["maxlen"]
        if limit and len(self.messages) + count > limit:
            raise refusal("QUEUEFULL", f"the queue is full: MAXLEN of '{self.name}' is {limit}")
        limit = self.settings["maxdedup"]
        if key is not None and limit and len(self.keys) >= limit:
            raise refusal("DEDUPFULL", f"the queue holds its maximum of deduplication keys: {limit}")

    def push(self, message: Stored, now: int, due_at: int) -> None:
        self.messages[message.id] = message
        message.origin = self.behind(now)
        if due_at > now:
            message.state, message.due_at = DELAYED, due_at
        else:
            self.become_ready(message, message.origin)

    def become_ready(self, message: Stored, place: Place) -> None:
        """A message of a group gets its number when it is ready for the first time, and keeps it."""
        message.state, message.place = READY, place
        if message.turn is not None and message.number is None:
            self._numbers += 1
            message.number = self._numbers
        self.settle(message)

    def settle(self, message: Stored) -> None:
        """The state of a message has changed: its group may be served, or not any more."""
        if message.turn is not None:
            self._settle_group(message.turn)

    def settle_all(self) -> None:
        """The number of slots has changed."""
        for group in self._schedule.order():
            self._settle_group(group)

    def _settle_group(self, group: bytes) -> None:
        mine = [one for one in self.messages.values() if one.turn == group]
        waiting = sum(one.state == READY for one in mine)
        used = sum(one.state == IN_FLIGHT or (one.state == DELAYED and one.is_returned) for one in mine)
        self._schedule.settle(group, waiting, used, self.settings["groupinflight"])

    # Delivering

    def take(self, now: int, visibility: Optional[int], consumer: Optional[bytes], no_ack: bool) -> Optional[Stored]:
        """The next message, in flight; with no_ack it is gone."""
        message = None if self._is_at_limit(now) else self._next(now)
        if message is None:
            return None
        start, count = self.window
        is_over = now >= start + self.settings["rateperiod"]
        self.window = (now, 1) if is_over else (start, count + 1)
        message.deliveries += 1
        message.state = IN_FLIGHT
        self._schedule.served(message.turn or UNGROUPED)
        if message.first_delivered_at is None:
            message.first_delivered_at = now
        if no_ack:
            message.receipt = None
            self.remove(message)
            return message
        message.consumer, message.may_be_late = consumer, False
        message.receipt = self._next_receipt()
        message.visibility_until = now + (visibility or self.settings["visibility"])
        self.settle(message)
        return message

    def _is_at_limit(self, now: int) -> bool:
        limit, rate, (start, count) = self.settings["maxinflight"], self.settings["rate"], self.window
        in_window = now < start + self.settings["rateperiod"]
        is_full = limit and len(self.in_state(IN_FLIGHT)) >= limit
        return bool(self.paused_until or is_full or (rate and in_window and count >= rate))

    def _next(self, now: int) -> Optional[Stored]:
        ungrouped = [message for message in self.in_state(READY) if message.turn is None]
        group = self._schedule.next(bool(ungrouped))
        if group != UNGROUPED:
            return self._of_group(group)[0]
        if not ungrouped:
            return None
        longest = min(ungrouped, key=lambda one: (one.place[0], -one.rank, one.place))
        aging = self.settings["aging"]
        return longest if aging and longest.place[0] + aging < now else ungrouped[0]

    def _of_group(self, group: bytes) -> List[Stored]:
        """Its ready messages, in order."""
        mine = [one for one in self.messages.values() if one.turn == group and one.state == READY]
        return sorted(mine, key=lambda one: one.number or 0)

    # Settling

    def held(self, id: str, receipt: str, may_be_late: bool) -> Stored:
        """The message of a delivery. may_be_late: one that ended by itself will do."""
        message = self.messages.get(id)
        if message is None or message.receipt is None:
            raise refusal("NOTFOUND", "no message with this id is in flight or waiting for its retry")
        is_current = message.state == IN_FLIGHT or (may_be_late and message.may_be_late)
        if message.receipt != receipt or not is_current:
            raise refusal("BADRECEIPT", "the receipt is not valid for this message")
        return message

    def nack(self, message: Stored, now: int, delay: Optional[int], counts: bool) -> None:
        message.may_be_late = False
        if delay is None:
            delay = self._backoff(message.retry_count + 1) if counts else 0
        self._return(message, now, counts, delay, self.behind(now))

    def put_back(self, message: Stored, now: int) -> None:
        """As if it had not been delivered."""
        message.may_be_late = False
        self._return(message, now, False, 0, message.origin)

    def extend(self, message: Stored, now: int, visibility: Optional[int]) -> int:
        until = now + (visibility or self.settings["visibility"])
        if message.state == IN_FLIGHT and visibility is None:
            until = max(until, message.visibility_until)
        elif message.state != IN_FLIGHT:
            message.state, message.retry_count = IN_FLIGHT, message.retry_count - 1
            self.settle(message)
        message.visibility_until, message.may_be_late = until, False
        return until

    def extend_all_of(self, consumer: bytes, now: int, visibility: Optional[int]) -> int:
        mine = [message for message in self.in_state(IN_FLIGHT) if message.consumer == consumer]
        for message in mine:
            self.extend(message, now, visibility)
        return len(mine)

    def behind(self, now: int) -> Place:
        """The place behind all that wait."""
        self._numbers += 1
        return (now, self._numbers)

    def remove(self, message: Stored) -> None:
        """Done, discarded or deleted."""
        del self.messages[message.id]
        self.settle(message)
        if message.held_key is not None:
            self.keys.pop(message.held_key, None)
            message.held_key = None

    def die(self, message: Stored, now: int, reason: str) -> None:
        self.remove(message)
        message.dead_from, message.dead_at, message.dead_reason = self.name, now, reason
        message.dead_retries = message.retry_count
        grave = self._other(self.settings["deadletter"])
        ttl, limit = grave.settings["ttl"], grave.settings["maxlen"]
        message.expires_at, message.dies_of_age = now + ttl if ttl else None, False
        dead = [one for one in grave.in_state(READY) if one.dead_at is not None]
        if limit and len(grave.messages) >= limit and dead:
            grave.remove(min(dead, key=lambda one: (one.dead_at, one.place)))
        grave.move_in(message, now)

    def move_in(self, message: Stored, now: int) -> None:
        """Behind all that wait, as a new message of this queue."""
        message.retry_count, message.receipt, message.number, message.is_returned = 0, None, None, False
        self.messages[message.id] = message
        message.origin = self.behind(now)
        self.become_ready(message, message.origin)

    def _return(self, message: Stored, now: int, counts: bool, delay: int, place: Place) -> None:
        if message.expires_at is not None and message.expires_at <= now:
            return self._expire(message, now)
        if counts:
            limit = self.settings["maxretries"]
            if 0 <= limit < message.retry_count + 1 and message.dead_from is None:
                return self.die(message, now, "retries")
            message.retry_count += 1
        message.is_returned, message.consumer = True, None
        if delay:
            message.state, message.due_at = DELAYED, now + delay
            self.settle(message)
        else:
            self.become_ready(message, place)
        return None

    def _expire(self, message: Stored, now: int) -> None:
        """Its time to live is over."""
        if message.dies_of_age:
            self.die(message, now, "expired")
        else:
            self.remove(message)

    def _backoff(self, retry: int) -> int:
        return int(min(self.settings["backoff"] << min(retry - 1, 40), self.settings["backoffmax"]))


def matches(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern.replace("[^", "[!"))


def _default_dead_letter(name: str) -> str:
    has_tag = name.find("}", name.find("{") + 2) > 0 if "{" in name else False
    return f"{name}:dead" if has_tag else f"{{{name}}}:dead"
