"""Extends the visibility of all messages of a worker, with one command per queue."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Callable, Dict, List, Optional

from . import commands
from .backoff import Backoff
from .errors import is_temporary
from .job import Job, Stage
from .link import Link
from .message import Outcome
from .settling import MOST

log = logging.getLogger("redis_mq")


class Heartbeat:
    """One timer for all jobs."""

    def __init__(
        self,
        link: Link,
        jobs: Callable[[], List[Job]],
        drop: Callable[[Job], None],
        visibility: float,
        max_processing: Optional[float],
        disconnect_grace: Optional[float],
    ) -> None:
        """jobs: those that the worker has. drop: is called for one that it holds in advance, and no longer has."""
        self._link = link
        self._jobs = jobs
        self._drop = drop
        self._visibility = visibility
        self._max_processing = max_processing
        self._interval = min(visibility, disconnect_grace or visibility) / 3
        self._hurry = asyncio.Event()

    def hurry(self) -> None:
        """Lets the next beat come at once: the connection that pulled the messages was lost."""
        self._hurry.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        loop = asyncio.get_running_loop()
        backoff = Backoff()
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), self._interval)
            self._hurry.clear()
            while True:
                try:
                    await self._beat(loop)
                    break
                except Exception as error:
                    if not is_temporary(error):
                        log.exception("the visibility can't be extended")
                        break
                    await asyncio.sleep(min(backoff.pause_after(error), self._interval))
            backoff = Backoff()

    async def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        by_queue: Dict[str, List[Job]] = {}
        for job in self._jobs():
            if job.stage is Stage.HELD:
                by_queue.setdefault(job.message.queue, []).append(job)
            elif job.stage is not Stage.WORKING:
                continue
            elif self._max_processing is None or loop.time() < job.started + self._max_processing:
                by_queue.setdefault(job.message.queue, []).append(job)
            elif loop.time() >= job.visible_until:
                job.lose("it took longer than max_processing")
        for jobs in by_queue.values():
            for start in range(0, len(jobs), MOST):
                await self._extend(jobs[start : start + MOST], loop)

    async def _extend(self, jobs: List[Job], loop: asyncio.AbstractEventLoop) -> None:
        sent = loop.time()
        answers = await self._link.call(commands.extend_many([job.message for job in jobs], self._visibility))
        for job, answer in zip(jobs, answers):
            if not isinstance(answer, Outcome):
                job.visible_until = sent + self._visibility
            elif job.stage is Stage.HELD:
                self._drop(job)
            elif job.stage is Stage.WORKING:
                is_gone = answer is Outcome.NOT_FOUND
                job.lose("its message is gone" if is_gone else "another consumer has its message")
