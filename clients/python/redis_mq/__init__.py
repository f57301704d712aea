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
from .message import Delivery, Message, Outcome

__all__ = [
    "AsyncClient",
    "Client",
    "CorruptError",
    "Delivery",
    "InvalidArgumentError",
    "InvalidReceiptError",
    "MQError",
    "Message",
    "NotFoundError",
    "Outcome",
    "QueueFullError",
    "TryAgainError",
    "WrongTypeError",
]
