"""One message in work."""

from __future__ import annotations

import asyncio
import logging
from enum import Enum
from typing import Any, Optional

from .message import Message

log = logging.getLogger("redis_mq")


class Stage(Enum):
    """How far a job is, as the server is concerned."""

    HELD = "held"
    """It is held in advance: no handler has begun it. Its visibility is extended."""
    WORKING = "working"
    """Its visibility is extended."""
    SETTLING = "settling"
    """It is being given back."""
    OVER = "over"
    """Nothing more is said for it."""


class Job:
    """A message and the task of its handler."""

    __slots__ = ("is_cancelled", "message", "stage", "started", "task", "visible_until")

    def __init__(self, message: Message, now: float, visibility: float) -> None:
        self.message = message
        self.stage = Stage.HELD
        self.visible_until = now + visibility
        self.is_cancelled = False
        self.task: Optional[asyncio.Task[None]] = None

    def start(self, task: asyncio.Task[None], now: float) -> None:
        """A handler begins it."""
        self.stage = Stage.WORKING
        self.started = now
        self.task = task

    def cancel(self) -> None:
        """Cancels the handler."""
        self.is_cancelled = True
        if self.task is not None:
            self.task.cancel()

    def lose(self, why: str) -> None:
        """Cancels the handler: the message is, or may soon be, somebody else's."""
        self.stage = Stage.OVER
        log_message(logging.WARNING, f"cancelled, {why}", self.message)
        self.cancel()


def log_message(level: int, text: str, message: Message, **options: Any) -> None:
    """A line about a message; its queue, id and retry count are also attributes of the record."""
    if not log.isEnabledFor(level):
        return
    extra = {"queue": message.queue, "message_id": message.id, "retry_count": message.retry_count}
    line = "%s: queue=%s id=%s retry_count=%d"
    log.log(level, line, text, message.queue, message.id, message.retry_count, extra=extra, **options)
