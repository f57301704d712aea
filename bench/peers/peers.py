#!/usr/bin/env python3
"""Compares redis-mq with the queues that people would use instead, each with its own client and recommended settings.

Starts each server itself (loopback, a free port, a temporary folder, files synced each second where that can be set) and
writes bench/results/peers.json; bench/report.py makes the table and the chart. One producer and one consumer process.
install.sh installs the clients and servers. A system that is missing or fails is shown as not run; the exit status is 1
only if redis-mq or Streams did not run.

Standard library only.
"""

import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from processes import Failed, Program, Redis, RedisWithModule, Server, arguments, free_port, shortened  # noqa: E402
from results import machine, note, save, say, say_if_busy  # noqa: E402

BATCH = 100
# Of one wait for a client, in seconds.
LIMIT = 120


# ---- servers -------------------------------------------------------------------------------------


class Beanstalkd(Server):
    def command(self):
        (self.folder / "log").mkdir()
        program = self.found("debian/usr/bin/beanstalkd")
        return [program, "-l", "127.0.0.1", "-p", str(self.port), "-b", str(self.folder / "log"), "-f", "1000"]

    def versions(self):
        return subprocess.run(
            [self.found("debian/usr/bin/beanstalkd"), "-v"], capture_output=True, text=True
        ).stdout.strip()


class Nats(Server):
    def command(self):
        config = self.folder / "config"
        config.write_text(
            f'listen: 127.0.0.1:{self.port}\njetstream {{ store_dir: "{self.folder}/data", sync_interval: "1s" }}\n'
        )
        return [self.found("debian/usr/sbin/nats-server"), "-c", str(config)]

    def versions(self):
        program = self.found("debian/usr/sbin/nats-server")
        text = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
        return text.strip().replace("nats-server: v", "NATS ")


class RabbitMq(Server):
    """A quorum queue of one node. It syncs its log before it confirms a message, which cannot be changed."""

    def scripts(self):
        found = list((self.options.folder / "debian/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"))
        if not found:
            raise Failed("rabbitmq-server is not installed")
        return found[0]

    def command(self):
        scripts = self.scripts()
        self.found("bin/erl")
        self.epmd = free_port()
        epmd = next((self.options.folder / "debian/usr/lib/erlang").glob("erts-*/bin/epmd"))
        # The port mapper of Erlang, which the server would start as a daemon.
        script = f'"{epmd}" -address 127.0.0.1 -port {self.epmd} & exec "{scripts}/sbin/rabbitmq-server"'
        return ["/bin/sh", "-c", script]

    def environment(self):
        folder, data = self.folder, self.options.folder
        return {
            "PATH": f"{data}/bin:{data}/debian/usr/bin:/usr/bin:/bin",
            "HOME": str(folder),
            "LD_LIBRARY_PATH": f"{data}/debian/usr/lib/x86_64-linux-gnu",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self.epmd),
            "RABBITMQ_NODENAME": "mq-bench@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": f"{folder}/data",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_CONFIG_FILE": f"{folder}/none",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/none",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
        }

    def versions(self):
        return self.scripts().name.replace("rabbitmq_server-", "RabbitMQ ")


# ---- clients -------------------------------------------------------------------------------------


def client(system, options, port, role, count, batch, *rate):
    """A producer or a consumer."""
    installed = {"node": f"node/node_modules/{system.client}", "python": "venv/bin/celery"}[system.language]
    if not (options.folder / installed).exists():
        raise Failed(f"{system.client} is not installed")
    program = {
        "node": ["node", str(options.folder / "node/client.mjs")],
        "python": [str(options.folder / "venv/bin/python"), str(HERE / "celery_client.py")],
    }[system.language]
    words = [*program, system.name, str(port), role, str(count), str(batch), *map(str, rate)]
    return Program(f"{system.name} {role}", words, LIMIT)


class System:
    def __init__(self, name, server, client, language="node", batches=True):
        self.name, self.server, self.client, self.language, self.batches = name, server, client, language, batches
        self.modes, self.versions, self.error = {}, "", None

    def add(self, mode, **values):
        lists = self.modes.setdefault(mode, {})
        for name, value in values.items():
            lists.setdefault(name, []).append(round(value, 3))

    def raw(self):
        head = {"name": self.name, "versions": self.versions}
        return head | ({"not_run": self.error} if self.error else {"modes": self.modes})


SYSTEMS = (
    System("redis-mq", RedisWithModule, "ioredis"),
    System("Streams", Redis, "ioredis"),
    System("lists", Redis, "ioredis"),
    System("Lua", Redis, "ioredis"),
    System("BullMQ", Redis, "bullmq"),
    System("RSMQ", Redis, "rsmq", batches=False),
    System("Celery", Redis, "celery", language="python"),
    System("beanstalkd", Beanstalkd, "jackd"),
    System("RabbitMQ", RabbitMq, "amqplib"),
    System("NATS", Nats, "nats"),
)
NEEDED = ("redis-mq", "Streams")


def client_version(system):
    if system.language == "python":
        lines = (HERE / "requirements.txt").read_text().splitlines()
        return " ".join(next(line for line in lines if line.startswith(f"{system.client}==")).split("=="))
    packages = json.loads((HERE / "package-lock.json").read_text())["packages"]
    return f"{system.client} {packages[f'node_modules/{system.client}']['version']}"


# ---- measuring -----------------------------------------------------------------------------------


def flow(options, system, server, count, batch, rate=None):
    """One producer and one consumer; the producer keeps a rate, or pushes as fast as it can. Messages per second, server
    CPU in µs per message, and the times from a push to its delivery in ms."""
    clients = []
    try:
        consumer = client(system, options, server.port, "consume", count, batch)
        clients.append(consumer)
        consumer.line()
        before = server.cpu_ns()
        role = ("pace", count, 1, rate) if rate else ("produce", count, batch)
        producer = client(system, options, server.port, *role)
        clients.append(producer)
        producer.line()
        started = producer.line()["started"]
        end = consumer.line()
        cpu = server.cpu_ns() - before
        if end["acknowledged"] < count:
            raise Failed(f"{end['acknowledged']} of {count} messages acknowledged")
        seconds = (end["ended"] - started) / 1e9
        return {"rate": count / seconds, "cpu": cpu / 1000 / count, "p50": end["p50"], "p99": end["p99"]}
    finally:
        for one in clients:
            one.stop()


def push(options, system, server, count):
    producer = client(system, options, server.port, "produce", count, BATCH)
    try:
        producer.line()
        producer.line()
    finally:
        producer.stop()


def measure(options, system, first):
    with system.server(options) as server:
        system.versions = ", ".join((server.versions(), client_version(system)))
        note(f"{system.name}: warming up")
        found = flow(options, system, server, options.warm_up, 1)
        count = max(options.warm_up, int(found["rate"] * options.seconds))
        note(f"{system.name}: {count:,} messages one by one")
        single = flow(options, system, server, count, 1)
        system.add("single", rate=single["rate"], cpu=single["cpu"])
        best = single
        if system.batches:
            found = flow(options, system, server, max(options.warm_up, 10 * BATCH), BATCH)
            count = max(options.warm_up, int(found["rate"] * options.seconds) // BATCH * BATCH)
            note(f"{system.name}: {count:,} messages batched")
            best = flow(options, system, server, count, BATCH)
            system.add("batched", rate=best["rate"], cpu=best["cpu"])
        rate = single["rate"] / 2
        note(f"{system.name}: {rate:,.0f} messages a second")
        # The first half is for warming up.
        paced = flow(options, system, server, max(100, int(rate * options.seconds * 2)), 1, rate)
        system.add("latency", rate=rate, p50=paced["p50"], p99=paced["p99"])
    if first:
        with system.server(options) as server:
            count = min(options.memory_messages, max(10_000, int(best["rate"] * 10) // BATCH * BATCH))
            note(f"{system.name}: {count:,} waiting messages")
            # The first messages allocate what a queue has only once.
            push(options, system, server, 1000)
            time.sleep(2)
            memory, disk = server.memory(), server.disk()
            push(options, system, server, count)
            time.sleep(2)
            system.add("memory", memory=(server.memory() - memory) / count, disk=(server.disk() - disk) / count)


def main():
    parser = arguments(__doc__, "peers")
    add = parser.add_argument
    add("--systems", default=",".join(system.name for system in SYSTEMS), help="comma-separated")
    add("--runs", type=int, default=3, help="interleaved runs")
    add("--seconds", type=float, default=3, help="of each measurement, about")
    add("--warm-up", type=int, default=1000, help="messages before each measurement")
    add("--memory-messages", type=int, default=100_000, help="waiting messages")
    options = parser.parse_args()
    # Ends the servers and clients, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options.folder, options.module = options.folder.resolve(), Path(options.module).resolve()
    # Not resolved: Debian's redis-server is a link to a program that looks at its name.
    options.server = os.path.abspath(shutil.which(options.server) or options.server)
    chosen = options.systems.split(",")
    systems = [system for system in SYSTEMS if system.name in chosen]
    # Modules are looked up from where a program is.
    (options.folder / "node").mkdir(parents=True, exist_ok=True)
    for name in ("client.mjs", "systems.mjs"):
        shutil.copy(HERE / name, options.folder / "node" / name)
    say_if_busy()
    load = os.getloadavg()[0]
    for run in range(options.runs):
        say(f"run {run + 1} of {options.runs}")
        for system in systems:
            if system.error:
                continue
            try:
                measure(options, system, first=run == 0)
                say(f"{system.name}: " + ", ".join(f"{m} {q}" for m, q in system.modes.items()))
            except Exception as error:
                if not isinstance(error, Failed):
                    traceback.print_exc()
                system.error = shortened(str(error)) or type(error).__name__
                say(f"{system.name} NOT RUN: {error}")
    raw = {
        "date": datetime.date.today().isoformat(),
        "load": round(load, 1),
        "machine": machine(),
        "settings": {"payload": 100, "batch": BATCH, "runs": options.runs, "seconds": options.seconds},
        "systems": [system.raw() for system in systems],
    }
    save(options.results / "peers.json", raw)
    failed = [system.name for system in systems if system.error]
    if failed:
        say(f"NOT RUN: {', '.join(failed)}")
    if any(name in failed for name in NEEDED):
        sys.exit(f"not run: {', '.join(name for name in NEEDED if name in failed)}")


if __name__ == "__main__":
    main()
