"""The consumer loop as applications run it: one message at a time, without pipelines, on several connections.

Standard library only.
"""

import selectors
import statistics
import time

from server import Connection, Server, ServerError, command, expect, parse
from tables import heading, note, paragraph, table
from workloads import FILL, fill

CONNECTIONS = (1, 8, 64)


class PullWithAck:
    """The acknowledgment of a message travels with the pull of the next one."""

    label = "`MQ.PULL ... ACK`"

    def __init__(self, connection, number):
        self.first = command("MQ.PULL", "q")
        self.pulled = False

    @staticmethod
    def push(payload):
        return command("MQ.PUSH", "q", payload)

    def next(self, reply):
        """The next request after this reply, and whether a message was settled. No request: the queue is empty."""
        settled = self.pulled
        if settled:
            results, reply = reply
            expect("ACK", results, [1])
        if reply is None:
            return None, settled
        fields = dict(zip(reply[::2], reply[1::2]))
        self.pulled = True
        return command("MQ.PULL", "q", "ACK", 1, fields[b"id"], fields[b"receipt"]), settled


class TwoSteps:
    """A command that takes a message, then one that settles it."""

    def __init__(self, connection, number):
        self.number = number
        self.prepare(connection)
        self.taken = False

    def prepare(self, connection):
        pass

    def next(self, reply):
        self.taken = not self.taken
        if not self.taken:
            expect(self.label, reply, self.settled)
            return self.first, True
        return (None if reply is None else self.settle(reply)), False


class PullThenAck(TwoSteps):
    label = "`MQ.PULL`, `MQ.ACK`"
    push = PullWithAck.push
    first = command("MQ.PULL", "q")
    settled = 1

    def settle(self, message):
        fields = dict(zip(message[::2], message[1::2]))
        return command("MQ.ACK", "q", fields[b"id"], fields[b"receipt"])


class Group(TwoSteps):
    label = "`XREADGROUP`, `XACKDEL` (or `XACK` and `XDEL`)"
    first = command("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s", ">")
    settled = [1]

    def prepare(self, connection):
        # Servers without it need two commands, here in one packet.
        self.one_command = connection.call("COMMAND", "INFO", "XACKDEL") != [None]
        if not self.one_command:
            self.settled = [1, 1]

    @staticmethod
    def push(payload):
        return command("XADD", "s", "*", "p", payload)

    def settle(self, streams):
        [[_, [[entry, _]]]] = streams
        if self.one_command:
            return command("XACKDEL", "s", "g", "IDS", 1, entry)
        return command("XACK", "s", "g", entry) + command("XDEL", "s", entry)


class Reliable(TwoSteps):
    """The reliable queue of the Redis documentation: a list of its own holds what a consumer has taken."""

    label = "`LMOVE`, `LREM`"
    settled = 1

    def prepare(self, connection):
        self.first = command("LMOVE", "l", f"taken:{self.number}", "RIGHT", "LEFT")

    @staticmethod
    def push(payload):
        return command("LPUSH", "l", payload)

    def settle(self, payload):
        return command("LREM", f"taken:{self.number}", 1, payload)


WAYS = (PullWithAck, PullThenAck, Group, Reliable)


def replies_of(request):
    return 2 if request.startswith(b"*4\r\n$4\r\nXACK\r\n") else 1


def measure(server, way, connections, messages):
    """Server CPU in µs per message, messages per second, and the median and 99th percentile of a loop in µs."""
    filler = Connection(server.port)
    filler.call("DEL", "s")
    filler.call("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    fill(filler, messages, way.push)
    filler.close()
    loops, settled = [], 0
    with selectors.DefaultSelector() as ready:
        consumers = []
        for number in range(connections):
            connection = Connection(server.port)
            consumer = way(connection, number)
            connection.socket.setblocking(False)
            consumers.append((connection, consumer))
        before, started = server.control.cpu_us(), time.perf_counter()
        for connection, consumer in consumers:
            state = [consumer, b"", 1, time.perf_counter()]
            ready.register(connection.socket, selectors.EVENT_READ, state)
            connection.send(consumer.first)
        left = connections
        while left:
            for key, _ in ready.select(20) or [(None, None)]:
                if key is None:
                    raise ServerError(f"{way.label}: no reply for 20 s")
                state = key.data
                consumer, buffer, wanted, began = state
                buffer += key.fileobj.recv(1 << 16)
                got, at = [], 0
                try:
                    while len(got) < wanted:
                        reply, at = parse(buffer, at)
                        got.append(reply)
                except ValueError:
                    state[1] = buffer
                    continue
                request, is_settled = consumer.next(got[0] if wanted == 1 else got)
                if is_settled:
                    now = time.perf_counter()
                    loops.append((now - began) * 1e6)
                    settled += 1
                    state[3] = now
                if request is None:
                    ready.unregister(key.fileobj)
                    left -= 1
                    continue
                state[1], state[2] = b"", replies_of(request)
                key.fileobj.sendall(request)
        seconds, cpu = time.perf_counter() - started, server.control.cpu_us() - before
    expect("settled", settled, messages // FILL * FILL)
    for connection, _ in consumers:
        connection.close()
    p50, p99 = statistics.median(loops), statistics.quantiles(loops, n=100)[98]
    return cpu / settled, settled / seconds, p50, p99


def consumers_part(options, binary):
    samples = {}
    with Server(binary, options.module, aof=True) as server:
        for run in range(options.consumer_runs):
            for connections in CONNECTIONS:
                for way in WAYS:
                    note(f"{server.name} consumers, run {run + 1} of {options.consumer_runs}")
                    sample = measure(server, way, connections, options.messages)
                    samples.setdefault((connections, way), []).append(sample)
        name = server.name
    heading(name, "consumers", "a consumer's loop without pipelines, AOF everysec", options.keep)
    rows = []
    for connections in CONNECTIONS:
        theirs = [sample[0] for sample in samples[connections, Group]]
        for way in WAYS:
            runs = samples[connections, way]
            cpu, rate, p50, p99 = (statistics.median(column) for column in zip(*runs))
            ratio = statistics.median(ours[0] / peer for ours, peer in zip(runs, theirs))
            rows.append(
                [connections, way.label, f"{cpu:.1f}", f"{ratio:.2f}", f"{rate:,.0f}", f"{p50:.0f}", f"{p99:.0f}"]
            )
    table(
        ["connections", "commands", "server CPU, µs", "/ Streams", "messages/s", "p50, µs", "p99, µs"], rows
    )
    paragraph(
        "One client program, which takes most of a processor, drives all connections: messages/s and times compare the "
        "ways with each other and are not the most that the server can do."
    )
