"""The fake: what the contract's cases don't look at."""

import asyncio
from datetime import datetime, timedelta

import pytest

from redis_mq import Client, Delivery, InvalidArgumentError
from redis_mq.testing import FakeRedisMQ


@pytest.fixture
def fake():
    return FakeRedisMQ()


@pytest.fixture
def client(fake):
    return fake.client()


def test_time_passes_only_when_it_is_told_to(fake, client):
    start = fake.now()
    client.push("orders", "x")
    client.pull("orders", visibility=0.001)
    assert client.pull("orders") is None
    fake.advance(timedelta(days=1))
    assert fake.now() == start + timedelta(days=1) and client.pull("orders").retry_count == 1


def test_a_waiting_pull_gets_what_is_pushed_and_what_is_due(fake):
    async def main():
        client = fake.async_client()
        waiting = asyncio.create_task(client.pull("orders", block=60))
        await asyncio.sleep(0.01)
        fake.client().push("orders", "pushed")
        message = await waiting
        assert message.text() == "pushed"
        await client.ack(message)
        fake.client().push("orders", "later", delay=60)
        waiting = asyncio.create_task(client.pull("orders", block=60))
        await asyncio.sleep(0.01)
        fake.advance(60)
        assert (await waiting).text() == "later"
        assert await client.pull("orders", block=0.01) is None

    asyncio.run(main())


def test_limits(fake, client):
    client.configure("orders", maxinflight=1)
    client.push_many("orders", ["a", "b", "c"])
    message = client.pull("orders")
    assert client.pull("orders") is None
    client.ack(message)
    client.configure("orders", rate=2, rateperiod=10, reset=["maxinflight"])
    client.push("orders", "d")
    assert [client.pull("orders") is not None for _ in range(3)] == [True, False, False]
    fake.advance(10)
    assert client.pull("orders") is not None


def test_groups_take_turns(client):
    client.push_many("orders", ["a1", "a2"], group="a")
    client.push_many("orders", ["b1", "b2"], group="b")
    client.configure("orders", groupinflight=2)
    assert [message.text() for message in client.pull_many("orders", 10)] == ["a1", "b1", "a2", "b2"]


def test_a_returned_message_is_the_first_of_its_group(client):
    client.push_many("orders", ["a1", "a2"], group="a")
    client.nack(client.pull("orders"), delay=0)
    assert client.pull("orders").text() == "a1"


def test_a_long_wait_overtakes_priorities(fake, client):
    client.configure("orders", aging=10)
    client.push("orders", "old")
    fake.advance(11)
    client.push("orders", "urgent", priority=9)
    assert [message.text() for message in client.pull_many("orders", 2)] == ["old", "urgent"]


def test_a_late_extension_takes_the_retry_back(fake, client):
    client.push("orders", "x")
    message = client.pull("orders", visibility=1)
    fake.advance(2)
    assert client.extend(message, 5) == fake.now() + timedelta(seconds=5)
    assert client.get("orders", message.id).retry_count == 0


def test_an_extension_by_default_shortens_nothing(client):
    client.push("orders", "x")
    message = client.pull("orders", visibility=3600)
    assert client.extend(message) == message.visibility_until


def test_an_unused_queue_is_dropped_unless_somebody_waits(fake, client):
    async def wait():
        waiting = asyncio.create_task(fake.async_client().pull("orders", block=60))
        await asyncio.sleep(0.01)
        fake.advance(3600)
        await asyncio.sleep(0.01)
        assert client.queues() == ["orders"]
        client.push("orders", "x")
        assert (await waiting).text() == "x"

    client.configure("orders", expires=60)
    asyncio.run(wait())
    fake.advance(59)
    assert client.queues() == ["orders"]
    fake.advance(1)
    assert client.queues() == []


def test_a_pull_that_waits_finds_the_queue_that_was_dropped_meanwhile(fake, client):
    async def main():
        client.push("orders", "x", delay=60)
        waiting = asyncio.create_task(fake.async_client().pull("orders", block=60))
        await asyncio.sleep(0.01)
        client.drop("orders")
        client.push("orders", "y")
        assert (await waiting).text() == "y"

    asyncio.run(main())


def test_a_full_dead_letter_queue_forgets_the_oldest(client):
    client.configure("{orders}:dead", maxlen=2)
    client.push_many("orders", ["a", "b", "c"])
    for message in client.pull_many("orders", 3):
        client.nack(message, dead=True)
    assert [message.text() for message in client.peek("orders", "dead")] == ["b", "c"]


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda client: client.push("", "x"), "invalid queue name"),
        (lambda client: client.push("q", "x", delay=1, at=datetime.now()), "mutually exclusive"),
        (lambda client: client.push("q", "x", until_done=True), "only with DEDUP"),
        (lambda client: client.push("q", "x", ttl_dead=True), "only with TTL"),
        (lambda client: client.pull("q", no_ack=True, visibility=1), "mutually exclusive"),
        (lambda client: client.nack(Delivery("q", "1", "r"), front=True), "only with NOCOUNT"),
        (lambda client: client.nack(Delivery("q", "1", "r"), no_count=True, front=True, delay=1), "mutually exclusive"),
        (lambda client: client.configure("q", deadletter="q"), "its own dead-letter queue"),
        (lambda client: client.configure("q", backoffmax=0.5), "above BACKOFFMAX"),
        (lambda client: client.redrive("q", to="q"), "redriven to itself"),
        (lambda client: client.delete("q", []), "wrong number of arguments"),
    ],
)
def test_it_refuses_what_the_server_refuses(client, url, call, text):
    for one in (client, Client.from_url(url)):
        with pytest.raises(InvalidArgumentError, match=text):
            call(one)
