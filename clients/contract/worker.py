"""The cases of the worker: each runs the worker program of a driver beside a server, breaks something, and looks at what
the program printed and at what is left in the queue."""

import os
import random
import re
import signal
import subprocess
import threading
import time

from server import Proxy, Refused, Server, eventually

QUEUE = "orders"
DEAD = "{orders}:dead"


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


def dead_letters(scene):
    messages = scene.redis("MQ.PEEK", DEAD, "COUNT", 1000)
    return [{name.decode(): value for name, value in zip(flat[::2], flat[1::2])} for flat in messages]


def every_outcome(options):
    with Scene(options) as scene:
        scene.redis("MQ.CONFIG", QUEUE, "MAXRETRIES", 2, "BACKOFF", 20)
        worker = scene.worker()
        scene.push("1", "2 fail-once", "3 retry 50", "4 release", "5 dead", "6 fail", b"\xff\xfe", "7 sleep 50", "")
        for number in (1, 2, 3, 4, 7):
            worker.waits_for(f"done {number}")
        eventually("the dead letters", lambda: scene.len(queue=DEAD) == 4)
        scene.is_empty()
        worker.stop()
        assert worker.lines.count("start 2 1") == 1, "a failure counts"
        assert worker.lines.count("start 3 1") == 1, "a retry counts"
        assert worker.lines.count("start 4 0") == 2, "a release does not count"
        assert worker.lines.count("start 5 0") == 1 and "start 5 1" not in worker.lines
        assert [worker.lines.count(f"start 6 {retry}") for retry in range(4)] == [1, 1, 1, 0]
        found = {letter["payload"]: letter for letter in dead_letters(scene)}
        assert found[b"5 dead"]["dead_reason"] == b"rejected" and found[b"5 dead"]["last_error"] == b"no address"
        assert found[b"6 fail"]["dead_reason"] == b"retries" and b"no stock" in found[b"6 fail"]["last_error"]
        assert found[b"\xff\xfe"]["dead_reason"] == b"retries", "a payload that can't be read is a failure as any other"
        assert scene.redis.map("MQ.INFO", QUEUE)["bad_receipts"] == 0


def pulls_only_what_it_can_start(options):
    with Scene(options) as scene:
        scene.push(*[f"{number} sleep 300" for number in range(12)])
        worker = scene.worker(concurrency=3)
        most = 0
        while scene.len():
            most = max(most, scene.len("INFLIGHT"))
            starts, ends = len(worker.of("start")), len(worker.of("done"))
            assert starts - ends <= 4, "more handlers than the concurrency"
            time.sleep(0.005)
        assert most == 3, f"{most} in flight at once"
        worker.stop()
        assert sorted(worker.of("done")) == list(range(12))


def a_handler_longer_than_its_visibility(options):
    with Scene(options) as scene:
        scene.push(*[f"{number} sleep 2500" for number in range(3)])
        worker = scene.worker(visibility=600)
        for number in range(3):
            worker.waits_for(f"done {number}")
        scene.is_empty()
        worker.stop()
        info = scene.redis.map("MQ.INFO", QUEUE)
        assert info["pulled"] == 3 and info["expired"] == 0, info


def a_handler_longer_than_its_limit(options):
    with Scene(options) as scene:
        scene.redis("MQ.CONFIG", QUEUE, "MAXRETRIES", 0)
        scene.push("1 sleep 20000")
        worker = scene.worker(visibility=400, max_processing=1000)
        worker.waits_for("cancelled 1")
        eventually("it came back", lambda: scene.len(queue=DEAD) == 1)
        worker.stop()


def a_message_that_was_taken_away(options):
    with Scene(options) as scene:
        scene.push("1 sleep 20000", "2 sleep 1500")
        worker = scene.worker(visibility=600)
        worker.waits_for("start 1 0")
        worker.waits_for("start 2 0")
        held = scene.redis("MQ.PEEK", QUEUE, "INFLIGHT")
        held = [dict(zip(flat[::2], flat[1::2])) for flat in held]
        scene.redis("MQ.DEL", QUEUE, *[one[b"id"] for one in held if one[b"payload"].startswith(b"1")])
        worker.waits_for("cancelled 1")
        worker.waits_for("done 2")
        scene.is_empty()
        worker.stop()
        assert scene.redis.map("MQ.INFO", QUEUE)["nacked"] == 0, "nothing more is said for it"


def sigterm_in_the_middle_of_handlers(options):
    with Scene(options) as scene:
        scene.push(*[f"{number} sleep 800" for number in range(20)])
        worker = scene.worker()
        worker.waits_for("start 3 0")
        worker.stop()
        done = worker.of("done")
        assert sorted(done) == sorted(worker.of("start")), "what began was done"
        assert scene.len() == 20 - len(done) and scene.len("INFLIGHT") == 0
        messages = [dict(zip(flat[::2], flat[1::2])) for flat in scene.redis("MQ.PEEK", QUEUE, "COUNT", 100)]
        assert all(message[b"retry_count"] == 0 for message in messages)


def sigterm_and_handlers_that_take_too_long(options):
    with Scene(options) as scene:
        scene.push(*[f"{number} sleep 60000" for number in range(3)])
        worker = scene.worker(grace=300)
        worker.waits_for("start 2 0")
        worker.stop()
        assert sorted(worker.of("cancelled")) == [0, 1, 2], worker.lines
        assert scene.len("READY") == 3
        messages = [dict(zip(flat[::2], flat[1::2])) for flat in scene.redis("MQ.PEEK", QUEUE, "COUNT", 100)]
        assert all(message[b"retry_count"] == 0 for message in messages), "released, not nacked"


def sigterm_while_it_waits(options):
    with Scene(options) as scene:
        worker = scene.worker(block=20000)
        eventually("it waits", lambda: scene.redis.map("MQ.INFO", QUEUE)["blocked_clients"] == 1)
        start = time.monotonic()
        worker.stop()
        assert time.monotonic() - start < 10, "the waiting pull was ended"
        scene.push("1")
        assert scene.len("READY") == 1, "nobody waits any more"


def a_second_sigterm(options):
    with Scene(options) as scene:
        scene.push("1 hold 60000")
        worker = scene.worker()
        worker.waits_for("start 1 0")
        worker.signal()
        time.sleep(0.5)
        assert worker.process.poll() is None, "it waits for the handler"
        worker.signal()
        assert worker.ends() != 0


def until_empty(options):
    with Scene(options) as scene:
        scene.redis("MQ.CONFIG", QUEUE, "BACKOFF", 20)
        scene.push(*[f"{number} fail-once" for number in range(30)])
        worker = scene.worker(until_empty=1)
        assert worker.ends() == 0
        assert sorted(worker.of("done")) == list(range(30)) and scene.len() == 0


def several_queues(options):
    with Scene(options) as scene:
        scene.push(*[f"{number}" for number in range(10)])
        scene.push(*[f"{number}" for number in range(10, 20)], queue="mails")
        worker = scene.worker(queues="mails,orders", concurrency=1)
        for number in range(20):
            worker.waits_for(f"done {number}")
        assert worker.of("done") == [*range(10, 20), *range(10)], "in the order of the queues"
        scene.is_empty()
        worker.stop()


def one_round_trip_per_message(options):
    """Under load acknowledgments ride on the pulls."""
    with Scene(options) as scene:
        scene.push(*[str(number) for number in range(2000)])
        worker = scene.worker(concurrency=1)
        scene.is_empty()
        worker.stop()
        stats = scene.redis("INFO", "commandstats").decode().lower()
        calls = {name: int(count) for name, count in re.findall(r"cmdstat_mq\.(\w+):calls=(\d+)", stats)}
        assert calls.get("ack", 0) + calls.get("mpull", 0) + calls.get("pull", 0) < 2200, calls


def the_last_acknowledgment_does_not_wait(options):
    with Scene(options) as scene:
        worker = scene.worker(block=20000, concurrency=1)
        scene.push("1")
        worker.waits_for("done 1")
        eventually("it is acknowledged while the worker waits", lambda: scene.len() == 0, within=10)
        eventually("it waits", lambda: scene.redis.map("MQ.INFO", QUEUE)["blocked_clients"] == 1)
        worker.stop()


def all_is_done(scene, count, workers):
    """Each message was done at least once, and nothing is left."""
    eventually("the queue is empty", lambda: quiet(scene))
    end = time.monotonic() + 5
    while missing := set(range(count)).difference(*(worker.of("done") for worker in workers)):
        assert time.monotonic() < end, f"never done: {sorted(missing)[:10]}"
        time.sleep(0.01)  # the acknowledgment may be seen before the line that was printed first
    assert scene.len(queue=DEAD) == 0, dead_letters(scene)[:3]


def quiet(scene):
    try:
        return scene.len() == 0
    except (OSError, Refused):
        scene.redis = scene.server.connect()
        return False


def the_server_is_killed(options):
    with Scene(options, "--appendonly", "yes", "--appendfsync", "always") as scene:
        scene.redis("MQ.CONFIG", QUEUE, "BACKOFF", 20, "BACKOFFMAX", 200)
        count = 300
        scene.push(*[f"{number} sleep 20" for number in range(count)])
        worker = scene.worker(visibility=1000)
        for _ in range(2):
            before = len(worker.of("done"))
            eventually("some are done", lambda: len(worker.of("done")) > before + 50)
            scene.restart()
        all_is_done(scene, count, [worker])
        worker.stop()


def connections_are_cut(options):
    with Scene(options) as scene:
        scene.redis("MQ.CONFIG", QUEUE, "BACKOFF", 20, "BACKOFFMAX", 200)
        count = 400
        scene.push(*[f"{number} sleep 10" for number in range(count)])
        worker = scene.worker(visibility=1000)
        chance = random.Random(1)
        while len(worker.of("done")) < count * 3 // 4:
            scene.proxy.cut_after(chance.randrange(3000)) if chance.random() < 0.7 else scene.proxy.cut()
            time.sleep(0.15)
        all_is_done(scene, count, [worker])
        worker.stop()


def a_replica_takes_over(options):
    with Scene(options) as scene:
        scene.redis("MQ.CONFIG", QUEUE, "BACKOFF", 20)
        heir = Server(options.server, options.module)
        try:
            replica = heir.connect()
            replica("REPLICAOF", "127.0.0.1", scene.server.port)
            eventually("the replica follows", lambda: b"master_link_status:up" in replica("INFO", "replication"))
            count = 200
            scene.push(*[f"{number} sleep 20" for number in range(count)])
            worker = scene.worker(visibility=1000)
            eventually("some are done", lambda: len(worker.of("done")) > 50)
            # The old master becomes a replica first, so that the worker hears READONLY and UNBLOCKED, and then finds the other.
            scene.redis("CLIENT", "PAUSE", 500, "WRITE") if b"redis_version:6.0" not in scene.redis("INFO", "server") else None
            eventually("it has all", lambda: offset(scene.redis, "master_repl_offset") == offset(replica, "slave_repl_offset"))
            replica("REPLICAOF", "NO", "ONE")
            scene.redis("REPLICAOF", "127.0.0.1", heir.port)
            time.sleep(0.7)
            scene.proxy.target = heir.port
            scene.proxy.cut()
            scene.redis = heir.connect()
            all_is_done(scene, count, [worker])
            worker.stop()
        finally:
            heir.close()


def offset(connection, name):
    found = re.search(rf"{name}:(\d+)", connection("INFO", "replication").decode())
    return int(found[1])


def ten_thousand_messages(options):
    """One of seven fails once; the worker is killed twice, and so is the server."""
    with Scene(options, "--appendonly", "yes", "--appendfsync", "always") as scene:
        scene.redis("MQ.CONFIG", QUEUE, "BACKOFF", 20, "BACKOFFMAX", 200)
        count = 10_000
        for start in range(0, count, 1000):
            scene.push(*[f"{number} fail-once" if number % 7 == 0 else str(number) for number in range(start, start + 1000)])
        workers = [scene.worker(visibility=2000, concurrency=16)]

        def done():
            return sum(len(worker.of("done")) for worker in workers)

        for fault in ("worker", "server", "worker", "server"):
            before = done()
            eventually("some are done", lambda: done() > min(before + 1200, count * 9 // 10))
            if fault == "server":
                scene.restart()
            else:
                workers[-1].kill()
                workers.append(scene.worker(visibility=2000, concurrency=16))
        all_is_done(scene, count, workers)
        workers[-1].stop()


WORKER_CASES = [every_outcome, pulls_only_what_it_can_start, a_handler_longer_than_its_visibility, a_handler_longer_than_its_limit,
                a_message_that_was_taken_away, sigterm_in_the_middle_of_handlers, sigterm_and_handlers_that_take_too_long,
                sigterm_while_it_waits, a_second_sigterm, until_empty, several_queues, one_round_trip_per_message,
                the_last_acknowledgment_does_not_wait, the_server_is_killed, connections_are_cut, a_replica_takes_over, ten_thousand_messages]
