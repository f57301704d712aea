#!/usr/bin/env python3
"""How long each command blocks the server at a million messages, for the queue shapes that are the worst case.
Prints the tables of docs/operations.md.

Starts its own servers (loopback, a free port, a temporary folder, no persistence), a new one for each
shape. The time is the CPU time of the server's main thread from a command to its reply, which depends little on other
load: the minimum of several runs if the command can be repeated, else a single run. For commands that work in slices,
it is the longest latency of another client's PING meanwhile, the minimum of several runs, with the total time in
brackets. Every reply is checked for errors. It asserts no times.

Standard library only.
"""

import argparse
import contextlib
import multiprocessing
import os
import time
from pathlib import Path

from results import note
from server import Connection, Server, command
from tables import table
from workloads import YEAR_MS

PROJECT = Path(__file__).resolve().parent.parent
PAYLOAD = b"p" * 100
BATCH = 1_000
LONG = ("VISIBILITY", YEAR_MS)


class Held:
    """A server with a queue `q` of some shape and the ids of its messages in order; or with a tenth
    as many queues of one message each."""

    def __init__(self, server, count):
        self.server = server
        self.count = count
        self.ids = []
        self.deliveries = []
        pid = server.process.pid
        self.clock = Path(f"/proc/{pid}/task/{pid}/schedstat")

    def call(self, *words):
        return self.server.control.call(*words)

    # ---- shapes ----

    def push(self, count, *options, queue="q"):
        for _ in range(count // BATCH):
            payloads = [PAYLOAD] * BATCH
            self.ids += self.call("MQ.MPUSH", queue, BATCH, *payloads, *options)

    def pull(self, count, *options):
        for _ in range(count // BATCH):
            for message in self.call("MQ.PULL", "q", "COUNT", BATCH, *LONG, *options):
                fields = dict(zip(message[::2], message[1::2]))
                self.deliveries.append((fields[b"id"], fields[b"receipt"]))

    def push_groups(self, count):
        lines = [command("MQ.PUSH", "q", PAYLOAD, "GROUP", n) for n in range(count)]
        for start in range(0, count, BATCH):
            chunk = lines[start : start + BATCH]
            self.ids += self.server.control.run(b"".join(chunk), len(chunk))

    # ---- measuring ----

    def clock_ms(self):
        return int(self.clock.read_text().split()[0]) / 1e6

    def cpu_ms(self):
        # The counter is exact only while the thread sleeps.
        time.sleep(0.005)
        return self.clock_ms()

    def hold_ms(self, words):
        line = command(*words)
        before = self.cpu_ms()
        self.server.control.run(line, 1)
        return self.cpu_ms() - before

    def longest_ping_ms(self, words):
        """The longest latency of another client's PING while the command runs, and the duration of the
        command. The server and this client get the highest scheduling priority, where permitted.
        """
        other = Connection(self.server.port)
        # A process, because reading a long reply in a thread would block this one.
        worker = multiprocessing.get_context("fork").Process(target=other.call, args=words)
        worker.start()
        longest = 0.0
        ping = command("PING")
        begin = time.perf_counter()
        with first_on_this_machine(self.server.process.pid, 0):
            while worker.is_alive():
                start = time.perf_counter()
                self.server.control.run(ping, 1)
                longest = max(longest, time.perf_counter() - start)
                time.sleep(0.0005)
        worker.join()
        other.close()
        if worker.exitcode:
            raise RuntimeError(f"{words} failed")
        return longest * 1e3, (time.perf_counter() - begin) * 1e3


@contextlib.contextmanager
def first_on_this_machine(*processes):
    try:
        for priority, process in enumerate(processes, 10):
            os.sched_setscheduler(process, os.SCHED_FIFO, os.sched_param(priority))
    except PermissionError:
        pass
    try:
        yield
    finally:
        for process in processes:
            os.sched_setscheduler(process, os.SCHED_OTHER, os.sched_param(0))


def ready(held):
    held.push(held.count)


def in_flight(held):
    held.push(held.count)
    held.pull(held.count)


def ranked(held):
    """Half of the messages in the list, half in `ranked`."""
    half = held.count // 2
    held.push(half)
    held.push(half, "TTL", YEAR_MS)


def delayed(held):
    held.push(held.count, "DELAY", YEAR_MS)


def groups(held):
    held.push_groups(held.count)


def blocked_groups(held):
    """Each group has one message in flight and one waiting."""
    held.call("MQ.CONFIG", "q", "GROUPINFLIGHT", 1)
    held.push_groups(held.count // 2)
    held.push_groups(held.count // 2)
    held.pull(held.count // 2)


def one_group(held):
    held.push(held.count, "GROUP", "g")


def dead(held):
    held.call("MQ.CONFIG", "q", "MAXRETRIES", 0, "DEADLETTER", "{q}:dead")
    held.push(held.count)
    for _ in range(held.count // BATCH):
        pairs = []
        for message in held.call("MQ.PULL", "q", "COUNT", BATCH, *LONG):
            fields = dict(zip(message[::2], message[1::2]))
            pairs += [fields[b"id"], fields[b"receipt"]]
        held.call("MQ.NACK", "q", "IDS", BATCH, *pairs, "DEAD")


def queues(held):
    lines = [command("MQ.PUSH", f"queue-of-tenant-{n}", PAYLOAD) for n in range(held.count // 10)]
    for start in range(0, len(lines), BATCH):
        chunk = lines[start : start + BATCH]
        held.server.control.run(b"".join(chunk), len(chunk))


def ids_of(held, count):
    """Evenly spaced ids."""
    return held.ids[:: max(1, len(held.ids) // count)][:count]


def claims(held, count):
    taken, held.deliveries = held.deliveries[:count], held.deliveries[count:]
    return [text for pair in taken for text in pair]


UNKNOWN = "01000000-0000-7000-8000-000000000000"


# The rows of a shape: a text, a function that returns the command's arguments, and whether it can be
# repeated; None if it works in slices.
def rows_of(name, held):
    def again(*words):
        return (lambda: words, True)

    def once(make):
        return (make, False)

    def in_slices(*words):
        return (lambda: words, None)

    if name == "queues":
        return [
            ("MQ.QUEUES of 100,000", *in_slices("MQ.QUEUES")),
            ("MQ.QUEUES of 100,000, CURSOR", *in_slices("MQ.QUEUES", "CURSOR", 0)),
            (
                "MQ.QUEUES of 100,000, CURSOR, COUNT 1,000",
                *in_slices("MQ.QUEUES", "CURSOR", 0, "COUNT", 1_000),
            ),
            ("MQ.STATS of 100,000, CURSOR", *in_slices("MQ.STATS", "CURSOR", 0)),
            (
                "MQ.STATS of 100,000, CURSOR, COUNT 1,000",
                *in_slices("MQ.STATS", "CURSOR", 0, "COUNT", 1_000),
            ),
        ]
    rows = [
        ("MQ.INFO", *again("MQ.INFO", "q")),
        ("MQ.LEN", *again("MQ.LEN", "q")),
        ("MQ.CONFIG, shown", *again("MQ.CONFIG", "q")),
        ("MQ.CONFIG MAXLEN", *again("MQ.CONFIG", "q", "MAXLEN", 2_000_000_000)),
        ("MQ.PAUSE", *again("MQ.PAUSE", "q")),
        ("MQ.RESUME", *again("MQ.RESUME", "q")),
        ("MQ.QUEUES", *again("MQ.QUEUES")),
        ("MQ.PUSH", *again("MQ.PUSH", "q", PAYLOAD)),
        ("MQ.PUSH GROUP", *again("MQ.PUSH", "q", PAYLOAD, "GROUP", "other")),
        ("MQ.PULL", *again("MQ.PULL", "q", *LONG)),
        ("MQ.MPULL", *again("MQ.MPULL", 1, "q", *LONG)),
        ("MQ.PULL COUNT 100", *again("MQ.PULL", "q", "COUNT", 100, *LONG)),
    ]
    states = {
        "ready": ("READY",),
        "in flight": ("INFLIGHT",),
        "ready, half with a TTL": ("READY",),
        "delayed": ("DELAYED",),
        "a million groups": (),
        "groups without a free slot": (),
        "one group": ("READY",),
        "dead letters": (),
    }[name]
    for state in states:
        for where, offset in (("in the middle", held.count // 2), ("near the end", held.count - 12_000)):
            for count in (10, 1_000):
                text = f"MQ.PEEK {state}, OFFSET {where}, COUNT {count:,}"
                words = ("MQ.PEEK", "q", state, "OFFSET", offset, "COUNT", count)
                rows.append((text, *again(*words)))
    if name == "a million groups":
        words = ("MQ.PEEK", "q", "READY", "OFFSET", 4_900, "COUNT", 10)
        rows.append(("MQ.PEEK READY, OFFSET 4,900", *again(*words)))
    if name == "dead letters":
        words = ("MQ.PEEK", "q", "DEAD", "OFFSET", held.count - 12_000, "COUNT", 1_000)
        rows.append(("MQ.PEEK DEAD, OFFSET near the end, COUNT 1,000", *again(*words)))
    rows += [
        ("MQ.GET of the one in the middle", *again("MQ.GET", "q", held.ids[held.count // 2])),
        ("MQ.GET of the last", *again("MQ.GET", "q", held.ids[-1])),
        ("MQ.GET of an id that is not there", *again("MQ.GET", "q", UNKNOWN)),
    ]
    if name == "in flight":
        rows += [
            ("MQ.ACK", *once(lambda: ("MQ.ACK", "q", *claims(held, 1)))),
            ("MQ.EXTEND", *once(lambda: ("MQ.EXTEND", "q", *claims(held, 1), *LONG))),
            ("MQ.NACK", *once(lambda: ("MQ.NACK", "q", *claims(held, 1)))),
            ("MQ.ACK of 100", *once(lambda: ("MQ.ACK", "q", "IDS", 100, *claims(held, 100)))),
            ("MQ.NACK of 100", *once(lambda: ("MQ.NACK", "q", "IDS", 100, *claims(held, 100)))),
            ("MQ.ACK of 10,000", *once(lambda: ("MQ.ACK", "q", "IDS", 10_000, *claims(held, 10_000)))),
            ("MQ.NACK of 10,000", *once(lambda: ("MQ.NACK", "q", "IDS", 10_000, *claims(held, 10_000)))),
            (
                "MQ.EXTEND of 10,000",
                *once(lambda: ("MQ.EXTEND", "q", "IDS", 10_000, *claims(held, 10_000), *LONG)),
            ),
        ]
    if name == "delayed":
        words = ("MQ.RESCHEDULE", "q", held.ids[held.count // 2], "DELAY", YEAR_MS)
        rows.append(("MQ.RESCHEDULE", *again(*words)))
    if name == "dead letters":
        rows += [
            ("MQ.REDRIVE COUNT 100", *again("MQ.REDRIVE", "{q}:dead", "COUNT", 100)),
            ("MQ.REDRIVE COUNT 10,000", *in_slices("MQ.REDRIVE", "{q}:dead", "COUNT", 10_000)),
        ]
    rows += [
        ("MQ.MPUSH of 10,000", *once(lambda: ("MQ.MPUSH", "q", 10_000, *[PAYLOAD] * 10_000))),
        ("MQ.PULL COUNT 10,000", *once(lambda: ("MQ.PULL", "q", "COUNT", 10_000, *LONG))),
        ("MQ.DEL of the one in the middle", *once(lambda: ("MQ.DEL", "q", held.ids[held.count // 2]))),
        ("MQ.DEL of 100, all over", *once(lambda: ("MQ.DEL", "q", *ids_of(held, 100)))),
        ("MQ.DEL of 10,000, all over", *once(lambda: ("MQ.DEL", "q", *ids_of(held, 10_000)))),
        ("MQ.DEL of the last 10,000", *once(lambda: ("MQ.DEL", "q", *held.ids[-10_000:]))),
    ]
    if name in ("a million groups", "groups without a free slot"):
        change = ("MQ.CONFIG", "q", "GROUPINFLIGHT", 2)
        rows.append(("MQ.CONFIG GROUPINFLIGHT", *once(lambda: change)))
    rows.append(("MQ.CHECK", *in_slices("MQ.CHECK", "q")))
    if name != "a million groups":
        rows.append(("MQ.CHECK REPAIR", *once(lambda: ("MQ.CHECK", "q", "REPAIR"))))
    rows.append(("MQ.PURGE", *once(lambda: ("MQ.PURGE", "q"))))
    rows.append(("MQ.DROP", *once(lambda: ("MQ.DROP", "q"))))
    return rows


SHAPES = {
    "ready": ready,
    "in flight": in_flight,
    "ready, half with a TTL": ranked,
    "delayed": delayed,
    "a million groups": groups,
    "groups without a free slot": blocked_groups,
    "one group": one_group,
    "dead letters": dead,
    "queues": queues,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--server", default=os.environ.get("MQ_SERVER", "redis-server"))
    module = os.environ.get("MQ_MODULE", PROJECT / "target/release/libmq.so")
    parser.add_argument("--module", default=module)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5, help="runs of a repeatable command")
    parser.add_argument("--shapes", nargs="*", default=list(SHAPES), help=", ".join(SHAPES))
    parser.add_argument("--rows", nargs="*", default=[""], help="only rows that start with one of these")
    options = parser.parse_args()
    found = {}
    for shape in options.shapes:
        with Server(options.server, Path(options.module).resolve()) as server:
            held = Held(server, options.messages)
            note(f"{server.name}, {shape}")
            SHAPES[shape](held)
            for text, make, can_repeat in rows_of(shape, held):
                if not text.startswith(tuple(options.rows)):
                    continue
                note(f"{server.name}, {shape}: {text}")
                if can_repeat is None:
                    pings = [held.longest_ping_ms(make()) for _ in range(options.runs)]
                    longest, whole = min(pings)
                    shown = f"{longest:.1f} (of {whole:,.0f})"
                else:
                    runs = options.runs if can_repeat else 1
                    shown = f"{min(held.hold_ms(make()) for _ in range(runs)):.2f}"
                found.setdefault(text, {})[shape] = shown
            name = server.name
    print(f"{name}, {options.messages:,} messages of {len(PAYLOAD)} bytes, milliseconds:\n")
    rows = [
        [text, *(shown.get(shape, "") for shape in options.shapes)] for text, shown in found.items()
    ]
    print(table(["command", *options.shapes], rows))


if __name__ == "__main__":
    main()
