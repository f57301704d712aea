"""A server with the module (MQ_SERVER, MQ_MODULE), and Celery workers as processes of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import kombu
import pytest
from celery import Celery
from celery.result import AsyncResult
from redis import Redis

import kombu_redis_mq  # noqa: F401

HERE = Path(__file__).parent
#: Seconds within which anything that must happen has happened.
PATIENCE = 30


def until(condition: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Waits for a condition, and returns its value."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {patience} s: {condition}"
        time.sleep(0.01)


def drain_once(connection: kombu.Connection) -> None:
    try:
        connection.drain_events(timeout=0.1)
    except socket.timeout:
        pass


def drain(connection: kombu.Connection, done: Callable[[], Any]) -> None:
    """Delivers messages until that is enough."""
    until(lambda: drain_once(connection) or done(), 5)


def free_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def fields(flat: list[Any]) -> dict[str, Any]:
    words = [word.decode(errors="replace") if isinstance(word, bytes) else word for word in flat]
    return dict(zip(words[::2], words[1::2]))


class Server:
    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis-mq://127.0.0.1:{self.port}/0"
        self.socket = folder / "s.sock"
        self.client = Redis(port=self.port, protocol=2)
        self._folder = folder
        self.start()

    def start(self) -> None:
        self._log = open(self._folder / "server.log", "ab")
        self._process = subprocess.Popen(
            [os.environ["MQ_SERVER"], "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder),
             "--unixsocket", str(self.socket),
             "--save", "", "--appendonly", "yes", "--loadmodule", os.environ["MQ_MODULE"]],
            stdout=self._log, stderr=self._log,
        )  # fmt: skip
        until(self._answers)

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self._folder / "server.log").read_text()
        try:
            # Another test's server may have taken the port meanwhile.
            return self.client.info("server")["process_id"] == self._process.pid
        except Exception:
            return False

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    def mq(self, command: str, *words: Any) -> Any:
        return self.client.execute_command(f"MQ.{command}", *words)

    def info(self, queue: str) -> dict[str, Any]:
        return fields(self.mq("INFO", queue))

    def peek(self, queue: str, state: str = "READY") -> list[dict[str, Any]]:
        return [fields(reply) for reply in self.mq("PEEK", queue, state)]

    def runs(self, name: str) -> list[float]:
        """When the tests' tasks of this name ran, unix seconds."""
        return [float(moment) for moment in self.client.lrange(f"ran:{name}", 0, -1)]

    def done(self, name: str) -> list[float]:
        return [float(moment) for moment in self.client.lrange(f"done:{name}", 0, -1)]


class Worker:
    def __init__(self, server: Server, folder: Path, options: dict[str, Any], arguments: tuple[str, ...]) -> None:
        self._log_path = folder / f"worker-{free_port()}.log"
        self._log = open(self._log_path, "wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "tests.tasks", "worker", "--loglevel", "DEBUG", "--concurrency", "2",
             "--hostname", f"{self._log_path.stem}@%h", *arguments],
            cwd=HERE.parent, stdout=self._log, stderr=self._log, start_new_session=True,
            env={**os.environ, "BROKER_URL": server.url, "TRANSPORT_OPTIONS": json.dumps(options)},
        )  # fmt: skip
        until(self._ready)

    @property
    def log(self) -> str:
        return self._log_path.read_text()

    def _ready(self) -> bool:
        assert self.process.poll() is None, self.log
        return " ready." in self.log

    def kill(self) -> None:
        """The main process alone, as the kernel does when memory is short."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)

    def close(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self._log.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def start_worker(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Worker]]:
    workers: list[Worker] = []

    def start(*arguments: str, **options: Any) -> Worker:
        workers.append(Worker(server, tmp_path, options, arguments))
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()
        if getattr(request.node, "failed", False):
            print(worker.log)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    item.failed = outcome.get_result().failed


@pytest.fixture
def app(server: Server) -> Iterator[Celery]:
    """The producer's side, which knows tasks by their names."""
    with Celery("producer", broker=server.url, backend=server.url.replace("redis-mq", "redis")) as app:
        yield app


@pytest.fixture
def send(app: Celery) -> Callable[..., AsyncResult]:
    return lambda name, *args, **options: app.send_task(f"tests.tasks.{name}", args, **options)


@pytest.fixture
def connect(server: Server) -> Iterator[Callable[..., kombu.Connection]]:
    connections: list[kombu.Connection] = []

    def open_one(**options: Any) -> kombu.Connection:
        connections.append(kombu.Connection(server.url, transport_options=options))
        return connections[-1]

    yield open_one
    for connection in connections:
        connection.close()
