"""A connection that one user has for itself, made again after it was lost. It knows no queue."""

from __future__ import annotations

import asyncio
from typing import Any, Awaitable, Callable, List, Optional, TypeVar, Union

import redis
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from .backoff import Backoff
from .command import Command
from .errors import code_of, typed

T = TypeVar("T")
Connection = Any  # redis.asyncio.Connection or one of its kinds
Redis = Union["redis.asyncio.Redis", "redis.asyncio.RedisCluster"]

ANSWER_WITHIN = 10.0
"""Seconds until a connection counts as lost, beside the time that the server may wait."""

# This server is not, or no longer, the one that serves the queue.
ELSEWHERE = frozenset("ASK CLUSTERDOWN LOADING MASTERDOWN MOVED READONLY UNBLOCKED".split())


def opener(source: Any, queue: str) -> Callable[[], Awaitable[Connection]]:
    """Makes connections, not yet connected, to the server that holds a queue, with the settings of a `Redis`."""

    async def of_pool() -> Connection:
        pool = source.connection_pool
        return pool.connection_class(**pool.connection_kwargs)

    async def of_cluster() -> Connection:
        await source.initialize()
        await source.nodes_manager.initialize()
        node = source.get_node_from_key(queue)
        return node.connection_class(**node.connection_kwargs)

    return of_cluster if hasattr(source, "nodes_manager") else of_pool


class Link:
    """Sends one command after the other; its users wait for each other."""

    def __init__(
        self, open_connection: Callable[[], Awaitable[Connection]], closed: Callable[[], None] = lambda: None
    ) -> None:
        """closed: is called whenever a connection was lost, or closed."""
        self._open = open_connection
        self._closed = closed
        self._lock = asyncio.Lock()
        self._connection: Optional[Connection] = None
        self.client_id: Optional[int] = None
        """The server's number of this connection, while it stands."""

    async def call(self, command: Command[T], wait: float = 0) -> T:
        """The reply to a command that lets the server wait for so many seconds. It must not be null."""
        (reply,) = await self.call_all([command], wait)
        if isinstance(reply, Exception):
            raise reply
        return reply  # type: ignore[no-any-return]

    async def call_all(self, commands: List[Command[Any]], wait: float = 0) -> List[Any]:
        """The replies to commands that are sent together; a refusal is an exception among them."""
        async with self._lock:
            try:
                connection: Connection = self._connection or await asyncio.wait_for(self._connect(), ANSWER_WITHIN)
                words = connection.pack_commands([command.words for command in commands])
                await connection.send_packed_command(words, check_health=False)
                replies = [await self._reply(connection, command, ANSWER_WITHIN + wait) for command in commands]
            except asyncio.TimeoutError:
                await self.disconnect()
                raise redis.TimeoutError("the server could not be reached in time") from None
            except BaseException:
                await self.disconnect()
                raise
            if any(isinstance(reply, Exception) and code_of(reply) in ELSEWHERE for reply in replies):
                await self.disconnect()
            return replies

    async def insist(self, command: Command[T]) -> T:
        """The reply to a command that may be repeated, however long it takes."""
        backoff = Backoff()
        while True:
            try:
                return await self.call(command)
            except Exception as error:
                await asyncio.sleep(backoff.pause_after(error))

    async def disconnect(self) -> None:
        connection, self._connection, self.client_id = self._connection, None, None
        if connection is not None:
            await connection.disconnect(nowait=True)
            self._closed()

    async def _connect(self) -> Connection:
        connection = await self._open()
        connection.retry = Retry(NoBackoff(), 0)  # the pauses are those of the caller
        self._connection = connection
        await connection.connect()
        await connection.send_command("CLIENT ID", check_health=False)
        self.client_id = await connection.read_response(timeout=ANSWER_WITHIN)
        return connection

    @staticmethod
    async def _reply(connection: Connection, command: Command[Any], timeout: float) -> Any:
        try:
            reply = await connection.read_response(disable_decoding=True, timeout=timeout)
        except redis.ResponseError as error:
            return typed(error)
        if reply is None:  # what redis-py makes of a time-out
            raise redis.TimeoutError(f"no reply within {timeout:g} seconds")
        return command.read(reply)
