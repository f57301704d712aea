"""A client and a worker for redis-mq, a message queue inside Redis and Valkey."""

from .client import AsyncClient, Client
from .errors import (
    CorruptError,
    InvalidArgumentError,
    InvalidReceiptError,
    MQError,
    NotFoundError,
    QueueFullError,
    TryAgainError,
    WrongTypeError,
)
from .histogram import Histogram
from .message import Delivery, Message, Outcome
from .options import OnDisconnect
from .outcomes import Dead, Release, Retry
from .scheduling import Schedule
from .threads import cancelled
from .worker import Worker

__all__ = [
    "AsyncClient",
    "Client",
    "CorruptError",
    "Dead",
    "Delivery",
    "Histogram",
    "InvalidArgumentError",
    "InvalidReceiptError",
    "MQError",
    "Message",
    "NotFoundError",
    "OnDisconnect",
    "Outcome",
    "QueueFullError",
    "Release",
    "Retry",
    "Schedule",
    "TryAgainError",
    "Worker",
    "WrongTypeError",
    "cancelled",
]
