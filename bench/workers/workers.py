#!/usr/bin/env python3
"""Compares the workers of the clients with a plain loop of the same Redis client, and with those of other queues.

For each run it starts a server (loopback, a free port, a temporary folder, files synced each second), enqueues all
messages, starts one worker, and ends it when all messages are handled and none is left. Writes
bench/results/workers.json; bench/report.py makes the table. install.sh installs the systems. One that is missing or fails
is shown as not run; the exit status is 1 if one of this project did not run.

Standard library only.
"""

import datetime
import json
import os
import re
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from processes import PROJECT, Failed, Program, Redis, RedisWithModule, arguments, shortened  # noqa: E402
from results import Part, machine, note, save, say, say_if_busy  # noqa: E402
from server import Connection  # noqa: E402

CONCURRENCIES = (1, 16)
# Messages of the first run of a system, which finds out how many are handled in a second.
PILOT = 400
# For a worker to say something, and for the queue to be empty after the last message, in seconds.
LIMIT, SETTLED_WITHIN = 120, 15


# ---- systems -------------------------------------------------------------------------------------


class System:
    """package: whose version is shown. left: the commands that count the messages which are not settled. most: of the
    messages that may wait."""

    def __init__(self, language, name, title, package, left, server=Redis, is_ours=False, most=None):
        self.language, self.name, self.title, self.package = language, name, title, package
        self.left, self.server, self.is_ours, self.most = left, server, is_ours, most
        self.versions, self.error, self.counts = "", None, {}

    def __str__(self):
        return f"{self.language}, {self.title}"

    def raw(self):
        head = {"language": self.language, "system": self.title, "versions": self.versions}
        return head | ({"not_run": self.error} if self.error else {})


def with_mq(language, name, title, package, queue="bench", is_ours=True):
    return System(language, name, title, package, [("MQ.LEN", queue)], RedisWithModule, is_ours)


def with_redis(language, name, title, package, *left, most=None):
    return System(language, name, title, package, left, most=most)


SYSTEMS = (
    with_mq("Node", "worker", "redis-mq worker", "ioredis"),
    with_mq("Node", "loop", "plain loop", "ioredis", is_ours=False),
    with_redis("Node", "bullmq", "BullMQ", "bullmq", ("LLEN", "bull:bench:wait"), ("LLEN", "bull:bench:active")),
    with_mq("Python", "worker", "redis-mq worker", "redis"),
    with_mq("Python", "loop", "plain loop", "redis", is_ours=False),
    with_mq("Python", "celery-mq", "Celery on redis-mq", "celery", queue="celery"),
    with_redis("Python", "celery", "Celery on Redis", "celery", ("LLEN", "celery"), ("HLEN", "unacked")),
    with_redis("Python", "rq", "RQ", "rq", ("LLEN", "rq:queue:bench"), ("ZCARD", "rq:wip:bench")),
    with_redis(
        "Python",
        "dramatiq",
        "Dramatiq",
        "dramatiq",
        ("LLEN", "dramatiq:bench"),
        ("HLEN", "dramatiq:bench.msgs"),
    ),
    with_mq("Go", "worker", "redis-mq worker", "github.com/redis/go-redis/v9"),
    with_mq("Go", "loop", "plain loop", "github.com/redis/go-redis/v9", is_ours=False),
    with_redis(
        "Go",
        "asynq",
        "asynq",
        "github.com/hibiken/asynq",
        ("LLEN", "asynq:{default}:pending"),
        ("LLEN", "asynq:{default}:active"),
    ),
    with_mq("Rust", "worker", "redis-mq worker", "redis"),
    with_mq("Rust", "prefetch", "redis-mq worker, prefetch 10", "redis"),
    with_mq("Rust", "loop", "plain loop", "redis", is_ours=False),
    with_redis(
        "Rust",
        "apalis",
        "apalis",
        "apalis-redis",
        ("ZCARD", "bench:scheduled"),
        ("LLEN", "bench:active"),
        ("SCARD", "bench:inflight:worker"),
        # Its script unpacks all that wait, and Lua takes no more.
        most=7000,
    ),
)


def client_version(system):
    """Of its package, from the lock files."""
    name = re.escape(system.package)
    files, pattern = {
        "Node": (["../peers/package-lock.json"], rf'"node_modules/{name}": {{\s*"version": "([^"]+)"'),
        "Python": (["requirements.txt", "../peers/requirements.txt"], rf"(?m)^{name}==(.+)$"),
        "Go": (["go/go.mod"], rf"(?m)^\s*(?:require )?{name} v(\S+)"),
        "Rust": (["rust/Cargo.lock"], rf'name = "{name}"\nversion = "([^"]+)"'),
    }[system.language]
    found = re.search(pattern, "".join((HERE / file).read_text() for file in files))[1]
    return f"{re.sub(r'/v[0-9]+$', '', system.package).rsplit('/', 1)[-1]} {found}"


def command_of(system, options):
    """The program of its language, and its environment."""
    folder = options.folder
    installed, program = {
        "Node": ("node/node_modules/ioredis", ["node", folder / "node/worker.mjs"]),
        "Python": ("venv/bin/python", [folder / "venv/bin/python", HERE / "worker.py"]),
        "Go": ("bin/go-worker", [folder / "bin/go-worker"]),
        "Rust": ("rust/release/worker", [folder / "rust/release/worker"]),
    }[system.language]
    if not (folder / installed).exists():
        raise Failed(f"{Path(installed).name} is not installed")
    clients = PROJECT / "clients"
    return [*map(str, program), system.name], {"PYTHONPATH": f"{clients / 'python'}:{clients / 'celery'}"}


# ---- measuring -----------------------------------------------------------------------------------


def run(options, system, concurrency, count):
    """Messages per second, and CPU of server and worker in µs per message, after a quarter more to warm up."""
    warm_up = count // 4
    program, environment = command_of(system, options)
    with system.server(options) as server:
        system.versions = f"{server.versions()}, {client_version(system)}"
        push = Program(f"{system}: push", [*program, str(server.port), "push", str(warm_up + count)], LIMIT, environment)
        try:
            push.line()
        finally:
            push.stop()
        numbers = map(str, (warm_up, count, concurrency))
        worker = Program(str(system), [*program, str(server.port), "work", *numbers], LIMIT, environment)
        try:
            worker.line()
            before = server.cpu_ns(), worker.cpu_ns()
            seconds = worker.line()["seconds"]
            after = server.cpu_ns(), worker.cpu_ns()
            await_settled(system, server.port)
        finally:
            worker.stop()
    cpu, client = ((two - one) / 1000 / count for one, two in zip(before, after))
    return {"rate": count / seconds, "cpu": cpu, "client": client}


def await_settled(system, port):
    connection = Connection(port)
    deadline = time.monotonic() + SETTLED_WITHIN
    while left := sum(connection.call(*command) for command in system.left):
        if time.monotonic() > deadline:
            raise Failed(f"{left} messages are left")
        time.sleep(0.05)
    connection.close()


def calibrate(options, system):
    """How many messages it handles in the seconds of a run, without the warm-up. The second try is as long as a run."""
    for concurrency in CONCURRENCIES:
        count = PILOT
        for _ in range(2):
            note(f"{system}: {concurrency} at once, {count:,} messages to find the rate")
            count = max(PILOT, int(run(options, system, concurrency, count)["rate"] * options.seconds))
            if system.most:
                count = min(count, system.most * 4 // 5)
        system.counts[concurrency] = count


def measure(options, system, part):
    if not system.counts:
        calibrate(options, system)
    for concurrency in CONCURRENCIES:
        count = system.counts[concurrency]
        note(f"{system}: {concurrency} at once, {count:,} messages")
        found = run(options, system, concurrency, count)
        part.add({"language": system.language, "system": system.title, "concurrency": concurrency}, **found)
        say(f"{system}: {concurrency} at once: " + ", ".join(f"{name} {value:,.1f}" for name, value in found.items()))


def main():
    parser = arguments(__doc__, "workers")
    add = parser.add_argument
    add("--languages", default=",".join(dict.fromkeys(system.language for system in SYSTEMS)), help="comma-separated")
    add("--runs", type=int, default=5, help="interleaved runs")
    add("--seconds", type=float, default=3, help="of each run, about, without a quarter more to warm up")
    options = parser.parse_args()
    # Ends the servers and workers, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options.folder, options.module = options.folder.resolve(), Path(options.module).resolve()
    # Not resolved: Debian's redis-server is a link to a program that looks at its name.
    options.server = os.path.abspath(shutil.which(options.server) or options.server)
    systems = [system for system in SYSTEMS if system.language in options.languages.split(",")]
    # Modules are looked up from where a program is.
    (options.folder / "node").mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "worker.mjs", options.folder / "node/worker.mjs")
    say_if_busy()
    load = os.getloadavg()[0]
    part = Part(payload=100, runs=options.runs, seconds=options.seconds)
    for number in range(options.runs):
        say(f"run {number + 1} of {options.runs}")
        for system in systems if number % 2 == 0 else reversed(systems):
            if system.error:
                continue
            try:
                measure(options, system, part)
            except Exception as error:
                if not isinstance(error, Failed):
                    traceback.print_exc()
                system.error = shortened(str(error)) or type(error).__name__
                say(f"{system} NOT RUN: {error}")
    raw = part.raw() | {
        "load": round(load, 1),
        "machine": machine(),
        "systems": [system.raw() for system in systems],
    }
    save(options.results / "workers.json", raw)
    failed = [system for system in systems if system.error]
    if failed:
        say(f"NOT RUN: {'; '.join(map(str, failed))}")
    if ours := [str(system) for system in failed if system.is_ours]:
        sys.exit(f"not run: {'; '.join(ours)}")


if __name__ == "__main__":
    main()
