"""Which queues are bound to which exchange, known to all clients: a sorted set for each exchange, whose scores are the
times (unix ms) at which bindings end. Those of queues with x-expires end unless they are renewed."""

from __future__ import annotations

from time import time

from kombu.utils.json import dumps, loads
from redis import Redis

from .publishing import LONGEST_MS

#: Queues with x-expires and their bindings live at least this long, and are renewed after half of it.
LIFETIME_MS = 60 * 60 * 1000


class Bindings:
    def __init__(self, server: Redis, prefix: str) -> None:
        self._server = server
        self._prefix = prefix
        #: The x-expires of queues, ms, as far as their bindings were read or written here.
        self.expires: dict[str, int] = {}

    def add(self, exchange: str, routing_key: str, pattern: str | None, queue: str) -> None:
        expires = self.expires.get(queue)
        end = _now() + max(2 * expires, LIFETIME_MS) if expires else "+inf"
        with self._server.pipeline(transaction=False) as pipe:
            pipe.zremrangebyscore(self._key(exchange), "-inf", _now())
            pipe.zadd(self._key(exchange), {dumps([routing_key, pattern, queue, expires]): end})
            pipe.execute()

    def remove(self, exchange: str, routing_key: str, pattern: str | None, queue: str) -> None:
        self._server.zrem(self._key(exchange), dumps([routing_key, pattern, queue, self.expires.get(queue)]))

    def expires_ms(self, queue: str) -> int | None:
        """How long an unused queue lives; None: for ever. Its bindings end later: only consumers renew those."""
        expires = self.expires.get(queue)
        return min(max(expires, LIFETIME_MS), LONGEST_MS) if expires else None

    def of(self, exchange: str) -> list[tuple[str, str | None, str]]:
        """Triples of routing key, pattern and queue."""
        table = []
        for member in self._server.zrangebyscore(self._key(exchange), _now(), "+inf"):
            routing_key, pattern, queue, expires = loads(member)
            if expires:
                self.expires[queue] = expires
            table.append((routing_key, pattern, queue))
        return table

    def _key(self, exchange: str) -> str:
        return f"{self._prefix}_kombu.mq.bindings.{exchange}"


def _now() -> int:
    return int(time() * 1000)
