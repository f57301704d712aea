"""The worker program of a driver, beside a server and behind a proxy."""

import os
import signal
import subprocess
import threading
import time

from server import Proxy, Server, eventually

QUEUE = "orders"


class Worker:
    """A worker program, and what it has printed."""

    def __init__(self, options, port, **settings):
        environment = {"MQ_URL": f"redis://127.0.0.1:{port}", "MQ_QUEUES": QUEUE, "MQ_CONCURRENCY": "4", "MQ_VISIBILITY": "30000",
                       "MQ_GRACE": "25000", "MQ_BLOCK": "1000", "MQ_MAX_PROCESSING": "0", "MQ_UNTIL_EMPTY": "0"}
        environment.update({f"MQ_{name.upper()}": str(value) for name, value in settings.items()})
        self.lines = []
        self.process = subprocess.Popen([*options.driver, "worker"], stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.waits_for("ready")

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.strip())

    def waits_for(self, line, times=1):
        def is_there():
            if self.lines.count(line) >= times:
                return True
            if self.process.poll() is not None:
                self.reader.join(5)
                assert self.lines.count(line) >= times, f"the worker ended ({self.process.returncode}) without {line!r}: {self.lines[-5:]}"
            return False
        eventually(f"{line!r}, {times} times, after {self.lines[-5:]}", is_there)

    def of(self, word):
        """The numbers that came with a word, in order."""
        return [int(line.split()[1]) for line in list(self.lines) if line.split()[:1] == [word]]

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def ends(self):
        """Waits for the end, and returns the exit status."""
        status = self.process.wait(60)
        self.reader.join(10)
        return status

    def stop(self):
        self.signal()
        status = self.ends()
        assert status == 0 and self.lines[-1:] == ["stopped"], f"status {status}, {self.lines[-3:]}"

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join(10)


class Scene:
    """A server, a proxy in front of it, and the workers of a case."""

    def __init__(self, options, *settings):
        self.options = options
        self.server = Server(options.server, options.module, *settings)
        self.proxy = Proxy(self.server.port)
        self.redis = self.server.connect()
        self.workers = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for worker in self.workers:
            worker.kill()
        self.proxy.close()
        self.server.close()

    def worker(self, **settings):
        worker = Worker(self.options, self.proxy.port, **settings)
        self.workers.append(worker)
        return worker

    def push(self, *payloads, queue=QUEUE):
        self.redis("MQ.MPUSH", queue, len(payloads), *payloads)

    def len(self, *state, queue=QUEUE):
        return self.redis("MQ.LEN", queue, *state)

    def is_empty(self):
        eventually("the queue is empty", lambda: self.len() == 0)

    def restart(self):
        self.server.kill()
        time.sleep(0.2)
        self.server.start()
        self.redis = self.server.connect()
