"""A fake of redis-mq for the tests of programs that use it: in memory, with a clock that only the test sets forward."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any, cast

from ..client import AsyncClient, Client
from ..wire import Duration, milliseconds, moment
from .connections import AsyncRedis, Redis, WaitingPulls
from .server import Server

__all__ = ["FakeRedisMQ"]


class FakeRedisMQ:
    """Stands for a server. Its clients and workers behave as over a real one, with these differences:

    - Time passes by `advance` only: no visibility or delay ends before.
    - The pulls of `client()` never wait. Those of `async_client()` and of workers wait until something in the fake
      changes, for at most their `block` by the real clock.
    - on_disconnect has no effect, `info` counts nothing, and a batch may be of any size.
    - It has no schedules: their commands are unknown, as to a server without the module.
    """

    def __init__(self) -> None:
        self._server = Server(_real_time())
        self._waiting = WaitingPulls(self._server)

    def client(self) -> Client:
        """A client of this fake."""
        return Client(cast(Any, Redis(self._server)))

    def async_client(self) -> AsyncClient:
        """A client of this fake for asyncio."""
        return AsyncClient(self.source())

    def source(self) -> Any:
        """The first argument of a `Worker`."""
        return AsyncRedis(self._server, self._waiting)

    def now(self) -> datetime:
        """The time of the fake: that of the real clock at first."""
        return moment(self._server.now)

    def advance(self, duration: Duration) -> None:
        """Lets time pass."""
        self._server.now += milliseconds(duration)
        self._waiting.wake()

    def reset(self) -> None:
        """Removes all queues, and sets the clock to the real time."""
        self._server.reset(_real_time())


def _real_time() -> int:
    return time.time_ns() // 1_000_000
