#!/usr/bin/env python3
"""What the console costs: CPU of the server and of the console while it samples many queues every two seconds, its memory, and
how long its answers take.

    make console build
    python3 bench/console.py --server redis-server --queues 1000 --seconds 600

Starts its own server and console (loopback, free ports), waits until the console's history of ten minutes is full, measures, and
writes bench/results/console.json, which bench/report.py puts into docs/console.md. It asserts nothing.

Standard library only.
"""

import argparse
import os
import subprocess
import time
import urllib.request
from pathlib import Path

from results import FOLDER, Part, machine, note, save, say, say_if_busy
from server import Server, command

PROJECT = Path(__file__).resolve().parent.parent
# Somebody has to look at it from time to time, or it samples less often.
LOOK_EVERY = 10
# The console has as many samples as it keeps.
WARM_UP = 600
IDLE = 10
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
    """In percent of a core."""
    return (ended - begun) / seconds / 1e7


def look(console, seconds):
    """Looks at it from time to time, and yields then."""
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        console.get("api/queues?limit=1")
        note(f"{elapsed:.0f} of {seconds} s")
        time.sleep(LOOK_EVERY)
        yield


def measure(part, server, console, options):
    for _ in look(console, options.warm_up):
        pass
    before = (server.cpu_ns(), console.cpu_ns(), time.monotonic())
    for _ in look(console, options.seconds):
        part.add({"what": "memory"}, mb=console.memory_mb())
    elapsed = time.monotonic() - before[2]
    part.add({"what": "server"}, share=share(before[0], server.cpu_ns(), elapsed))
    part.add({"what": "console"}, share=share(before[1], console.cpu_ns(), elapsed))
    for path in ("api/queues?limit=50&recent=true", "api/queues?limit=50&search=*9*", "api/queues", "metrics"):
        for _ in range(ANSWERS):
            size, took = console.get(path)
            part.add({"what": "answer", "path": path}, ms=took, kb=size / 1024)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default=os.environ.get("MQ_SERVER", "redis-server"))
    parser.add_argument("--module", type=Path, default=os.environ.get("MQ_MODULE", PROJECT / "target/release/libmq.so"))
    parser.add_argument("--console", default=PROJECT / "target/console/release/redis-mq")
    parser.add_argument("--queues", type=int, default=1000)
    parser.add_argument("--max-queues", type=int, default=1000, help="that the console samples")
    parser.add_argument("--warm-up", type=int, default=WARM_UP, help="seconds before it measures")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--results", type=Path, default=FOLDER)
    options = parser.parse_args()
    say_if_busy()
    part = Part(queues=options.queues, sampled=options.max_queues, seconds=options.seconds)
    with Server(options.server, options.module.resolve()) as server:
        part.measured_on(server)
        fill(server, options.queues)
        before = (server.cpu_ns(), time.monotonic())
        time.sleep(IDLE)
        part.add({"what": "server alone"}, share=share(before[0], server.cpu_ns(), time.monotonic() - before[1]))
        with Console(options.console, server.port, ["--max-queues", str(options.max_queues)]) as console:
            measure(part, server, console, options)
    raw = {"server": part.server, "module": part.module, "machine": machine(), "parts": {"console": part.raw()}}
    save(options.results / "console.json", raw)
    say("done; now run bench/report.py")


if __name__ == "__main__":
    main()
