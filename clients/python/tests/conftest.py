"""A server with the module for the tests that need one: MQ_SERVER and MQ_MODULE say which."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from redis_mq import Client

PROJECT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(PROJECT / "clients/contract"))
from server import Connection, Server, eventually, free_port  # noqa: E402

PROGRAM = os.environ.get("MQ_SERVER", "redis-server")
MODULE = os.environ.get("MQ_MODULE", str(PROJECT / "target/release/libmq.so"))


@pytest.fixture(scope="session")
def one_server():
    server = Server(PROGRAM, MODULE)
    yield server
    server.close()


@pytest.fixture
def url(one_server):
    """Of an empty server."""
    one_server.connect()("FLUSHALL")
    return f"redis://127.0.0.1:{one_server.port}"


@pytest.fixture
def client(url):
    with Client.from_url(url) as client:
        yield client


@pytest.fixture
def sentinel(one_server, tmp_path):
    """The port of a Sentinel that knows an empty server as the master `orders`."""
    one_server.connect()("FLUSHALL")
    port = free_port()
    settings = tmp_path / "sentinel.conf"
    settings.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\nsentinel monitor orders 127.0.0.1 {one_server.port} 1\n"
    )
    process = subprocess.Popen([PROGRAM, settings, "--sentinel"], stdout=subprocess.DEVNULL)
    eventually("the Sentinel knows the master", lambda: knows_master(port))
    yield port
    process.kill()
    process.wait()


def knows_master(port):
    try:
        return Connection(port)("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "orders")
    except OSError:
        return None


@pytest.fixture
def cluster(monkeypatch):
    """The port of a cluster of one node. Its bus has that port plus 10,000."""
    port = 65_535
    while port > 55_535:
        port = free_port()
    monkeypatch.setattr("server.free_port", lambda: port)
    server = Server(PROGRAM, MODULE, "--cluster-enabled", "yes")
    connection = server.connect()
    for start in range(0, 16384, 1024):
        connection("CLUSTER", "ADDSLOTS", *range(start, start + 1024))
    eventually("the cluster works", lambda: b"cluster_state:ok" in connection("CLUSTER", "INFO"))
    yield server.port
    server.close()
