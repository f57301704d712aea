#!/usr/bin/env python3
"""What the console costs: CPU of the server and of the console while it samples many queues every two seconds, its memory, and
how long its answers take.

    make console build
    python3 bench/console.py --server redis-server --queues 1000 --seconds 600

Starts its own server and console (loopback, free ports) and prints a table. It asserts nothing.

Standard library only.
"""

import argparse
import os
import subprocess
import time
import urllib.request
from pathlib import Path

from results import say
from server import Server, command

PROJECT = Path(__file__).resolve().parent.parent
# Somebody has to look at it from time to time, or it samples less often.
LOOK_EVERY = 10
WARM_UP = 10
# Of each path; the first two are the page's.
ANSWERS = 20


class Console:
    """A process of `redis-mq serve`; `with` stops it."""

    def __init__(self, program, port, options):
        self.words = [program, "serve", "--url", f"redis://127.0.0.1:{port}", "--listen", "127.0.0.1:0", "--no-auth", *options]

    def __enter__(self):
        self.process = subprocess.Popen(self.words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = self.process.stdout.readline().strip()
        self.cpu_clock = (~self.process.pid << 3) | 2
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def cpu_ns(self):
        return time.clock_gettime_ns(self.cpu_clock)

    def memory_mb(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024

    def get(self, path):
        """The bytes of an answer, and the milliseconds that it took."""
        began = time.monotonic()
        with urllib.request.urlopen(self.url + path) as answer:
            size = len(answer.read())
        return size, (time.monotonic() - began) * 1000


def fill(server, queues):
    """Each queue has messages that are ready, in flight and delayed."""
    for number in range(queues):
        name = f"queue-{number:05d}"
        pipeline = command("MQ.MPUSH", name, 3, "one", "two", "three")
        pipeline += command("MQ.PUSH", name, "later", "DELAY", 600_000)
        pipeline += command("MQ.PULL", name, "VISIBILITY", 600_000)
        server.control.run(pipeline, 3)


def share(begun, ended, seconds):
    return f"{(ended - begun) / seconds / 1e7:.2f} %"


def measure(server, console, seconds):
    time.sleep(WARM_UP)
    before = (server.cpu_ns(), console.cpu_ns(), time.monotonic())
    memory = [console.memory_mb()]
    while time.monotonic() - before[2] < seconds:
        console.get("api/queues?limit=1")
        time.sleep(LOOK_EVERY)
        memory.append(console.memory_mb())
    elapsed = time.monotonic() - before[2]
    yield "CPU of the server", share(before[0], server.cpu_ns(), elapsed)
    yield "CPU of the console", share(before[1], console.cpu_ns(), elapsed)
    yield "memory of the console, first and last", f"{memory[0]:.1f} MB, {memory[-1]:.1f} MB"
    for path in ("api/queues?limit=50&recent=true", "api/queues?limit=50&search=*9*", "api/queues", "metrics"):
        answers = sorted((console.get(path) for _ in range(ANSWERS)), key=lambda answer: answer[1])
        size, median = answers[ANSWERS // 2]
        yield path, f"{median:.0f} ms, at most {answers[-1][1]:.0f} ms, {size / 1024:.0f} KB"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default=os.environ.get("MQ_SERVER", "redis-server"))
    parser.add_argument("--module", type=Path, default=os.environ.get("MQ_MODULE", PROJECT / "target/release/libmq.so"))
    parser.add_argument("--console", default=PROJECT / "target/console/release/redis-mq")
    parser.add_argument("--queues", type=int, default=1000)
    parser.add_argument("--max-queues", type=int, default=1000, help="that the console samples")
    parser.add_argument("--seconds", type=int, default=600)
    options = parser.parse_args()
    with Server(options.server, options.module.resolve()) as server:
        fill(server, options.queues)
        idle = (server.cpu_ns(), time.monotonic())
        time.sleep(WARM_UP)
        say(f"{server.name}, {options.queues} queues")
        say(f"CPU of the server without the console: {share(idle[0], server.cpu_ns(), time.monotonic() - idle[1])}")
        with Console(options.console, server.port, ["--max-queues", str(options.max_queues)]) as console:
            for name, figure in measure(server, console, options.seconds):
                say(f"{name}: {figure}")


if __name__ == "__main__":
    main()
