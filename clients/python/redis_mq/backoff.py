"""How long to wait before a command is tried again."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from typing import Optional

from .errors import is_temporary
from .wire import Duration

FIRST = 0.05
LONGEST = 2.0


class Backoff:
    """Pauses that double, with jitter: so that many clients don't return to a server at the same moment."""

    def __init__(self, patience: Optional[Duration] = None) -> None:
        """patience: how long to go on; without it for ever."""
        if isinstance(patience, timedelta):
            patience = patience.total_seconds()
        self._end = None if patience is None else time.monotonic() + patience
        self._longest = FIRST

    def pause_after(self, error: Exception) -> float:
        """The seconds until the next attempt. Raises the error if another attempt won't help, or time is over."""
        pause = self._longest * random.uniform(0.5, 1)
        self._longest = min(self._longest * 2, LONGEST)
        if not is_temporary(error) or (self._end is not None and time.monotonic() + pause > self._end):
            raise error from None
        return pause
