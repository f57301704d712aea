"""The cost of priorities, deduplication and groups relative to the plain cycle, with a million live keys; the
cost of reads of a long queue; the saving of an acknowledgment with the next pull.

All queues of a comparison are on one server, and their runs are interleaved. Each workload knows the next
message to be delivered and checks it.
"""

import itertools
import random
import time
from collections import deque

from cycle import turned
from results import Part, note
from server import Connection, Server, ServerError, command, expect
from workloads import BULK, FILL, YEAR_MS, Mq, fill, measure_cpu, payloads, settle_tables

ROUND = 100
# Messages per group.
PER_GROUP = 3


# ---- expected order of delivery ------------------------------------------------------------------


class InOrder:
    """Push order."""

    def __init__(self):
        self.waiting = deque()

    def add(self, tag, message):
        self.waiting.append(message)

    def take(self):
        return (None, self.waiting.popleft())

    def settle(self, tag):
        pass

    def __len__(self):
        return len(self.waiting)


class ByPriority(InOrder):
    """The highest priority first; push order within a priority."""

    def __init__(self):
        self.lanes = {}

    def add(self, priority, message):
        self.lanes.setdefault(priority, deque()).append(message)

    def take(self):
        priority = max(priority for priority, lane in self.lanes.items() if lane)
        return (priority, self.lanes[priority].popleft())

    def __len__(self):
        return sum(map(len, self.lanes.values()))


class InTurn(InOrder):
    """Groups round-robin, each in push order, one message at a time."""

    def __init__(self):
        self.groups = {}
        self.turns = {}
        self.busy = set()

    def add(self, group, message):
        self.groups.setdefault(group, deque()).append(message)
        self.stand(group)

    def take(self):
        group = next(iter(self.turns))
        del self.turns[group]
        self.busy.add(group)
        return (group, self.groups[group].popleft())

    def settle(self, group):
        self.busy.remove(group)
        self.stand(group)

    def stand(self, group):
        if self.groups[group] and group not in self.busy:
            self.turns[group] = None

    def __len__(self):
        return sum(map(len, self.groups.values()))


# ---- the workloads -------------------------------------------------------------------------------


class Feature(Mq):
    """The plain cycle on a separate queue in which `live` messages are always waiting."""

    label = "plain, long queue"
    order = InOrder

    def __init__(self, connection, size, live, queue=None):
        self.queue = queue or type(self).__name__.lower()
        self.size = size
        self.payloads = payloads(size)
        self.line = self.order()
        self.random = random.Random(2)
        self.numbers = itertools.count()
        self.pulls = command("MQ.PULL", self.queue, "VISIBILITY", YEAR_MS) * size
        self.prepare_queue(connection, live)
        expect("MQ.LEN", self.left(connection), 0)

    def prepare_queue(self, connection, live):
        for _ in range(live // self.size):
            self.push(connection)

    def prepare(self, connection):
        pass

    def tag(self):
        """The next message's priority or group."""

    def options(self, tag):
        """The push options."""
        return ()

    def push(self, connection):
        tags = [self.tag() for _ in self.payloads]
        pipeline = b"".join(
            command("MQ.PUSH", self.queue, payload, *self.options(tag))
            for payload, tag in zip(self.payloads, tags)
        )
        ids = connection.run(pipeline, self.size)
        for message, tag in zip(zip(ids, self.payloads), tags):
            self.line.add(tag, message)

    def pull(self, connection):
        taken = [self.line.take() for _ in self.payloads]
        self.tags = [tag for tag, _ in taken]
        self.deliveries = []
        got = []
        for message in connection.run(self.pulls, self.size):
            fields = dict(zip(message[::2], message[1::2]))
            self.deliveries.append((fields[b"id"], fields[b"receipt"]))
            got.append((fields[b"id"], fields[b"payload"]))
        expect("MQ.PULL", got, [message for _, message in taken])

    def acknowledge(self, connection):
        pipeline = b"".join(command("MQ.ACK", self.queue, *pair) for pair in self.deliveries)
        expect("MQ.ACK", connection.run(pipeline, self.size), [1] * self.size)
        for tag in self.tags:
            self.line.settle(tag)

    def left(self, connection):
        return connection.call("MQ.LEN", self.queue) - len(self.line)


class Plain(Feature):
    """The plain cycle of the main table, on an empty queue."""

    label = "plain"

    def prepare_queue(self, connection, live):
        pass


class Priorities(Feature):
    label = "PRIORITY 1 to 9"
    order = ByPriority

    def tag(self):
        return self.random.randint(1, 9)

    def options(self, tag):
        return ("PRIORITY", tag)


class Dedup(Feature):
    """The messages of the held keys are gone: an empty queue, as in the plain cycle.

    Each cycle adds keys: the run starts below `live` keys and ends near it. It stays below 2^20, where the server
    starts to rehash the table."""

    label = "DEDUP"

    def prepare_queue(self, connection, live):
        for _ in range(live * 7 // 8 // self.size):
            self.push(connection)
            got = connection.call("MQ.PULL", self.queue, "COUNT", self.size, "NOACK")
            expect("MQ.PULL", [message[1] for message in got], [self.line.take()[1][0] for _ in got])

    def options(self, tag):
        return ("DEDUP", f"order-{next(self.numbers)}", "WINDOW", YEAR_MS)


class UntilDone(Feature):
    """Keys are held until the acknowledgment; as many messages are waiting."""

    label = "DEDUP UNTILDONE"

    def options(self, tag):
        return ("DEDUP", f"order-{next(self.numbers)}", "UNTILDONE")


class Groups(Feature):
    label = "GROUP"
    order = InTurn

    def prepare_queue(self, connection, live):
        self.groups = max(self.size // 2, live // 10)
        for _ in range(PER_GROUP * self.groups // self.size):
            self.push(connection)

    def tag(self):
        # Fills all groups equally, then picks tenants at random.
        number = next(self.numbers)
        if number < PER_GROUP * self.groups:
            return f"tenant-{number % self.groups}"
        return f"tenant-{self.random.randrange(self.groups)}"

    def options(self, tag):
        return ("GROUP", tag)


KINDS = (Plain, Feature, Priorities, Dedup, UntilDone, Groups)
FEATURES = {kind.__name__.lower(): kind for kind in KINDS}


# ---- the comparisons -----------------------------------------------------------------------------

CALLS = 500
# Runs of MQ.PURGE, each on a refilled queue.
PURGES = 1
LOOKED_AT = (Feature, Priorities, Groups)
LOOKS = {
    "MQ.LEN": [("MQ.LEN",)],
    "MQ.INFO": [("MQ.INFO",)],
    "MQ.PEEK": [("MQ.PEEK",)],
    "MQ.PAUSE, MQ.RESUME": [("MQ.PAUSE", "FOR", YEAR_MS), ("MQ.RESUME",)],
}


def cycles(options, part, server):
    """Server CPU of push, pull and acknowledgment with each feature, beside the plain cycle of the same run."""
    kinds = list(KINDS)
    workloads = {}
    for kind in kinds:
        note(f"{server.name} features, filling: {kind.label}")
        workloads[kind] = kind(server.control, ROUND, options.live)
        settle_tables(server.control, workloads[kind].queue)
    for run in range(options.feature_runs):
        note(f"{server.name} features, run {run + 1} of {options.feature_runs}")
        for kind in turned(kinds, run):
            sample = measure_cpu(server, workloads[kind], options.messages)
            part.add({"topic": "cycle", "peer": kind.label}, **dict(zip(("cpu", "push", "pull", "ack"), sample)))
    return workloads


def looks(options, part, server, long):
    """Server CPU of commands whose cost must not depend on the number of waiting messages."""
    pairs = [(kind(server.control, ROUND, ROUND, f"short-{kind.__name__}"), long[kind]) for kind in LOOKED_AT]
    for run in range(options.feature_runs):
        note(f"{server.name} reads, run {run + 1} of {options.feature_runs}")
        for name, words in LOOKS.items():
            for short, filled in pairs:
                for length, workload in turned([("short", short), ("long", filled)], run):
                    cpu = measure_look(server, words, workload.queue)
                    where = {"topic": "reads", "command": name, "queue": filled.label}
                    part.add(where | {"count": len(filled.line), "length": length}, cpu=cpu)


def measure_look(server, words, queue):
    """Server CPU in µs of one call."""
    count = len(words)
    pipeline = b"".join(command(word, queue, *more) for word, *more in words) * CALLS
    connection = Connection(server.port)
    connection.run(pipeline, count * CALLS)
    before = server.control.cpu_us()
    got = connection.run(pipeline, count * CALLS)
    cpu = server.control.cpu_us() - before
    connection.close()
    if any(reply in (None, 0, []) for reply in got):
        raise ServerError(f"{words} shows nothing of {queue}")
    return cpu / CALLS


def purges(options, part, server):
    """The server's own time for MQ.PURGE, at a tenth of the messages and at all of them (the memory of a hundred
    is freed synchronously)."""
    for run in range(PURGES):
        for kind in LOOKED_AT:
            for length, live in (("short", options.live // 10), ("long", options.live)):
                note(f"{server.name} MQ.PURGE, {kind.label}, run {run + 1} of {PURGES}")
                count, us = measure_purge(server, kind, live)
                part.add({"topic": "purge", "queue": kind.label, "count": count, "length": length}, us=us)


def measure_purge(server, kind, live):
    """The number of purged messages, and the server's time in µs."""
    workload = kind(server.control, ROUND, live, "purged")
    server.control.call("CONFIG", "RESETSTAT")
    count = server.control.call("MQ.PURGE", workload.queue)
    expect("MQ.PURGE", count, len(workload.line))
    stats = server.control.info("commandstats")["cmdstat_MQ.PURGE"]
    expect("MQ.LEN", server.control.call("MQ.LEN", workload.queue), 0)
    while int(server.control.info("memory")["lazyfree_pending_objects"]) > 0:
        time.sleep(0.1)
    return count, int(dict(field.split("=") for field in stats.split(","))["usec"])


def settling(options, part, server):
    """Server CPU of an acknowledgment and the next pull, as two commands and as one."""
    for run in range(options.feature_runs):
        note(f"{server.name} acknowledgment with the next pull, run {run + 1} of {options.feature_runs}")
        for size in (1, ROUND):
            for settle in turned((apart, together), run):
                cpu = measure_settling(server, settle, size, options.messages)
                part.add({"topic": "ack", "round": size, "peer": settle.__name__}, cpu=cpu)


def delivery(reply):
    fields = dict(zip(reply[::2], reply[1::2]))
    return fields[b"id"], fields[b"receipt"]


def apart(connection, deliveries):
    """Acknowledges the deliveries with MQ.ACK, then pulls as many messages."""
    size = len(deliveries)
    acks = b"".join(command("MQ.ACK", "settling", *pair) for pair in deliveries)
    expect("MQ.ACK", connection.run(acks, size), [1] * size)
    pulls = command("MQ.PULL", "settling", "VISIBILITY", YEAR_MS) * size
    return [delivery(message) for message in connection.run(pulls, size)]


def together(connection, deliveries):
    """The same with MQ.PULL ... ACK."""
    size = len(deliveries)
    pulls = b"".join(
        command("MQ.PULL", "settling", "VISIBILITY", YEAR_MS, "ACK", 1, *pair) for pair in deliveries
    )
    got = connection.run(pulls, size)
    expect("settled", [settled for settled, _ in got], [[1]] * size)
    return [delivery(message) for _, message in got]


def measure_settling(server, settle, size, messages):
    """`size` messages are in flight, and are acknowledged as the same number is pulled."""
    connection = Connection(server.port)
    rounds = messages // size
    fill(
        connection,
        messages + FILL,
        lambda payload: command("MQ.PUSH", "settling", payload),
        BULK,
    )
    pulled = connection.call("MQ.PULL", "settling", "VISIBILITY", YEAR_MS, "COUNT", size)
    deliveries = [delivery(message) for message in pulled]
    before = server.control.cpu_us()
    for _ in range(rounds):
        deliveries = settle(connection, deliveries)
    cpu = server.control.cpu_us() - before
    expect("MQ.PURGE", connection.call("MQ.PURGE", "settling"), messages + FILL - rounds * size)
    connection.close()
    return cpu / (rounds * size)


def features_part(options, binary):
    part = Part(runs=options.feature_runs, live=options.live, messages=options.messages)
    with Server(binary, options.module) as server:
        part.measured_on(server)
        long = cycles(options, part, server)
        settling(options, part, server)
        looks(options, part, server, long)
        purges(options, part, server)
    return part
