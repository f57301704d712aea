"""The transport: one client of the server, one thread of heartbeats and one poller for all channels of a connection."""

from __future__ import annotations

import os
from typing import Any
from weakref import WeakSet

import redis
from kombu.transport import virtual
from kombu.utils.objects import cached_property
from redis import Redis
from redis.exceptions import AuthenticationError, DataError, InvalidResponse, ResponseError
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import TimeoutError as TimedOut

from .bindings import Bindings
from .channel import Channel
from .heartbeat import Heartbeat
from .poller import Poller
from .server import connect, connect_by_sentinel

_transports: WeakSet[Transport] = WeakSet()


class Transport(virtual.Transport):
    """``redis-mq://[user:password@]host[:port][/database]``"""

    Channel = Channel
    default_port = 6379
    polling_interval = None
    # Celery asks for it to use fanout for events, and to know its neighbours.
    driver_type = "redis"
    driver_name = "redis-mq"
    implements = virtual.Transport.implements.extend(
        asynchronous=True, exchange_type=frozenset(["direct", "topic", "fanout"])
    )
    connection_errors = (*virtual.Transport.connection_errors, Disconnected, TimedOut, AuthenticationError, OSError)
    channel_errors = (*virtual.Transport.channel_errors, DataError, InvalidResponse, ResponseError)

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self.cycle = Poller()
        #: The topics of queues that are bound to a fanout exchange.
        self.fanout: dict[str, str] = {}
        _transports.add(self)

    @cached_property
    def server(self) -> Redis:
        return connect(self.client, self.default_port)

    @cached_property
    def heartbeat(self) -> Heartbeat:
        visibility = self.client.transport_options.get("visibility_timeout", Channel.visibility_timeout)
        return Heartbeat(self.server, int(visibility * 1000))

    @cached_property
    def bindings(self) -> Bindings:
        return Bindings(self.server, self.client.transport_options.get("global_keyprefix", Channel.global_keyprefix))

    @property
    def database(self) -> int:
        return self.server.connection_pool.connection_kwargs.get("db", 0)

    def driver_version(self) -> str:
        return redis.__version__

    def establish_connection(self) -> Any:
        self.server.ping()
        return super().establish_connection()

    def close_connection(self, connection: Any) -> None:
        super().close_connection(connection)
        self.heartbeat.stop()
        self.server.close()

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        self.cycle.register_with(loop)

    def after_fork(self) -> None:
        for channel in self.channels:
            channel.after_fork()
        if "heartbeat" in self.__dict__:
            self.heartbeat.after_fork()


class SecureTransport(Transport):
    """``rediss-mq://``: TLS. The certificate is verified, unless the URL or ``broker_use_ssl`` say otherwise."""

    @cached_property
    def server(self) -> Redis:
        return connect(self.client, self.default_port, secure=True)


class SentinelTransport(Transport):
    """``sentinel-mq://host:26379;sentinel-mq://host:26379``, with the transport option ``master_name``."""

    default_port = 26379

    @cached_property
    def server(self) -> Redis:
        return connect_by_sentinel(self.client, self.default_port)


def _after_fork() -> None:
    for transport in list(_transports):
        transport.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
