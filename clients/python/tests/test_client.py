import asyncio
import inspect
from datetime import timedelta

import pytest
import redis
import redis.asyncio

import redis_mq
from redis_mq import AsyncClient, Client, InvalidArgumentError, QueueFullError, commands, scheduling
from redis_mq.errors import code_of, is_temporary, typed

COMMANDS = {
    name: value
    for module in (commands, scheduling)
    for name, value in vars(module).items()
    if inspect.isfunction(value) and value.__module__ == module.__name__ and name[0] != "_"
}
METHODS = [name for name in vars(Client) if name in COMMANDS]


def test_both_faces_have_all_commands():
    assert set(COMMANDS) == set(METHODS) == {name for name in METHODS if name in vars(AsyncClient)}


@pytest.mark.parametrize("name", METHODS)
def test_methods_have_the_arguments_and_documentation_of_their_commands(name):
    for method in (getattr(Client, name), getattr(AsyncClient, name)):
        assert method.__doc__ == COMMANDS[name].__doc__ is not None
        assert list(inspect.signature(method).parameters)[1:] == list(inspect.signature(COMMANDS[name]).parameters)
    assert inspect.iscoroutinefunction(getattr(AsyncClient, name))


def test_errors_are_those_of_redis_py_too(client):
    with pytest.raises(redis.ResponseError) as raised:
        client.push("orders", "x", priority=10)
    assert isinstance(raised.value, InvalidArgumentError) and str(raised.value).startswith("ERR PRIORITY must be")


def test_a_server_without_the_module_is_no_invalid_argument(client):
    with pytest.raises(redis.ResponseError) as raised:
        client._execute(commands.Command(["MQ.NOTHING"], int))
    assert not isinstance(raised.value, redis_mq.MQError) and "unknown command" in str(raised.value)


@pytest.mark.parametrize("protocol", [2, 3])
def test_connections_that_decode_replies_keep_payloads(url, protocol):
    client = Client(redis.Redis.from_url(url, decode_responses=True, protocol=protocol))
    client.push("orders", b"\xff", headers={"a": "b"})
    message = client.pull("orders")
    assert (message.payload, message.headers, message.queue) == (b"\xff", {"a": "b"}, "orders")


def test_info_and_config_have_times(client):
    client.configure("orders", visibility=timedelta(minutes=1), rateperiod=2)
    client.push("orders", "x", priority=3)
    assert client.config("orders")["visibility"] == timedelta(minutes=1)
    info = client.info("orders")
    assert info["priorities"] == {3: 1} and info["paused_until"] is None and info["rateperiod"] == timedelta(seconds=2)


def test_publish_raises_at_once_what_time_does_not_mend(client):
    client.configure("orders", maxlen=1)
    client.publish("orders", "x")
    with pytest.raises(QueueFullError):
        client.publish("orders", "x", patience=60)


def test_publish_gives_up_when_its_time_is_over():
    with pytest.raises(redis.ConnectionError):
        Client.from_url("redis://127.0.0.1:1").publish("orders", "x", patience=0.3)


def test_pulls_wait_and_are_not_repeated(client):
    assert client.pull("orders", block=0.1) is None
    client.push("orders", "x", delay=0.1)
    assert client.pull("orders", block=5).text() == "x"


def test_asyncio(url):
    async def main():
        async with AsyncClient.from_url(url) as client:
            waiting = asyncio.create_task(client.pull(["mails", "orders"], block=5))
            await client.push("orders", "x")
            message = await waiting
            await client.ack(message)
            assert (await client.len("orders"), await client.publish("orders", "y") != message.id) == (0, True)

    asyncio.run(main())


def test_a_cluster(cluster):
    client = Client(redis.RedisCluster("127.0.0.1", cluster))
    client.push_many("{a}.orders", ["1", "2"])
    assert client.pull(["{a}.mails", "{a}.orders"]).text() == "1"
    assert client.queues() == ["{a}.orders"]
    assert client.schedule("reports", "hourly", "x", every=3600)
    assert client.trigger("reports", "hourly") == client.pull("reports").id
    assert [one.next_tick for one in client.schedules("reports")] == client.next_ticks("reports", "hourly", count=1)


def test_a_cluster_with_asyncio(cluster):
    async def main():
        async with redis.asyncio.RedisCluster("127.0.0.1", cluster) as connection:
            client = AsyncClient(connection)
            await client.publish("orders", "1")
            assert (await client.pull("orders")).text() == "1"
            assert await client.queues() == ["orders"]

    asyncio.run(main())


@pytest.mark.parametrize(
    "reply, code, temporary",
    [
        ("NOTFOUND no message", "NOTFOUND", False),
        ("ERR DELAY must be an integer", "ERR", False),
        ("READONLY You can't write against a read only replica.", "READONLY", True),
        ("LOADING Redis is loading the dataset in memory", "LOADING", True),
        ("UNBLOCKED force unblock", "UNBLOCKED", True),
        ("MISCONF Redis is configured to save", "MISCONF", True),
        ("OOM command not allowed", "OOM", True),
        ("TRYAGAIN the slot is migrating", "TRYAGAIN", True),
        ("CLUSTERDOWN Hash slot not served", "CLUSTERDOWN", True),
        ("NOAUTH Authentication required.", "NOAUTH", False),
        ("NOPERM this user has no permissions", "NOPERM", False),
        ("WRONGTYPE Operation against a key", "WRONGTYPE", False),
    ],
)
def test_codes_of_errors(reply, code, temporary):
    error = redis._parsers.base.BaseParser.parse_error(reply)
    assert (code_of(error), is_temporary(error)) == (code, temporary)
    if isinstance(typed(error), redis_mq.MQError):
        assert str(typed(error)) == reply


def test_lost_connections_are_temporary():
    assert is_temporary(redis.ConnectionError()) and is_temporary(redis.TimeoutError()) and is_temporary(OSError())
    assert not is_temporary(redis.AuthenticationError()) and not is_temporary(ValueError())
