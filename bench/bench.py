#!/usr/bin/env python3
"""Compares the cost of redis-mq with plain lists and Streams on the same server.

Starts its own servers (loopback, a free port, a temporary folder, no persistence) and prints the
results as markdown: server CPU per message, memory per waiting message, the cost of a push while
many clients are blocked, and (features.py) the cost of priorities, deduplication and groups. Every reply is
checked: an error, a missing message or a wrong order aborts the bench. It asserts no times.

Standard library only.
"""

import argparse
import os
import resource
import selectors
import shutil
import statistics
import time
from pathlib import Path

from consumers import consumers_part
from features import FEATURES, features_part
from server import Connection, Server, command, expect
from shapes import shapes_part
from tables import heading, middle_half, note, paragraph, table, verdict
from workloads import FILL, YEAR_MS, Lists, Mq, Streams, drive, fill, measure_cpu, payloads

PROJECT = Path(__file__).resolve().parent.parent
ROUNDS = (100, 1000)
KINDS = {kind.label.lower(): kind for kind in (Lists, Streams, Mq)}


# ---- 1. CPU --------------------------------------------------------------------------------------

# (batched, AOF, round): the goal for the ratio to Streams, and its limit.
CPU_GOALS = {
    (False, False, 100): (0.70, 0.80),
    (False, False, 1000): (0.40, None),
    (False, True, 100): (0.65, None),
    (True, False, 100): (0.90, 1.05),
    (True, False, 1000): (0.75, None),
}


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
            # Pairs samples of the same run, so that other load affects both.
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
    heading(name, "cpu", "server CPU per message, µs", options.keep)
    table(
        ["commands", "AOF", "round", "lists", "Streams", "MQ"]
        + ["MQ / Streams", "middle 50 % of runs", "goal", "met"],
        ratio_rows,
    )
    paragraph("The same by phase (S: Streams):")
    table(
        ["commands", "AOF", "round", "push S", "push MQ", "pull S", "pull MQ", "ack S", "ack MQ"],
        phase_rows,
    )


# ---- 2. memory -----------------------------------------------------------------------------------

MEMORY_GOAL = 1.05
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
            got = connection.call("MQ.NACK", "q", "IDS", FILL, *deliveries[at : at + 2 * FILL], "DELAY", 0)
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

    heading(name, "memory", f"memory per message, {count:,} messages, bytes of used_memory", options.keep)
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


# ---- 3. a push while clients are blocked ---------------------------------------------------------

WAITING_GOAL = 1.3


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
    label = "LPUSH + BRPOP"
    wait = command("BRPOP", "l", 0)

    @staticmethod
    def push(payload):
        return command("LPUSH", "l", payload)

    @staticmethod
    def payload(reply):
        return reply[1]


def measure_waiting(options, binary, kind, clients):
    """Server CPU in µs per push while `clients` are blocked, and the CPU per second of the idle server.

    One cycle is a push, its delivery, and the served client's next blocking command."""
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
        raise SystemExit(f"this many clients need `ulimit -n` of {needed}; the hard limit is {hard}")
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
    heading(name, "waiting", "server CPU of one push with blocked clients, µs", options.keep)
    table(
        ["commands", "blocked", "per push", "middle 50 % of runs"]
        + [f"/ {options.waiting[0]} blocked", "goal", "met", "idle server, ms CPU per s"],
        rows,
    )


# ---- the command line ----------------------------------------------------------------------------

def drive_part(options):
    """Runs cycles of one workload against a running server; for instructions.sh."""
    connection = Connection(options.port)
    if kind := FEATURES.get(options.kind):
        workload = kind(connection, options.size, options.live)
    else:
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
    parts |= {"features": features_part, "shapes": shapes_part, "consumers": consumers_part}
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
    parser.add_argument("--parts", default="cpu,shapes,consumers,memory,waiting,features", help="comma-separated comparisons to run")
    parser.add_argument("--keep", action="store_true", help="also write the tables to bench/results")
    parser.add_argument("--runs", type=int, default=15, help="interleaved runs of the CPU comparison")
    parser.add_argument("--messages", type=int, default=8000, help="messages per run")
    parser.add_argument(
        "--memory-messages", type=int, default=1_000_000, help="messages in the memory comparison"
    )
    parser.add_argument(
        "--waiting",
        type=lambda text: [int(count) for count in text.split(",")],
        default=[10, 1000, 10_000],
        help="comma-separated numbers of blocked clients",
    )
    parser.add_argument(
        "--waiting-runs", type=int, default=5, help="interleaved runs with blocked clients"
    )
    parser.add_argument("--pushes", type=int, default=3000, help="pushes per run with blocked clients")
    parser.add_argument(
        "--live", type=int, default=1_000_000, help="live keys in the comparison of features"
    )
    parser.add_argument(
        "--most", type=int, default=10**6, help="most messages that wait or are in flight beside the cycle"
    )
    parser.add_argument("--depth-runs", type=int, default=5, help="runs with messages beside the cycle")
    parser.add_argument("--consumer-runs", type=int, default=5, help="interleaved runs of consumers")
    commands = parser.add_subparsers(dest="command")
    driver = commands.add_parser("drive", help="run cycles against a running server")
    driver.add_argument("port", type=int)
    driver.add_argument("kind", choices=[*KINDS, *FEATURES])
    driver.add_argument("size", type=int, help="messages per round")
    driver.add_argument("rounds", type=int)
    driver.add_argument("--batched", action="store_true")
    options = parser.parse_args()
    if options.command == "drive":
        drive_part(options)
    else:
        run_parts(options)


if __name__ == "__main__":
    main()
