"""The driver through which the contract of the clients tests this one: see clients/contract/README.md."""

import asyncio
import base64
import contextlib
import dataclasses
import json
import logging
import os
import sys
import time
from datetime import datetime, timedelta, timezone
from enum import Enum

import redis

from redis_mq import (
    AsyncClient,
    Client,
    CorruptError,
    Dead,
    Delivery,
    Histogram,
    InvalidArgumentError,
    InvalidReceiptError,
    NotFoundError,
    OnDisconnect,
    QueueFullError,
    Release,
    Retry,
    Schedule,
    TryAgainError,
    Worker,
    WrongTypeError,
    cancelled,
)
from redis_mq.testing import FakeRedisMQ

ERRORS = {
    NotFoundError: "not_found",
    InvalidReceiptError: "invalid_receipt",
    QueueFullError: "queue_full",
    InvalidArgumentError: "invalid_argument",
    WrongTypeError: "wrong_type",
    TryAgainError: "try_again",
    CorruptError: "corrupt",
}
DURATIONS = {
    "delay",
    "ttl",
    "window",
    "visibility",
    "block",
    "patience",
    "backoff",
    "backoffmax",
    "rateperiod",
    "aging",
    "dedupwindow",
    "expires",
    "every",
    "jitter",
}


def arguments(request):
    """The arguments of a call, in the client's types."""
    given = {}
    for name, value in request.items():
        if name in DURATIONS:
            value = timedelta(milliseconds=value)
        elif name == "on_disconnect" and isinstance(value, dict):
            grace = value.get("grace")
            value = OnDisconnect(value.get("no_count", False), None if grace is None else grace / 1000)
        elif name in ("at", "start", "end"):
            value = datetime.fromtimestamp(value / 1000, timezone.utc)
        elif name == "payload":
            value = base64.b64decode(value)
        elif name == "payloads":
            value = [base64.b64decode(one) for one in value]
        elif name == "message":
            value = delivery(value)
        elif name in ("messages", "ack"):
            value = [delivery(one) for one in value]
        given[name] = value
    return given


def delivery(message):
    return Delivery(message["queue"], message["id"], message["receipt"])


def call_of(request):
    """The name of the method and its arguments."""
    given = arguments(request)
    call = given.pop("call")
    if call == "configure":
        settings = given.pop("settings")
        given.update(arguments(settings))
    elif call == "pause" and "for" in given:
        given["duration"] = timedelta(milliseconds=given.pop("for"))
    elif call == "next":
        if "from" in given:
            given["since"] = datetime.fromtimestamp(given.pop("from") / 1000, timezone.utc)
        return "next_ticks", given
    elif call == "redrive" and "from" in given:
        given["from_queue"] = given.pop("from")
    elif call in ("pull", "pull_many") and "ack" in given:
        given.pop("queue")
        return f"ack_and_{call}", {"acked": given.pop("ack"), **given}
    elif call in ("pull", "pull_many"):
        given["queues"] = given.pop("queues", None) or given.pop("queue")
    return call, given


def shown(value):
    """A result as the contract writes it."""
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    if isinstance(value, timedelta):
        return value // timedelta(milliseconds=1)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Histogram):
        buckets = {str(shown(bound)): count for bound, count in value.buckets.items()}
        return {"count": value.count, "sum_ms": shown(value.sum), "buckets": buckets}
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        if isinstance(value, Schedule):
            fields.update(paused=int(value.paused), dead=int(value.dead) or None)
        return {name: shown(one) for name, one in fields.items() if one not in (None, {})}
    if isinstance(value, dict):
        return {name: shown(one) for name, one in value.items()}
    return [shown(one) for one in value] if isinstance(value, list) else value


def result(method, value):
    if method == "ack_and_pull":
        return {"acked": shown(value[0]), "message": shown(value[1])}
    if method == "ack_and_pull_many":
        return {"acked": shown(value[0]), "messages": shown(value[1])}
    return shown(value)


def client(call):
    """Answers the calls of standard input. `call(method, arguments)` does one."""
    for line in sys.stdin:
        method, given = call_of(json.loads(line))
        try:
            answer = {"ok": result(method, call(method, given))}
        except redis.RedisError as error:
            answer = {"error": ERRORS.get(type(error), "other"), "text": str(error)}
        print(json.dumps(answer), flush=True)


def fake(is_async):
    """The same, with two calls more."""
    one = FakeRedisMQ()
    call = awaited(one.async_client(), asyncio.new_event_loop()) if is_async else waiting(one.client())

    def call_or_set(method, given):
        if method == "advance":
            return one.advance(timedelta(milliseconds=given["ms"]))
        return one.reset() if method == "reset" else call(method, given)

    client(call_or_set)


def waiting(one):
    return lambda method, given: getattr(one, method)(**given)


def awaited(one, loop):
    return lambda method, given: loop.run_until_complete(getattr(one, method)(**given))


def say(line):
    """In one piece: threads print at the same time."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def handler(message):
    """What the contract says for each payload."""
    number, *words = message.text().split()
    word, ms = (*words, None, None)[:2]
    say(f"start {number} {message.retry_count}")
    try:
        if word == "sleep":
            await asyncio.sleep(int(ms) / 1000)
        elif word == "hold":
            await hold(int(ms) / 1000)
        check(word, ms, message)
    except asyncio.CancelledError:
        say(f"cancelled {number}")
        raise
    say(f"done {number}")


async def hold(seconds):
    end = asyncio.get_running_loop().time() + seconds
    while (left := end - asyncio.get_running_loop().time()) > 0:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(left)


def plain_handler(message):
    """The same as a plain function, in a thread."""
    number, *words = message.text().split()
    word, ms = (*words, None, None)[:2]
    say(f"start {number} {message.retry_count}")
    end = time.monotonic() + int(ms or 0) / 1000
    while word in ("sleep", "hold") and time.monotonic() < end:
        time.sleep(0.01)
        if cancelled() and word == "sleep":
            say(f"cancelled {number}")
            return
    check(word, ms, message)
    say(f"done {number}")


def check(word, ms, message):
    """Fails as the payload says."""
    first = message.retry_count == 0
    if word == "fail" or (word == "fail-once" and first):
        raise RuntimeError("no stock")
    if word == "retry" and first:
        raise Retry(timedelta(milliseconds=int(ms)), "later")
    if word == "release" and (message.deliveries or 1) == 1:
        raise Release()
    if word == "dead":
        raise Dead("no address")


def worker(handle):
    logging.basicConfig(level=logging.CRITICAL)
    environment = {name: int(os.environ[f"MQ_{name.upper()}"]) / 1000 for name in ("visibility", "grace", "block")}
    environment["max_processing"] = int(os.environ["MQ_MAX_PROCESSING"]) / 1000 or None
    if "MQ_DISCONNECT_GRACE" in os.environ:
        environment["disconnect_grace"] = int(os.environ["MQ_DISCONNECT_GRACE"]) / 1000 or None
    queues, concurrency = os.environ["MQ_QUEUES"].split(","), int(os.environ["MQ_CONCURRENCY"])
    prefetch = int(os.environ.get("MQ_PREFETCH", 0))
    one = Worker(os.environ["MQ_URL"], queues, handle, concurrency=concurrency, prefetch=prefetch, **environment)
    print("ready", flush=True)
    one.run(until_empty=1 if os.environ["MQ_UNTIL_EMPTY"] == "1" else None)
    print("stopped", flush=True)


def main():
    mode = sys.argv[-1]
    is_async = "--asyncio" in sys.argv
    url, protocol = os.environ.get("MQ_URL"), int(os.environ.get("MQ_PROTOCOL", 2))
    if mode == "fake":
        fake(is_async)
    elif mode == "client" and is_async:
        client(awaited(AsyncClient.from_url(url, protocol=protocol), asyncio.new_event_loop()))
    elif mode == "client":
        client(waiting(Client.from_url(url, protocol=protocol)))
    elif mode == "worker":
        worker(plain_handler if "--threads" in sys.argv else handler)


if __name__ == "__main__":
    main()
