"""A producer or a worker of Celery; run by peers.py, with the arguments and the output of client.mjs.

celery_client.py Celery PORT ROLE COUNT BATCH [RATE]

The worker has one process (`--pool=solo`) and acknowledges after the task (`acks_late`). BATCH is its prefetch.
"""

import json
import sys
import time

from celery import Celery
from celery.signals import worker_ready

_, port, role, count, batch, *rate = sys.argv[1:]
count, batch = int(count), int(batch)

app = Celery("bench", broker=f"redis://127.0.0.1:{port}/0")
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    worker_prefetch_multiplier=batch,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    broker_connection_retry_on_startup=True,
)
latencies = []


def say(**line):
    print(json.dumps(line), flush=True)


def payload():
    return f"{time.monotonic_ns()} ".ljust(100, "x")


@app.task(name="take")
def take(text):
    latencies.append((time.monotonic_ns() - int(text.split(" ", 1)[0])) / 1e6)
    if len(latencies) == count:
        # Without the first half, in which both sides warm up.
        steady = sorted(latencies[count // 2 :])
        p50, p99 = steady[len(steady) // 2], steady[min(len(steady) - 1, int(len(steady) * 0.99))]
        say(ended=time.monotonic_ns(), acknowledged=count, p50=p50, p99=p99)


def produce():
    say(ready=True)
    started = time.monotonic_ns()
    for _ in range(count):
        take.delay(payload())
    say(started=started, ended=time.monotonic_ns())


def pace():
    say(ready=True)
    started = time.monotonic_ns()
    for number in range(count):
        due = started + int(number / float(rate[0]) * 1e9)
        while (left := due - time.monotonic_ns()) > 0:
            time.sleep(left / 1e9)
        take.delay(payload())
    say(started=started, ended=time.monotonic_ns())


@worker_ready.connect
def is_ready(**_):
    say(ready=True)


def consume():
    options = ["--pool=solo", "--concurrency=1", "--loglevel=ERROR"]
    app.worker_main(["worker", *options, "--without-gossip", "--without-mingle", "--without-heartbeat"])


if __name__ == "__main__":
    {"produce": produce, "pace": pace, "consume": consume}[role]()
