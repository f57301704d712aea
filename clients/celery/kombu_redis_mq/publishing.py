"""What kombu's message says about its delivery, as options of MQ.PUSH. Knows no connection."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from time import time
from typing import Any
from uuid import uuid4

#: The property under which a message keeps its deduplication key while kombu repeats its publishing. It is not sent.
DEDUPLICATION = "redis_mq_deduplication"
#: How long the server remembers a key, ms: longer than kombu's retries of a publication last.
DEDUPLICATION_WINDOW_MS = 120_000
LONGEST_MS = 31_536_000_000
LATEST_MS = 8_796_093_022_207


def deduplication(message: dict[str, Any]) -> list[Any]:
    """The same key for every attempt to publish a message: a repetition after a lost reply adds no second one."""
    key = message["properties"].setdefault(DEDUPLICATION, str(uuid4()))
    return ["DEDUP", key, "WINDOW", DEDUPLICATION_WINDOW_MS]


def stored(message: dict[str, Any]) -> dict[str, Any]:
    """The message without the key, which must not follow it into another publication."""
    properties = {name: value for name, value in message["properties"].items() if name != DEDUPLICATION}
    return {**message, "properties": properties}


def due(headers: Mapping[str, Any]) -> list[Any]:
    """Celery's eta (ISO 8601, with its time zone), if it is to come."""
    try:
        eta = datetime.fromisoformat(headers["eta"].replace("Z", "+00:00"))
    except (AttributeError, KeyError, ValueError):
        return []
    if eta.tzinfo is None or eta.timestamp() <= time():
        return []
    return ["AT", min(int(eta.timestamp() * 1000), LATEST_MS)]


def time_to_live(properties: Mapping[str, Any], dies: bool) -> list[Any]:
    """AMQP's expiration (ms, a string). 0 means expired, which for MQ.PUSH is no TTL. dies: as a dead letter."""
    expiration = properties.get("expiration")
    if expiration is None or int(expiration) >= LONGEST_MS:
        return []
    return ["TTL", max(int(expiration), 1), *(["DEAD"] if dies else [])]
