"""How the server is found: what the URL and the options say."""

import os
import ssl
import subprocess

import kombu
import pytest
from kombu import Queue
from redis import Redis

from tests.conftest import free_port, until


def works(connection):
    queue = Queue("orders")(connection.default_channel)
    kombu.Producer(connection).publish({"n": 1}, routing_key="orders")
    message = queue.get()
    message.ack()
    return message.payload == {"n": 1}


@pytest.fixture
def sentinel(server, tmp_path):
    port, folder = free_port(), tmp_path / "sentinel"
    folder.mkdir()
    configuration = folder / "sentinel.conf"
    configuration.write_text(f"port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {server.port} 1\n")
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [os.environ["MQ_SERVER"], str(configuration), "--sentinel"], cwd=folder, stdout=log, stderr=log
        )
    yield port
    process.kill()
    process.wait()


def test_the_path_of_the_url_is_the_database(server):
    with kombu.Connection(server.url.replace("/0", "/3")) as connection:
        assert works(connection)
    assert server.mq("QUEUES") == []
    assert Redis(port=server.port, db=3).execute_command("MQ.QUEUES") == [b"orders"]


def test_a_unix_socket(server):
    with kombu.Connection(f"redis-mq+socket://{server.socket}?virtual_host=3") as connection:
        assert works(connection)
        assert connection.transport.database == 3


def test_sentinels_know_the_master(server, sentinel):
    url = f"sentinel-mq://127.0.0.1:{free_port()};sentinel-mq://127.0.0.1:{sentinel}"

    def found():
        with kombu.Connection(url, transport_options={"master_name": "main"}) as connection:
            try:
                return works(connection)
            except connection.connection_errors:
                return False

    assert until(found)
    with pytest.raises(ValueError, match="master_name"):
        kombu.Connection(url).connect()


def test_the_next_server_of_the_url_is_tried(server):
    with kombu.Connection(f"redis-mq://127.0.0.1:{free_port()};{server.url}") as connection:
        connection.ensure_connection(max_retries=2, interval_start=0)
        assert works(connection)


def test_a_user_with_a_password(server):
    server.client.execute_command("ACL SETUSER shop on >secret ~* &* +@all")
    with kombu.Connection(server.url.replace("127", "shop:secret@127")) as connection:
        assert works(connection)
    with pytest.raises(connection.connection_errors):
        kombu.Connection(server.url.replace("127", "shop:wrong@127")).connect()


def test_tls_verifies_the_certificate_unless_told_otherwise():
    def keywords(connection):
        return connection.transport.server.connection_pool.connection_kwargs

    assert keywords(kombu.Connection("rediss-mq://localhost"))["ssl_cert_reqs"] == ssl.CERT_REQUIRED
    assert keywords(kombu.Connection("rediss-mq://localhost?ssl_cert_reqs=none"))["ssl_cert_reqs"] == ssl.CERT_NONE
    trusting = kombu.Connection("redis-mq://localhost", ssl={"ssl_ca_certs": "/ca.pem"})
    assert keywords(trusting)["ssl_ca_certs"] == "/ca.pem"
