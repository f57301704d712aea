"""Pushes, pulls and acknowledges as the users of examples/acl/users.acl, and reads metrics as the monitor.

    users.py standalone|cluster PORT USER:PASSWORD...
"""

import sys
import time

import redis
from redis.cluster import RedisCluster

MODE, PORT, *USERS = sys.argv[1:]
PASSWORDS = dict(user.split(":") for user in USERS)
LIBRARY = {"standalone": redis.Redis, "cluster": RedisCluster}[MODE]


def connect(user, protocol):
    # Connections to replicas start with READONLY.
    options = {"read_from_replicas": True} if MODE == "cluster" and user == "monitor" else {}
    return LIBRARY(
        host="127.0.0.1",
        port=int(PORT),
        username=user,
        password=PASSWORDS[user],
        client_name=user,
        protocol=protocol,
        health_check_interval=1,
        decode_responses=True,
        **options,
    )


def work(protocol):
    producer, consumer, monitor = (connect(user, protocol) for user in ("producer", "consumer", "monitor"))
    assert producer.execute_command("MQ.PUSH", "orders", "one")
    # Long enough for a health check before the next command.
    time.sleep(1.1)
    transaction = producer.pipeline(transaction=True)
    transaction.execute_command("MQ.PUSH", "orders", "two")
    assert len(transaction.execute()) == 1
    for payload in ("one", "two"):
        reply = consumer.execute_command("MQ.PULL", "orders", "BLOCK", 1000)
        message = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2]))
        assert message["payload"] == payload
        assert consumer.execute_command("MQ.ACK", "orders", message["id"], message["receipt"]) == 1
    assert monitor.execute_command("MQ.LEN", "orders") == 0
    if MODE == "standalone":
        assert producer.wait(0, 10) == 0
        assert consumer.client_unblock(consumer.client_id()) == 0
        assert int(monitor.info("mq")["mq_op_version"]) > 0
    else:
        assert all("mq_op_version" in info for info in monitor.info("mq", target_nodes="all").values())


for version in (2, 3):
    work(version)
print("done")
