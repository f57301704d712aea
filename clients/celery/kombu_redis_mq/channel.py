"""A channel: kombu's operations as commands of redis-mq."""

from __future__ import annotations

from collections import deque
from queue import Empty
from time import monotonic
from typing import Any

from kombu.log import get_logger
from kombu.transport import virtual
from kombu.transport.base import to_rabbitmq_queue_arguments
from kombu.utils.json import dumps, loads
from kombu.utils.scheduling import cycle_by_name
from redis import Redis
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from . import publishing
from .bindings import LIFETIME_MS
from .delivery import Delivery, by_queue, fields
from .pull import Pull, pull_once
from .qos import QoS
from .subscription import Subscription, topic

logger = get_logger(__name__)

#: Most messages of one pull.
LARGEST_PULL = 1000
#: When a dead letter that is no message of kombu is looked at again, ms: it can't die twice.
UNREADABLE_DELAY_MS = 60_000


class Channel(virtual.Channel):
    QoS = QoS
    supports_fanout = True

    # Transport options, see README.md.
    visibility_timeout: float = 30
    global_keyprefix = ""
    server_eta = True
    deduplicate = True
    reverse_priority = False
    dead_letter_rejected = False
    dead_letter_expired = False
    count_disconnects = True
    disconnect_grace: float = 0
    queue_settings: dict[str, Any] = {"backoff": 0}  # noqa: RUF012
    queue_order_strategy = "round_robin"

    from_transport_options = (
        *virtual.Channel.from_transport_options,
        "visibility_timeout",
        "global_keyprefix",
        "server_eta",
        "deduplicate",
        "reverse_priority",
        "dead_letter_rejected",
        "dead_letter_expired",
        "count_disconnects",
        "disconnect_grace",
        "queue_settings",
        "queue_order_strategy",
    )

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self.server: Redis = connection.server
        self.heartbeat = connection.heartbeat
        grace_ms = int(self.disconnect_grace * 1000)
        self._pull = Pull(self.server, self.visibility_ms, grace_ms, self.count_disconnects)
        self._subscription = Subscription(self.server)
        self._queues = cycle_by_name(self.queue_order_strategy)()
        self._unacknowledging: set[str] = set()
        self._pulled: deque[Delivery] = deque()
        self._broadcast: deque[tuple[str, bytes]] = deque()
        self._renewed_at = monotonic()
        connection.cycle.channels.append(self)

    @property
    def visibility_ms(self) -> int:
        return int(self.visibility_timeout * 1000)

    # Publishing

    def _put(self, queue: str, message: dict[str, Any], **_: Any) -> None:
        properties = message["properties"]
        words: list[Any] = ["PRIORITY", self._get_message_priority(message, reverse=self.reverse_priority)]
        if self.server_eta:
            words += publishing.due(message["headers"])
        words += publishing.time_to_live(properties, self.dead_letter_expired)
        if self.deduplicate:
            words += publishing.deduplication(message)
        self._keep(queue)
        self.server.execute_command("MQ.PUSH", self._key(queue), dumps(publishing.stored(message)), *words)

    def _put_fanout(self, exchange: str, message: dict[str, Any], routing_key: str, **_: Any) -> None:
        self.server.publish(self._topic(exchange, routing_key), dumps(message))

    # Queues and bindings

    def _new_queue(self, queue: str, **kwargs: Any) -> None:
        expires = (kwargs.get("arguments") or {}).get("x-expires")
        if expires:
            self.connection.bindings.expires[queue] = int(expires)

    def _has_queue(self, queue: str, **_: Any) -> bool:
        return bool(self._info(queue)[b"exists"])

    def _info(self, queue: str) -> dict[bytes, Any]:
        return fields(self.server.execute_command("MQ.INFO", self._key(queue)))

    def _configure(self, queue: str) -> None:
        """Writes only settings that differ: at maxmemory it is refused, and consumers must start."""
        info = self._info(queue) if self.queue_settings else {}
        wanted = {name.encode(): value for name, value in self.queue_settings.items()}
        changed = [
            (name, value) for name, value in wanted.items() if info.get(name) not in (value, str(value).encode())
        ]
        if changed:
            self._set(queue, *[word for setting in changed for word in setting])

    def _keep(self, queue: str) -> bool:
        """Lets the time after which the server drops a queue with x-expires start anew. False: it has none."""
        expires = self.connection.bindings.expires_ms(queue)
        if expires:
            self._set(queue, "EXPIRES", expires)
        return bool(expires)

    def _set(self, queue: str, *settings: Any) -> None:
        try:
            self.server.execute_command("MQ.CONFIG", self._key(queue), *settings)
        except OutOfMemoryError as error:
            logger.warning("redis-mq: could not set %s of %s: %s", settings, queue, error)

    def _size(self, queue: str) -> int:
        """Messages that wait, ready or for their time; those in flight are not counted."""
        with self.server.pipeline(transaction=False) as pipe:
            for state in "READY", "DELAYED":
                pipe.execute_command("MQ.LEN", self._key(queue), state)
            return sum(pipe.execute())

    def _purge(self, queue: str) -> int:
        """Deletes what waits, as in AMQP: what is in flight belongs to its consumers."""
        with self.server.pipeline(transaction=False) as pipe:
            for state in "DELAYED", "READY":
                pipe.execute_command("MQ.PURGE", self._key(queue), state)
            return sum(pipe.execute())

    def queue_delete(self, queue: str, if_unused: bool = False, if_empty: bool = False, **kwargs: Any) -> None:
        if if_empty and self._size(queue):
            return
        super().queue_delete(queue, if_unused=if_unused, **kwargs)
        if queue not in self.connection.fanout:
            self.server.execute_command("MQ.DROP", self._key(queue))

    def _delete(self, queue: str, exchange: str, routing_key: str, pattern: str | None, *_: Any, **__: Any) -> None:
        self.connection.bindings.remove(exchange, routing_key, pattern, queue)

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str | None, queue: str) -> None:
        if self.typeof(exchange).type == "fanout":
            self.connection.fanout[queue] = self._topic(exchange, routing_key)
        else:
            self.connection.bindings.add(exchange, routing_key, pattern, queue)

    def queue_unbind(self, queue: str, exchange: str | None = None, routing_key: str = "", arguments: Any = None,
                     **kwargs: Any) -> None:  # fmt: skip
        meta = self.typeof(exchange).prepare_bind(queue, exchange, routing_key, arguments)
        self.connection.bindings.remove(exchange, *meta[:2], queue)
        self.state.binding_delete(queue, exchange, routing_key)

    def get_table(self, exchange: str) -> list[tuple[str, str | None, str]]:
        return self.connection.bindings.of(exchange)

    def prepare_queue_arguments(self, arguments: Any, **kwargs: Any) -> Any:
        return to_rabbitmq_queue_arguments(arguments, **kwargs)

    # Consuming

    def basic_consume(self, queue: str, no_ack: bool, *args: Any, **kwargs: Any) -> None:
        super().basic_consume(queue, no_ack, *args, **kwargs)
        if queue in self.connection.fanout:
            self._subscription.subscribe(self.connection.fanout[queue], queue)
            return
        if no_ack:
            self._unacknowledging.add(queue)
        if not self._keep(queue):
            self._configure(queue)
        self._consumers_changed()

    def basic_cancel(self, consumer_tag: str) -> None:
        queue = self._tag_to_queue.get(consumer_tag)
        super().basic_cancel(consumer_tag)
        if queue is None:
            return
        if queue in self.connection.fanout:
            self._subscription.unsubscribe(queue)
            return
        self._unacknowledging.discard(queue)
        self._consumers_changed()

    def basic_get(self, queue: str, no_ack: bool = False, **kwargs: Any) -> Any:
        message = super().basic_get(queue, no_ack=no_ack, **kwargs)
        if message is not None and no_ack:
            self.acknowledge(message.delivery_tag)
        return message

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        for delivery in pull_once(self.server, self._key(queue), self.visibility_ms):
            self.heartbeat.hold(delivery)
            message = self._message(delivery)
            if message is not None:
                return message
        raise Empty

    def _consumers_changed(self) -> None:
        """The pull that waits names the queues, so it has to be sent again."""
        self._hold(self._pull.end())
        consumed = self._consumed()
        self._queues.update(consumed)
        keys = {self._key(queue) for queue in consumed}
        cancelled = [delivery for delivery in self._pulled if delivery.key not in keys]
        self._pulled = deque(delivery for delivery in self._pulled if delivery.key in keys)
        self.release([delivery.tag for delivery in cancelled])

    def _consumed(self) -> list[str]:
        return list(dict.fromkeys(queue for queue in self._active_queues if queue not in self.connection.fanout))

    # Called by the poller

    def sources(self) -> list[tuple[Any, Any]]:
        return [(self._pull, self._on_pulled), (self._subscription, self._on_broadcast)]

    def prepare(self) -> None:
        """Pulls as many messages as the prefetch count leaves room for."""
        self._renew()
        self._pull.check()
        self._subscription.check()
        if self._pulled or self._broadcast:
            self._deliver_in_loop()
        if self._pull.waiting or self._pulled or not self.qos.can_consume():
            return
        queues = self._queues.consume(len(self._consumed()))
        if queues:
            self._pull.start([self._key(queue) for queue in queues], min(self.qos.room(), LARGEST_PULL))

    def deliver_one(self) -> bool:
        """Calls the consumer of the next message that has come."""
        while self._broadcast:
            queue, payload = self._broadcast.popleft()
            if queue in self._active_queues:
                self.connection._deliver(loads(payload), queue)
                return True
        while self._pulled:
            delivery = self._pulled.popleft()
            queue = self._queue(delivery.key)
            message = self._message(delivery)
            if message is None:
                continue
            if queue in self._unacknowledging:
                self.acknowledge(delivery.tag)
            self.connection._deliver(message, queue)
            return True
        return False

    def _on_pulled(self) -> None:
        deliveries = self._pull.read()
        self._hold(deliveries)
        if deliveries:
            self._queues.rotate(self._queue(deliveries[0].key))
        self._deliver_in_loop()

    def _on_broadcast(self) -> None:
        self._broadcast.extend(self._subscription.read())
        self._deliver_in_loop()

    def _deliver_in_loop(self) -> None:
        """In an event loop nobody asks for the next message."""
        while self.connection.cycle.hub is not None and self.deliver_one():
            pass

    def _hold(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self.heartbeat.hold(delivery)
        self._pulled.extend(deliveries)

    def _message(self, delivery: Delivery) -> dict[str, Any] | None:
        """None: it is no message of kombu, and was sent to the dead-letter queue."""
        try:
            return delivery.message()
        except ValueError as error:
            reason = f"not readable: {error}"
            logger.error("redis-mq: message %s of %s is %s", delivery.id, delivery.key, reason)
        try:
            self.give_back(delivery.tag, "DEAD", "REASON", reason)
        except ResponseError:  # a dead letter
            self.heartbeat.hold(delivery)
            self.give_back(delivery.tag, "DELAY", UNREADABLE_DELAY_MS, "REASON", reason)
        return None

    def _renew(self) -> None:
        """Queues with x-expires and their bindings live on while they are consumed, also without room for a pull."""
        if monotonic() - self._renewed_at < LIFETIME_MS / 2000:
            return
        for queue in self._consumed():
            self._keep(queue)
            for exchange, routing_key, arguments in list(self.state.queue_bindings(queue)):
                meta = self.typeof(exchange).prepare_bind(queue, exchange, routing_key, arguments)
                self.connection.bindings.add(exchange, *meta)
        self._renewed_at = monotonic()

    # The end of a delivery

    def acknowledge(self, tag: str) -> None:
        delivery = self.heartbeat.drop(tag)
        if delivery is not None:
            self.server.execute_command("MQ.ACK", delivery.key, "IDS", 1, delivery.id, delivery.receipt)

    def give_back(self, tag: str, *options: Any) -> None:
        """A failed attempt: counts as a retry."""
        delivery = self.heartbeat.drop(tag)
        if delivery is not None:
            self.server.execute_command("MQ.NACK", delivery.key, "IDS", 1, delivery.id, delivery.receipt, *options)

    def release(self, tags: list[str]) -> None:
        """Gives back what was not tried, to its place in the queue. If the server can't be reached, a later
        acknowledgment is still sent."""
        held = self.heartbeat.held(tags)
        try:
            for key, words in by_queue(held):
                self.server.execute_command("MQ.NACK", key, *words, "NOCOUNT", "FRONT")
        except RedisError as error:
            logger.warning("redis-mq: could not give back %d messages: %s", len(held), error)
        else:
            for tag in tags:
                self.heartbeat.drop(tag)

    def close(self) -> None:
        """Gives back what is held before the connections are closed: a closed connection counts a retry."""
        if self.closed:
            return
        try:
            self._hold(self._pull.end())
        except RedisError as error:
            logger.debug("redis-mq: could not end the pull: %s", error)
        self.release([delivery.tag for delivery in self._pulled])
        self._pulled.clear()
        self.connection.cycle.discard(self)
        super().close()
        self._pull.close()
        self._subscription.close()

    def after_fork(self) -> None:
        self._pull.after_fork()
        self._subscription.after_fork()

    def _key(self, queue: str) -> str:
        return f"{self.global_keyprefix}{queue}"

    def _queue(self, key: str) -> str:
        return key[len(self.global_keyprefix) :]

    def _topic(self, exchange: str, routing_key: str) -> str:
        return topic(self.global_keyprefix, self.connection.database, exchange, routing_key)
