"""`orders.py produce 10` pushes ten orders, `orders.py consume` processes orders until SIGTERM or Ctrl-C;
without arguments it pushes three and processes what is in the queue."""

import os
import signal
import sys
import time
import uuid

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

QUEUE = "orders"
BLOCK_MS = 2000
# Temporary errors: the same command may succeed later.
NOT_NOW = "BUSY CLUSTERDOWN LOADING MASTERDOWN MISCONF NOREPLICAS OOM QUEUEFULL READONLY TRYAGAIN UNBLOCKED".split()

url = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379")
# The socket timeout exceeds BLOCK. The library's retries are off: send() retries.
client = redis.from_url(url, protocol=3, socket_timeout=BLOCK_MS / 1000 + 5, retry=Retry(NoBackoff(), 0))
stopping = False


def stop(*_):
    global stopping
    stopping = True


def send(*command):
    """Retries the command until the server answers, so executing it twice must be harmless."""
    pause = 0.1
    while True:
        try:
            return client.execute_command(*command)
        except redis.RedisError as error:
            code = error.status_code or str(error).partition(" ")[0]
            if code in ("NOTFOUND", "BADRECEIPT"):  # processing took longer than the visibility
                return print(f"too late: {error}", flush=True)
            refused = isinstance(error, (redis.ResponseError, redis.AuthenticationError))
            if refused and code not in NOT_NOW:
                raise
            if stopping:
                sys.exit(f"{command[0]}: {error}")
            print(f"{command[0]} will be retried: {error}", file=sys.stderr)
        time.sleep(pause)
        pause = min(pause * 2, 1)


def produce(count):
    for number in range(1, count + 1):
        # With DEDUP, a push repeated because its reply was lost adds the message only once.
        send("MQ.PUSH", QUEUE, f"order {number}", "DEDUP", str(uuid.uuid4()))
        print(f"pushed order {number}", flush=True)


def consume(done):
    """Acknowledges the order that is done, if there is one, and processes the next. Returns what has to be acknowledged
    then: its id and receipt, or nothing if it failed; None if no order came within BLOCK."""
    ack = ["ACK", 1, *done] if done else []
    # ONDISCONNECT: if this connection closes, the server returns the message to the queue.
    reply = send("MQ.PULL", QUEUE, "BLOCK", BLOCK_MS, "ONDISCONNECT", *ack)
    if ack:
        [acknowledged], reply = reply
        if acknowledged != 1:  # processing took longer than the visibility
            print("too late", flush=True)
    if reply is None:
        return None
    # A map in RESP3; on Redis 6, modules can only reply with flat lists.
    message = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2]))
    claim = [message[b"id"], message[b"receipt"]]
    try:
        process(message[b"payload"].decode(), message[b"retry_count"])
        return claim
    except Exception as error:
        # Delivered again after the backoff; an undecodable payload goes to the dead-letter queue.
        final = ["DEAD"] if isinstance(error, UnicodeDecodeError) else []
        print(f"nacked: {error}", flush=True)
        send("MQ.NACK", QUEUE, *claim, *final, "REASON", str(error))
        return []


def process(order, retry_count):
    time.sleep(0.1)  # the work
    if order == "order 2" and retry_count == 0:
        raise RuntimeError("no stock")
    print(f"processed {order}", flush=True)


if sys.argv[1:] != ["consume"]:
    produce(int(sys.argv[2]) if sys.argv[1:] else 3)
if sys.argv[1:2] != ["produce"]:
    signal.signal(signal.SIGTERM, stop)  # the current order is finished first
    signal.signal(signal.SIGINT, stop)
    done = []
    while not stopping and ((done := consume(done)) is not None or "consume" in sys.argv):
        pass
    if done:
        send("MQ.ACK", QUEUE, *done)
