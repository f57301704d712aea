"""The tests' Celery application. Each run of a task is noted in Redis under the name that the test gave it."""

import json
import os
import signal
import time

from celery import Celery
from celery.exceptions import Reject
from redis import Redis

import kombu_redis_mq  # noqa: F401

BROKER_URL = os.environ.get("BROKER_URL", "redis-mq://127.0.0.1:1/0")
RESULTS_URL = BROKER_URL.replace("redis-mq", "redis")

app = Celery("tests", broker=BROKER_URL, backend=RESULTS_URL)
app.conf.update(
    broker_transport_options=json.loads(os.environ.get("TRANSPORT_OPTIONS", "{}")),
    broker_connection_retry_on_startup=True,
    task_acks_late=True,
    worker_prefetch_multiplier=2,
)


def note(event, name):
    Redis.from_url(app.conf.result_backend).rpush(f"{event}:{name}", time.time())


@app.task
def add(x, y):
    return x + y


@app.task
def run(name, seconds=0.0):
    note("ran", name)
    time.sleep(seconds)
    note("done", name)


@app.task
def kill_worker(name):
    """Ends the worker's main process, which is the parent of the one that runs this."""
    note("ran", name)
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


@app.task(reject_on_worker_lost=True)
def kill_child(name):
    note("ran", name)
    os.kill(os.getpid(), signal.SIGKILL)


@app.task
def reject(name, requeue=False):
    note("ran", name)
    raise Reject("no such customer", requeue=requeue)
