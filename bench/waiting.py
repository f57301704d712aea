"""Server CPU of a push while clients are blocked in a pull. Part `waiting`. Standard library only."""

import resource
import selectors
import time

from cycle import turned
from results import Part, note
from server import Connection, Server, command, expect
from workloads import FILL, YEAR_MS, payloads


# Seconds of one measurement: with many blocked clients a push to a list can take most of one.
LIMIT = 10


class WaitOnMq:
    label = "MQ"
    # Nothing is acknowledged: the visibility exceeds the duration of the bench.
    wait = command("MQ.PULL", "q", "VISIBILITY", YEAR_MS, "BLOCK", 0)

    @staticmethod
    def push(payload):
        return command("MQ.PUSH", "q", payload)

    @staticmethod
    def payload(reply):
        return dict(zip(reply[::2], reply[1::2]))[b"payload"]


class WaitOnList:
    label = "lists"
    wait = command("BRPOP", "l", 0)

    @staticmethod
    def push(payload):
        return command("LPUSH", "l", payload)

    @staticmethod
    def payload(reply):
        return reply[1]


def measure(options, part, binary, kind, clients):
    """One cycle is a push, its delivery, and the served client's next blocking command. The CPU of the idle server with
    the same connections is measured first, and subtracted."""
    pool = payloads(FILL)
    own_server = Server(binary, options.module, clients=clients + 100)
    with own_server as server, selectors.DefaultSelector() as ready:
        part.measured_on(server)
        note(f"{server.name} waiting, {kind.label}, {clients:,} blocked clients")
        consumers = []
        for _ in range(clients):
            consumer = Connection(server.port)
            consumer.send(kind.wait)
            ready.register(consumer.socket, selectors.EVENT_READ, consumer)
            consumers.append(consumer)
        server.await_blocked(clients)

        def cycle(payload):
            producer.send(kind.push(payload))
            producer.replies(1)
            [(key, _)] = ready.select(10)
            expect("delivery", kind.payload(key.data.replies(1)[0]), payload)
            key.data.send(kind.wait)

        def cycles(count, seconds):
            """Fewer, if the time is up."""
            deadline = time.monotonic() + seconds
            for number in range(count):
                cycle(pool[number % FILL])
                if time.monotonic() > deadline:
                    break
            return number + 1

        producer = Connection(server.port)
        cycles(200, 2)
        idle, started = server.control.cpu_us(), time.monotonic()
        time.sleep(1)
        idle = (server.control.cpu_us() - idle) / (time.monotonic() - started)
        before, started = server.control.cpu_us(), time.monotonic()
        pushes = cycles(options.pushes, LIMIT)
        cpu, seconds = server.control.cpu_us() - before, time.monotonic() - started
        server.await_blocked(clients)
        for consumer in [*consumers, producer]:
            consumer.close()
        where = {"clients": clients, "peer": kind.label}
        part.add(where, cpu=(cpu - idle * seconds) / pushes, idle=idle / 1000)


def waiting_part(options, binary):
    part = Part(runs=options.waiting_runs, pushes=options.pushes)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    needed = max(options.waiting) + 200
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise RuntimeError(f"this many clients need `ulimit -n` of {needed}; the hard limit is {hard}")
    for run in range(options.waiting_runs):
        for clients in options.waiting:
            for kind in turned((WaitOnList, WaitOnMq), run):
                measure(options, part, binary, kind, clients)
    return part
