"""Takes messages and gives them to a handler, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import os
import signal
import socket
import threading
from datetime import timedelta
from typing import Any, Awaitable, Callable, Iterator, Optional, Sequence, Union

import redis
import redis.asyncio

from .link import Redis
from .message import Message
from .session import Options, Session
from .threads import Threads
from .wire import Duration, milliseconds

Handler = Callable[[Message], Any]
"""A coroutine function, or a plain function, which runs in a thread."""
Middleware = Callable[[Message, Callable[[Message], Awaitable[Any]]], Awaitable[Any]]
"""Is called with a message, and with what it calls to go on."""


class Worker:
    """Works off one or several queues.

    A handler that returns is done, and its message acknowledged. If it raises, the message comes back after the queue's
    backoff, and goes to the dead-letter queue after `maxretries`; `Retry`, `Release` and `Dead` say something else.
    While it runs, the message's visibility is extended. If the message is no longer its own, the handler is cancelled.
    """

    def __init__(
        self,
        source: Union[str, Redis],
        queues: Union[str, Sequence[str]],
        handler: Handler,
        *,
        concurrency: int = 10,
        prefetch: int = 0,
        visibility: Duration = 30,
        max_processing: Optional[Duration] = None,
        grace: Duration = 25,
        block: Duration = 5,
        ack_delay: Duration = 0.05,
        disconnect_grace: Optional[Duration] = 5,
        consumer: Optional[str] = None,
        middleware: Sequence[Middleware] = (),
        signals: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGINT),
    ) -> None:
        """source: a URL, or a client of redis.asyncio, whose settings the worker's two connections have.

        queues: served in this order; in a cluster all in one slot. handler: see Handler. concurrency: messages in work
        at once; no more than these and `prefetch` are pulled. prefetch: messages held in advance, beside those in work,
        for handlers of a few milliseconds or less; others can't have them meanwhile. visibility: of each delivery.
        max_processing: after this time a handler's visibility is not extended any more. grace: how long the end waits
        for handlers. block: longest wait of one pull. ack_delay: longest time for which an acknowledgment waits for the
        next pull. disconnect_grace: how long after the loss of this worker its messages come back, if that is before
        their visibility ends; None: not before. consumer: name of this worker for MQ.PEEK, by default host and process
        id. middleware: around the handler, the first outermost. signals: those that stop the worker, where it runs in
        the main thread; the second one ends the process at once.
        """
        names = [queues] if isinstance(queues, str) else list(queues)
        if not names or concurrency < 1:
            raise ValueError("a worker needs a queue, and a concurrency of at least 1")
        if prefetch < 0:
            raise ValueError("prefetch must not be negative")
        if _seconds(visibility) <= 0 or _seconds(block) <= 0:
            raise ValueError("visibility and block must be more than nothing")
        if disconnect_grace is not None and _seconds(disconnect_grace) <= 0:
            raise ValueError("disconnect_grace must be more than nothing, or None")
        if isinstance(source, (redis.Redis, redis.RedisCluster)):
            raise TypeError("a worker needs a URL, or a client of redis.asyncio")
        self._source = source
        self._handler = handler
        self._middleware = middleware
        self._signals = signals
        self._options = functools.partial(
            Options,
            queues=names,
            concurrency=concurrency,
            prefetch=prefetch,
            visibility=_seconds(visibility),
            max_processing=None if max_processing is None else _seconds(max_processing),
            grace=_seconds(grace),
            block=_seconds(block),
            ack_delay=_seconds(ack_delay),
            disconnect_grace=None if disconnect_grace is None else _shorter(disconnect_grace, visibility),
            consumer=consumer or f"{socket.gethostname()}:{os.getpid()}",
        )
        self._stop: Optional[Callable[[], None]] = None

    def run(self, *, until_empty: Optional[Duration] = None) -> None:
        """Works until a signal or `stop`: for programs without asyncio. See `serve`."""
        asyncio.run(self.serve(until_empty=until_empty))

    async def serve(self, *, until_empty: Optional[Duration] = None) -> None:
        """Works until a signal or `stop`.

        Lost connections are made again, for ever. At the end no more is pulled, handlers have the grace time, what they
        leave is given back, and the connections are closed. With until_empty it also ends when no message is ready, in
        flight or delayed for less than this time.

        Raises what time does not mend: a wrong password, a server without the module, missing permissions.
        """
        loop = asyncio.get_running_loop()
        source = redis.asyncio.Redis.from_url(self._source) if isinstance(self._source, str) else self._source
        threads = Threads()
        handle = _chain(_coroutine(self._handler, threads), self._middleware)
        empty = None if until_empty is None else timedelta(seconds=_seconds(until_empty))
        session = Session(source, self._options(handle=handle), empty)

        def stop() -> None:
            loop.call_soon_threadsafe(session.stop)

        self._stop = stop
        try:
            with _signals(self._signals, stop):
                await session.run()
        finally:
            self._stop = None
            threads.close()

    def stop(self) -> None:
        """Ends `run` or `serve` in good order; from any thread."""
        if self._stop is not None:
            self._stop()


def _seconds(duration: Duration) -> float:
    return milliseconds(duration) / 1000


def _shorter(grace: Duration, visibility: Duration) -> Optional[float]:
    return _seconds(grace) if _seconds(grace) < _seconds(visibility) else None


def _coroutine(handler: Handler, threads: Threads) -> Callable[[Message], Awaitable[Any]]:
    called = handler if inspect.isfunction(handler) else getattr(handler, "__call__", handler)  # noqa: B004
    if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(called):
        return handler
    return functools.partial(threads.run, handler)


def _chain(handle: Callable[[Message], Awaitable[Any]], middleware: Sequence[Middleware]) -> Any:
    for one in reversed(middleware):
        handle = functools.partial(_through, one, handle)
    return handle


async def _through(one: Middleware, handle: Callable[[Message], Awaitable[Any]], message: Message) -> Any:
    return await one(message, handle)


@contextlib.contextmanager
def _signals(numbers: Sequence[signal.Signals], stop: Callable[[], None]) -> Iterator[None]:
    """Calls `stop` on the first signal, and leaves the second to the system."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def first(number: int, frame: object) -> None:
        for one in numbers:
            signal.signal(one, signal.SIG_DFL)
        stop()

    before = {number: signal.signal(number, first) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
