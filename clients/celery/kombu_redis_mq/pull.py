"""The pull that waits: one MQ.MPULL at a time, on a connection of its own. Acknowledges nothing."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from time import monotonic
from typing import Any

from redis import Redis
from redis.exceptions import ClusterDownError, ReadOnlyError, ResponseError, TryAgainError
from redis.exceptions import ConnectionError as Disconnected

from .delivery import Delivery, deliveries

#: Seconds that a pull waits in the server. Repeating it costs next to nothing, and shows dead connections.
BLOCK = 5
#: Seconds after which a reply is late enough to say that the connection is dead.
OVERDUE = BLOCK + 10
#: Refusals that end when the client connects again, to the new master for example.
TEMPORARY = (ReadOnlyError, TryAgainError, ClusterDownError)
TEMPORARY_CODES = ("UNBLOCKED", "MISCONF", "NOREPLICAS")


class Pull:
    """The waiting pull of a channel. Its connection must stay open while its messages are held: when it closes, the
    server gives them to others (ONDISCONNECT)."""

    def __init__(self, server: Redis, visibility_ms: int, grace_ms: int, counts: bool) -> None:
        """grace_ms: how long after the end of the connection. counts: whether that is a retry."""
        self._server = server
        self._visibility_ms = visibility_ms
        self._on_disconnect = ["ONDISCONNECT", *([] if counts else ["NOCOUNT"])]
        self._on_disconnect += ["GRACE", grace_ms] if grace_ms else []
        self._connection: Any = None
        self._client_id = 0
        self._sent_at = 0.0
        self.waiting = False

    @property
    def sock(self) -> socket.socket | None:
        return self._connection and self._connection._sock

    def start(self, keys: Sequence[str], count: int) -> None:
        """Sends the pull; `read` has to follow when the socket is readable."""
        try:
            if self.sock is None:
                self._connect()
            self._connection.send_command(
                "MQ.MPULL", len(keys), *keys, "COUNT", count, "VISIBILITY", self._visibility_ms,
                "BLOCK", BLOCK * 1000, "CONSUMER", f"{socket.gethostname()}-{os.getpid()}", *self._on_disconnect,
            )  # fmt: skip
        except BaseException:
            self.close()
            raise
        self.waiting = True
        self._sent_at = monotonic()

    def read(self) -> list[Delivery]:
        """The reply. Without a pull that waits, the socket is readable only because the server closed it; an event
        loop may still report what `end` has read."""
        try:
            if not self.waiting and (self.sock is None or not self._connection.can_read(timeout=0)):
                return []
            return deliveries(self._connection.read_response())
        except ResponseError as error:
            if str(error).startswith("CORRUPT"):  # that record was set aside, the next pull goes on
                return []
            self.close()
            if isinstance(error, TEMPORARY) or str(error).startswith(TEMPORARY_CODES):
                raise Disconnected(str(error)) from error
            raise
        except BaseException:
            self.close()
            raise
        finally:
            self.waiting = False

    def end(self) -> list[Delivery]:
        """Ends the pull that waits, with nothing lost: what it was given in the last moment is returned."""
        try:
            while self.waiting:
                self._server.execute_command("CLIENT UNBLOCK", self._client_id)
                # The server may not have read the pull yet: then nothing was unblocked.
                if self._connection.can_read(timeout=0.1):
                    return self.read()
        except BaseException:
            self.close()
            raise
        return []

    def check(self) -> None:
        """Raises ConnectionError if the reply is overdue."""
        if self.waiting and monotonic() - self._sent_at > OVERDUE:
            self.close()
            raise Disconnected("no reply to the pull that waits")

    def close(self) -> None:
        """Closes the connection; what was pulled over it and is still held goes to others."""
        connection, self._connection, self.waiting = self._connection, None, False
        if connection is not None:
            connection.disconnect()
            self._server.connection_pool.release(connection)

    def after_fork(self) -> None:
        """In a child process: closes its copy of the socket, for which the server would else keep the connection."""
        if self._connection is not None:
            self._connection.disconnect()
            self._connection, self.waiting = None, False

    def _connect(self) -> None:
        self.close()
        self._connection = self._server.connection_pool.get_connection()
        self._connection.send_command("CLIENT", "ID")
        self._client_id = self._connection.read_response()


def pull_once(server: Redis, key: str, visibility_ms: int) -> list[Delivery]:
    """At most one message, without waiting. Not repeated after a lost reply: that would take another message."""
    connection = server.connection_pool.get_connection()
    try:
        connection.send_command("MQ.PULL", key, "COUNT", 1, "VISIBILITY", visibility_ms)
        return deliveries(connection.read_response())
    finally:
        server.connection_pool.release(connection)
