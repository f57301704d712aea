"""The same random calls to the fake and to a server: both must answer the same, as long as no time passes."""

import random
import time

import pytest
import redis

from redis_mq import Client, Delivery
from redis_mq.testing import FakeRedisMQ

QUEUES = ["orders", "mails", "{orders}:dead"]


class Pair:
    """The fake and the server; `held` has what was pulled, of each."""

    def __init__(self, clients, chance):
        self.clients, self.chance = clients, chance
        self.held = []
        self.ids = []

    def both(self, method, *arguments, **options):
        """What both answer; an error is its type."""
        answers = []
        for client in self.clients:
            try:
                answers.append(getattr(client, method)(*arguments, **options))
            except redis.ResponseError as error:
                answers.append(type(error))
        return answers

    def each(self, method, one_of_each, **options):
        answers = []
        for client, one in zip(self.clients, one_of_each):
            try:
                answers.append(getattr(client, method)(one, **options))
            except redis.ResponseError as error:
                answers.append(type(error))
        return answers

    def queue(self):
        return self.chance.choice(QUEUES)

    def push(self):
        priority = self.chance.choice([None, None, 3, 9])
        group = None if priority else self.chance.choice([None, "a", "b"])
        options = {"priority": priority, "group": group, "delay": self.chance.choice([None, None, None, 3600])}
        if self.chance.random() < 0.2:
            options.update(ttl=3600, ttl_dead=self.chance.random() < 0.5)
        if self.chance.random() < 0.2:
            options.update(dedup=self.chance.choice("xy"), until_done=self.chance.random() < 0.5)
        ids = self.both("push", self.queue(), str(len(self.ids)), **options)
        if isinstance(ids[0], str) and isinstance(ids[1], str):
            self.ids.append(ids)
            return None
        return ids

    def pull(self):
        count = self.chance.choice([1, 1, 5])
        options = {"visibility": 3600, "consumer": self.chance.choice([None, "a", "b"])}
        found = self.both("pull_many", self.chance.choice([self.queue(), QUEUES]), count, **options)
        self.held += zip(*found)
        return [[shown(message) for message in messages] for messages in found]

    def settle(self):
        if not self.held:
            return None
        messages = self.chance.choice(self.held)
        if self.chance.random() < 0.2:
            messages = [Delivery(message.queue, message.id, "0" * 16) for message in messages]
        method = self.chance.choice(["ack", "ack", "nack", "nack", "nack", "extend"])
        options = {"visibility": 3600} if method == "extend" else {}
        if method == "nack":
            options = self.chance.choice(
                [
                    {"delay": 0},
                    {"delay": 3600, "reason": "why"},
                    {"no_count": True},
                    {"no_count": True, "front": True},
                    {"dead": True, "reason": "bad"},
                ]
            )
        answers = self.each(method, messages, **options)
        return [answer if answer is None or isinstance(answer, type) else "moment" for answer in answers]

    def change(self):
        queue = self.queue()
        method, options = self.chance.choice(
            [
                ("configure", {"maxretries": self.chance.choice([0, 1, 5])}),
                ("configure", {"maxinflight": self.chance.choice([0, 3])}),
                ("configure", {"groupinflight": self.chance.choice([1, 2])}),
                ("configure", {"maxlen": self.chance.choice([0, 20])}),
                ("pause", {}),
                ("resume", {}),
                ("resume", {}),
                ("config", {}),
                ("extend_consumer", {"consumer": self.chance.choice("ab"), "visibility": 3600}),
                ("purge", {"state": "delayed"}),
            ]
        )
        return self.both(method, queue, **options)

    def move(self):
        if not self.ids:
            return None
        method = self.chance.choice(["delete", "reschedule", "get", "redrive", "get by key", "delete by key"])
        if method == "delete by key":
            return self.both("delete", self.queue(), dedup=self.chance.choice("xy"))
        if method == "get by key":
            return [shown(one) for one in self.both("get", self.queue(), dedup=self.chance.choice("xy"))]
        if method == "redrive":
            return self.both("redrive", "{orders}:dead", from_queue="orders", to="orders")
        queue, answers = self.queue(), []
        for client, id in zip(self.clients, self.chance.choice(self.ids)):
            if method == "delete":
                answers.append(client.delete(queue, [id]))
            elif method == "reschedule":
                answers.append(client.reschedule(queue, id, delay=0))
            else:
                answers.append(shown(client.get(queue, id)))
        return answers

    def look(self):
        queue, state = self.queue(), self.chance.choice(["ready", "inflight", "delayed"])
        lengths = self.both("len", queue, state)
        peeked = self.both("peek", queue, "ready", count=50)
        names = self.both("queues")
        return list(zip(lengths, [[shown(message) for message in messages] for messages in peeked], names))


def shown(message):
    """What does not depend on the time, as a text."""
    names = "payload queue retry_count state priority group deliveries last_error dead_from dead_reason dead_retries"
    return message and " ".join(f"{getattr(message, name)}" for name in names.split())


@pytest.mark.parametrize("seed", range(8))
def test_both_answer_the_same(url, seed):
    chance = random.Random(seed)
    with Client.from_url(url) as client:
        pair = Pair([FakeRedisMQ().client(), client], chance)
        steps = (
            [pair.push] * 6 + [pair.pull] * 4 + [pair.settle] * 6 + [pair.change] * 2 + [pair.move] * 2 + [pair.look]
        )
        history = []
        for _ in range(300):
            step = chance.choice(steps)
            time.sleep(0.0011)  # at equal times the server orders by cause, the fake by what came first
            answers = step()
            history.append((step.__name__, answers))
            if answers is not None:
                assert answers[0] == answers[1], history[-5:]
