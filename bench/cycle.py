"""Server CPU of the plain cycle (push, pull, acknowledge): by batch, by payload, and by what else is in the queue.

Parts `cycle`, `payloads` and `depths`. The runs of the peers are interleaved. Standard library only.
"""

import random
from contextlib import ExitStack

from results import Part, note
from server import Connection, Server, command, expect
from workloads import (
    BULK,
    ENTRY,
    FILL,
    MESSAGE,
    PULL_ALL,
    READ_ALL,
    YEAR_MS,
    Lists,
    Mq,
    MqAllBatched,
    Streams,
    drive,
    fill,
    measure_cpu,
    settle_tables,
)

AOF = {"off": False, "everysec": True}
ROUND = 100
ROUNDS = (1, 100, 1000)
WAYS = {
    "single": (False, (Lists, Streams, Mq)),
    "batched": (True, (Streams, Mq)),
    "all batched": (True, (Streams, MqAllBatched)),
}
PAYLOADS = (100, 1_000, 10_000, 100_000, 1_000_000)
# Of a round, at most.
ROUND_BYTES = 4_000_000
# Of a run, at most.
RUN_BYTES = 64_000_000


def turned(kinds, run):
    """Each run starts with another peer, so that none always follows the same one."""
    first = run % len(kinds)
    return [*kinds[first:], *kinds[:first]]


def cycle_part(options, binary):
    """Rounds of 1, 100 and 1,000: single commands, batched pulls and acknowledgments, and everything batched."""
    part = Part(runs=options.runs, messages=options.messages)
    shapes = [(way, size) for way in WAYS for size in ROUNDS if way == "single" or size > 1]
    for aof in AOF:
        with Server(binary, options.module, AOF[aof]) as server:
            part.measured_on(server)
            for run in range(options.runs):
                note(f"{server.name} cycle, AOF {aof}, run {run + 1} of {options.runs}")
                for way, size in shapes:
                    batched, kinds = WAYS[way]
                    for kind in turned(kinds, run):
                        # Rounds of one take ten times as long.
                        messages = options.messages if size > 1 else options.messages // 4
                        sample = measure_cpu(server, kind(server.control, size, batched), messages)
                        where = {"commands": way, "aof": aof, "round": size, "peer": kind.label}
                        part.add(where, **dict(zip(("cpu", "push", "pull", "ack"), sample)))
    return part


def payloads_part(options, binary):
    part = Part(runs=options.payload_runs, round_bytes=ROUND_BYTES, run_bytes=RUN_BYTES)
    for aof in AOF:
        with Server(binary, options.module, AOF[aof]) as server:
            part.measured_on(server)
            for run in range(options.payload_runs):
                note(f"{server.name} payloads, AOF {aof}, run {run + 1} of {options.payload_runs}")
                for size in PAYLOADS:
                    in_round = max(1, min(ROUND, ROUND_BYTES // size))
                    messages = max(in_round, min(options.messages, RUN_BYTES // size))
                    for kind in turned((Lists, Streams, Mq), run):
                        workload = kind(server.control, in_round, False, size)
                        cpu, *_ = measure_cpu(server, workload, messages)
                        part.add({"payload": size, "aof": aof, "peer": kind.label}, cpu=cpu)
    return part


# ---- beside messages that are ready or in flight --------------------------------------------------


class Held:
    """Keeps messages in flight: each acknowledgment is for the oldest ones or for random ones."""

    def hold(self, order):
        self.order, self.held, self.ready = order, [], 0
        self.random = random.Random(2)

    def grow(self, connection, where, depth):
        if where == "ready":
            fill(connection, depth - self.ready, self.one_push, BULK)
            self.ready = depth
        while where == "in flight" and len(self.held) < depth:
            fill(connection, FILL, self.one_push, BULK)
            self.held += self.take_all(connection)

    def settle(self, new):
        """The deliveries to acknowledge, as many as are new."""
        self.held += new
        if self.order == "oldest":
            oldest, self.held[: len(new)] = self.held[: len(new)], []
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

    def take_all(self, connection):
        return connection.find_all(READ_ALL, ENTRY, FILL)

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

    def take_all(self, connection):
        return connection.find_all(PULL_ALL, MESSAGE, FILL)

    def pull(self, connection):
        fields = (dict(zip(message[::2], message[1::2])) for message in connection.run(self.pulls, self.size))
        self.deliveries = [(each[b"id"], each[b"receipt"]) for each in fields]

    def acknowledge(self, connection):
        self.deliveries = self.settle(self.deliveries)
        super().acknowledge(connection)


def depths_part(options, binary):
    """The cycle beside 10^3 and more messages. One server for each peer, both are filled step by step."""
    part = Part(runs=options.depth_runs, messages=options.messages)
    depths = [10**power for power in range(3, 9)]
    for aof in AOF:
        for where, order in (("ready", "oldest"), ("in flight", "oldest"), ("in flight", "random")):
            most = options.most if where == "ready" and aof == "off" else min(options.most, options.most_held)
            with ExitStack() as stack:
                peers = []
                for kind in (HeldStreams, HeldMq):
                    server = stack.enter_context(Server(binary, options.module, AOF[aof]))
                    connection = Connection(server.port)
                    workload = kind(connection, ROUND, False)
                    workload.prepare(connection)
                    workload.hold(order)
                    peers.append((server, connection, workload))
                part.measured_on(server)
                for depth in depths:
                    if depth > most:
                        break
                    note(f"{server.name} depths, AOF {aof}, {depth:,} {where}, {order} acknowledged")
                    measure_depth(options, part, peers, aof, where, depth, order)
    return part


def measure_depth(options, part, peers, aof, where, depth, order):
    for server, connection, workload in peers:
        workload.grow(connection, where, depth)
        settle_tables(connection, "q")
        drive(workload, connection, 5, server.cpu_ns)
        server.used_memory()
    rounds = max(1, options.messages // ROUND)
    for run in range(options.depth_runs):
        for server, connection, workload in turned(peers, run):
            before = server.control.cpu_us()
            drive(workload, connection, rounds, server.cpu_ns)
            cpu = (server.control.cpu_us() - before) / (rounds * ROUND)
            found = {"aof": aof, "messages": where, "count": depth, "acknowledged": order, "peer": workload.label}
            part.add(found, cpu=cpu)
    for server, connection, workload in peers:
        expect("left", workload.left(connection), depth)
