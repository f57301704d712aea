#!/usr/bin/env python3
"""Memory per message in each state: the table of docs/operations.md.

Starts its own servers and fills one queue in each with messages of 100 bytes. The result is the growth of the
server's used_memory per message. It asserts nothing.

    bench/memory.py SERVER...      (binaries; redis-server)

Environment: MQ_MODULE (the module). Standard library only.
"""

import os
import sys
from pathlib import Path

from server import Server, command, expect
from tables import table
from workloads import YEAR_MS

PROJECT = Path(__file__).resolve().parent.parent
COUNT = 200_000
BATCH = 1_000
PAYLOAD = b"p" * 100


def push(server, *options, payload=PAYLOAD):
    for _ in range(COUNT // BATCH):
        server.control.call("MQ.MPUSH", "q", BATCH, *[payload] * BATCH, *options)


def push_each(server, options):
    """Pushes one by one; `options(n)` are the push options of message n."""
    for start in range(0, COUNT, BATCH):
        lines = [command("MQ.PUSH", "q", PAYLOAD, *options(n)) for n in range(start, start + BATCH)]
        server.control.run(b"".join(lines), BATCH)


def pull(server):
    """Pulls everything; yields ids and receipts."""
    for _ in range(COUNT // BATCH):
        messages = server.control.call("MQ.PULL", "q", "COUNT", BATCH, "VISIBILITY", YEAR_MS)
        fields = [dict(zip(message[::2], message[1::2])) for message in messages]
        yield [word for one in fields for word in (one[b"id"], one[b"receipt"])]


def in_flight(server):
    push(server)
    for _ in pull(server):
        pass


def given_back(server, *options):
    push(server)
    for deliveries in pull(server):
        server.control.call("MQ.NACK", "q", "IDS", BATCH, *deliveries, *options)


def dead(server):
    server.control.call("MQ.CONFIG", "q", "MAXRETRIES", 0)
    given_back(server, "REASON", "no stock")


STATES = {
    "ready": push,
    "ready, with PRIORITY": lambda server: push(server, "PRIORITY", 7),
    "ready, with TTL": lambda server: push(server, "TTL", YEAR_MS),
    "ready, with a header of 30 bytes": lambda server: push(server, "HEADERS", 1, "trace", "t" * 25),
    "ready, in a group of 1,000 messages": lambda server: push_each(server, lambda n: ("GROUP", n // 1000)),
    "ready, in a group of its own": lambda server: push_each(server, lambda n: ("GROUP", n)),
    "ready, with a DEDUP key of 36 bytes": lambda server: push_each(server, lambda n: ("DEDUP", f"{n:036}")),
    "delayed": lambda server: push(server, "DELAY", YEAR_MS),
    "in flight": in_flight,
    "ready again after a retry": lambda server: given_back(server, "DELAY", 0),
    "dead, with a REASON": dead,
}


def measure(binary):
    module = Path(os.environ.get("MQ_MODULE") or PROJECT / "target/release/libmq.so").resolve()
    for name, fill in STATES.items():
        with Server(binary, module) as server:
            empty = server.used_memory()
            fill(server)
            queue = "{q}:dead" if fill is dead else "q"
            expect(name, server.control.call("MQ.LEN", queue), COUNT)
            yield name, (server.used_memory() - empty) / COUNT
            version = server.name
    yield "", version


def main():
    columns = [dict(measure(binary)) for binary in sys.argv[1:] or ["redis-server"]]
    rows = [[name, *(f"{column[name]:.0f}" for column in columns)] for name in STATES]
    table(["bytes per message", *(column[""] for column in columns)], rows)


if __name__ == "__main__":
    main()
