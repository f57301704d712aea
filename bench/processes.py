"""The processes of the comparisons with other systems: their servers and client programs, and what they cost.

Knows no system by name. Standard library only.
"""

import argparse
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from results import FOLDER
from server import Connection, module_version

PROJECT = Path(__file__).resolve().parent.parent

TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """Why a system did not run."""


def arguments(description, folder):
    """The arguments of every comparison; `folder`: the one in target that its install.sh fills."""
    parser = argparse.ArgumentParser(
        description=description.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--server", default=os.environ.get("MQ_SERVER", "redis-server"), help="the Redis or Valkey binary (MQ_SERVER)")
    module = os.environ.get("MQ_MODULE", PROJECT / "target/release/libmq.so")
    add("--module", default=module, help="the module (MQ_MODULE)")
    add("--folder", type=Path, default=PROJECT / "target" / folder, help="the folder that install.sh filled")
    add("--results", type=Path, default=FOLDER, help="the folder of the raw results")
    return parser


def shortened(text):
    """On one line, without the folders of this machine."""
    return re.sub(r"(?:/[\w.@+-]+)+/", "", " ".join(text.split()))[:200]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Session:
    """A process in a session of its own, and all that it starts."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen(command, start_new_session=True, **options)

    def processes(self):
        """Their ids, and the fields of /proc/PID/stat from the state on."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                except OSError:
                    continue
                if int(stat[3]) == self.process.pid:
                    yield int(entry.name), stat

    def cpu_ns(self):
        """CPU time of all processes, also of those that have ended and were waited for."""
        total = 0
        for process, stat in self.processes():
            try:
                # The process's CPU-time clock, as returned by clock_getcpuclockid(3).
                total += time.clock_gettime_ns((~process << 3) | 2)
            except OSError:
                continue
            total += (int(stat[13]) + int(stat[14])) * TICK_NS
        return total

    def memory(self):
        """Resident memory, in bytes."""
        total = 0
        for process, _ in self.processes():
            try:
                total += int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            except OSError:
                continue
        return total

    def signal(self, number):
        """Returns whether there was a process to get it."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return False
        return True


# ---- servers -------------------------------------------------------------------------------------


class Server:
    """A server; `with` stops all its processes and removes its folder."""

    def __init__(self, options):
        self.options = options

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="mq-peers-"))
        self.port = free_port()
        try:
            command = self.command()
        except Failed:
            shutil.rmtree(self.folder)
            raise
        with (self.folder / "output").open("wb") as output:
            self.session = Session(
                command,
                env=self.environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        deadline = time.monotonic() + 90
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                break
            except OSError:
                if self.session.process.poll() is not None or time.monotonic() > deadline:
                    text = (self.folder / "output").read_text(errors="replace")[-300:]
                    self.stop()
                    raise Failed(f"the server did not start: {text}") from None
                time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self.session.signal(number):
                break
            try:
                self.session.process.wait(10)
            except subprocess.TimeoutExpired:
                continue
            time.sleep(0.2)
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self):
        return None

    def found(self, path):
        """A file of the folder that install.sh fills."""
        path = self.options.folder / path
        if not path.exists():
            raise Failed(f"{path.name} is not installed")
        return str(path)

    def cpu_ns(self):
        return self.session.cpu_ns()

    def memory(self):
        return self.session.memory()

    def disk(self):
        return sum(path.stat().st_blocks * 512 for path in self.folder.rglob("*") if path.is_file())


class Redis(Server):
    module = None

    def command(self):
        load = ("--loadmodule", str(self.module)) if self.module else ()
        files = ("--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0")
        listen = ("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder))
        return [self.options.server, *listen, *files, *load]

    def versions(self):
        connection = Connection(self.port)
        info = connection.info("server")
        module = module_version(connection)
        connection.close()
        brand = "Valkey" if "valkey_version" in info else "Redis"
        name = f"{brand} {info.get('valkey_version', info['redis_version'])}"
        return f"{name}, module {module}" if module else name


class RedisWithModule(Redis):
    def __init__(self, options):
        super().__init__(options)
        self.module = options.module


# ---- clients -------------------------------------------------------------------------------------


class Program(Session):
    """A producer or a consumer; its output is lines of JSON, among others that don't matter."""

    def __init__(self, what, command, limit, environment=None):
        """limit: seconds to wait for each line."""
        self.what, self.limit = what, limit
        self.errors = tempfile.TemporaryFile()
        # Not in the project: some clients write no files, but Python would.
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} | (environment or {})
        super().__init__(command, stdout=subprocess.PIPE, stderr=self.errors, text=True, env=environment)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                self.lines.put(json.loads(line))
        self.lines.put(None)

    def line(self):
        try:
            line = self.lines.get(timeout=self.limit)
        except queue.Empty:
            raise Failed(f"{self.what}: nothing for {self.limit} s: {self.said()}") from None
        if line is None:
            raise Failed(f"{self.what} ended: {self.said()}")
        return line

    def said(self):
        self.errors.seek(0)
        return self.errors.read()[-500:].decode(errors="replace")

    def stop(self):
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.errors.close()
