"""Messages that a worker holds in advance, over the fake."""

import asyncio

from redis_mq import Worker
from redis_mq.testing import FakeRedisMQ


class Scene:
    """A worker with one handler, which waits until it may go on."""

    def __init__(self, count, **options):
        self.fake = FakeRedisMQ()
        self.client = self.fake.client()
        self.client.push_many("orders", [str(number) for number in range(count)])
        self.may_go_on = asyncio.Semaphore(0)
        self.started = []
        self.cancelled = []
        self.worker = Worker(self.fake.source(), "orders", self.handler, concurrency=1, **options)

    async def handler(self, message):
        self.started.append(message.text())
        try:
            await self.may_go_on.acquire()
        except asyncio.CancelledError:
            self.cancelled.append(message.text())
            raise

    def go_on(self, count):
        for _ in range(count):
            self.may_go_on.release()

    async def has(self, state, count):
        while True:
            if self.client.len("orders", state) == count:
                return
            await asyncio.sleep(0.001)


def run(steps, count, **options):
    """Runs a worker beside the steps of a test, and returns what is left."""

    async def main():
        scene = Scene(count, **options)
        serving = asyncio.create_task(scene.worker.serve())
        await asyncio.wait_for(steps(scene), 20)
        scene.worker.stop()
        await asyncio.wait_for(serving, 20)
        return scene

    return asyncio.run(main())


def test_they_start_in_order():
    async def steps(scene):
        await scene.has("inflight", 4)
        scene.go_on(6)
        await scene.has(None, 0)

    assert run(steps, 6, prefetch=3).started == list("012345")


def test_one_that_is_lost_never_starts_and_makes_room():
    async def steps(scene):
        await scene.has("inflight", 3)
        (lost,) = (one for one in scene.client.peek("orders", "inflight") if one.text() == "1")
        scene.client.delete("orders", [lost.id])
        scene.client.push("orders", "3")
        await scene.has("inflight", 3)
        scene.go_on(3)
        await scene.has(None, 0)

    scene = run(steps, 3, prefetch=2, visibility=0.05)
    assert scene.started == list("023") and scene.cancelled == []


def test_they_are_back_before_the_handlers_end():
    async def steps(scene):
        await scene.has("inflight", 3)
        scene.worker.stop()
        await scene.has("ready", 2)
        assert scene.client.len("orders", "inflight") == 1
        scene.go_on(1)

    scene = run(steps, 3, prefetch=2)
    left = scene.client.pull_many("orders", 3)
    assert scene.started == ["0"] and scene.cancelled == []
    assert [(one.text(), one.retry_count) for one in left] == [("1", 0), ("2", 0)]


def test_max_processing_does_not_count_the_time_in_advance():
    async def steps(scene):
        for _ in range(2):
            await asyncio.sleep(1.2)
            scene.go_on(1)
        await scene.has(None, 0)

    assert run(steps, 2, prefetch=1, visibility=0.15, max_processing=1.5).cancelled == []


def test_one_whose_visibility_has_ended_never_starts(monkeypatch):
    async def steps(scene):
        await scene.has("inflight", 3)
        await asyncio.sleep(0.3)
        scene.client.push("orders", "3")
        scene.go_on(2)
        await scene.has(None, 2)

    monkeypatch.setattr("redis_mq.heartbeat.Heartbeat.run", lambda self: asyncio.sleep(3600))
    assert run(steps, 3, prefetch=2, visibility=0.2).started == ["0", "3"]
