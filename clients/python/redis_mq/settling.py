"""Acknowledgments that wait for the next pull, and are sent without one when it takes too long to come."""

from __future__ import annotations

import asyncio
import logging
from typing import Dict, List, Optional, Sequence, Union

from . import commands
from .errors import is_temporary
from .link import Link
from .message import Delivery, Outcome

log = logging.getLogger("redis_mq")

MOST = 10_000
"""Pairs of one command."""


class Acknowledgments:
    """What is done, and not yet acknowledged."""

    def __init__(self, link: Link, delay: float) -> None:
        """delay: the seconds for which an acknowledgment waits for a pull."""
        self._link = link
        self._delay = delay
        self._waiting: Dict[str, List[Delivery]] = {}
        self._timer: Optional[asyncio.TimerHandle] = None
        self._flushing: Optional[asyncio.Task[None]] = None
        self._is_closed = False

    def add(self, delivery: Delivery) -> None:
        self._waiting.setdefault(delivery.queue, []).append(delivery)
        self._arm()

    def queues(self) -> List[str]:
        """Those for which something waits."""
        return [queue for queue, waiting in self._waiting.items() if waiting]

    def take(self, queue: str) -> List[Delivery]:
        """What the caller sends; it calls `put_back` if it could not, `answered` if it could."""
        waiting = self._waiting.get(queue, [])
        self._waiting[queue] = waiting[MOST:]
        return waiting[:MOST]

    def put_back(self, taken: Sequence[Delivery]) -> None:
        for delivery in taken:
            self.add(delivery)

    def answered(self, taken: Sequence[Delivery], reply: Union[Sequence[Outcome], Exception]) -> None:
        """Puts back what was refused for a time. A single one that is refused was done too late, or twice: so be it."""
        if isinstance(reply, Exception):
            if is_temporary(reply):
                self.put_back(taken)
            else:
                log.error("%d acknowledgments are refused: %s", len(taken), reply, extra={"queue": taken[0].queue})
            return
        for delivery, outcome in zip(taken, reply):
            if outcome is not Outcome.DONE:
                extra = {"queue": delivery.queue, "message_id": delivery.id, "outcome": outcome.value}
                log.info("acknowledged too late, or twice: queue=%s id=%s", delivery.queue, delivery.id, extra=extra)

    async def flush(self) -> None:
        """Sends everything, however long it takes."""
        for queue in self.queues():
            while taken := self.take(queue):
                try:
                    self.answered(taken, await self._link.insist(commands.ack_many(taken)))
                except asyncio.CancelledError:
                    self.put_back(taken)
                    raise
                except Exception as error:
                    self.answered(taken, error)

    async def close(self) -> None:
        """Sends everything; if this is cancelled, what is left is not acknowledged."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._flushing is not None:
            await self._flushing
        await self.flush()

    def _arm(self) -> None:
        if self._timer is None and not self._is_closed:
            self._timer = asyncio.get_running_loop().call_later(self._delay, self._is_due)

    def _is_due(self) -> None:
        self._timer = None
        if not self.queues():
            return
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.get_running_loop().create_task(self.flush())
        else:  # the server is slow, or away
            self._arm()
