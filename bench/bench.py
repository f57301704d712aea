#!/usr/bin/env python3
"""What redis-mq costs a server, beside plain lists and Streams on that same server.

Starts servers of its own (loopback, a free port, a temporary folder, nothing saved) and prints three
comparisons as markdown: server CPU per message, memory per waiting message, and the cost of a push
while many clients wait. Every reply is checked: an error, a missing message or a wrong order ends the
bench. It holds no test of the queue and asserts no time.

Standard library only, and no code but the client, the workloads and the tables.
"""

import argparse
import os
import random
import resource
import selectors
import shutil
import socket
import statistics
import string
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PAYLOAD_BYTES = 100
ROUNDS = (100, 1000)
YEAR_MS = 31_536_000_000


# ---- the client ----------------------------------------------------------------------------------


class ServerError(Exception):
    """An error reply, or a reply that is not what the workload must get."""


def command(*words):
    """One command in the wire form."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(parts)


def parse(buffer, at):
    """The RESP2 reply that starts at `at`, and where it ends. ValueError: it is not all there yet."""
    end = buffer.index(b"\r\n", at)
    kind = buffer[at]
    if kind == 36:  # $ bulk string
        length = int(buffer[at + 1 : end])
        if length < 0:
            return None, end + 2
        start = end + 2
        stop = start + length
        if stop + 2 > len(buffer):
            raise ValueError("incomplete")
        return buffer[start:stop], stop + 2
    if kind == 58:  # : integer
        return int(buffer[at + 1 : end]), end + 2
    if kind == 42:  # * array
        length = int(buffer[at + 1 : end])
        if length < 0:
            return None, end + 2
        items = []
        at = end + 2
        for _ in range(length):
            item, at = parse(buffer, at)
            items.append(item)
        return items, at
    if kind == 43:  # + simple string
        return buffer[at + 1 : end], end + 2
    if kind == 45:  # - error
        raise ServerError(buffer[at + 1 : end].decode(errors="replace"))
    raise ServerError(f"not RESP2: {buffer[at:at + 40]!r}")


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self):
        self.socket.close()

    def send(self, pipeline):
        self.socket.sendall(pipeline)

    def replies(self, count):
        """The next `count` replies. Nothing may follow them."""
        got = []
        buffer = b""
        at = 0
        while len(got) < count:
            data = self.socket.recv(1 << 20)
            if not data:
                raise ServerError("the server closed the connection")
            buffer = buffer[at:] + data
            at = 0
            while len(got) < count:
                try:
                    reply, at = parse(buffer, at)
                except ValueError:
                    break
                got.append(reply)
        if at != len(buffer):
            raise ServerError(f"more replies than commands: {buffer[at:at + 40]!r}")
        return got

    def run(self, pipeline, count):
        self.send(pipeline)
        return self.replies(count)

    def call(self, *words):
        return self.run(command(*words), 1)[0]

    def info(self, section):
        text = self.call("INFO", section).decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def cpu_us(self):
        """CPU that the server process has used, all its threads, user and system."""
        cpu = self.info("cpu")
        return (float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])) * 1e6


def expect(what, got, wanted):
    if got != wanted:
        raise ServerError(f"{what}: got {str(got)[:200]}, expected {str(wanted)[:200]}")


# ---- the server ----------------------------------------------------------------------------------


class Server:
    """A server of our own; `with` stops it and removes its folder."""

    def __init__(self, binary, module, aof=False, clients=100):
        self.binary = binary
        self.module = module
        self.aof = aof
        self.clients = clients

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="mq-bench-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen(
            [
                self.binary,
                *("--bind", "127.0.0.1", "--port", str(self.port), "--dir", self.folder),
                *("--logfile", os.path.join(self.folder, "log"), "--save", ""),
                *("--maxclients", str(self.clients), "--tcp-backlog", "511"),
                *("--appendonly", "yes" if self.aof else "no", "--appendfsync", "everysec"),
                *("--auto-aof-rewrite-percentage", "0"),
                *("--loadmodule", str(self.module)),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while True:
            try:
                self.control = Connection(self.port)
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    log = Path(self.folder, "log")
                    text = log.read_text() if log.exists() else "(it wrote no log)"
                    self.stop()
                    raise SystemExit(f"{self.binary} did not start:\n{text}") from None
                time.sleep(0.02)
        server = self.control.info("server")
        brand = "Valkey" if "valkey_version" in server else "Redis"
        self.name = f"{brand} {server.get('valkey_version', server['redis_version'])}"
        # The clock of that process's CPU time, as clock_getcpuclockid(3) makes it: it reads without
        # asking the server, and counts the same thing as INFO does.
        self.cpu_clock = (~int(server["process_id"]) << 3) | 2
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if hasattr(self, "control"):
            self.control.close()
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def cpu_ns(self):
        return time.clock_gettime_ns(self.cpu_clock)

    def await_blocked(self, clients):
        deadline = time.monotonic() + 60
        while (blocked := int(self.control.info("clients")["blocked_clients"])) != clients:
            if time.monotonic() > deadline:
                raise ServerError(f"{blocked} clients wait, expected {clients}")
            time.sleep(0.05)

    def used_memory(self):
        """used_memory once the server has nothing left to free or to move."""
        last = None
        while True:
            now = int(self.control.info("memory")["used_memory"])
            if last is not None and abs(now - last) < 1024:
                return now
            last = now
            time.sleep(0.3)


# ---- the workloads -------------------------------------------------------------------------------


def payloads(count):
    """Random letters and digits, no two alike; the same in every run. No peer compresses them."""
    source = random.Random(1)
    letters = string.ascii_letters + string.digits
    return ["".join(source.choices(letters, k=PAYLOAD_BYTES)).encode() for _ in range(count)]


class Lists:
    """LPUSH and RPOP: the floor. No acknowledgment, so what is popped is lost with its consumer."""

    label = "lists"

    def __init__(self, connection, size, batched):
        self.payloads = payloads(size)
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
    """A stream with one consumer group. An acknowledgment also deletes, as a queue does."""

    label = "Streams"

    def __init__(self, connection, size, batched):
        self.batched = batched
        self.one_command = connection.call("COMMAND", "INFO", "XACKDEL") != [None]
        self.size = size
        self.payloads = payloads(size)
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

    def __init__(self, connection, size, batched):
        self.batched = batched
        self.size = size
        self.payloads = payloads(size)
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


KINDS = {kind.label.lower(): kind for kind in (Lists, Streams, Mq)}


def drive(workload, connection, rounds, clock_ns):
    """`rounds` times push, pull, acknowledge; by how much the clock moved in each of the three.

    With the server's CPU clock the end of a phase (what the server does once the last reply is out) may
    be counted with the next one; the sum is exact."""
    phases = [0, 0, 0]
    steps = (workload.push, workload.pull, workload.acknowledge)
    for _ in range(rounds):
        for number, step in enumerate(steps):
            before = clock_ns()
            step(connection)
            phases[number] += clock_ns() - before
    return phases


# ---- 1. CPU --------------------------------------------------------------------------------------

# (batched, AOF, round): the ratio to Streams that is aimed at, and the one that it must not pass.
CPU_GOALS = {
    (False, False, 100): (0.70, 0.80),
    (False, False, 1000): (0.40, None),
    (False, True, 100): (0.65, None),
    (True, False, 100): (0.90, 1.05),
    (True, False, 1000): (0.75, None),
}


def measure_cpu(server, workload, messages):
    """Server CPU in µs per message: the whole, then push, pull and acknowledgment."""
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


def verdict(ratio, goal, limit=None):
    if goal is None:
        return "", ""
    text = f"{goal:.2f}" if limit is None else f"{goal:.2f} ({limit:.2f})"
    if ratio <= goal:
        return text, "yes"
    if limit is not None and ratio <= limit:
        return text, f"within limit, +{ratio / goal - 1:.0%}"
    return text, f"no, +{ratio / goal - 1:.0%}"


def middle_half(values):
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{low:.2f} to {high:.2f}"


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print(flush=True)


def cpu_part(options, binary):
    shapes = [(batched, size) for batched in (False, True) for size in ROUNDS]
    ratio_rows, phase_rows = [], []
    for aof in (False, True):
        with Server(binary, options.module, aof) as server:
            samples = {}
            for run in range(options.runs):
                for batched, size in shapes:
                    for kind in (Lists, Streams, Mq):
                        if kind is Lists and batched:
                            continue
                        note(f"{server.name} cpu, run {run + 1} of {options.runs}")
                        workload = kind(server.control, size, batched)
                        sample = measure_cpu(server, workload, options.messages)
                        samples.setdefault((batched, size, kind.label), []).append(sample)
            name = server.name
        for batched, size in shapes:
            columns = {}
            for kind in (Lists, Streams, Mq):
                runs = samples.get((batched, size, kind.label))
                if runs:
                    columns[kind.label] = [statistics.median(column) for column in zip(*runs)]
            streams, mq = columns["Streams"], columns["MQ"]
            # Within one run the two stand side by side, so that what else the machine does hits both.
            pairs = zip(samples[batched, size, "MQ"], samples[batched, size, "Streams"])
            ratios = [ours[0] / theirs[0] for ours, theirs in pairs]
            ratio = statistics.median(ratios)
            goal, met = verdict(ratio, *CPU_GOALS.get((batched, aof, size), (None, None)))
            how = ["batched" if batched else "single", "everysec" if aof else "off", size]
            lists = f"{columns['lists'][0]:.2f}" if "lists" in columns else ""
            ratio_rows.append(
                how
                + [lists, f"{streams[0]:.2f}", f"{mq[0]:.2f}", f"{ratio:.2f}"]
                + [middle_half(ratios), goal, met]
            )
            phases = [cell for pair in zip(streams[1:], mq[1:]) for cell in pair]
            phase_rows.append(how + [f"{cell:.2f}" for cell in phases])
    print(f"### {name}: server CPU per message, µs\n")
    table(
        ["commands", "AOF", "round", "lists", "Streams", "MQ"]
        + ["MQ / Streams", "middle half of runs", "goal", "met"],
        ratio_rows,
    )
    print("The same by phase (S: Streams):\n")
    table(
        ["commands", "AOF", "round", "push S", "push MQ", "pull S", "pull MQ", "ack S", "ack MQ"],
        phase_rows,
    )


# ---- 2. memory -----------------------------------------------------------------------------------

MEMORY_GOAL = 1.05
FILL = 1000


def fill(connection, count, make):
    """Sends `count` commands in pipelines; `make(payload)` gives each."""
    pool = payloads(FILL)
    pipeline = b"".join(make(payload) for payload in pool)
    for _ in range(count // FILL):
        connection.run(pipeline, FILL)


def memory_part(options, binary):
    count = options.memory_messages // FILL * FILL
    results = {}

    def grown(server, label, empty):
        results[label] = (server.used_memory() - empty) / count
        note(f"{server.name} memory, {label}: {results[label]:.1f}")

    with Server(binary, options.module) as server:
        empty = server.used_memory()
        connection = Connection(server.port)
        fill(connection, count, lambda payload: command("LPUSH", "l", payload))
        expect("LLEN", connection.call("LLEN", "l"), count)
        connection.close()
        grown(server, "list", empty)

    with Server(binary, options.module) as server:
        server.control.call("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
        empty = server.used_memory()
        connection = Connection(server.port)
        fill(connection, count, lambda payload: command("XADD", "s", "*", "p", payload))
        expect("XLEN", connection.call("XLEN", "s"), count)
        connection.close()
        grown(server, "stream waiting", empty)
        connection = Connection(server.port)
        for _ in range(count // FILL):
            connection.call("XREADGROUP", "GROUP", "g", "c", "COUNT", FILL, "STREAMS", "s", ">")
        expect("XPENDING", connection.call("XPENDING", "s", "g")[0], count)
        connection.close()
        grown(server, "stream in flight", empty)

    with Server(binary, options.module) as server:
        name = server.name
        empty = server.used_memory()
        connection = Connection(server.port)
        fill(connection, count, lambda payload: command("MQ.PUSH", "q", payload))
        expect("MQ.LEN", connection.call("MQ.LEN", "q", "READY"), count)
        connection.close()
        grown(server, "MQ waiting", empty)
        connection = Connection(server.port)
        deliveries = []
        for _ in range(count // FILL):
            batch = connection.call("MQ.PULL", "q", "COUNT", FILL, "VISIBILITY", YEAR_MS)
            for message in batch:
                fields = dict(zip(message[::2], message[1::2]))
                deliveries += (fields[b"id"], fields[b"receipt"])
        expect("MQ.LEN", connection.call("MQ.LEN", "q", "INFLIGHT"), count)
        connection.close()
        grown(server, "MQ in flight", empty)
        connection = Connection(server.port)
        for at in range(0, 2 * count, 2 * FILL):
            got = connection.call("MQ.NACK", "q", "IDS", FILL, *deliveries[at : at + 2 * FILL])
            expect("MQ.NACK", got, [1] * FILL)
        expect("MQ.LEN", connection.call("MQ.LEN", "q", "READY"), count)
        connection.close()
        grown(server, "MQ returned", empty)

    with Server(binary, options.module) as server:
        empty = server.used_memory()
        connection = Connection(server.port)
        fill(connection, count, lambda payload: command("MQ.PUSH", "q", payload, "DELAY", YEAR_MS))
        expect("MQ.LEN", connection.call("MQ.LEN", "q", "DELAYED"), count)
        connection.close()
        grown(server, "MQ delayed", empty)

    print(f"### {name}: memory per message, {count:,} messages, bytes of used_memory\n")
    rows = []
    for ours, peer, goal in (
        ("MQ waiting", "stream waiting", MEMORY_GOAL),
        ("MQ in flight", "stream in flight", None),
        ("MQ delayed", None, None),
        ("MQ returned", None, None),
    ):
        row = [ours.removeprefix("MQ "), f"{results['list']:.1f}" if goal else ""]
        row += [f"{results[peer]:.1f}" if peer else "", f"{results[ours]:.1f}"]
        if peer:
            ratio = results[ours] / results[peer]
            row += [f"{ratio:.2f}", *verdict(ratio, goal)]
        else:
            row += ["", "", ""]
        rows.append(row)
    table(["state", "list", "stream", "MQ", "MQ / stream", "goal", "met"], rows)


# ---- 3. a push while many clients wait -----------------------------------------------------------

WAITING_GOAL = 1.3


class WaitOnMq:
    label = "MQ"
    # Nobody acknowledges: the deliveries stay in flight for longer than the bench runs.
    wait = command("MQ.PULL", "q", "VISIBILITY", YEAR_MS, "BLOCK", 0)

    @staticmethod
    def push(payload):
        return command("MQ.PUSH", "q", payload)

    @staticmethod
    def payload(reply):
        return dict(zip(reply[::2], reply[1::2]))[b"payload"]


class WaitOnList:
    label = "LPUSH + BRPOP"
    wait = command("BRPOP", "l", 0)

    @staticmethod
    def push(payload):
        return command("LPUSH", "l", payload)

    @staticmethod
    def payload(reply):
        return reply[1]


def measure_waiting(options, binary, kind, clients):
    """Server CPU in µs per push while `clients` wait, and the CPU per second of the server at rest.

    One push, its one delivery, and that client's next wait; the rest of the clients only wait."""
    pool = payloads(FILL)
    own_server = Server(binary, options.module, clients=clients + 100)
    with own_server as server, selectors.DefaultSelector() as ready:
        note(f"{server.name} waiting, {kind.label}, {clients}")
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

        producer = Connection(server.port)
        for payload in pool[:200]:
            cycle(payload)
        at_rest, started = server.control.cpu_us(), time.monotonic()
        time.sleep(1)
        at_rest = (server.control.cpu_us() - at_rest) / (time.monotonic() - started)
        before, started = server.control.cpu_us(), time.monotonic()
        for number in range(options.pushes):
            cycle(pool[number % FILL])
        cpu, seconds = server.control.cpu_us() - before, time.monotonic() - started
        server.await_blocked(clients)
        for consumer in [*consumers, producer]:
            consumer.close()
        return (cpu - at_rest * seconds) / options.pushes, at_rest, server.name


def waiting_part(options, binary):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    needed = max(options.waiting) + 200
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise SystemExit(f"so many clients need `ulimit -n` of {needed}; the limit is {hard}")
    samples = {}
    for _ in range(options.waiting_runs):
        for kind in (WaitOnList, WaitOnMq):
            for clients in options.waiting:
                *sample, name = measure_waiting(options, binary, kind, clients)
                samples.setdefault((kind.label, clients), []).append(sample)
    rows = []
    for kind in (WaitOnList, WaitOnMq):
        first = None
        for clients in options.waiting:
            runs = samples[kind.label, clients]
            cpu, at_rest = (statistics.median(column) for column in zip(*runs))
            first = first or cpu
            goal, met = verdict(cpu / first, WAITING_GOAL) if kind is WaitOnMq else ("", "")
            each = middle_half([sample[0] for sample in runs])
            rows.append(
                [kind.label, f"{clients:,}", f"{cpu:.1f}", each]
                + [f"{cpu / first:.2f}", goal, met, f"{at_rest / 1000:.1f}"]
            )
    print(f"### {name}: server CPU of one push with clients waiting, µs\n")
    table(
        ["commands", "waiting", "per push", "middle half of runs"]
        + [f"to {options.waiting[0]} waiting", "goal", "met", "server at rest, ms CPU per s"],
        rows,
    )


# ---- the command line ----------------------------------------------------------------------------


def note(text):
    """Progress, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def drive_part(options):
    """The cycles of one workload against a server that already runs; for instructions.sh."""
    connection = Connection(options.port)
    workload = KINDS[options.kind](connection, options.size, options.batched)
    workload.prepare(connection)
    drive(workload, connection, options.rounds, time.monotonic_ns)
    expect("left behind", workload.left(connection), 0)


def run_parts(options):
    binaries = options.server or [os.environ.get("MQ_SERVER", "redis-server")]
    for binary in binaries:
        if not shutil.which(binary):
            raise SystemExit(f"no server at {binary}: give --server or MQ_SERVER")
    options.module = Path(options.module).resolve()
    if not options.module.is_file():
        raise SystemExit(f"no module at {options.module}: run `make build`")
    parts = {"cpu": cpu_part, "memory": memory_part, "waiting": waiting_part}
    for binary in binaries:
        for name in options.parts.split(","):
            parts[name](options, binary)
    note("")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--server",
        action="append",
        help="a server binary; may be repeated (default: MQ_SERVER, or redis-server)",
    )
    parser.add_argument(
        "--module",
        default=os.environ.get("MQ_MODULE", PROJECT / "target/release/libmq.so"),
        help="the module (default: MQ_MODULE, or target/release/libmq.so)",
    )
    parser.add_argument("--parts", default="cpu,memory,waiting", help="which comparisons, by comma")
    parser.add_argument("--runs", type=int, default=15, help="interleaved runs of the CPU comparison")
    parser.add_argument("--messages", type=int, default=8000, help="messages of one such run")
    parser.add_argument(
        "--memory-messages", type=int, default=1_000_000, help="messages of the memory comparison"
    )
    parser.add_argument(
        "--waiting",
        type=lambda text: [int(count) for count in text.split(",")],
        default=[10, 1000, 10_000],
        help="numbers of clients that wait, by comma",
    )
    parser.add_argument(
        "--waiting-runs", type=int, default=5, help="interleaved runs with clients waiting"
    )
    parser.add_argument("--pushes", type=int, default=3000, help="pushes of one such run")
    commands = parser.add_subparsers(dest="command")
    driver = commands.add_parser("drive", help="run cycles against a server that already runs")
    driver.add_argument("port", type=int)
    driver.add_argument("kind", choices=KINDS)
    driver.add_argument("size", type=int, help="messages in a round")
    driver.add_argument("rounds", type=int)
    driver.add_argument("--batched", action="store_true")
    options = parser.parse_args()
    if options.command == "drive":
        drive_part(options)
    else:
        run_parts(options)


if __name__ == "__main__":
    main()
