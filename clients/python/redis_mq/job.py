"""One message in work."""

from __future__ import annotations

import logging
from enum import Enum
from typing import Any, Callable

from .message import Message

log = logging.getLogger("redis_mq")


class Stage(Enum):
    """How far a job is, as the server is concerned."""

    WORKING = "working"
    """Its visibility is extended."""
    SETTLING = "settling"
    """It is being given back."""
    OVER = "over"
    """Nothing more is said for it."""


class Job:
    """A message and what its handler has come to."""

    __slots__ = ("cancel", "message", "stage", "started", "visible_until")

    def __init__(self, message: Message, now: float, visibility: float) -> None:
        self.message = message
        self.stage = Stage.WORKING
        self.started = now
        self.visible_until = now + visibility
        self.cancel: Callable[[], Any] = lambda: None
        """Cancels the handler."""

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
