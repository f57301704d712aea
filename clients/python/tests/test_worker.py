"""The worker over the fake: what the contract's cases don't look at."""

import asyncio
import logging
import threading
import time
from datetime import timedelta

import pytest
import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel

from redis_mq import Client, Dead, Release, Retry, Worker, WrongTypeError, cancelled
from redis_mq.testing import FakeRedisMQ


@pytest.fixture
def fake():
    return FakeRedisMQ()


def work(fake, handler, queues="orders", **options):
    Worker(fake.source(), queues, handler, **options).run(until_empty=options.pop("until_empty", 0))


def test_all_that_is_there_is_done(fake):
    client, seen = fake.client(), []
    client.push_many("orders", [str(number) for number in range(100)])
    work(fake, lambda message: seen.append(int(message.text())), concurrency=3)
    assert sorted(seen) == list(range(100)) and client.len("orders") == 0


def test_coroutines_partial_functions_and_objects_are_handlers(fake):
    seen = []

    class Handler:
        async def __call__(self, message):
            seen.append(asyncio.get_running_loop() is not None)

    fake.client().push("orders", "x")
    work(fake, Handler())
    assert seen == [True]


def test_a_failure_waits_for_its_backoff(fake):
    client, seen = fake.client(), []

    def handler(message):
        seen.append(message.retry_count)
        raise KeyError("no stock")

    client.push("orders", "x")
    work(fake, handler)
    assert seen == [0] and client.len("orders", "delayed") == 1
    fake.advance(1)
    work(fake, handler)
    (message,) = client.peek("orders", "delayed")
    assert seen == [0, 1] and message.last_error == "'no stock'" and message.due_at == fake.now() + timedelta(seconds=2)


def test_an_error_without_a_text_has_its_name_as_reason(fake):
    def handler(message):
        raise ValueError

    fake.client().push("orders", "x")
    work(fake, handler)
    assert fake.client().peek("orders", "delayed")[0].last_error == "ValueError"


@pytest.mark.parametrize("error", [StopIteration, SystemExit, asyncio.CancelledError])
@pytest.mark.parametrize("kind", ["thread", "coroutine"])
def test_nothing_that_a_handler_raises_ends_the_worker(fake, kind, error):
    def in_thread(message):
        raise error("why")

    async def coroutine(message):
        raise RuntimeError("why") if error is StopIteration else error("why")

    fake.client().push("orders", "x")
    work(fake, in_thread if kind == "thread" else coroutine)
    assert "why" in fake.client().peek("orders", "delayed")[0].last_error


def test_an_error_of_a_handler_that_is_cancelled_at_the_end_counts_no_retry(fake):
    async def handler(message):
        worker.stop()
        try:
            await asyncio.sleep(60)
        finally:
            raise RuntimeError("while it cleaned up")

    fake.client().push("orders", "x")
    worker = Worker(fake.source(), "orders", handler, grace=0)
    worker.run()
    message = fake.client().pull("orders")
    assert (message.retry_count, message.last_error) == (0, None)


def test_outcomes(fake):
    client = fake.client()

    def handler(message):
        if message.text() == "retry":
            raise Retry(timedelta(hours=1), "closed")
        if message.text() == "dead":
            raise Dead("no address")
        if message.deliveries is None:
            raise Release

    client.push_many("orders", ["retry", "dead", "release"])
    work(fake, handler)
    (delayed,) = client.peek("orders", "delayed")
    (dead,) = client.peek("orders", "dead")
    assert (delayed.text(), delayed.last_error, delayed.retry_count) == ("retry", "closed", 1)
    assert delayed.due_at == fake.now() + timedelta(hours=1)
    assert (dead.text(), dead.last_error, client.len("orders")) == ("dead", "no address", 1)


def test_a_dead_letter_that_dies_again_comes_back(fake):
    client = fake.client()

    def handler(message):
        raise Dead("again")

    client.push("orders", "x")
    work(fake, handler)
    work(fake, handler, queues="{orders}:dead")
    assert client.peek("{orders}:dead", "delayed")[0].last_error == "again"


def test_queues_are_served_in_order(fake):
    client, seen = fake.client(), []
    client.push_many("bulk", ["c", "d"])
    client.push_many("urgent", ["a", "b"])
    work(fake, lambda message: seen.append(message.text()), queues=["urgent", "bulk"], concurrency=1)
    assert seen == ["a", "b", "c", "d"] and client.len("bulk") == client.len("urgent") == 0


def test_middleware_is_around_the_handler(fake):
    seen = []

    def named(name):
        async def middleware(message, call_next):
            seen.append(name)
            try:
                return await call_next(message)
            finally:
                seen.append(f"after {name}")

        return middleware

    fake.client().push("orders", "x")
    work(fake, lambda message: seen.append("handler"), middleware=[named("outer"), named("inner")])
    assert seen == ["outer", "inner", "handler", "after inner", "after outer"]


def test_a_failure_is_logged_with_its_message(fake, caplog):
    def handler(message):
        raise RuntimeError("no stock")

    id = fake.client().push("orders", "x")
    with caplog.at_level(logging.INFO, "redis_mq"):
        work(fake, handler)
    (record,) = caplog.records
    assert (record.queue, record.message_id, record.retry_count) == ("orders", id, 0)
    assert "no stock" in record.getMessage() and record.exc_info


def test_stop_from_another_thread(fake):
    fake.client().push("orders", "x")
    worker = Worker(fake.source(), "orders", lambda message: threading.Timer(0.05, worker.stop).start())
    worker.run()
    assert fake.client().len("orders") == 0


def test_a_worker_in_another_thread_takes_no_signals(fake):
    worker = Worker(fake.source(), "orders", print)
    thread = threading.Thread(target=worker.run)
    thread.start()
    while thread.is_alive():
        worker.stop()
        time.sleep(0.01)


def test_a_cancelled_worker_gives_back_what_it_holds(fake):
    async def main():
        started = asyncio.Event()

        async def handler(message):
            started.set()
            await asyncio.sleep(60)

        fake.client().push("orders", "x")
        serving = asyncio.create_task(Worker(fake.source(), "orders", handler).serve())
        await started.wait()
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        message = fake.client().pull("orders")
        assert (message.retry_count, message.deliveries) == (0, 2)

    asyncio.run(main())


def test_a_plain_function_learns_that_its_message_is_gone(fake):
    seen, client = [], fake.client()

    def handler(message):
        client.delete("orders", [message.id])
        end = time.monotonic() + 10
        while not cancelled() and time.monotonic() < end:
            time.sleep(0.005)
        seen.append(cancelled())

    client.push("orders", "x")
    work(fake, handler, visibility=0.1)
    assert seen == [True] and client.queues() == []


def test_threads_that_do_not_end_do_not_keep_the_worker(fake):
    done = threading.Event()

    def handler(message):
        worker.stop()
        done.wait(30)

    fake.client().push("orders", "x")
    worker = Worker(fake.source(), "orders", handler, grace=0.05)
    start = time.monotonic()
    worker.run()
    assert time.monotonic() - start < 5 and fake.client().pull("orders").retry_count == 0
    done.set()


def test_what_time_does_not_mend_ends_the_worker(url):
    with pytest.raises(redis.ResponseError, match="invalid queue name"):
        Worker(url, "{orders}", print).run()
    with pytest.raises(redis.AuthenticationError):
        Worker(url.replace("//", "//nobody:wrong@"), "orders", print).run()


def test_a_damaged_record_does_not_end_the_worker(url, client, caplog):
    seen = []
    client.push("orders", "x")
    client.redis.lpush("mq:{orders}:ready", "damaged")
    Worker(url, "orders", lambda message: seen.append(message.text())).run(until_empty=0)
    assert seen == ["x"] and any("CORRUPT" in line for line in caplog.messages)


def test_a_key_of_another_type_ends_the_worker(url, client):
    client.redis.set("mq:{orders}:ready", "not a list")
    with pytest.raises(WrongTypeError):
        Worker(url, "orders", print).run()


def test_it_waits_for_a_server_that_is_not_there(caplog):
    worker = Worker("redis://127.0.0.1:1", "orders", print)
    threading.Timer(0.5, worker.stop).start()
    start = time.monotonic()
    worker.run()
    assert time.monotonic() - start < 5 and any("will pull again" in line for line in caplog.messages)


def test_a_cluster(cluster):
    async def main():
        async with redis.asyncio.RedisCluster("127.0.0.1", cluster) as connection:
            await asyncio.wait_for(Worker(connection, ["{a}.mails", "{a}.orders"], handler).serve(until_empty=0), 20)

    async def handler(message):
        seen.append(message.text())

    seen = []
    Client(redis.RedisCluster("127.0.0.1", cluster)).push_many("{a}.orders", ["1", "2"])
    asyncio.run(main())
    assert sorted(seen) == ["1", "2"]


def test_sentinel(sentinel):
    async def main():
        master = redis.asyncio.sentinel.Sentinel([("127.0.0.1", sentinel)]).master_for("orders")
        await asyncio.wait_for(Worker(master, "orders", handler).serve(until_empty=0), 20)

    async def handler(message):
        seen.append(message.text())

    seen = []
    client = Client(redis.sentinel.Sentinel([("127.0.0.1", sentinel)]).master_for("orders"))
    client.push("orders", "x")
    asyncio.run(main())
    assert seen == ["x"] and client.len("orders") == 0


def test_a_worker_needs_a_queue_and_a_place():
    with pytest.raises(ValueError):
        Worker("redis://localhost", [], print)
    with pytest.raises(ValueError):
        Worker("redis://localhost", "orders", print, concurrency=0)
    with pytest.raises(ValueError):
        Worker("redis://localhost", "orders", print, prefetch=-1)
    with pytest.raises(ValueError):
        Worker("redis://localhost", "orders", print, block=0)
    with pytest.raises(ValueError):
        Worker("redis://localhost", "orders", print, disconnect_grace=0)
    with pytest.raises(TypeError):
        Worker(redis.Redis(), "orders", print)
