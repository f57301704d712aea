"""How the cost of the plain cycle changes with the batch, the payload, and what else is in the queue.

Standard library only.
"""

import random
import statistics
from contextlib import ExitStack

from server import Connection, Server, command, expect
from tables import heading, middle_half, note, table
from workloads import FILL, PAYLOAD_BYTES, YEAR_MS, Lists, Mq, Streams, drive, fill, measure_cpu, payloads

ROUND = 100
PAYLOADS = (100, 1_000, 10_000, 100_000, 1_000_000)
# The payloads of a round, at most.
ROUND_BYTES = 8_000_000


class MqAllBatched(Mq):
    """A round is three commands: MQ.MPUSH, MQ.PULL COUNT, MQ.ACK IDS."""

    def __init__(self, connection, size, batched=True, payload_bytes=PAYLOAD_BYTES):
        super().__init__(connection, size, True, payload_bytes)
        self.pushes = command("MQ.MPUSH", "q", size, *self.payloads)

    def push(self, connection):
        [self.ids] = connection.run(self.pushes, 1)


def compare(samples, shapes, kinds):
    """Rows of the medians of each kind, and of the ratio of MQ to Streams over the runs of each shape."""
    rows = []
    for shape in shapes:
        columns = [samples[shape, kind] for kind in kinds if (shape, kind) in samples]
        medians = [statistics.median(column) for column in columns]
        *_, theirs, ours = columns
        ratios = [mine / peer for mine, peer in zip(ours, theirs)]
        cells = [f"{median:.2f}" for median in medians]
        cells = [""] * (len(kinds) - len(cells)) + cells
        rows.append([*cells, f"{statistics.median(ratios):.2f}", middle_half(ratios)])
    return rows


COLUMNS = ["Streams", "MQ", "MQ / Streams", "middle 50 % of runs"]


def shapes_part(options, binary):
    batches_table(options, binary)
    payloads_table(options, binary)
    depths_table(options, binary)


def batches_table(options, binary):
    """Rounds of 1, 100 and 1,000: single commands, batches to pull and acknowledge, and batches of everything."""
    ways = {
        "single": (False, {"Streams": Streams, "MQ": Mq}),
        "batched": (True, {"Streams": Streams, "MQ": Mq}),
        "all batched": (True, {"Streams": Streams, "MQ": MqAllBatched}),
    }
    shapes = [(how, aof, size) for how in ways for aof in (False, True) for size in (1, 100, 1000)]
    samples = {}
    for aof in (False, True):
        with Server(binary, options.module, aof) as server:
            name = server.name
            for run in range(options.runs):
                for shape in shapes:
                    how, of, size = shape
                    batched, kinds = ways[how]
                    if of != aof or size == 1 and batched:
                        continue
                    for label, kind in kinds.items():
                        note(f"{name} batches, run {run + 1} of {options.runs}")
                        messages = options.messages if size > 1 else options.messages // 4
                        whole, *_ = measure_cpu(server, kind(server.control, size, batched), messages)
                        samples.setdefault((shape, label), []).append(whole)
    shapes = [shape for shape in shapes if (shape, "MQ") in samples]
    rows = compare(samples, shapes, ("Streams", "MQ"))
    heads = [[how, "everysec" if aof else "off", size] for how, aof, size in shapes]
    heading(name, "batches", "server CPU per message by batch, µs", options.keep)
    table(["commands", "AOF", "round", *COLUMNS], [[*head, *row] for head, row in zip(heads, rows)])


def payloads_table(options, binary):
    samples = {}
    kinds = {"lists": Lists, "Streams": Streams, "MQ": Mq}
    with Server(binary, options.module, aof=True) as server:
        name = server.name
        for run in range(options.runs):
            for size in PAYLOADS:
                messages = max(1, min(ROUND, ROUND_BYTES // size))
                for label, kind in kinds.items():
                    note(f"{name} payloads, run {run + 1} of {options.runs}")
                    workload = kind(server.control, messages, False, size)
                    count = max(messages, min(options.messages, 20 * ROUND_BYTES // size))
                    whole, *_ = measure_cpu(server, workload, count)
                    samples.setdefault((size, label), []).append(whole)
    rows = compare(samples, PAYLOADS, tuple(kinds))
    heading(name, "payloads", "server CPU per message by payload, single commands, AOF everysec, µs", options.keep)
    table(["payload, bytes", "lists", *COLUMNS], [[f"{size:,}", *row] for size, row in zip(PAYLOADS, rows)])


class Held:
    """Keeps a number of messages in flight: each acknowledgment is for the oldest ones or for random ones."""

    def hold(self, connection, waiting, held, order):
        self.waiting, self.held, self.order = waiting, [], order
        self.random = random.Random(2)
        while len(self.held) < held:
            self.hold_some(connection)
        fill(connection, waiting, self.one_push)

    def settle(self, new):
        """The deliveries to acknowledge, as many as are new."""
        self.held += new
        if self.order == "oldest":
            oldest, self.held = self.held[: len(new)], self.held[len(new) :]
            return oldest
        picked = []
        for _ in new:
            place = self.random.randrange(len(self.held))
            self.held[place], self.held[-1] = self.held[-1], self.held[place]
            picked.append(self.held.pop())
        return picked


class HeldStreams(Held, Streams):
    def one_push(self, payload):
        return command("XADD", "s", "*", "p", payload)

    def hold_some(self, connection):
        fill(connection, FILL, self.one_push)
        [[_, entries]] = connection.call("XREADGROUP", "GROUP", "g", "c", "COUNT", FILL, "STREAMS", "s", ">")
        self.held += [entry for entry, _ in entries]

    def pull(self, connection):
        self.ids = []
        for [[_, found]] in connection.run(self.pulls, self.commands):
            self.ids += [entry for entry, _ in found]

    def acknowledge(self, connection):
        self.ids = self.settle(self.ids)
        super().acknowledge(connection)

    def left(self, connection):
        return connection.call("XLEN", "s")


class HeldMq(Held, Mq):
    def __init__(self, connection, size, batched):
        super().__init__(connection, size, batched)
        self.pulls = command("MQ.PULL", "q", "VISIBILITY", YEAR_MS) * size

    def one_push(self, payload):
        return command("MQ.PUSH", "q", payload)

    def hold_some(self, connection):
        fill(connection, FILL, self.one_push)
        self.held += self.deliveries_of(connection.call("MQ.PULL", "q", "COUNT", FILL, "VISIBILITY", YEAR_MS))

    @staticmethod
    def deliveries_of(messages):
        fields = (dict(zip(message[::2], message[1::2])) for message in messages)
        return [(each[b"id"], each[b"receipt"]) for each in fields]

    def pull(self, connection):
        self.deliveries = self.deliveries_of(connection.run(self.pulls, self.size))

    def acknowledge(self, connection):
        self.deliveries = self.settle(self.deliveries)
        super().acknowledge(connection)


def depths_table(options, binary):
    """With messages waiting, and with messages in flight."""
    depths = [depth for depth in (10**3, 10**4, 10**5, 10**6, 10**7) if depth <= options.most]
    shapes = [("waiting", depth, "oldest") for depth in depths]
    shapes += [
        ("in flight", depth, order)
        for order in ("oldest", "random")
        for depth in depths
        if depth <= 10**6
    ]
    samples = {}
    for shape in shapes:
        where, depth, order = shape
        with ExitStack() as stack:
            peers = []
            for label, kind in (("Streams", HeldStreams), ("MQ", HeldMq)):
                server = stack.enter_context(Server(binary, options.module))
                note(f"{server.name}, {depth:,} {where}, {label}")
                connection = Connection(server.port)
                workload = kind(connection, ROUND, False)
                workload.prepare(connection)
                workload.hold(connection, *((depth, 0) if where == "waiting" else (0, depth)), order)
                drive(workload, connection, 5, server.cpu_ns)
                server.used_memory()
                peers.append((label, server, connection, workload))
            rounds = max(1, options.messages // ROUND)
            for _ in range(options.depth_runs):
                for label, server, connection, workload in peers:
                    before = server.control.cpu_us()
                    drive(workload, connection, rounds, server.cpu_ns)
                    cpu = (server.control.cpu_us() - before) / (rounds * ROUND)
                    samples.setdefault((shape, label), []).append(cpu)
            for _, server, connection, workload in peers:
                expect("left", workload.left(connection), depth)
            name = server.name
    rows = compare(samples, shapes, ("Streams", "MQ"))
    heads = [[where, f"{depth:,}", order] for where, depth, order in shapes]
    heading(name, "depths", "server CPU per message by what else is in the queue, single commands, µs", options.keep)
    table(["messages", "number", "acknowledged", *COLUMNS], [[*head, *row] for head, row in zip(heads, rows)])
