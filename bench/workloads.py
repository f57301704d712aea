"""Push, pull, acknowledge: with plain lists, with Streams, with MQ. Each workload checks every reply.

A workload has `label`, `payloads` (of one round), the steps `push`, `pull` and `acknowledge`, and `left`.
"""

import base64
import functools
import random
import re

from server import Connection, command, expect

PAYLOAD_BYTES = 100
FILL = 1000
YEAR_MS = 31_536_000_000


@functools.cache
def payloads(count, size=PAYLOAD_BYTES):
    """Random text, unique, and the same in every run. No peer compresses it."""
    source = random.Random(1)
    return [base64.b64encode(source.randbytes(size))[:size] for _ in range(count)]


class Lists:
    """LPUSH and RPOP: the lower bound. Without acknowledgment, popped messages are lost with their consumer."""

    label = "lists"

    def __init__(self, connection, size, batched, payload_bytes=PAYLOAD_BYTES):
        self.payloads = payloads(size, payload_bytes)
        self.pushes = b"".join(command("LPUSH", "l", payload) for payload in self.payloads)
        self.pops = command("RPOP", "l") * size

    def prepare(self, connection):
        connection.call("DEL", "l")

    def push(self, connection):
        got = connection.run(self.pushes, len(self.payloads))
        expect("LPUSH", got, list(range(1, len(self.payloads) + 1)))

    def pull(self, connection):
        expect("RPOP", connection.run(self.pops, len(self.payloads)), self.payloads)

    def acknowledge(self, connection):
        pass

    def left(self, connection):
        return connection.call("LLEN", "l")


class Streams:
    """A stream with one consumer group. An acknowledgment also deletes the entry, as in a queue."""

    label = "Streams"

    def __init__(self, connection, size, batched, payload_bytes=PAYLOAD_BYTES):
        self.batched = batched
        self.one_command = connection.call("COMMAND", "INFO", "XACKDEL") != [None]
        self.size = size
        self.payloads = payloads(size, payload_bytes)
        self.pushes = b"".join(command("XADD", "s", "*", "p", payload) for payload in self.payloads)
        self.commands, count = (1, size) if batched else (size, 1)
        self.pulls = self.commands * command(
            "XREADGROUP", "GROUP", "g", "c", "COUNT", count, "STREAMS", "s", ">"
        )

    def prepare(self, connection):
        connection.call("DEL", "s")
        connection.call("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")

    def push(self, connection):
        self.ids = connection.run(self.pushes, self.size)

    def pull(self, connection):
        entries = []
        for [[_, found]] in connection.run(self.pulls, self.commands):
            entries += found
        wanted = [[i, [b"p", payload]] for i, payload in zip(self.ids, self.payloads)]
        expect("XREADGROUP", entries, wanted)

    def acknowledge(self, connection):
        ids, size = self.ids, self.size
        if self.batched and self.one_command:
            got = connection.run(command("XACKDEL", "s", "g", "IDS", size, *ids), 1)
            expect("XACKDEL", got, [[1] * size])
        elif self.batched:
            got = connection.run(command("XACK", "s", "g", *ids) + command("XDEL", "s", *ids), 2)
            expect("XACK and XDEL", got, [size, size])
        elif self.one_command:
            pipeline = b"".join(command("XACKDEL", "s", "g", "IDS", 1, i) for i in ids)
            expect("XACKDEL", connection.run(pipeline, size), [[1]] * size)
        else:
            pipeline = b"".join(command("XACK", "s", "g", i) + command("XDEL", "s", i) for i in ids)
            expect("XACK and XDEL", connection.run(pipeline, 2 * size), [1] * (2 * size))

    def left(self, connection):
        pending = connection.call("XPENDING", "s", "g")[0]
        return pending + connection.call("XLEN", "s")


class Mq:
    """MQ.PUSH, MQ.PULL, MQ.ACK."""

    label = "MQ"

    def __init__(self, connection, size, batched, payload_bytes=PAYLOAD_BYTES):
        self.batched = batched
        self.size = size
        self.payloads = payloads(size, payload_bytes)
        self.pushes = b"".join(command("MQ.PUSH", "q", payload) for payload in self.payloads)
        if batched:
            self.pulls = command("MQ.PULL", "q", "COUNT", size)
        else:
            self.pulls = command("MQ.PULL", "q") * size

    def prepare(self, connection):
        expect("MQ.LEN", connection.call("MQ.LEN", "q"), 0)

    def push(self, connection):
        self.ids = connection.run(self.pushes, self.size)

    def pull(self, connection):
        messages = connection.run(self.pulls, 1 if self.batched else self.size)
        if self.batched:
            [messages] = messages
        self.deliveries = []
        got = []
        for message in messages:
            fields = dict(zip(message[::2], message[1::2]))
            self.deliveries.append((fields[b"id"], fields[b"receipt"]))
            got.append((fields[b"id"], fields[b"payload"]))
        expect("MQ.PULL", got, list(zip(self.ids, self.payloads)))

    def acknowledge(self, connection):
        if self.batched:
            pairs = [word for delivery in self.deliveries for word in delivery]
            got = connection.run(command("MQ.ACK", "q", "IDS", self.size, *pairs), 1)
            expect("MQ.ACK", got, [[1] * self.size])
        else:
            pipeline = b"".join(command("MQ.ACK", "q", *delivery) for delivery in self.deliveries)
            expect("MQ.ACK", connection.run(pipeline, self.size), [1] * self.size)

    def left(self, connection):
        return connection.call("MQ.LEN", "q")


class MqAllBatched(Mq):
    """A round is three commands: MQ.MPUSH, MQ.PULL COUNT, MQ.ACK IDS."""

    def __init__(self, connection, size, batched=True, payload_bytes=PAYLOAD_BYTES):
        super().__init__(connection, size, True, payload_bytes)
        self.pushes = command("MQ.MPUSH", "q", size, *self.payloads)

    def push(self, connection):
        [self.ids] = connection.run(self.pushes, 1)


def drive(workload, connection, rounds, clock_ns):
    """Runs `rounds` of push, pull, acknowledge; returns the clock time of each phase.

    With the server's CPU clock, work after the last reply of a phase may be counted in the next one; the sum
    is exact."""
    phases = [0, 0, 0]
    steps = (workload.push, workload.pull, workload.acknowledge)
    for _ in range(rounds):
        for number, step in enumerate(steps):
            before = clock_ns()
            step(connection)
            phases[number] += clock_ns() - before
    return phases


def measure_cpu(server, workload, messages):
    """Server CPU in µs per message: total, push, pull and acknowledgment."""
    connection = Connection(server.port)
    workload.prepare(connection)
    drive(workload, connection, 2, server.cpu_ns)
    rounds = max(1, messages // len(workload.payloads))
    count = rounds * len(workload.payloads)
    before = server.control.cpu_us()
    phases = drive(workload, connection, rounds, server.cpu_ns)
    whole = server.control.cpu_us() - before
    expect("left behind", workload.left(connection), 0)
    connection.close()
    return [whole / count] + [ns / 1000 / count for ns in phases]


def fill(connection, count, make, lines):
    """Sends `count` commands in pipelines; `make(payload)` builds each, its reply has `lines` lines."""
    pool = payloads(FILL)
    pipeline = b"".join(make(payload) for payload in pool)
    for _ in range(count // FILL):
        connection.bulk(pipeline, lines * FILL)


# The id and the receipt of each message of a pull, the id of each entry of a read.
MESSAGE = re.compile(rb"\$2\r\nid\r\n\$36\r\n(.{36})\r\n.*?\$7\r\nreceipt\r\n\$16\r\n(.{16})\r\n", re.DOTALL)
ENTRY = re.compile(rb"\*2\r\n\$\d+\r\n(\d+-\d+)\r\n\*2\r\n\$1\r\np\r\n\$100\r\n.{100}\r\n", re.DOTALL)
# Filling: the lines of one reply.
INTEGER, BULK = 1, 2

# One by one, as most consumers do.
PULL_ALL = command("MQ.PULL", "q", "VISIBILITY", YEAR_MS) * FILL
READ_ALL = command("XREADGROUP", "GROUP", "g", "c", "COUNT", FILL, "STREAMS", "s", ">")


# Accesses per pipeline while a table is rehashed.
SETTLING = 10_000


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
