"""What stands in for redis-py over a `Server`: as much of its interface as the client and the worker use."""

from __future__ import annotations

import asyncio
import itertools
import time
from types import SimpleNamespace
from typing import Any, Dict, List, Tuple

from .server import Server

DAY = 86_400.0


class Redis:
    """For `Client`: nothing waits."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def execute_command(self, *words: Any, **_: Any) -> Any:
        return self._server.execute(list(words))

    def close(self) -> None:
        pass


class AsyncRedis:
    """For `AsyncClient`, and with its connection pool for `Worker`."""

    def __init__(self, server: Server, waiting: WaitingPulls) -> None:
        self._connection = Connection(server, waiting)
        settings = {"server": server, "waiting": waiting}
        self.connection_pool = SimpleNamespace(connection_class=Connection, connection_kwargs=settings)

    async def initialize(self) -> None:
        pass

    async def aclose(self) -> None:
        pass

    async def execute_command(self, *words: Any, **_: Any) -> Any:
        return await self._connection.execute(list(words))


class WaitingPulls:
    """The pulls that wait, by the number of their connection."""

    def __init__(self, server: Server) -> None:
        server.on_change = self.wake
        self._server = server
        self._bells: Dict[int, Tuple[asyncio.AbstractEventLoop, asyncio.Event]] = {}
        self._unblocked: set[int] = set()
        self._numbers = itertools.count(1)

    def new_number(self) -> int:
        return next(self._numbers)

    async def pull(self, number: int, words: List[Any]) -> Any:
        """The reply to a pull, which waits for at most its BLOCK by the real clock."""
        attempt, block, queues = self._server.pull(words)
        end, bell = time.monotonic() + block, asyncio.Event()
        self._bells[number] = (asyncio.get_running_loop(), bell)
        with self._server.lock:
            self._server.awaited.update(queues)
        try:
            while True:
                bell.clear()
                reply, left = attempt(), end - time.monotonic()
                if not _is_nothing(reply) or left <= 0 or number in self._unblocked:
                    return reply
                try:
                    await asyncio.wait_for(bell.wait(), min(left, DAY))
                except asyncio.TimeoutError:
                    pass
        finally:
            with self._server.lock:
                self._server.awaited.subtract(queues)
            del self._bells[number]
            self._unblocked.discard(number)

    def unblock(self, number: int) -> int:
        if number not in self._bells:
            return 0
        self._unblocked.add(number)
        self.wake()
        return 1

    def wake(self) -> None:
        """Lets all that wait try again; from any thread."""
        for loop, bell in list(self._bells.values()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(bell.set)


class Connection:
    """For the worker: a command is sent, then its reply is read."""

    def __init__(self, server: Server, waiting: WaitingPulls) -> None:
        self._server = server
        self._waiting = waiting
        self._number = waiting.new_number()
        self._sent: List[List[Any]] = []

    async def execute(self, words: List[Any]) -> Any:
        if words[0] in ("MQ.PULL", "MQ.MPULL"):
            return await self._waiting.pull(self._number, words)
        if words[0] == "CLIENT ID":
            return self._number
        if words[0] == "CLIENT UNBLOCK":
            return self._waiting.unblock(words[1])
        return self._server.execute(words)

    async def connect(self) -> None:
        pass

    async def disconnect(self, nowait: bool = False) -> None:
        self._sent = []

    def pack_commands(self, commands: List[List[Any]]) -> List[List[Any]]:
        return commands

    async def send_packed_command(self, commands: List[List[Any]], check_health: bool = True) -> None:
        self._sent += commands

    async def send_command(self, *words: Any, check_health: bool = True) -> None:
        self._sent.append(list(words))

    async def read_response(self, disable_decoding: bool = False, timeout: float = 0) -> Any:
        return await self.execute(self._sent.pop(0))


def _is_nothing(reply: Any) -> bool:
    acked_and_pulled = isinstance(reply, list) and len(reply) == 2 and isinstance(reply[0], list)
    return not (reply[1] if acked_and_pulled else reply)
