"""The transport as kombu sees it, in this process."""

import base64
import json
import time

import pytest
from kombu import Consumer, Exchange, Producer, Queue

from tests.conftest import drain, drain_once, until


def consume(connection, queue, **options):
    """Messages as they come, unacknowledged."""
    messages = []
    consumer = Consumer(connection, [queue], accept=["json"], on_message=messages.append, **options)
    consumer.consume()
    return messages, consumer


def publish(connection, queue, body, **options):
    Producer(connection).publish(body, routing_key=queue, **options)


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_message_is_delivered_until_it_is_acknowledged(server, connect, protocol):
    connection = connect(protocol=protocol)
    publish(connection, "orders", {"n": 1})
    messages, consumer = consume(connection, Queue("orders"))
    drain(connection, lambda: messages)
    assert messages[0].payload == {"n": 1}
    assert not messages[0].delivery_info["redelivered"]
    assert server.mq("LEN", "orders", "INFLIGHT") == 1
    assert connection.default_channel._size("orders") == 0

    messages[0].requeue()
    drain(connection, lambda: len(messages) == 2)
    assert messages[1].delivery_info["redelivered"]
    assert messages[1].delivery_tag != messages[0].delivery_tag
    messages[1].ack()
    assert server.mq("LEN", "orders") == 0
    consumer.cancel()


def test_the_prefetch_count_limits_what_is_in_flight(server, connect):
    connection = connect()
    for n in range(10):
        publish(connection, "orders", n)
    messages, consumer = consume(connection, Queue("orders"), prefetch_count=3)
    drain(connection, lambda: len(messages) == 3)
    drain_once(connection)
    assert server.mq("LEN", "orders", "INFLIGHT") == 3
    for message in messages[:]:
        message.ack()
    drain(connection, lambda: len(messages) == 6)
    assert [message.payload for message in messages] == list(range(6))
    consumer.cancel()


def test_a_closed_connection_gives_back_what_it_holds_to_its_place_without_counting_a_retry(server, connect):
    connection = connect()
    for n in range(3):
        publish(connection, "orders", n)
    messages, _ = consume(connection, Queue("orders"), prefetch_count=3)
    drain(connection, lambda: messages)  # the other two are pulled, too
    publish(connect(), "orders", 3)
    connection.close()
    waiting = server.peek("orders")
    assert [json.loads(base64.b64decode(json.loads(message["payload"])["body"])) for message in waiting] == [0, 1, 2, 3]
    assert {message["retry_count"] for message in waiting} == {0}


def test_a_cancelled_consumer_leaves_no_pull_behind(server, connect):
    connection = connect()
    messages, consumer = consume(connection, Queue("orders"))
    drain_once(connection)
    until(lambda: server.info("orders")["blocked_clients"] == 1)
    consumer.cancel()
    assert server.info("orders")["blocked_clients"] == 0
    publish(connection, "orders", 1)
    drain_once(connection)
    assert not messages
    assert server.mq("LEN", "orders", "READY") == 1


def test_several_queues_are_served_in_turn(server, connect):
    connection = connect()
    for n in range(3):
        publish(connection, "one", n)
        publish(connection, "two", n)
    messages = []
    with Consumer(connection, [Queue("one"), Queue("two")], accept=["json"], on_message=messages.append):
        drain(connection, lambda: len(messages) == 6)
    assert {message.delivery_info["routing_key"] for message in messages[:2]} == {"one", "two"}


def test_higher_priorities_come_first(server, connect):
    connection = connect()
    for priority in 0, 9, 5:
        publish(connection, "orders", priority, priority=priority)
    messages, consumer = consume(connection, Queue("orders"))
    drain(connection, lambda: len(messages) == 3)
    assert [message.payload for message in messages] == [9, 5, 0]
    consumer.cancel()


def test_reverse_priority_has_the_order_of_the_redis_transport(server, connect):
    connection = connect(reverse_priority=True)
    for priority in 9, 0, 5:
        publish(connection, "orders", priority, priority=priority)
    messages, consumer = consume(connection, Queue("orders"))
    drain(connection, lambda: len(messages) == 3)
    assert [message.payload for message in messages] == [0, 5, 9]
    consumer.cancel()


def test_an_expired_message_is_discarded(server, connect):
    connection = connect()
    publish(connection, "orders", 1, expiration=0.05)
    publish(connection, "orders", 2, expiration=0)
    assert until(lambda: server.mq("LEN", "orders") == 0, 2)
    assert server.mq("LEN", "{orders}:dead") == 0


def test_an_expired_message_is_a_dead_letter_if_asked_for(server, connect):
    publish(connect(dead_letter_expired=True), "orders", 1, expiration=0.05)
    (dead,) = until(lambda: server.peek("{orders}:dead"), 2)
    assert dead["dead_reason"] == "expired"


def test_topic_exchanges_route_to_queues_that_others_bound(server, connect):
    mails = Exchange("mails", type="topic")
    declaring, publishing = connect(), connect()
    Queue("urgent", mails, routing_key="mail.urgent.#")(declaring).declare()
    Queue("all", mails, routing_key="mail.#")(declaring).declare()
    producer = Producer(publishing, exchange=mails)
    producer.publish(1, routing_key="mail.urgent.fire")
    producer.publish(2, routing_key="mail.newsletter")
    assert server.mq("LEN", "urgent") == 1
    assert server.mq("LEN", "all") == 2

    Queue("all", mails, routing_key="mail.#")(declaring).delete()
    producer.publish(3, routing_key="mail.urgent.fire")
    assert server.mq("LEN", "urgent") == 2
    assert server.mq("LEN", "all") == 0


def test_expiring_queues_and_their_bindings_end(server, connect):
    replies = Exchange("replies")
    queue = Queue("reply-1", replies, routing_key="1", expires=10)
    queue(connect().default_channel).declare()
    Producer(connect(), exchange=replies).publish({"n": 1}, routing_key="1")
    assert server.info("reply-1")["expires"] == 3_600_000
    ((_, end),) = server.client.zrange("_kombu.mq.bindings.replies", 0, -1, withscores=True)
    assert 3_590 < end / 1000 - time.time() <= 3_600
    # The queue was dropped, and is used again: by a publisher, and by a consumer.
    server.mq("DROP", "reply-1")
    Producer(connect(), exchange=replies).publish({"n": 2}, routing_key="1")
    assert server.info("reply-1")["expires"] == 3_600_000
    server.mq("DROP", "reply-1")
    consume(connect(), queue)
    assert server.info("reply-1")["expires"] == 3_600_000
    consume(connect(), Queue("orders", expires=1e9))
    assert server.info("orders")["expires"] == 31_536_000_000


def test_a_consumed_queue_does_not_expire_while_nothing_more_is_pulled(server, connect, monkeypatch):
    connection = connect()
    publish(connection, "orders", 1)
    messages, _ = consume(connection, Queue("orders", expires=7200), prefetch_count=1)
    drain(connection, lambda: messages)
    server.mq("CONFIG", "orders", "EXPIRES", 9_000_000)
    drain_once(connection)
    assert server.info("orders")["expires"] == 9_000_000
    monkeypatch.setattr("kombu_redis_mq.channel.monotonic", lambda: time.monotonic() + 1801)
    drain_once(connection)
    assert server.info("orders")["expires"] == 7_200_000


def test_queues_of_fanout_exchanges_leave_nothing(server, connect):
    connection = connect()
    consume(connection, Queue("reader", Exchange("news", type="fanout"), expires=60))
    drain_once(connection)
    assert server.mq("QUEUES") == []


def test_fanout_reaches_every_subscriber(server, connect):
    news = Exchange("news", type="fanout")
    connections = [connect(protocol=2), connect(protocol=3)]
    received = [consume(connection, Queue(f"reader-{n}", news))[0] for n, connection in enumerate(connections)]
    for connection in connections:
        drain_once(connection)
    Producer(connect(), exchange=news).publish({"extra": 1})
    for connection, messages in zip(connections, received):
        drain(connection, lambda messages=messages: messages)
        assert messages[0].payload == {"extra": 1}


def test_purge_size_and_delete(server, connect):
    channel = connect().default_channel
    queue = Queue("orders")(channel)
    queue.declare()
    for n in range(3):
        publish(channel, "orders", n)
    assert queue.queue_declare(passive=True).message_count == 3
    queue.get()
    server.mq("PUSH", "orders", "later", "DELAY", 60_000)
    assert queue.purge() == 3
    assert server.mq("LEN", "orders", "INFLIGHT") == server.mq("LEN", "orders") == 1
    channel.qos.restore_unacked()
    queue.delete(if_empty=True)
    assert server.mq("LEN", "orders") == 1
    queue.delete()
    assert server.mq("QUEUES") == []
    with pytest.raises(channel.connection.client.channel_errors):
        queue.queue_declare(passive=True)


def test_get_returns_one_message_or_none(server, connect):
    queue = Queue("orders")(connect().default_channel)
    assert queue.get() is None
    publish(queue.channel, "orders", 1)
    queue.get().ack()
    publish(queue.channel, "orders", 2)
    assert queue.get(no_ack=True).payload == 2
    assert server.mq("LEN", "orders") == 0


def test_a_message_that_is_none_of_kombu_is_dead_and_the_consumer_goes_on(server, connect):
    connection = connect()
    server.mq("PUSH", "orders", b"\xff\x00")
    server.mq("PUSH", "orders", "[1]")
    publish(connection, "orders", 1)
    messages, consumer = consume(connection, Queue("orders"))
    drain(connection, lambda: messages)
    assert messages[0].payload == 1
    dead = server.peek("{orders}:dead")
    assert [message["dead_reason"] for message in dead] == ["rejected"] * 2
    assert all(message["last_error"].startswith("not readable") for message in dead)
    consumer.cancel()


def test_a_repeated_publication_adds_no_second_message(server, connect, monkeypatch):
    connection = connect()
    channel = connection.default_channel
    execute, replies = channel.server.execute_command, []

    def lose_the_first_reply(command, *words, **options):
        reply = execute(command, *words, **options)
        if command == "MQ.PUSH":
            replies.append(reply)
            if len(replies) == 1:
                raise ConnectionResetError
        return reply

    monkeypatch.setattr(channel.server, "execute_command", lose_the_first_reply)
    publish(channel, "orders", 1, retry=True, retry_policy={"max_retries": 3, "interval_start": 0})
    # kombu has connected again, with a new client
    assert server.mq("LEN", "orders") == 1
    assert server.info("orders")["deduplicated"] == 1


def test_a_key_prefix_is_on_the_server_only(server, connect):
    connection = connect(global_keyprefix="shop:")
    publish(connection, "orders", 1)
    assert server.mq("QUEUES") == [b"shop:orders"]
    messages, consumer = consume(connection, Queue("orders"))
    drain(connection, lambda: messages)
    messages[0].ack()
    assert server.mq("LEN", "shop:orders") == 0
    consumer.cancel()


def test_queue_settings_are_applied_by_consumers(server, connect):
    settings = {"maxretries": 3, "backoff": 500, "deadletter": "failed"}
    consume(connect(queue_settings=settings), Queue("orders"))
    assert server.info("orders")["maxretries"] == 3
    assert server.info("orders")["backoff"] == 500
    assert server.info("orders")["deadletter"] == "failed"
    consume(connect(queue_settings=settings), Queue("orders"))
    calls = {name.lower(): calls for name, calls in server.client.info("commandstats").items()}
    assert calls["cmdstat_mq.config"]["calls"] == 1


def test_a_consumer_starts_when_the_server_is_full(server, connect):
    publish(connect(), "orders", 1)
    server.client.config_set("maxmemory", 1)
    connection = connect()
    messages, consumer = consume(connection, Queue("orders"))
    drain(connection, lambda: messages)
    messages[0].ack()
    consumer.cancel()


@pytest.mark.parametrize(
    "options, retries", [({}, 1), ({"count_disconnects": False}, 0), ({"disconnect_grace": 0.5}, 1)]
)
def test_a_lost_connection_gives_back_what_it_pulled(server, connect, options, retries):
    connection = connect(**options)
    publish(connection, "orders", 1)
    messages, _ = consume(connection, Queue("orders"))
    drain(connection, lambda: messages)
    connection.transport.heartbeat.stop()
    lost_at = time.monotonic()
    server.client.client_kill_filter(_type="normal", skipme=True)
    (message,) = until(lambda: server.peek("orders"), 5)
    assert message["retry_count"] == retries
    assert time.monotonic() - lost_at >= options.get("disconnect_grace", 0)


def test_a_lost_server_is_a_connection_error(server, connect):
    connection = connect()
    consume(connection, Queue("orders"))
    drain_once(connection)
    server.stop()
    with pytest.raises(connection.connection_errors):
        for _ in range(50):
            drain_once(connection)
    server.start()
