"""Pushes numbered messages to a queue of a cluster, pulls and acknowledges them, until its input ends and the
queue is empty. Writes down what it was told: `pushed 7`, `pulled 7 id`, `acknowledged 7`, `instead NOTFOUND`.

    cluster.py QUEUE PORT...
"""

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

import redis
from redis.backoff import ExponentialBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.retry import Retry

QUEUE, *PORTS = sys.argv[1:]

client = RedisCluster(
    startup_nodes=[ClusterNode("127.0.0.1", int(port)) for port in PORTS],
    protocol=2,
    socket_timeout=5,
    # Only the number is used, and there is no pause. The default, 10, is used up long before a failover completes.
    retry=Retry(ExponentialBackoff(), 10_000),
)
ended = threading.Event()


def say(*words):
    print(" ".join(map(str, words)) + "\n", end="", flush=True)


def ask(*command):
    while True:
        try:
            return client.execute_command(*command)
        except redis.exceptions.ClusterError as error:
            # The migration of the slot takes longer than the library retries.
            say("instead", error)
            time.sleep(0.1)


def instead(error, *expected):
    """An expected error."""
    code = str(error).split()[0]
    if code not in expected:
        raise error
    say("instead", code)


def produce():
    number = 0
    while not ended.is_set():
        # The library retries unanswered commands: DEDUP prevents duplicates.
        ask("MQ.PUSH", QUEUE, number, "DEDUP", number)
        say("pushed", number)
        number += 1
        time.sleep(0.005)


def consume():
    while not ended.is_set() or ask("MQ.LEN", QUEUE) > 0:
        try:
            reply = ask("MQ.PULL", QUEUE, "VISIBILITY", 2000, "BLOCK", 500)
        except redis.ResponseError as error:
            instead(error, "UNBLOCKED")
            continue
        if reply is None:
            continue
        message = dict(zip([name.decode() for name in reply[::2]], reply[1::2]))
        number = message["payload"].decode()
        say("pulled", number, message["id"].decode())
        try:
            ask("MQ.ACK", QUEUE, message["id"], message["receipt"])
            say("acknowledged", number)
        except redis.ResponseError as error:
            instead(error, "NOTFOUND", "BADRECEIPT")


def wait_for_the_end():
    os.read(sys.stdin.fileno(), 1)
    ended.set()


threading.Thread(target=wait_for_the_end, daemon=True).start()
with ThreadPoolExecutor() as pool:
    try:
        for work in as_completed([pool.submit(each) for each in (produce, consume, consume)]):
            work.result()
    finally:
        ended.set()
