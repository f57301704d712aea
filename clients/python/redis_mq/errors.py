"""What the server refuses, as exceptions: one type per thing that a program can act on.

All are `redis.ResponseError`, so that a program that catches the errors of redis-py catches these too. Replies that
have no type here are raised as redis-py raises them.
"""

from __future__ import annotations

import redis
from redis import exceptions


class MQError(redis.ResponseError):
    """A refusal by a command of redis-mq. Its text is the server's reply, code first."""


class NotFoundError(MQError):
    """No such message is in flight: it was acknowledged, deleted or discarded, or it died."""


class InvalidReceiptError(MQError):
    """That delivery has ended: another consumer has the message, or it will be delivered again."""


class QueueFullError(MQError):
    """The queue holds as many messages (`maxlen`) or deduplication keys (`maxdedup`) as it may."""


class InvalidArgumentError(MQError):
    """The server does not accept an argument; the text says which, and what it would accept."""


class WrongTypeError(MQError):
    """One of the queue's keys holds another type."""


class TryAgainError(MQError):
    """The queue's cluster slot is migrating."""


class CorruptError(MQError):
    """A stored record can't be decoded. After a pull, the next pull goes on with the message behind it."""


TYPES = {
    "NOTFOUND": NotFoundError,
    "BADRECEIPT": InvalidReceiptError,
    "QUEUEFULL": QueueFullError,
    "DEDUPFULL": QueueFullError,
    "ERR": InvalidArgumentError,
    "WRONGTYPE": WrongTypeError,
    "TRYAGAIN": TryAgainError,
    "CORRUPT": CorruptError,
}

# The same command may succeed later.
TEMPORARY = frozenset(
    "ASK BUSY CLUSTERDOWN LOADING MASTERDOWN MISCONF MOVED NOREPLICAS OOM READONLY TRYAGAIN UNBLOCKED".split()
)

# redis-py cuts these codes off the text, and names them in `status_code` only from version 8 on.
CODES_OF_CLASSES = {
    "AuthenticationError": "NOAUTH",
    "AskError": "ASK",
    "BusyLoadingError": "LOADING",
    "ClusterCrossSlotError": "CROSSSLOT",
    "ClusterDownError": "CLUSTERDOWN",
    "MasterDownError": "MASTERDOWN",
    "MovedError": "MOVED",
    "NoPermissionError": "NOPERM",
    "OutOfMemoryError": "OOM",
    "ReadOnlyError": "READONLY",
    "TryAgainError": "TRYAGAIN",
}
CODES_IN_TEXTS = TEMPORARY | TYPES.keys() | {"CROSSSLOT", "NOPERM", "NOSCRIPT", "EXECABORT"}


def code_of(error: Exception) -> str:
    """The code of an error reply; empty if it is none."""
    if not isinstance(error, (redis.ResponseError, exceptions.BusyLoadingError, exceptions.AuthenticationError)):
        return ""
    code = getattr(error, "status_code", None) or CODES_OF_CLASSES.get(type(error).__name__)
    if code:
        return str(code)
    word = str(error).partition(" ")[0]
    return word if word in CODES_IN_TEXTS else "ERR"


def typed(error: Exception) -> Exception:
    """The error that the client raises for an error of redis-py: one of the types above, or the same."""
    code = code_of(error)
    lacks_module = code == "ERR" and "unknown command" in str(error).lower()[:20]
    if isinstance(error, MQError) or code not in TYPES or lacks_module:
        return error
    text = str(error)
    return TYPES[code](text if text.startswith(code) else f"{code} {text}")


def is_temporary(error: Exception) -> bool:
    """Whether the same command may succeed later: the connection was lost, or the server refuses it for a time."""
    if isinstance(error, (exceptions.AuthenticationError, exceptions.AuthorizationError)):
        return False
    if isinstance(error, (redis.ConnectionError, redis.TimeoutError, exceptions.ClusterError, OSError)):
        return True
    return code_of(error) in TEMPORARY
