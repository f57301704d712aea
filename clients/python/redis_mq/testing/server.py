"""The commands of redis-mq over queues in memory: reads their words, and answers what the server answers."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import redis

from ..wire import text
from . import words as read
from .queue import DELAYED, FOR_EVER, IN_FLIGHT, READY, Queue, Stored, matches, refusal

Words = List[bytes]


class Pull(NamedTuple):
    """A pull that can be tried again."""

    attempt: Callable[[], Any]
    block: float
    """For how many seconds it waits: 0 not at all."""
    queues: List[str]


class Server:
    """Queues, and a clock that stands still until it is set forward. Can be used from several threads."""

    def __init__(self, now: int) -> None:
        """now: unix milliseconds."""
        self.now = now
        self.lock = threading.RLock()
        self.on_change: Callable[[], None] = lambda: None
        """Called after each command: what waits may try again."""
        self.awaited: Counter[str] = Counter()
        """The queues for which pulls wait, so that they are in use."""
        self._queues_by_name: Dict[str, Queue] = {}
        self._ids = 0
        self._receipts = 0

    def reset(self, now: int) -> None:
        self._queues_by_name, self.now = {}, now

    def execute(self, words: List[Any]) -> Any:
        """The reply to a command; of a pull without waiting."""
        name = words[0]
        if name in ("MQ.PULL", "MQ.MPULL"):
            return self.pull(words).attempt()
        handler = getattr(self, "_" + name.lower().replace("mq.", ""), None)
        if handler is None:
            raise refusal("ERR", f"unknown command '{name}'")
        with self.lock:
            reply = handler(_bytes(words[1:]))
        self.on_change()
        return reply

    def pull(self, words: List[Any]) -> Pull:
        """Acknowledges what the words say, and returns how messages are then pulled."""
        name, *rest = words[:1] + _bytes(words[1:])
        if name == "MQ.MPULL":
            names, known = read.several(1024)("numkeys", rest), read.MANY_PULLED
        else:
            names, known = [rest.pop(0)], read.PULLED
        given = read.options(rest, known, ("NOACK", "VISIBILITY"), ("NOACK", "CONSUMER"), ("NOACK", "ONDISCONNECT"))
        read.check_only_with(given, "ONDISCONNECT", "NOCOUNT", "GRACE")
        acked: Optional[List[int]] = None
        if "ACK" in given:
            with self.lock:
                queue = self._queue(names[0])
                acked = self._each(queue, given["ACK"], True, queue.remove)
            self.on_change()

        def attempt() -> Any:
            with self.lock:
                found = self._taken([self._used(one) for one in names], given)
            return found if acked is None else [acked, found]

        block = given.get("BLOCK")
        return Pull(attempt, 0 if block is None else (block or FOR_EVER) / 1000, [text(one) for one in names])

    def _taken(self, queues: List[Queue], given: Dict[str, Any]) -> Any:
        for queue in queues:
            found = []
            for _ in range(given.get("COUNT", 1)):
                message = queue.take(self.now, given.get("VISIBILITY"), given.get("CONSUMER"), "NOACK" in given)
                if message is None:
                    break
                found.append(message.fields(queue.name, True))
            if found:
                return found if "COUNT" in given else found[0]
        return [] if "COUNT" in given else None

    # Pushing

    def _push(self, words: Words) -> Any:
        given = read.options(words[2:], read.PUSHED, ("DELAY", "AT"), ("PRIORITY", "GROUP"), ("WINDOW", "UNTILDONE"))
        read.check_only_with(given, "DEDUP", "WINDOW", "UNTILDONE")
        read.check_only_with(given, "TTL", "DEAD")
        queue, key = self._used(words[0]), given.get("DEDUP")
        held_by = queue.holder(key)
        if held_by is not None:
            return held_by
        queue.check_room(1, key)
        message = self._new(queue, words[1], given)
        if key is not None:
            until_done = "UNTILDONE" in given
            until = None if until_done else self.now + given.get("WINDOW", queue.settings["dedupwindow"])
            queue.keys[key] = (message.id, until)
            message.held_key = key if until_done else None
        return message.id

    def _mpush(self, words: Words) -> Any:
        rest = words[1:]
        payloads = read.several(10_000)("n", rest)
        given = read.options(rest, read.MANY_PUSHED, ("DELAY", "AT"), ("PRIORITY", "GROUP"))
        read.check_only_with(given, "TTL", "DEAD")
        queue = self._used(words[0])
        queue.check_room(len(payloads))
        return [self._new(queue, payload, given).id for payload in payloads]

    def _new(self, queue: Queue, payload: bytes, given: Dict[str, Any]) -> Stored:
        ttl = given.get("TTL", queue.settings["ttl"])
        self._ids += 1
        number = (self.now << 80) | (7 << 76) | (2 << 62) | self._ids
        message = Stored(
            id=str(uuid.UUID(int=number)),
            payload=payload,
            timestamp=self.now,
            headers=dict(given["HEADERS"]) if "HEADERS" in given else None,
            priority=given.get("PRIORITY", 0),
            group=given.get("GROUP"),
            expires_at=self.now + ttl if ttl else None,
            dies_of_age="DEAD" in given,
        )
        queue.push(message, self.now, self._due(given, queue.settings["delay"]))
        return message

    def _due(self, given: Dict[str, Any], delay: int) -> int:
        at: Optional[int] = given.get("AT")
        if at is None:
            return int(self.now + given.get("DELAY", delay))
        if 0 < at <= 100_000_000_000:
            raise refusal("ERR", f"AT {at} is a time in seconds, in milliseconds it is AT {at * 1000}")
        return at

    # Settling

    def _ack(self, words: Words) -> Any:
        queue = self._queue(words[0])
        return self._settled(queue, words[1:], {}, True, lambda given: queue.remove)

    def _nack(self, words: Words) -> Any:
        queue = self._queue(words[0])

        def nacked(given: Dict[str, Any]) -> Callable[[Stored], Any]:
            def nack(message: Stored) -> None:
                if "REASON" in given:
                    message.last_error = given["REASON"][:1024]
                if "DEAD" in given:
                    queue.die(message, self.now, "rejected")
                elif "FRONT" in given:
                    queue.put_back(message, self.now)
                else:
                    queue.nack(message, self.now, given.get("DELAY"), "NOCOUNT" not in given)

            return nack

        return self._settled(queue, words[1:], read.NACKED, False, nacked)

    def _extend(self, words: Words) -> Any:
        queue = self._queue(words[0])
        if words[1].upper() == b"CONSUMER":
            options = read.options(words[1:], read.CONSUMER_EXTENDED)
            return queue.extend_all_of(options["CONSUMER"], self.now, options.get("VISIBILITY"))

        def extended(given: Dict[str, Any]) -> Callable[[Stored], int]:
            return lambda message: queue.extend(message, self.now, given.get("VISIBILITY"))

        return self._settled(queue, words[1:], read.EXTENDED, True, extended)

    def _settled(
        self,
        queue: Queue,
        words: Words,
        known: Dict[str, read.Read],
        may_be_late: bool,
        settle: Callable[[Dict[str, Any]], Callable[[Stored], Any]],
    ) -> Any:
        many = words[0].upper() == b"IDS"
        rest = words[1:] if many else words[2:]
        pairs = read.pairs(10_000)("IDS", rest) if many else [(words[0], words[1])]
        given = read.options(rest, known, ("NOCOUNT", "DEAD"), ("FRONT", "DELAY"))
        read.check_only_with(given, "NOCOUNT", "FRONT")
        if "DEAD" in given and any(self._has_died(queue, text(id), text(receipt)) for id, receipt in pairs):
            raise refusal("ERR", "a dead letter can't be sent to the dead-letter queue")
        if many:
            return self._each(queue, pairs, may_be_late, settle(given))
        ((id, receipt),) = pairs
        reply = settle(given)(queue.held(text(id), text(receipt), may_be_late))
        return 1 if reply is None else reply

    def _each(
        self, queue: Queue, pairs: List[Tuple[bytes, bytes]], may_be_late: bool, settle: Callable[[Stored], Any]
    ) -> List[int]:
        replies = []
        for id, receipt in pairs:
            try:
                reply = settle(queue.held(text(id), text(receipt), may_be_late))
                replies.append(1 if reply is None else reply)
            except redis.ResponseError as error:
                replies.append(0 if str(error).startswith("NOTFOUND") else -1)
        return replies

    @staticmethod
    def _has_died(queue: Queue, id: str, receipt: str) -> bool:
        """Whether a message is a dead letter, as far as this receipt may ask."""
        try:
            return queue.held(id, receipt, False).dead_from is not None
        except redis.ResponseError:
            return False

    # Looking and changing

    def _peek(self, words: Words) -> Any:
        given = read.options(words[1:], read.PEEKED, ("READY", "INFLIGHT", "DELAYED", "DEAD"))
        queue = self._of_state(words[0], given)
        start = given.get("OFFSET", 0)
        shown = queue.in_state(_state(given) or READY)[start : start + given.get("COUNT", 10)]
        return [message.fields(queue.name, False) for message in shown]

    def _get(self, words: Words) -> Any:
        queue = self._queue(words[0])
        message = next(iter(self._named(queue, words[1:])), None)
        return None if message is None else message.fields(queue.name, False)

    def _del(self, words: Words) -> int:
        if not words[1:]:
            raise refusal("ERR", "wrong number of arguments for 'MQ.DEL' command")
        queue = self._queue(words[0])
        found = self._named(queue, words[1:])
        for message in found:
            queue.remove(message)
        return len(found)

    @staticmethod
    def _named(queue: Queue, words: Words) -> List[Stored]:
        """The messages with these ids, or with the deduplication key after DEDUP."""
        is_key = len(words) == 2 and words[0].upper() == b"DEDUP"
        ids = {queue.holder(words[1])} if is_key else {text(word) for word in words}
        return [queue.messages[id] for id in ids if id in queue.messages]

    def _reschedule(self, words: Words) -> int:
        given = read.options(words[2:], read.AT, ("DELAY", "AT"))
        if not given:
            raise refusal("ERR", "DELAY or AT is missing")
        queue, due_at = self._queue(words[0]), self._due(given, 0)
        message = queue.messages.get(text(words[1]))
        if message is None or message.state != DELAYED:
            return 0
        if due_at > self.now:
            message.due_at = due_at
        else:
            queue.become_ready(message, queue.behind(self.now))
        return 1

    def _len(self, words: Words) -> int:
        given = read.options(words[1:], {name: read.flag for name in ("READY", "INFLIGHT", "DELAYED", "DEAD")})
        queue, state = self._of_state(words[0], given), _state(given)
        return len(queue.messages if state is None else queue.in_state(state))

    def _info(self, words: Words) -> Dict[str, Any]:
        return self._told(self._queue(words[0]))

    def _told(self, queue: Queue) -> Dict[str, Any]:
        """Settings and state; the fake counts nothing."""
        lengths = {state: len(queue.in_state(state)) for state in (READY, IN_FLIGHT, DELAYED)}
        waiting = len(self._queue(queue.settings["deadletter"].encode()).in_state(READY))
        until = 0 if queue.paused_until == FOR_EVER else queue.paused_until
        paused = {"paused": int(queue.paused_until > 0), "paused_until": until}
        return {**queue.settings, "exists": int(queue.exists), "deadletter_waiting": waiting, **lengths, **paused}

    def _queues(self, words: Words) -> List[str]:
        return [queue.name for queue in self._listed(words)]

    def _stats(self, words: Words) -> List[Dict[str, Any]]:
        return [{"queue": queue.name, **self._told(queue)} for queue in self._listed(words)]

    def _listed(self, words: Words) -> List[Queue]:
        given = read.options(words, {"MATCH": read.any_text})
        pattern = text(given.get("MATCH", b"*"))
        found = [queue for queue in self._queues_now() if queue.exists and matches(queue.name, pattern)]
        return sorted(found, key=lambda queue: queue.name.encode())

    def _config(self, words: Words) -> Any:
        queue = self._queue(words[0])
        given = read.options(words[1:], read.CONFIGURED, ("DEADLETTER", "DEFAULTDEADLETTER"))
        if not given:
            return dict(queue.settings)
        default = Queue(queue.name, self._other, str).settings
        if given.pop("DEFAULTDEADLETTER", False):
            given["DEADLETTER"] = None
        changed = {name.lower(): default[name.lower()] if value is None else value for name, value in given.items()}
        if isinstance(changed.get("deadletter"), bytes):
            changed["deadletter"] = self._queue(changed["deadletter"]).name
        merged = {**queue.settings, **changed}
        if merged["deadletter"] == queue.name:
            raise refusal("ERR", "a queue can't be its own dead-letter queue")
        if merged["backoff"] > merged["backoffmax"]:
            raise refusal("ERR", f"BACKOFF {merged['backoff']} is above BACKOFFMAX {merged['backoffmax']}")
        if merged["expires"] != queue.settings["expires"]:
            queue.used_at = self.now
        queue.settings = merged
        queue.settle_all()
        return "OK"

    def _pause(self, words: Words) -> str:
        given = read.options(words[1:], {"FOR": read.number(1, read.LONGEST)})
        self._queue(words[0]).paused_until = self.now + given["FOR"] if given else FOR_EVER
        return "OK"

    def _resume(self, words: Words) -> str:
        self._queue(words[0]).paused_until = 0
        return "OK"

    def _purge(self, words: Words) -> int:
        given = read.options(words[1:], read.PURGED, ("READY", "DELAYED"))
        queue, state = self._queue(words[0]), _state(given)
        purged = list(queue.messages.values()) if state is None else queue.in_state(state)
        if state is None:
            queue.clear()
        else:
            for message in purged:
                queue.remove(message)
        return len(purged)

    def _drop(self, words: Words) -> int:
        queue = self._queue(words[0])
        del self._queues_by_name[queue.name]
        return int(queue.exists)

    def _redrive(self, words: Words) -> int:
        given = read.options(words[1:], read.REDRIVEN, ("COUNT", "ALL", "IDS"))
        grave = self._queue(words[0])
        to = self._queue(given["TO"]) if "TO" in given else None
        if to is grave:
            raise refusal("ERR", "a queue can't be redriven to itself")
        own = self._queue(grave.settings["deadletter"].encode())
        if not any(one.dead_from for one in grave.in_state(READY)) and any(
            one.dead_from for one in own.in_state(READY)
        ):
            raise refusal("ERR", f"the queue's dead letters are in its dead-letter queue, redrive {own.name}")
        count = len(grave.messages) if "ALL" in given or "IDS" in given else given.get("COUNT", 1000)
        wanted = [message for message in grave.in_state(READY) if _is_wanted(message, given)]
        wanted.sort(key=lambda one: (one.dead_at is None, one.dead_at or 0, one.place))
        for message in wanted[:count]:
            target = to or self._other(message.dead_from or grave.name)
            grave.remove(message)
            message.dead_from = message.dead_at = message.dead_reason = message.dead_retries = None
            message.expires_at = None
            target.move_in(message, self.now)
        return len(wanted[:count])

    def _time(self, words: Words) -> List[bytes]:
        return [b"%d" % (self.now // 1000), b"%d" % (self.now % 1000 * 1000)]

    # Queues

    def _queue(self, name: bytes) -> Queue:
        """The queue of this name, with nothing left that is due."""
        if not 1 <= len(name) <= 512:
            raise refusal("ERR", "invalid queue name: it must be 1 to 512 bytes")
        if name.startswith(b"{") and name.find(b"}") == len(name) - 1 > 1:
            raise refusal("ERR", "invalid queue name: it is a hash tag only, use the name without braces")
        return self._now(text(name))

    def _used(self, name: bytes) -> Queue:
        """The same, for a command that counts as a use."""
        queue = self._queue(name)
        queue.used_at = self.now
        return queue

    def _now(self, name: str) -> Queue:
        if self._other(name).is_unused(self.now) and not self.awaited[name]:
            del self._queues_by_name[name]
        queue = self._other(name)
        queue.pass_time(self.now)
        return queue

    def _other(self, name: str) -> Queue:
        if name not in self._queues_by_name:
            self._queues_by_name[name] = Queue(name, self._other, self._next_receipt)
        return self._queues_by_name[name]

    def _queues_now(self) -> List[Queue]:
        return [self._now(name) for name in list(self._queues_by_name)]

    def _next_receipt(self) -> str:
        self._receipts += 1
        return f"{self._receipts:016x}"

    def _of_state(self, name: bytes, given: Dict[str, Any]) -> Queue:
        queue = self._queue(name)
        return self._queue(queue.settings["deadletter"].encode()) if "DEAD" in given else queue


def _bytes(words: List[Any]) -> Words:
    return [word if isinstance(word, bytes) else str(word).encode() for word in words]


def _state(given: Dict[str, Any]) -> Optional[str]:
    return next((state for state in (READY, IN_FLIGHT, DELAYED) if state.upper() in given), None)


def _is_wanted(message: Stored, given: Dict[str, Any]) -> bool:
    if "IDS" in given and message.id.encode() not in given["IDS"]:
        return False
    if "FROM" in given and message.dead_from != text(given["FROM"]):
        return False
    if "REASON" in given:
        return given["REASON"] in ((message.dead_reason or "").encode(), message.last_error)
    return message.dead_from is not None or "TO" in given
