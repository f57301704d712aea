"""Pushes three orders and works through them: what succeeds is acknowledged, what fails is given back."""

import os

import redis

QUEUE = "orders"
BLOCK_MS = 1000

# The socket may not give up while the server still waits for a message: more than BLOCK.
client = redis.from_url(
    os.environ.get("REDIS_URL", "redis://127.0.0.1:6379"), protocol=2, socket_timeout=BLOCK_MS / 1000 + 5
)


def produce():
    for payload in ("one", "two", "three"):
        client.execute_command("MQ.PUSH", QUEUE, payload)
        print("pushed", payload)


def consume():
    while True:
        reply = client.execute_command("MQ.PULL", QUEUE, "VISIBILITY", 30000, "BLOCK", BLOCK_MS)
        if reply is None:
            return  # nothing came; a real consumer pulls again
        message = dict(zip([name.decode() for name in reply[::2]], reply[1::2]))
        payload = message["payload"].decode()
        try:
            work(payload, message["retry_count"])
        except Exception as error:
            settle("MQ.NACK", message, "DELAY", 100)
            print("gave back", payload, "after:", error)
        else:
            settle("MQ.ACK", message)
            print("done", payload)


def work(payload, retry_count):
    if payload == "two" and retry_count == 0:
        raise RuntimeError("no stock")


def settle(command, message, *options):
    try:
        client.execute_command(command, QUEUE, message["id"], message["receipt"], *options)
    except redis.ResponseError as error:
        # NOTFOUND or BADRECEIPT: its visibility ended and the message is no longer ours.
        print("too late:", error)


produce()
consume()
