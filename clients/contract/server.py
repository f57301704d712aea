"""A redis-server with the module that can be killed and started again, a proxy that cuts connections, and the few words
of the protocol that the tests need themselves."""

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time

DEADLINE = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(what, is_so, within=DEADLINE):
    """Waits until something holds, and returns what it returned."""
    end = time.monotonic() + within
    while not (value := is_so()):
        if time.monotonic() > end:
            raise AssertionError(f"never came: {what}")
        time.sleep(0.01)
    return value


class Refused(Exception):
    """An error reply."""


class Connection:
    """A connection that speaks RESP2, for what the tests do beside the client that they test."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), DEADLINE)
        self.file = self.socket.makefile("rb")

    def __call__(self, *words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        return self.reply()

    def reply(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise Refused(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return rest.decode()
        if int(rest) < 0:
            return None
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        return self.file.read(int(rest) + 2)[:-2]

    def map(self, *words):
        flat = self(*words)
        return {name.decode(): value for name, value in zip(flat[::2], flat[1::2])}

    def close(self):
        self.file.close()
        self.socket.close()


class Server:
    def __init__(self, program, module, *settings):
        self.folder = tempfile.mkdtemp(prefix="mq-contract-")
        self.port = free_port()
        self.command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder, "--save", "",
                        "--logfile", "server.log", "--repl-diskless-sync-delay", "0", *settings, "--loadmodule", module]
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        eventually("the server answers", self.answers)

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended\n{self.log()}")
        try:
            # Another test's server may have taken the port meanwhile.
            return b"process_id:%d\r" % self.process.pid in self.connect()("INFO", "server")
        except (OSError, Refused):
            return False

    def connect(self):
        return Connection(self.port)

    def log(self):
        with open(os.path.join(self.folder, "server.log"), errors="replace") as file:
            return file.read()[-3000:]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Proxy:
    """Passes connections on to `target`, a port. It can end them all, or the next one that has sent and been sent enough."""

    def __init__(self, target):
        self.target = target
        self.lock = threading.Lock()
        self.pairs = set()
        self.replies_to_pass = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target), DEADLINE)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = (client, server)
            with self.lock:
                self.pairs.add(pair)
            threading.Thread(target=self.pass_on, args=(pair, client, server, False), daemon=True).start()
            threading.Thread(target=self.pass_on, args=(pair, server, client, True), daemon=True).start()

    def pass_on(self, pair, source, sink, is_reply):
        try:
            while data := source.recv(65536):
                if is_reply and not self.may_pass(data):
                    break
                sink.sendall(data)
        except OSError:
            pass
        self.end(pair)

    def may_pass(self, data):
        with self.lock:
            if self.replies_to_pass is None:
                return True
            self.replies_to_pass -= len(data)
            if self.replies_to_pass >= 0:
                return True
            self.replies_to_pass = None
            return False

    def end(self, pair):
        with self.lock:
            self.pairs.discard(pair)
        for end in pair:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    def cut(self):
        """Ends all connections."""
        for pair in list(self.pairs):
            self.end(pair)

    def cut_after(self, count):
        """Passes `count` bytes of replies on, and ends the connection whose reply exceeds them, without that reply."""
        with self.lock:
            self.replies_to_pass = count

    def close(self):
        self.listener.close()
        self.cut()
