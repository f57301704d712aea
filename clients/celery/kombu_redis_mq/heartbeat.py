"""Keeps what a connection holds: a thread extends its visibility, whatever the event loop is busy with."""

from __future__ import annotations

import threading

from kombu.log import get_logger
from redis import Redis
from redis.exceptions import RedisError

from .delivery import Delivery, by_queue

logger = get_logger(__name__)


class Heartbeat:
    """The deliveries that a connection holds. A third of the visibility passes between two extensions."""

    def __init__(self, server: Redis, visibility_ms: int) -> None:
        self._server = server
        self._visibility_ms = visibility_ms
        self.after_fork()

    def after_fork(self) -> None:
        """A child process holds nothing, and has no thread. The lock may be held by one of the parent."""
        self._held: dict[str, Delivery] = {}
        self._late: dict[str, Delivery] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def hold(self, delivery: Delivery) -> None:
        with self._lock:
            self._held[delivery.tag] = delivery
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, args=(self._stopped,), name="redis-mq heartbeat", daemon=True
                )
                self._thread.start()

    def drop(self, tag: str) -> Delivery | None:
        """Ends the extensions of a delivery. None: it is not held any more."""
        with self._lock:
            return self._held.pop(tag, None) or self._late.pop(tag, None)

    def held(self, tags: list[str]) -> list[Delivery]:
        with self._lock:
            return [self._held[tag] for tag in tags if tag in self._held]

    def stop(self) -> None:
        """Extends nothing any more. What could not be given back may still be acknowledged."""
        with self._lock:
            self._stopped.set()
            self._thread, self._stopped = None, threading.Event()
            self._late, self._held = self._held, {}

    def _run(self, stopped: threading.Event) -> None:
        pause = self._visibility_ms / 3000
        while not stopped.wait(pause):
            try:
                self._extend()
                pause = self._visibility_ms / 3000
            except RedisError as error:
                logger.warning("redis-mq: could not extend visibilities, trying again: %s", error)
                pause = min(1, self._visibility_ms / 10000)

    def _extend(self) -> None:
        with self._lock:
            held = list(self._held.values())
        for key, words in by_queue(held):
            replies = self._server.execute_command("MQ.EXTEND", key, *words, "VISIBILITY", self._visibility_ms)
            for id, receipt, until in zip(words[2::2], words[3::2], replies):
                if until <= 0 and self.drop(f"{id}/{receipt}"):
                    logger.warning("redis-mq: message %s of %s is not ours any more", id, key)
