"""The cost of priorities, deduplication and groups relative to the plain cycle, with a million live keys; the
cost of reads of a long queue; the saving of an acknowledgment with the next pull.

All queues of a comparison are on one server, and their runs are interleaved. Each workload knows the next
message to be delivered and checks it.
"""

import itertools
import random
import statistics
import time
from collections import deque

from server import Connection, Server, ServerError, command, expect
from tables import heading, middle_half, note, paragraph, table, verdict
from workloads import FILL, YEAR_MS, Mq, fill, measure_cpu, payloads

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
    goal = None
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
    goal = 1.6
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
    goal = 1.6

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
    goal = 1.6

    def options(self, tag):
        return ("DEDUP", f"order-{next(self.numbers)}", "UNTILDONE")


class Groups(Feature):
    label = "GROUP"
    goal = 2.2
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

# Tolerance for commands whose cost is independent of the length.
LENGTH_GOAL = 1.3
# Cheaper than two commands.
SETTLING_GOAL = 1.0
CALLS = 500
# Runs of MQ.PURGE, each on refilled queues.
PURGES = 5
# Reads per pipeline while a table is rehashed.
SETTLING = 10_000
LOOKED_AT = (Feature, Priorities, Groups)
LOOKS = {
    "MQ.LEN": [("MQ.LEN",)],
    "MQ.INFO": [("MQ.INFO",)],
    "MQ.PEEK": [("MQ.PEEK",)],
    "MQ.PAUSE, MQ.RESUME": [("MQ.PAUSE", "FOR", YEAR_MS), ("MQ.RESUME",)],
}


def cycles(options, server):
    """Server CPU of push, pull and acknowledgment with each feature, relative to the plain cycle of the same run."""
    kinds = list(KINDS)
    workloads = {}
    for kind in kinds:
        note(f"{server.name} features, filling: {kind.label}")
        workloads[kind] = kind(server.control, ROUND, options.live)
        settle_tables(server.control, workloads[kind].queue)
    samples = {kind: [] for kind in kinds}
    for run in range(options.runs):
        note(f"{server.name} features, run {run + 1} of {options.runs}")
        # Each run starts with another workload, so that none always follows the same one.
        for kind in kinds[run % len(kinds) :] + kinds[: run % len(kinds)]:
            samples[kind].append(measure_cpu(server, workloads[kind], options.messages))
    rows = []
    for kind in kinds:
        columns = [statistics.median(column) for column in zip(*samples[kind])]
        ratios = [ours[0] / plain[0] for ours, plain in zip(samples[kind], samples[Plain])]
        rows.append([kind.label, *(f"{cell:.2f}" for cell in columns), *judge(ratios, kind.goal)])
    heading(server.name, "features", "server CPU per message with features, µs", options.keep)
    paragraph(f"{options.live:,} live keys, {options.live // 10:,} groups; single commands, rounds of {ROUND}.")
    table(
        ["cycle", "total", "push", "pull", "ack", "/ plain", "middle 50 % of runs", "goal", "met"],
        rows,
    )
    return workloads


def settle_tables(connection, queue):
    """Completes rehashing: the server moves a few entries of a grown table per access, and until that
    is done every access searches both tables. Reads missing entries until then, so that runs do not depend
    on the progress of rehashing."""
    keys = connection.call("KEYS", f"mq:{{{queue}}}:*")
    for key in keys:
        look, count = {
            b"hash": (("HEXISTS", key, "absent"), "HLEN"),
            b"zset": (("ZSCORE", key, "absent"), "ZCARD"),
        }.get(connection.call("TYPE", key), (None, None))
        if look:
            batches = connection.call(count, key) // SETTLING + 1
            for _ in range(batches):
                connection.run(command(*look) * SETTLING, SETTLING)


def looks(options, server, long):
    """Server CPU of commands whose cost must not depend on the number of waiting messages."""
    pairs = [(kind(server.control, ROUND, ROUND, f"short-{kind.__name__}"), long[kind]) for kind in LOOKED_AT]
    samples = {}
    for run in range(options.runs):
        note(f"{server.name} looks, run {run + 1} of {options.runs}")
        for name, words in LOOKS.items():
            for pair in pairs:
                for workload in pair[:: 1 if run % 2 else -1]:
                    cpu = measure_look(server, words, workload.queue)
                    samples.setdefault((name, workload), []).append(cpu)
    rows = []
    for name in LOOKS:
        for short, filled in pairs:
            ours = zip(samples[name, filled], samples[name, short])
            rows.append(
                [name, filled.label, f"{len(filled.line):,}"]
                + [f"{statistics.median(samples[name, workload]):.2f}" for workload in (short, filled)]
                + judge([longer / shorter for longer, shorter in ours], LENGTH_GOAL)
            )
    heading(server.name, "reads", f"server CPU per call at {ROUND} messages and at many, µs", options.keep)
    table(
        ["command", "queue", "many", f"at {ROUND}", "at many", "ratio", "middle 50 % of runs"]
        + ["goal", "met"],
        rows,
    )


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


def purges(options, server):
    """The server's own time for MQ.PURGE, at a tenth of the messages and at all of them (the memory of a hundred
    is freed synchronously). The minimum of all runs: the thread that frees the memory can only add to it."""
    rows = []
    for kind in LOOKED_AT:
        samples = []
        for run in range(PURGES):
            note(f"{server.name} MQ.PURGE, {kind.label}, run {run + 1} of {PURGES}")
            samples.append([measure_purge(server, kind, live) for live in (options.live // 10, options.live)])
        # The counts are the same in all runs.
        (few, at_few), (many, at_many) = map(min, zip(*samples))
        ratio = at_many / max(at_few, 1)
        cells = [kind.label, f"{few:,}", f"{many:,}", at_few, at_many, f"{ratio:.2f}"]
        rows.append([*cells, *verdict(ratio, LENGTH_GOAL)])
    heading(server.name, "purge", "time of MQ.PURGE, µs", options.keep)
    table(["queue", "few", "many", "at few", "at many", "ratio", "goal", "met"], rows)


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


def settling(options, server):
    """Server CPU of an acknowledgment and the next pull, as two commands and as one."""
    samples = {}
    for run in range(options.runs):
        note(f"{server.name} ACK in the next pull, run {run + 1} of {options.runs}")
        for size in (1, ROUND):
            for settle in (apart, together)[:: 1 if run % 2 else -1]:
                cpu = measure_settling(server, settle, size, options.messages)
                samples.setdefault((size, settle), []).append(cpu)
    rows = []
    for size in (1, ROUND):
        one, two = samples[size, together], samples[size, apart]
        rows.append(
            ["one at a time" if size == 1 else f"{size} in a pipeline"]
            + [f"{statistics.median(cpu):.2f}" for cpu in (two, one)]
            + judge([ours / theirs for ours, theirs in zip(one, two)], SETTLING_GOAL)
            + [2, 1]
        )
    heading(server.name, "ack", "server CPU of an acknowledgment and the next pull, µs", options.keep)
    table(
        ["commands", "MQ.ACK, MQ.PULL", "MQ.PULL ... ACK", "ratio", "middle 50 % of runs", "goal", "met"]
        + ["round trips of two", "of one"],
        rows,
    )


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


def judge(ratios, goal):
    """The table cells of a ratio: median, middle half, goal, and whether it is met."""
    ratio = statistics.median(ratios)
    return [f"{ratio:.2f}", middle_half(ratios), *verdict(ratio, goal)]


def features_part(options, binary):
    with Server(binary, options.module) as server:
        long = cycles(options, server)
        settling(options, server)
        looks(options, server, long)
        purges(options, server)
