"""The cases of the worker: each runs the worker program of a driver beside a server, breaks something, and looks at what
the program printed and at what is left in the queue."""

import random
import re
import time

from scene import QUEUE, Scene
from server import Refused, Server, eventually

DEAD = "{orders}:dead"


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


def what_a_shutdown_gives_back_keeps_its_place(options):
    with Scene(options) as scene:
        scene.push("0 sleep 60000", "1 sleep 60000", "2", "3")
        worker = scene.worker(concurrency=2, grace=300)
        worker.waits_for("start 0 0")
        worker.waits_for("start 1 0")
        worker.stop()
        assert payloads(scene) == [b"0 sleep 60000", b"1 sleep 60000", b"2", b"3"]


def what_a_handler_releases_goes_behind(options):
    with Scene(options) as scene:
        scene.push("0 release", "1", "2")
        worker = scene.worker(concurrency=1)
        scene.is_empty()
        worker.stop()
        assert worker.of("start") == [0, 1, 2, 0]


def payloads(scene):
    return [dict(zip(flat[::2], flat[1::2]))[b"payload"] for flat in scene.redis("MQ.PEEK", QUEUE, "COUNT", 100)]


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


def what_it_pulls_with(options):
    with Scene(options) as scene:
        assert ["ONDISCONNECT", "GRACE", "700"] == disconnect_options(scene, disconnect_grace=700)
        assert ["ONDISCONNECT", "GRACE", "5000"] == disconnect_options(scene), "the default"
        assert ["ONDISCONNECT", "GRACE", "700"] == disconnect_options(scene, disconnect_grace=700, queues="orders,mails")
        assert [] == disconnect_options(scene, disconnect_grace=0)
        assert [] == disconnect_options(scene, disconnect_grace=1000, visibility=1000), "the visibility ends as soon"


def disconnect_options(scene, **settings):
    """What the pulls of a worker with these settings say about its connection."""
    monitor = scene.server.connect()
    monitor("MONITOR")
    worker = scene.worker(**settings)
    words = []
    while words[:1] not in (["MQ.PULL"], ["MQ.MPULL"]):
        words = [word.upper() for word in re.findall(r'"(.*?)"', monitor.reply())]
    monitor.close()
    worker.stop()
    return [word for word, before in zip(words, ["", *words]) if word in ("ONDISCONNECT", "NOCOUNT", "GRACE") or before == "GRACE"]


def a_worker_is_killed(options):
    with Scene(options) as scene:
        scene.redis("MQ.CONFIG", QUEUE, "BACKOFF", 20)
        scene.push("0 sleep 1000", "1 sleep 1000")
        first = scene.worker(visibility=600_000, disconnect_grace=1500)
        first.waits_for("start 0 0")
        first.waits_for("start 1 0")
        killed = time.monotonic()
        first.kill()
        second = scene.worker(visibility=600_000, disconnect_grace=1500)
        second.waits_for("start 0 1")
        second.waits_for("start 1 1")
        assert time.monotonic() - killed > 1.5, "not before the grace"
        scene.is_empty()
        second.stop()


def connections_are_cut_in_the_middle_of_handlers(options):
    """First only those that pull, which a worker without a free handler does not notice, then all of them."""
    with Scene(options) as scene:
        full = scene.worker(disconnect_grace=2000)
        scene.push(*[f"{number} sleep 9000" for number in range(4)])
        for number in range(4):
            full.waits_for(f"start {number} 0")
        free = scene.worker(disconnect_grace=2000)
        scene.push("4 sleep 8000", "5 sleep 8000")
        free.waits_for("start 4 0")
        free.waits_for("start 5 0")
        cut_pullers(scene)
        time.sleep(2.5)
        for _ in range(2):
            scene.proxy.cut()
            time.sleep(2.5)
        nothing_was_done_twice(scene, full, free)


def cut_pullers(scene):
    clients = [dict(pair.split("=", 1) for pair in line.split()) for line in scene.redis("CLIENT", "LIST").decode().splitlines()]
    pullers = [client["id"] for client in clients if client["cmd"].lower() in ("mq.pull", "mq.mpull")]
    assert len(pullers) == 2, clients
    for id in pullers:
        scene.redis("CLIENT", "KILL", "ID", id)


def sigterm_and_handlers_longer_than_the_disconnect_grace(options):
    with Scene(options) as scene:
        ending = scene.worker(disconnect_grace=1000)
        scene.push(*[f"{number} sleep 4500" for number in range(6)])
        for number in range(4):
            ending.waits_for(f"start {number} 0")
        other = scene.worker(disconnect_grace=1000)
        other.waits_for("start 5 0")
        ending.signal()
        assert ending.ends() == 0
        nothing_was_done_twice(scene, ending, other)


def nothing_was_done_twice(scene, *workers):
    scene.is_empty()
    for worker in workers:
        if worker.process.poll() is None:
            worker.stop()
    for word in ("start", "done"):
        assert sorted(sum((worker.of(word) for worker in workers), [])) == list(range(6)), [worker.lines for worker in workers]


def prefetch_holds_so_many_more(options):
    with Scene(options) as scene:
        scene.push("0 sleep 4000", *[f"{number} sleep 400" for number in range(1, 5)])
        worker = scene.worker(concurrency=1, prefetch=3)
        worker.waits_for("start 0 0")
        holds(scene, 4)
        other = scene.worker(concurrency=1)
        other.waits_for("start 4 0")
        scene.is_empty()
        worker.stop()
        other.stop()
        steps = [step for number in range(4) for step in (f"start {number} 0", f"done {number}")]
        assert worker.lines[1:-1] == steps, worker.lines
        assert other.of("start") == [4]


def holds(scene, count):
    eventually(f"{count} messages in work or held", lambda: scene.len("INFLIGHT") == count)


def held_messages_outlive_a_handler_longer_than_the_visibility(options):
    with Scene(options) as scene:
        scene.push("0 sleep 2500", "1", "2", "3")
        worker = scene.worker(concurrency=1, prefetch=3, visibility=600)
        holds(scene, 4)
        other = scene.worker()
        scene.is_empty()
        worker.stop()
        other.stop()
        assert worker.lines.count("start 3 0") == 1 and worker.of("start") == [0, 1, 2, 3] and other.of("start") == []
        info = scene.redis.map("MQ.INFO", QUEUE)
        assert info["pulled"] == 4 and info["expired"] == 0, info


def max_processing_does_not_count_while_a_message_is_held(options):
    with Scene(options) as scene:
        scene.push("0 sleep 1500", "1 sleep 1500")
        worker = scene.worker(concurrency=1, prefetch=1, visibility=400, max_processing=2000)
        worker.waits_for("done 1")
        worker.stop()
        assert worker.of("start") == [0, 1] and worker.of("cancelled") == []


def a_held_message_that_was_taken_away(options):
    with Scene(options) as scene:
        scene.push("0 sleep 2000", "1", "2")
        worker = scene.worker(concurrency=1, prefetch=2, visibility=600)
        holds(scene, 3)
        scene.redis("MQ.DEL", QUEUE, scene.redis("MQ.PEEK", QUEUE, "INFLIGHT", "OFFSET", 1)[0][1])
        worker.waits_for("done 0")
        scene.is_empty()
        worker.stop()
        assert len(worker.of("start")) == 2, worker.lines


def sigterm_releases_what_is_held_at_once(options):
    """Both where the waiting connection waits, and where nothing more is pulled."""
    for prefetch in (9, 3):
        with Scene(options) as scene:
            scene.push("0 sleep 60000", "1", "2", "3")
            worker = scene.worker(concurrency=1, prefetch=prefetch, grace=6000, block=20000)
            holds(scene, 4)
            scene.push("4") if prefetch == 3 else None
            worker.signal()
            eventually("they are back", lambda: scene.len("READY") >= 3)
            assert worker.of("cancelled") == [], "the handler still has its grace time"
            expected = [b"1", b"2", b"3", b"4"] if prefetch == 3 else [b"1", b"2", b"3"]
            assert payloads(scene) == expected, payloads(scene)
            assert worker.ends() == 0 and worker.of("start") == [0] and worker.of("cancelled") == [0]
            assert payloads(scene) == [b"0 sleep 60000", *expected]
            messages = [dict(zip(flat[::2], flat[1::2])) for flat in scene.redis("MQ.PEEK", QUEUE, "COUNT", 100)]
            assert all(message[b"retry_count"] == 0 for message in messages)


def the_waiting_connection_is_cut_while_messages_are_held(options):
    """Both where it waits, and where it is idle, because nothing more is pulled."""
    for prefetch in (9, 5):
        with Scene(options) as scene:
            scene.push("0 sleep 4000", *[f"{number}" for number in range(1, 6)])
            worker = scene.worker(concurrency=1, prefetch=prefetch, disconnect_grace=1000, block=20000)
            holds(scene, 6)
            other = scene.worker(disconnect_grace=1000, block=20000)
            waiting = 2 if prefetch == 9 else 1
            eventually("they wait", lambda: scene.redis.map("MQ.INFO", QUEUE)["blocked_clients"] == waiting)
            cut_pullers(scene)
            nothing_was_done_twice(scene, worker, other)
            assert other.of("start") == []


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


WORKER_CASES = [every_outcome, pulls_only_what_it_can_start, a_handler_longer_than_its_visibility,
                a_handler_longer_than_its_limit, a_message_that_was_taken_away, sigterm_in_the_middle_of_handlers,
                sigterm_and_handlers_that_take_too_long, what_a_shutdown_gives_back_keeps_its_place,
                what_a_handler_releases_goes_behind, sigterm_while_it_waits, a_second_sigterm, until_empty, several_queues,
                one_round_trip_per_message, the_last_acknowledgment_does_not_wait, what_it_pulls_with, a_worker_is_killed,
                connections_are_cut_in_the_middle_of_handlers, sigterm_and_handlers_longer_than_the_disconnect_grace,
                prefetch_holds_so_many_more, held_messages_outlive_a_handler_longer_than_the_visibility,
                max_processing_does_not_count_while_a_message_is_held, a_held_message_that_was_taken_away,
                sigterm_releases_what_is_held_at_once, the_waiting_connection_is_cut_while_messages_are_held,
                the_server_is_killed, connections_are_cut, a_replica_takes_over, ten_thousand_messages]
