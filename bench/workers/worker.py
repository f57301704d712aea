"""Enqueues messages for a system of Python, or works them off; run by workers.py, with the arguments and the output of
worker.mjs.

    worker.py SYSTEM PORT push COUNT
    worker.py SYSTEM PORT work WARM_UP COUNT CONCURRENCY

Each client is imported where it is used: a process loads only its own.
"""

import asyncio
import json
import multiprocessing
import os
import sys
import time

QUEUE = "bench"
BATCH = 500
PAYLOAD = "x" * 100


def say(**line):
    # One write, so that the lines of several processes don't mix.
    os.write(1, f"{json.dumps(line)}\n".encode())


class Progress:
    """Counts what all processes of a worker have handled; those that the worker forks inherit it."""

    def __init__(self, warm_up, count):
        self.warm_up, self.last = warm_up, warm_up + count
        self.handled = multiprocessing.Value("q", 0)
        self.started = multiprocessing.Value("q", 0, lock=False)

    def add(self):
        with self.handled:
            self.handled.value += 1
            handled = self.handled.value
        if handled == self.warm_up:
            self.started.value = time.monotonic_ns()
            say(started=True)
        elif handled == self.last:
            say(seconds=(time.monotonic_ns() - self.started.value) / 1e9)


progress = None


def take(payload):
    """The handler, and the task of RQ, which finds it by its name."""
    progress.add()


# ---- this project, and a plain loop --------------------------------------------------------------


def push_with_mpush(port, count):
    import redis

    connection = redis.Redis(port=port)
    for left in range(count, 0, -BATCH):
        batch = min(BATCH, left)
        connection.execute_command("MQ.MPUSH", QUEUE, batch, *[PAYLOAD] * batch)


def work_with_worker(port, concurrency):
    from redis_mq import Worker

    async def handle(message):
        progress.add()

    Worker(f"redis://127.0.0.1:{port}", QUEUE, handle, concurrency=concurrency).run()


def work_in_loops(port, concurrency):
    import redis.asyncio

    async def loop():
        connection = redis.asyncio.Redis(port=port, single_connection_client=True)
        while True:
            reply = await connection.execute_command("MQ.PULL", QUEUE, "BLOCK", 5000)
            if reply is None:
                continue
            message = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2]))
            progress.add()
            await connection.execute_command("MQ.ACK", QUEUE, message[b"id"], message[b"receipt"])

    async def loops():
        await asyncio.gather(*(loop() for _ in range(concurrency)))

    asyncio.run(loops())


# ---- Celery --------------------------------------------------------------------------------------


def celery(scheme, port):
    from celery import Celery

    app = Celery("bench", broker=f"{scheme}://127.0.0.1:{port}/0")
    app.conf.update(
        task_acks_late=True,
        task_ignore_result=True,
        # Recommended for many short tasks.
        worker_prefetch_multiplier=64,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
    )
    return app, app.task(name="take")(take)


def celery_system(scheme):
    def push(port, count):
        _, task = celery(scheme, port)
        for _ in range(count):
            task.delay(PAYLOAD)

    def work(port, concurrency):
        app, _ = celery(scheme, port)
        options = [f"--concurrency={concurrency}", "--loglevel=ERROR"]
        app.worker_main(["worker", *options, "--without-gossip", "--without-mingle", "--without-heartbeat"])

    return push, work


def celery_on_mq():
    import kombu_redis_mq  # noqa: F401  makes the URL known

    return celery_system("redis-mq")


# ---- RQ and Dramatiq -----------------------------------------------------------------------------


def rq_queue(port):
    import redis
    import rq

    return rq.Queue(QUEUE, connection=redis.Redis(port=port))


def push_to_rq(port, count):
    import rq

    queue = rq_queue(port)
    for left in range(count, 0, -BATCH):
        # By the name: this module is __main__ here.
        jobs = [rq.Queue.prepare_data("worker.take", (PAYLOAD,), result_ttl=0) for _ in range(min(BATCH, left))]
        queue.enqueue_many(jobs)


def work_with_rq(port, concurrency):
    import rq
    from rq.worker_pool import WorkerPool

    # Tasks are found by their name; the processes that are forked inherit the module.
    sys.modules["worker"] = sys.modules["__main__"]
    queue = rq_queue(port)
    if concurrency == 1:
        rq.Worker([queue], connection=queue.connection).work(logging_level="ERROR")
    else:
        WorkerPool([queue], connection=queue.connection, num_workers=concurrency).start(logging_level="ERROR")


def dramatiq_actor(port):
    import dramatiq
    from dramatiq.brokers.redis import RedisBroker

    broker = RedisBroker(port=port)
    dramatiq.set_broker(broker)
    return broker, dramatiq.actor(take, queue_name=QUEUE)


def push_to_dramatiq(port, count):
    _, actor = dramatiq_actor(port)
    for _ in range(count):
        actor.send(PAYLOAD)


def work_with_dramatiq(port, concurrency):
    import dramatiq

    broker, _ = dramatiq_actor(port)
    worker = dramatiq.Worker(broker, worker_threads=concurrency)
    worker.start()
    time.sleep(3600)


SYSTEMS = {
    "worker": lambda: (push_with_mpush, work_with_worker),
    "loop": lambda: (push_with_mpush, work_in_loops),
    "celery": lambda: celery_system("redis"),
    "celery-mq": celery_on_mq,
    "rq": lambda: (push_to_rq, work_with_rq),
    "dramatiq": lambda: (push_to_dramatiq, work_with_dramatiq),
}

if __name__ == "__main__":
    _, name, port, role, *numbers = sys.argv
    first, *rest = map(int, numbers)
    push, work = SYSTEMS[name]()
    if role == "push":
        push(int(port), first)
        say(pushed=first)
    else:
        count, concurrency = rest
        progress = Progress(first, count)
        work(int(port), concurrency)
