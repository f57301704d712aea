"""The two faces of the client: one that waits for each reply, one for asyncio. No threads, no policy."""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Dict, TypeVar

import redis
import redis.asyncio
from redis.backoff import NoBackoff

from . import commands, scheduling
from .backoff import Backoff
from .command import Command
from .errors import typed

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec

    P = ParamSpec("P")
T = TypeVar("T")

SOCKET_TIMEOUT = 60
"""Seconds, of connections that `from_url` makes: pulls must not block for longer."""


def _method(command: Callable[..., Any], face: Callable[..., Any]) -> Any:
    """Gives a method the name, arguments and documentation of a command."""
    functools.update_wrapper(face, command)
    signature = inspect.signature(command)
    this = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    face.__signature__ = signature.replace(parameters=[this, *signature.parameters.values()])  # type: ignore[attr-defined]
    return face


def _waiting(command: Callable[P, Command[T]]) -> Callable[Concatenate[Client, P], T]:
    def face(self: Client, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._execute(command(*args, **kwargs))

    return _method(command, face)  # type: ignore[no-any-return]


def _awaited(command: Callable[P, Command[T]]) -> Callable[Concatenate[AsyncClient, P], Awaitable[T]]:
    async def face(self: AsyncClient, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._execute(command(*args, **kwargs))

    return _method(command, face)  # type: ignore[no-any-return]


def _options(connection: Any, command: Command[Any]) -> Dict[str, Any]:
    """How redis-py executes a command: replies stay bytes, and what has no key goes to all masters of a cluster."""
    if command.has_key or not hasattr(connection, "nodes_manager"):
        return {"NEVER_DECODE": True}
    return {"NEVER_DECODE": True, "target_nodes": connection.get_primaries()}


class Client:
    """The commands of redis-mq over a connection of redis-py.

    It leaves TLS, Sentinel, Cluster, passwords and time-outs to that connection. A connection that repeats commands by
    itself is fine for pushing with `publish` and for settling, but not for pulls: a repeated pull takes other messages.
    """

    def __init__(self, connection: redis.Redis) -> None:
        """connection: a `redis.Redis` or `redis.RedisCluster`, with any settings; also with decode_responses."""
        self.redis = connection
        self._send: Any = connection.execute_command

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Client:
        """A client with a connection pool that suits it: no command is repeated. Options: those of redis-py."""
        retry = redis.retry.Retry(NoBackoff(), 0)
        defaults = {"socket_timeout": SOCKET_TIMEOUT, "socket_keepalive": True, "retry": retry}
        return cls(redis.Redis.from_url(url, **{**defaults, **options}))

    def close(self) -> None:
        """Closes the connections."""
        self.redis.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _execute(self, command: Command[T]) -> T:
        backoff = Backoff(command.patience)
        while True:
            try:
                return command.read(self._send(*command.words, **_options(self.redis, command)))
            except redis.RedisError as error:
                time.sleep(backoff.pause_after(typed(error)))

    push = _waiting(commands.push)
    publish = _waiting(commands.publish)
    push_many = _waiting(commands.push_many)
    pull = _waiting(commands.pull)
    pull_many = _waiting(commands.pull_many)
    ack_and_pull = _waiting(commands.ack_and_pull)
    ack_and_pull_many = _waiting(commands.ack_and_pull_many)
    ack = _waiting(commands.ack)
    ack_many = _waiting(commands.ack_many)
    nack = _waiting(commands.nack)
    nack_many = _waiting(commands.nack_many)
    extend = _waiting(commands.extend)
    extend_many = _waiting(commands.extend_many)
    extend_consumer = _waiting(commands.extend_consumer)
    peek = _waiting(commands.peek)
    get = _waiting(commands.get)
    delete = _waiting(commands.delete)
    reschedule = _waiting(commands.reschedule)
    len = _waiting(commands.len)
    info = _waiting(commands.info)
    queues = _waiting(commands.queues)
    stats = _waiting(commands.stats)
    config = _waiting(commands.config)
    configure = _waiting(commands.configure)
    pause = _waiting(commands.pause)
    resume = _waiting(commands.resume)
    purge = _waiting(commands.purge)
    drop = _waiting(commands.drop)
    redrive = _waiting(commands.redrive)
    schedule = _waiting(scheduling.schedule)
    unschedule = _waiting(scheduling.unschedule)
    schedules = _waiting(scheduling.schedules)
    next_ticks = _waiting(scheduling.next_ticks)
    trigger = _waiting(scheduling.trigger)


class AsyncClient:
    """The same for asyncio: every method is awaited. See `Client`."""

    def __init__(self, connection: redis.asyncio.Redis) -> None:
        """connection: a `redis.asyncio.Redis` or `redis.asyncio.RedisCluster`."""
        self.redis = connection
        self._send: Any = connection.execute_command

    @classmethod
    def from_url(cls, url: str, **options: Any) -> AsyncClient:
        """A client with a connection pool that suits it: see `Client.from_url`."""
        retry = redis.asyncio.retry.Retry(NoBackoff(), 0)
        defaults = {"socket_timeout": SOCKET_TIMEOUT, "socket_keepalive": True, "retry": retry}
        return cls(redis.asyncio.Redis.from_url(url, **{**defaults, **options}))

    async def close(self) -> None:
        """Closes the connections."""
        close: Any = getattr(self.redis, "aclose", None) or self.redis.close  # redis-py 5.0.0 has no aclose
        await close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _execute(self, command: Command[T]) -> T:
        if not command.has_key:
            await self.redis.initialize()  # a cluster knows its masters only then
        backoff = Backoff(command.patience)
        while True:
            try:
                return command.read(await self._send(*command.words, **_options(self.redis, command)))
            except redis.RedisError as error:
                await asyncio.sleep(backoff.pause_after(typed(error)))

    push = _awaited(commands.push)
    publish = _awaited(commands.publish)
    push_many = _awaited(commands.push_many)
    pull = _awaited(commands.pull)
    pull_many = _awaited(commands.pull_many)
    ack_and_pull = _awaited(commands.ack_and_pull)
    ack_and_pull_many = _awaited(commands.ack_and_pull_many)
    ack = _awaited(commands.ack)
    ack_many = _awaited(commands.ack_many)
    nack = _awaited(commands.nack)
    nack_many = _awaited(commands.nack_many)
    extend = _awaited(commands.extend)
    extend_many = _awaited(commands.extend_many)
    extend_consumer = _awaited(commands.extend_consumer)
    peek = _awaited(commands.peek)
    get = _awaited(commands.get)
    delete = _awaited(commands.delete)
    reschedule = _awaited(commands.reschedule)
    len = _awaited(commands.len)
    info = _awaited(commands.info)
    queues = _awaited(commands.queues)
    stats = _awaited(commands.stats)
    config = _awaited(commands.config)
    configure = _awaited(commands.configure)
    pause = _awaited(commands.pause)
    resume = _awaited(commands.resume)
    purge = _awaited(commands.purge)
    drop = _awaited(commands.drop)
    redrive = _awaited(commands.redrive)
    schedule = _awaited(scheduling.schedule)
    unschedule = _awaited(scheduling.unschedule)
    schedules = _awaited(scheduling.schedules)
    next_ticks = _awaited(scheduling.next_ticks)
    trigger = _awaited(scheduling.trigger)
