"""Runs plain functions for an event loop, in threads that never keep the process alive."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import queue
import threading
from typing import Any, Callable, Optional, Tuple

_cancelled: contextvars.ContextVar[Optional[threading.Event]] = contextvars.ContextVar("cancelled", default=None)

Work = Tuple[Callable[[], Any], Callable[[Any, Optional[BaseException]], None]]


def cancelled() -> bool:
    """For handlers that are plain functions: whether the message is no longer theirs, and they should return.

    A thread can't be interrupted. What such a handler returns or raises has no effect.
    """
    event = _cancelled.get()
    return event is not None and event.is_set()


class Threads:
    """As many threads as there are functions at once; idle ones are used again."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Optional[Work]] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._count = 0

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function in the context of the caller. If this is cancelled, it ends when the function does."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        event = threading.Event()
        context = contextvars.copy_context()
        context.run(_cancelled.set, event)

        def settle(result: Any, error: Optional[BaseException]) -> None:
            if future.done():
                return
            future.set_exception(error) if error else future.set_result(result)

        def answer(result: Any, error: Optional[BaseException]) -> None:
            try:
                loop.call_soon_threadsafe(settle, result, error)
            except RuntimeError:  # the loop is closed, nobody waits any more
                pass

        self._work.put((functools.partial(context.run, function, *arguments), answer))
        if not self._idle.acquire(blocking=False):
            self._count += 1
            threading.Thread(target=self._serve, name=f"redis-mq-{self._count}", daemon=True).start()
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            event.set()
            await asyncio.wait({future})
            raise

    def close(self) -> None:
        """Ends the threads, each when it has nothing left to do."""
        for _ in range(self._count):
            self._work.put(None)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            call, answer = work
            result: Any = None
            error: Optional[BaseException] = None
            try:
                result = call()
            except StopIteration as raised:  # a future can't hold it
                error = RuntimeError(f"StopIteration: {raised}")
            except BaseException as raised:
                error = raised
            self._idle.release()
            answer(result, error)
            del work, call, answer, result, error
