"""What a handler can raise to say what becomes of its message; any other exception is a failure."""

from __future__ import annotations

from typing import Optional

from .wire import Duration


class HandlerOutcome(Exception):
    """Raised by a handler: the message is given back, and nothing is logged as a failure."""


class Retry(HandlerOutcome):
    """Try again: after a time, by default after the queue's backoff. Counts as a retry."""

    def __init__(self, after: Optional[Duration] = None, reason: Optional[str] = None) -> None:
        super().__init__(reason or "retry")
        self.after = after
        self.reason = reason


class Release(HandlerOutcome):
    """Not now, or not here: others get the message at once, and no retry is counted."""


class Dead(HandlerOutcome):
    """No retry will help: to the dead-letter queue, with a reason."""

    def __init__(self, reason: Optional[str] = None) -> None:
        super().__init__(reason or "dead")
        self.reason = reason
