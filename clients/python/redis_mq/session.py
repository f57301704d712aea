"""One run of a worker: pulls, starts handlers, settles what they leave, and ends in good order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Awaitable, Callable, Deque, Dict, List, Optional, Sequence

import redis

from . import commands
from .backoff import Backoff
from .command import Command
from .errors import CorruptError, InvalidReceiptError, NotFoundError, code_of
from .heartbeat import Heartbeat
from .job import Job, Stage, log_message
from .link import Link, Redis, opener
from .message import Delivery, Message
from .options import OnDisconnect
from .outcomes import Dead, HandlerOutcome, Release, Retry
from .settling import MOST, Acknowledgments
from .wire import moment

log = logging.getLogger("redis_mq")

UNBLOCKED_WITHIN = 3.0
"""Seconds that a waiting pull has to end, before its connection is closed."""
CLEANUP = 1.0
"""Seconds that cancelled handlers have before their messages are given back."""
LAST_WORDS = 5.0
"""Seconds that the end of a run waits for the server to take what is left to say."""
IDLE_BLOCK = 0.1
"""Seconds that a pull waits, at most, where the run ends when the queues are empty."""


@dataclass(frozen=True)
class Options:
    """Those of a worker; times in seconds."""

    queues: List[str]
    handle: Callable[[Message], Awaitable[Any]]
    concurrency: int
    prefetch: int
    visibility: float
    max_processing: Optional[float]
    grace: float
    block: float
    ack_delay: float
    disconnect_grace: Optional[float]
    consumer: str


class Session:
    def __init__(self, source: Redis, options: Options, until_empty: Optional[timedelta]) -> None:
        """until_empty: end when nothing is ready, in flight or delayed for less than this."""
        self._options = options
        self._until_empty = until_empty
        open_connection = opener(source, options.queues[0])
        self._jobs: Dict[asyncio.Task[None], Job] = {}
        self._held: Deque[Job] = deque()
        """What no handler has begun, in the order in which it came."""
        self._shared = Link(open_connection)
        self._heartbeat = Heartbeat(
            self._shared,
            lambda: [*self._jobs.values(), *self._held],
            self._drop,
            options.visibility,
            options.max_processing,
            options.disconnect_grace,
        )
        self._waiting = Link(open_connection, closed=self._heartbeat.hurry)
        self._acknowledgments = Acknowledgments(self._shared, options.ack_delay)
        self._freed = asyncio.Event()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ends the run: no more pulls, then as `run` says."""
        self._stopping.set()
        self._freed.set()

    async def run(self) -> None:
        """Works until `stop`, until the queues are empty, or until an error that time does not mend, which it raises.

        Then what no handler has begun is given back, and handlers have the grace time; those that are left are
        cancelled, and their messages given back. If this coroutine is cancelled, they are at once.
        """
        pulling = asyncio.create_task(self._pull_until_stopped())
        beating = asyncio.create_task(self._heartbeat.run())
        stopped = asyncio.create_task(self._stopping.wait())
        grace = self._options.grace
        try:
            await asyncio.wait({pulling, stopped}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            grace = 0
            raise
        finally:
            self.stop()
            end = time.monotonic() + grace
            try:
                await self._end_wait(pulling)
                await self._release_held()
                await self._end_handlers(end)
            finally:
                beating.cancel()
                await self._waiting.disconnect()
                await self._shared.disconnect()
        if not pulling.cancelled():
            pulling.result()

    # Pulling

    async def _pull_until_stopped(self) -> None:
        backoff = Backoff()
        while await self._has_room():
            try:
                messages: List[Message] = await self._pull(min(self._room(), MOST))
                is_idle = not messages and not self._jobs
                if is_idle and self._until_empty is not None and await self._is_empty(self._until_empty):
                    return
                backoff = Backoff()
            except CorruptError as error:  # the record was set aside, the message behind it is next
                log.error("%s", error)
            except Exception as error:
                pause = 0 if code_of(error) == "UNBLOCKED" else backoff.pause_after(error)
                log.warning("will pull again: %s", error)
                await self._sleep(pause)
            else:
                now = asyncio.get_running_loop().time()
                self._held.extend(Job(message, now, self._options.visibility) for message in messages)
                self._start_held()

    def _room(self) -> int:
        """So many more messages can start, or be held in advance."""
        return self._options.concurrency + self._options.prefetch - len(self._jobs) - len(self._held)

    async def _has_room(self) -> bool:
        while self._room() <= 0 and not self._stopping.is_set():
            self._freed.clear()
            await self._freed.wait()
        return not self._stopping.is_set()

    async def _sleep(self, seconds: float) -> None:
        """Until then, or until the end."""
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except asyncio.TimeoutError:
            pass

    async def _pull(self, count: int) -> Any:
        """Up to so many messages. What is to be acknowledged goes with it, of one queue in the same command."""
        own, queues = self._options, self._options.queues
        block = own.block if self._until_empty is None else min(own.block, IDLE_BLOCK)
        options: Dict[str, Any] = {"visibility": own.visibility, "block": block, "consumer": own.consumer}
        if own.disconnect_grace is not None:
            options["on_disconnect"] = OnDisconnect(grace=own.disconnect_grace)
        taken = [batch for queue in queues if (batch := self._acknowledgments.take(queue))]
        in_one = bool(taken) and len(queues) == 1
        if in_one:
            sent: List[Command[Any]] = [commands.ack_and_pull_many(taken[0], count, **options)]
        else:
            sent = [*map(commands.ack_many, taken), commands.pull_many(queues, count, **options)]
        try:
            replies = await self._waiting.call_all(sent, block)
            if in_one:
                replies = _result(replies[0])
        except BaseException:
            for batch in taken:
                self._acknowledgments.put_back(batch)
            raise
        for batch, reply in zip(taken, replies):
            self._acknowledgments.answered(batch, reply)
        return _result(replies[-1])

    async def _is_empty(self, soon: timedelta) -> bool:
        await self._acknowledgments.flush()
        for queue in self._options.queues:
            info = await self._shared.call(commands.info(queue))
            if info["ready"] or info["inflight"]:
                return False
            for message in await self._shared.call(commands.peek(queue, "delayed", count=1)):
                now = await self._shared.call(Command(["TIME"], _moment))
                if message.due_at is not None and message.due_at < now + soon:
                    return False
        return True

    # Handlers

    def _start_held(self) -> None:
        loop = asyncio.get_running_loop()
        while self._held and len(self._jobs) < self._options.concurrency and not self._stopping.is_set():
            job = self._held.popleft()
            if loop.time() >= job.visible_until:
                job.stage = Stage.OVER
                continue
            task = loop.create_task(self._process(job))
            job.start(task, loop.time())
            self._jobs[task] = job
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._jobs[task]
        self._start_held()
        self._freed.set()

    def _drop(self, job: Job) -> None:
        self._held.remove(job)
        self._freed.set()

    async def _process(self, job: Job) -> None:
        message = job.message
        try:
            await self._options.handle(message)
        except HandlerOutcome as outcome:
            await self._give_back(job, outcome)
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            if job.is_cancelled:  # whoever cancelled it says what becomes of the message
                return
            log_message(logging.WARNING, f"failed, {error!r}", message, exc_info=True)
            await self._give_back(job, error)
        else:
            if job.stage is Stage.WORKING:
                job.stage = Stage.OVER
                self._acknowledgments.add(message.delivery)
                log_message(logging.DEBUG, "done", message)

    async def _give_back(self, job: Job, error: BaseException) -> None:
        if job.stage is not Stage.WORKING:
            return
        job.stage = Stage.SETTLING
        try:
            await self._shared.insist(_nack(job.message, error))
        except (NotFoundError, InvalidReceiptError) as refusal:
            log_message(logging.INFO, f"given back too late, or twice: {refusal}", job.message)
        except redis.RedisError as refusal:
            log_message(logging.ERROR, f"can't be given back: {refusal}", job.message)
        job.stage = Stage.OVER

    # The end

    async def _end_wait(self, pulling: asyncio.Task[None]) -> None:
        """Ends the pull that waits in the server, without losing what it may just have been given."""
        end = time.monotonic() + UNBLOCKED_WITHIN
        while not pulling.done() and time.monotonic() < end:
            if self._waiting.client_id is not None:
                unblock = Command(["CLIENT UNBLOCK", self._waiting.client_id], int)
                with contextlib.suppress(redis.RedisError, OSError, asyncio.TimeoutError):
                    await asyncio.wait_for(self._shared.call(unblock), 1)
            await asyncio.wait({pulling}, timeout=0.1)
        pulling.cancel()
        await asyncio.wait({pulling})

    async def _release_held(self) -> None:
        held = list(self._held)
        self._held.clear()
        for job in held:
            job.stage = Stage.OVER
        await self._release([job.message.delivery for job in held])

    async def _end_handlers(self, end: float) -> None:
        """They have until `end`."""
        if self._jobs:
            await asyncio.wait(self._jobs, timeout=max(0, end - time.monotonic()))
        left = dict(self._jobs)
        for job in left.values():
            job.cancel()
        if left:
            await asyncio.wait(left, timeout=CLEANUP)
        unsettled = [job for job in left.values() if job.stage is not Stage.OVER]
        for job in unsettled:
            job.stage = Stage.OVER
        await self._release([job.message.delivery for job in unsettled])
        await self._within(LAST_WORDS, self._acknowledgments.close())

    async def _release(self, deliveries: Sequence[Delivery]) -> None:
        """So that others get them at once, before what was pushed later, and no retry is counted."""
        for queue in {delivery.queue for delivery in deliveries}:
            batch = [delivery for delivery in deliveries if delivery.queue == queue]
            for start in range(0, len(batch), MOST):
                released = commands.nack_many(batch[start : start + MOST], no_count=True, front=True)
                await self._within(LAST_WORDS, self._shared.insist(released))

    async def _within(self, seconds: float, last_words: Awaitable[Any]) -> None:
        try:
            await asyncio.wait_for(last_words, seconds)
        except (asyncio.TimeoutError, redis.RedisError) as error:
            log.error("the server did not take the end of the run, the rest comes back: %r", error)


def _result(reply: Any) -> Any:
    if isinstance(reply, Exception):
        raise reply
    return reply


def _moment(reply: Any) -> datetime:
    """Of TIME: seconds and microseconds of the server's clock."""
    seconds, microseconds = (int(part) for part in reply)
    return moment(seconds * 1000 + microseconds // 1000)


def _nack(message: Message, error: BaseException) -> Command[None]:
    if isinstance(error, Retry):
        return commands.nack(message, delay=error.after, reason=error.reason)
    if isinstance(error, Release):
        return commands.nack(message, no_count=True)
    if isinstance(error, Dead):  # a dead letter can't die again
        return commands.nack(message, dead=message.dead_from is None, reason=error.reason)
    return commands.nack(message, reason=str(error) or type(error).__name__)
