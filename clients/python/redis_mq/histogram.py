"""How long something took, each time it was done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Dict


@dataclass(frozen=True)
class Histogram:
    """Times that were counted since the server started."""

    count: int
    """How many there were."""
    sum: timedelta
    """All together."""
    buckets: Dict[timedelta, int]
    """How many were at most as long as each bound. Bounds without a time of their own are left out, as times beyond the
    last bound, twelve days."""
