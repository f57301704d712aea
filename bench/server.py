"""A server process and a client for it. Independent of the workloads.

Standard library only.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path


class ServerError(Exception):
    """An error reply, or an unexpected reply."""


def command(*words):
    """One command in RESP."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(parts)


def parse(buffer, at):
    """The RESP2 reply that starts at `at`, and where it ends. ValueError: it is incomplete."""
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
        """Reads exactly `count` replies."""
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

    def bulk(self, pipeline, lines):
        """Sends commands whose replies have `lines` lines in all, and no line breaks in their data; only errors are
        noticed. For filling a queue."""
        self.send(pipeline)
        last = b"\n"
        while lines > 0:
            data = self.socket.recv(1 << 20)
            if not data:
                raise ServerError("the server closed the connection")
            if (last == b"\n" and data.startswith(b"-")) or b"\n-" in data:
                raise ServerError(data[data.index(b"-") :][:200].decode(errors="replace"))
            lines -= data.count(b"\n")
            last = data[-1:]
        expect("lines of replies", lines, 0)

    def find_all(self, request, pattern, count):
        """Sends a command and returns the `count` matches of the pattern in its reply, which ends with the last one."""
        self.send(request)
        reply = b""
        while True:
            data = self.socket.recv(1 << 20)
            reply += data
            if not data or reply.startswith(b"-"):
                raise ServerError(f"no reply: {reply[:200]!r}")
            if reply.endswith(b"\r\n") and len(found := pattern.findall(reply)) == count:
                return found

    def run(self, pipeline, count):
        self.send(pipeline)
        return self.replies(count)

    def call(self, *words):
        return self.run(command(*words), 1)[0]

    def info(self, section):
        text = self.call("INFO", section).decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def cpu_us(self):
        """CPU time of the server process, all threads, user and system."""
        cpu = self.info("cpu")
        return (float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])) * 1e6


def expect(what, got, wanted):
    if got != wanted:
        raise ServerError(f"{what}: got {str(got)[:200]}, expected {str(wanted)[:200]}")


def module_version(connection):
    """0.2.0 is loaded as 200."""
    for module in connection.call("MODULE", "LIST"):
        fields = dict(zip(module[::2], module[1::2]))
        if fields[b"name"] == b"mq":
            number = fields[b"ver"]
            return f"{number // 10000}.{number // 100 % 100}.{number % 100}"
    return None


class Server:
    """A server process; `with` stops it and removes its folder."""

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
        self.module_version = module_version(self.control)
        # The process's CPU-time clock, as returned by clock_getcpuclockid(3): same value as INFO, without
        # a request to the server.
        self.cpu_clock = (~int(server["process_id"]) << 3) | 2
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if hasattr(self, "control"):
            self.control.close()
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
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
        """used_memory once lazy freeing and rehashing are done."""
        last = None
        while True:
            now = int(self.control.info("memory")["used_memory"])
            if last is not None and abs(now - last) < 1024:
                return now
            last = now
            time.sleep(0.3)
