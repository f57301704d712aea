"""The loop of a consumer that handles one message at a time without pipelines, on several connections.

Part `consumers`. Standard library only.
"""

import re
import select
import statistics
import time

from cycle import AOF, turned
from results import Part, note
from server import Connection, Server, ServerError, command, expect
from workloads import BULK, FILL, INTEGER, fill

CONNECTIONS = (1, 8, 64)
MESSAGE = rb"\*14\r\n\$2\r\nid\r\n\$36\r\n(.{36})\r\n.*\$7\r\nreceipt\r\n\$16\r\n(.{16})\r\n"
EMPTY = b"*-1\r\n"


class Incomplete(Exception):
    """More of the reply is to come."""


def match(pattern, reply):
    found = pattern.fullmatch(reply)
    if found is None:
        if reply.startswith(b"-") or len(reply) > 1000:
            raise ServerError(f"unexpected: {reply[:200]!r}")
        raise Incomplete
    return found


class PullWithAck:
    """The acknowledgment of a message travels with the pull of the next one."""

    label = "MQ.PULL ... ACK"
    first = command("MQ.PULL", "q")
    lines = BULK
    taken = re.compile(MESSAGE, re.DOTALL)
    taken_next = re.compile(rb"\*2\r\n\*1\r\n:1\r\n(?:\*-1\r\n|" + MESSAGE + rb")", re.DOTALL)

    def __init__(self, connection, number):
        self.pulled = False

    @staticmethod
    def push(payload):
        return command("MQ.PUSH", "q", payload)

    def next(self, reply):
        """The next request, and whether a message was settled. No request: the queue is empty."""
        settled = self.pulled
        if not settled and reply == EMPTY:
            return None, False
        message_id, receipt = match(self.taken_next if settled else self.taken, reply).groups()
        if message_id is None:
            return None, True
        self.pulled = True
        return command("MQ.PULL", "q", "ACK", 1, message_id, receipt), settled


class TwoSteps:
    """A command that takes a message, then one that settles it."""

    empty = EMPTY
    settled = b":1\r\n"

    def __init__(self, connection, number):
        self.number = number
        self.prepare(connection)
        self.taken = False

    def prepare(self, connection):
        pass

    def next(self, reply):
        if self.taken:
            if reply != self.settled:
                if self.settled.startswith(reply):
                    raise Incomplete
                raise ServerError(f"{self.label}: {reply[:200]!r}")
            self.taken = False
            return self.first, True
        if reply == self.empty:
            return None, False
        request = self.settle(match(self.pattern, reply))
        self.taken = True
        return request, False


class PullThenAck(TwoSteps):
    label = "MQ.PULL, MQ.ACK"
    push = PullWithAck.push
    lines = BULK
    first = PullWithAck.first
    pattern = PullWithAck.taken

    def settle(self, found):
        return command("MQ.ACK", "q", *found.groups())


class Group(TwoSteps):
    label = "Streams"
    lines = BULK
    first = command("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s", ">")
    pattern = re.compile(
        rb"\*1\r\n\*2\r\n\$1\r\ns\r\n\*1\r\n\*2\r\n\$\d+\r\n(\d+-\d+)\r\n\*2\r\n\$1\r\np\r\n\$100\r\n.{100}\r\n",
        re.DOTALL,
    )

    def prepare(self, connection):
        # Servers without XACKDEL need two commands, here in one packet.
        self.one_command = connection.call("COMMAND", "INFO", "XACKDEL") != [None]
        self.settled = b"*1\r\n:1\r\n" if self.one_command else b":1\r\n:1\r\n"

    @staticmethod
    def push(payload):
        return command("XADD", "s", "*", "p", payload)

    def settle(self, found):
        entry = found[1]
        if self.one_command:
            return command("XACKDEL", "s", "g", "IDS", 1, entry)
        return command("XACK", "s", "g", entry) + command("XDEL", "s", entry)


class Reliable(TwoSteps):
    """The reliable queue of the Redis documentation: a list of its own holds what a consumer has taken."""

    label = "LMOVE, LREM"
    lines = INTEGER
    empty = b"$-1\r\n"
    pattern = re.compile(rb"\$100\r\n(.{100})\r\n", re.DOTALL)

    def prepare(self, connection):
        self.first = command("LMOVE", "l", f"taken:{self.number}", "RIGHT", "LEFT")

    @staticmethod
    def push(payload):
        return command("LPUSH", "l", payload)

    def settle(self, found):
        return command("LREM", f"taken:{self.number}", 1, found[1])


WAYS = (PullWithAck, PullThenAck, Group, Reliable)


class Loop:
    """One consumer: its connection, what is still missing of a reply, and when its message was asked for."""

    def __init__(self, server, way, number):
        self.connection = Connection(server.port)
        self.way = way(self.connection, number)
        self.buffer = b""
        self.began = None


def measure(server, way, connections, messages):
    """Server CPU in µs per message, messages per second, and the median and 99th percentile of a loop in µs."""
    filler = Connection(server.port)
    filler.call("DEL", "s")
    filler.call("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    messages = max(FILL, messages // FILL * FILL)
    fill(filler, messages, way.push, way.lines)
    filler.close()
    loops = [Loop(server, way, number) for number in range(connections)]
    times, at_work = [], {loop.connection.socket.fileno(): loop for loop in loops}
    poll = select.epoll()
    for number in at_work:
        poll.register(number, select.EPOLLIN)
    before, started = server.control.cpu_us(), time.perf_counter()
    for loop in loops:
        loop.began = time.perf_counter()
        loop.connection.send(loop.way.first)
    while at_work:
        events = poll.poll(20)
        if not events:
            raise ServerError(f"{way.label}: no reply for 20 s")
        for number, _ in events:
            loop = at_work[number]
            data = loop.connection.socket.recv(1 << 16)
            if not data:
                raise ServerError("the server closed the connection")
            reply = loop.buffer + data
            try:
                request, settled = loop.way.next(reply)
            except Incomplete:
                loop.buffer = reply
                continue
            loop.buffer = b""
            if settled:
                now = time.perf_counter()
                times.append(now - loop.began)
                loop.began = now
            if request is None:
                poll.unregister(number)
                del at_work[number]
            else:
                loop.connection.socket.sendall(request)
    seconds, cpu = time.perf_counter() - started, server.control.cpu_us() - before
    expect("settled", len(times), messages)
    poll.close()
    for loop in loops:
        loop.connection.close()
    p99 = statistics.quantiles(times, n=100)[98]
    return {
        "cpu": cpu / messages,
        "rate": messages / seconds,
        "p50": statistics.median(times) * 1e6,
        "p99": p99 * 1e6,
    }


def consumers_part(options, binary):
    part = Part(runs=options.consumer_runs, messages=options.messages)
    for aof in AOF:
        with Server(binary, options.module, AOF[aof], clients=200) as server:
            part.measured_on(server)
            for run in range(options.consumer_runs):
                note(f"{server.name} consumers, AOF {aof}, run {run + 1} of {options.consumer_runs}")
                for connections in CONNECTIONS:
                    for way in turned(WAYS, run):
                        where = {"aof": aof, "connections": connections, "peer": way.label}
                        part.add(where, **measure(server, way, connections, options.messages))
    return part
