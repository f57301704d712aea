"""Fanout exchanges by publish and subscribe: remote control, events, broadcasts. As on any such exchange, who is not
subscribed at the time misses the message."""

from __future__ import annotations

import socket
from typing import Any

from redis import Redis


class Subscription:
    """The subscriptions of a channel, on a connection of their own."""

    def __init__(self, server: Redis) -> None:
        self._pubsub = server.pubsub(ignore_subscribe_messages=True)
        self._queues: dict[bytes, str] = {}

    @property
    def sock(self) -> socket.socket | None:
        return self._pubsub.connection and self._pubsub.connection._sock

    def subscribe(self, topic: str, queue: str) -> None:
        self._queues[topic.encode()] = queue
        self._pubsub.psubscribe(topic)

    def unsubscribe(self, queue: str) -> None:
        for topic in [topic for topic, its in self._queues.items() if its == queue]:
            del self._queues[topic]
            self._pubsub.punsubscribe(topic)

    def check(self) -> None:
        """Sends a PING if nothing came for the health check's interval."""
        if self._pubsub.subscribed:
            self._pubsub.check_health()

    def read(self) -> list[tuple[str, bytes]]:
        """What has come: pairs of queue and payload."""
        messages = []
        while self._pubsub.subscribed and self._pubsub.connection.can_read(timeout=0):
            message: dict[str, Any] | None = self._pubsub.get_message(timeout=0)
            if message and message["type"] == "pmessage" and message["pattern"] in self._queues:
                messages.append((self._queues[message["pattern"]], message["data"]))
        return messages

    def close(self) -> None:
        self._pubsub.close()

    def after_fork(self) -> None:
        if self._pubsub.connection is not None:
            self._pubsub.connection.disconnect()


def topic(prefix: str, db: int, exchange: str, routing_key: str) -> str:
    """The topic of a fanout exchange. Wildcards of a binding (#) are those of PSUBSCRIBE (*)."""
    name = f"{prefix}/{db}.{exchange}"
    return f"{name}/{routing_key.replace('#', '*')}" if routing_key else name
