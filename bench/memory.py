"""Memory per message in each state: the growth of the server's used_memory. Part `memory`.

One server for each state, filled with messages of 100 bytes. Standard library only.
"""

from results import Part, note
from server import Connection, Server, command, expect
from workloads import BULK, ENTRY, FILL, INTEGER, MESSAGE, PULL_ALL, READ_ALL, YEAR_MS, fill

PAYLOAD = b"p" * 100


class Filler:
    """Fills the queue `q` of a server; the states are its methods."""

    def __init__(self, connection, count):
        self.connection, self.count = connection, count

    def push(self, *options):
        fill(self.connection, self.count, lambda payload: command("MQ.PUSH", "q", payload, *options), BULK)

    def push_each(self, options):
        """`options(n)` are the push options of message n."""
        for start in range(0, self.count, FILL):
            lines = [command("MQ.PUSH", "q", PAYLOAD, *options(n)) for n in range(start, start + FILL)]
            self.connection.bulk(b"".join(lines), BULK * FILL)

    def pull(self):
        """Pulls everything; yields ids and receipts of a batch."""
        for _ in range(self.count // FILL):
            found = self.connection.find_all(PULL_ALL, MESSAGE, FILL)
            yield [word for delivery in found for word in delivery]

    def in_flight(self):
        self.push()
        for _ in self.pull():
            pass

    def nack(self, *options):
        self.push()
        for deliveries in self.pull():
            got = self.connection.call("MQ.NACK", "q", "IDS", FILL, *deliveries, *options)
            expect("MQ.NACK", got, [1] * FILL)

    def dead(self):
        self.connection.call("MQ.CONFIG", "q", "MAXRETRIES", 0)
        self.nack("REASON", "no stock")

    def list(self):
        fill(self.connection, self.count, lambda payload: command("LPUSH", "l", payload), INTEGER)

    def sorted_set(self):
        # The score is the due time; the payload must be unique.
        for start in range(0, self.count, FILL):
            lines = [command("ZADD", "z", n, b"%0100d" % n) for n in range(start, start + FILL)]
            self.connection.bulk(b"".join(lines), INTEGER * FILL)

    def stream(self):
        self.connection.call("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
        fill(self.connection, self.count, lambda payload: command("XADD", "s", "*", "p", payload), BULK)

    def stream_pending(self):
        self.stream()
        for _ in range(self.count // FILL):
            self.connection.find_all(READ_ALL, ENTRY, FILL)


# (peer, state): how to fill, and the command that counts.
STATES = {
    ("lists", "ready"): (Filler.list, ("LLEN", "l")),
    ("Streams", "ready"): (Filler.stream, ("XLEN", "s")),
    ("Streams", "in flight"): (Filler.stream_pending, ("XLEN", "s")),
    ("sorted set", "delayed"): (Filler.sorted_set, ("ZCARD", "z")),
    ("MQ", "ready"): (Filler.push, ("MQ.LEN", "q", "READY")),
    ("MQ", "in flight"): (Filler.in_flight, ("MQ.LEN", "q", "INFLIGHT")),
    ("MQ", "delayed"): (lambda filler: filler.push("DELAY", YEAR_MS), ("MQ.LEN", "q", "DELAYED")),
    ("MQ", "returned"): (lambda filler: filler.nack("DELAY", 0), ("MQ.LEN", "q", "READY")),
    ("MQ", "ready, with PRIORITY"): (lambda filler: filler.push("PRIORITY", 7), ("MQ.LEN", "q")),
    ("MQ", "ready, with TTL"): (lambda filler: filler.push("TTL", YEAR_MS), ("MQ.LEN", "q")),
    ("MQ", "ready, with a header of 30 bytes"): (
        lambda filler: filler.push("HEADERS", 1, "trace", "t" * 25),
        ("MQ.LEN", "q"),
    ),
    ("MQ", "ready, in a group of 1,000 messages"): (
        lambda filler: filler.push_each(lambda n: ("GROUP", n // 1000)),
        ("MQ.LEN", "q"),
    ),
    ("MQ", "ready, in a group of its own"): (
        lambda filler: filler.push_each(lambda n: ("GROUP", n)),
        ("MQ.LEN", "q"),
    ),
    ("MQ", "ready, with a DEDUP key of 36 bytes"): (
        lambda filler: filler.push_each(lambda n: ("DEDUP", f"{n:036}")),
        ("MQ.LEN", "q"),
    ),
    ("MQ", "dead, with a REASON"): (Filler.dead, ("MQ.LEN", "{q}:dead")),
}


def memory_part(options, binary):
    count = options.memory_messages // FILL * FILL
    part = Part(messages=count)
    for (peer, state), (fill_it, length) in STATES.items():
        with Server(binary, options.module) as server:
            part.measured_on(server)
            note(f"{server.name} memory, {peer}, {state}")
            empty = server.used_memory()
            # It is read after the client has disconnected.
            connection = Connection(server.port)
            fill_it(Filler(connection, count))
            expect(f"{peer}, {state}", connection.call(*length), count)
            connection.close()
            part.add({"state": state, "peer": peer}, bytes=(server.used_memory() - empty) / count)
    return part
