"""What is promised beyond kombu's Redis transport, with real Celery workers."""

import time
from datetime import datetime, timezone

import pytest
from kombu import Consumer

from tests.conftest import drain, until


def test_tasks_are_run_and_their_results_come_back(send, start_worker):
    start_worker()
    results = [send("add", n, n) for n in range(50)]
    assert [result.get(timeout=20) for result in results] == [2 * n for n in range(50)]


def test_a_task_longer_than_the_visibility_runs_once(send, server, start_worker):
    for _ in range(2):
        start_worker(visibility_timeout=1)
    send("run", "long", 4)
    until(lambda: server.done("long"))
    assert len(server.runs("long")) == 1
    assert until(lambda: server.mq("LEN", "celery") == 0)


def test_a_task_is_kept_while_the_event_loop_is_blocked(send, server, start_worker):
    """The pool `solo` runs tasks in the event loop."""
    for _ in range(2):
        start_worker("--pool", "solo", visibility_timeout=1)
    send("run", "blocking", 4)
    until(lambda: server.done("blocking"))
    assert len(server.runs("blocking")) == 1


@pytest.mark.parametrize("server_eta", [True, False])
def test_an_eta_longer_than_the_visibility_runs_once_and_on_time(app, send, server, start_worker, server_eta):
    for _ in range(2):
        start_worker(visibility_timeout=2)
    app.conf.broker_transport_options = {"server_eta": server_eta}
    etas = [time.time() + 4 + n / 2 for n in range(3)]
    for n, eta in enumerate(etas):
        send("run", f"later-{n}", eta=datetime.fromtimestamp(eta, timezone.utc))
    if server_eta:
        assert server.mq("LEN", "celery", "DELAYED") == 3
    until(lambda: all(server.done(f"later-{n}") for n in range(3)))
    time.sleep(1.5)
    runs = [server.runs(f"later-{n}") for n in range(3)]
    assert [len(run) for run in runs] == [1, 1, 1]
    late = [run[0] - eta for run, eta in zip(runs, etas)]
    # The machine of the tests may be busy, but no task is early and not all are late.
    assert min(late) > -0.01 and min(late) < (0.1 if server_eta else 1)


@pytest.mark.parametrize("arguments", [(), ("--max-tasks-per-child", "1")])
def test_the_tasks_of_a_killed_worker_are_given_back_at_once(send, server, start_worker, arguments):
    """Also if its children, which live on, were forked while it was connected and have copies of its sockets."""
    worker = start_worker(*arguments)
    for n in range(3):
        send("run", f"first-{n}")
        until(lambda n=n: server.done(f"first-{n}"))
    for _ in range(3):
        send("run", "killed", 60)
    until(lambda: len(server.runs("killed")) == 2 and server.mq("LEN", "celery", "INFLIGHT") == 3)
    worker.kill()
    killed_at = time.monotonic()
    until(lambda: server.mq("LEN", "celery", "READY") == 3, 5)
    assert time.monotonic() - killed_at < 1.5  # Redis 6 looks once a second


def test_a_lost_connection_counts_no_retry_if_the_worker_is_back_in_time(send, server, start_worker):
    start_worker(disconnect_grace=10)
    send("run", "cut", 2)
    until(lambda: server.runs("cut"))
    server.client.client_kill_filter(_type="normal", skipme=True)
    until(lambda: len(server.runs("cut")) == 2)
    (message,) = server.peek("celery", "INFLIGHT")
    assert message["retry_count"] == 0


def test_every_task_is_done_while_workers_are_killed(send, server, start_worker):
    names = [f"many-{n}" for n in range(600)]
    workers = [start_worker() for _ in range(2)]
    for name in names:
        send("run", name, 0.01)
    for left in 400, 200:
        until(lambda left=left: server.mq("LEN", "celery") <= left)
        workers.pop(0).kill()
        workers.append(start_worker())
    until(lambda: server.mq("LEN", "celery") == 0)
    assert [name for name in names if not server.done(name)] == []
    assert server.mq("LEN", "{celery}:dead") == 0


def test_a_task_that_kills_its_workers_ends_in_the_dead_letter_queue(send, server, start_worker):
    options = {"queue_settings": {"backoff": 0, "maxretries": 1}}
    for _ in range(2):
        worker = start_worker(**options)
        if not server.runs("poison"):
            send("kill_worker", "poison")
        worker.process.wait(20)
    (dead,) = until(lambda: server.peek("{celery}:dead"))
    assert dead["dead_reason"] == "retries"
    assert dead["dead_retries"] == 1
    assert len(server.runs("poison")) == 2


def test_a_task_that_kills_its_process_ends_in_the_dead_letter_queue(send, server, start_worker):
    start_worker(queue_settings={"backoff": 0, "maxretries": 2})
    send("kill_child", "crash")
    (dead,) = until(lambda: server.peek("{celery}:dead"))
    assert dead["dead_reason"] == "retries"
    assert dead["last_error"] == "requeued by its consumer"
    assert len(server.runs("crash")) == 3


def test_rejected_and_unknown_tasks_are_dead_letters_if_asked_for(send, server, start_worker):
    start_worker(dead_letter_rejected=True)
    send("reject", "refused")
    send("unknown")
    dead = until(lambda: len(server.peek("{celery}:dead")) == 2 and server.peek("{celery}:dead"))
    assert {message["dead_reason"] for message in dead} == {"rejected"}
    assert {message["last_error"] for message in dead} == {"rejected by its consumer"}


def test_rejected_tasks_are_gone_otherwise(send, server, start_worker):
    start_worker()
    send("reject", "refused")
    until(lambda: server.runs("refused") and server.mq("LEN", "celery") == 0)
    assert server.mq("LEN", "{celery}:dead") == 0


def test_the_length_of_a_queue_tells_what_is_in_flight_apart(app, send, server, start_worker):
    start_worker()
    for n in range(10):
        send("run", f"count-{n}", 3)
    # Two in work, and the prefetch of four
    until(lambda: server.mq("LEN", "celery", "INFLIGHT") == 4)
    assert server.mq("LEN", "celery", "READY") == 6
    with app.connection_for_read() as connection:
        declared = app.amqp.queues["celery"](connection.default_channel).queue_declare(passive=True)
    assert declared.message_count == 6


def test_without_prefetch_a_worker_takes_what_it_can_start(send, server, start_worker):
    start_worker("--disable-prefetch")
    for n in range(6):
        send("run", f"next-{n}", 1)
    until(lambda: server.mq("LEN", "celery", "INFLIGHT"))
    most = 0
    while server.mq("LEN", "celery"):
        most = max(most, server.mq("LEN", "celery", "INFLIGHT"))
        time.sleep(0.01)
    assert most == 2


def test_a_terminated_worker_gives_back_what_it_has_not_started(send, server, start_worker):
    worker = start_worker("--concurrency", "1")
    for n in range(5):
        send("run", f"stop-{n}", 2)
    until(lambda: server.runs("stop-0"))
    worker.terminate()
    assert server.mq("LEN", "celery", "INFLIGHT") == 0
    waiting = server.peek("celery")
    assert {message["retry_count"] for message in waiting} == {0}
    assert waiting == sorted(waiting, key=lambda message: message["timestamp"])
    done = sum(len(server.done(f"stop-{n}")) for n in range(5))
    assert done + len(waiting) == 5


def test_a_worker_goes_on_when_its_server_is_started_again(send, server, start_worker):
    start_worker()
    assert send("add", 1, 1).get(timeout=20) == 2
    server.stop()
    time.sleep(1)
    server.start()
    send("run", "again")
    until(lambda: server.done("again"))


def test_expired_tasks_are_not_run(send, server, start_worker):
    send("run", "late", expires=0.5)
    send("run", "soon", expires=60)
    time.sleep(1)
    start_worker()
    until(lambda: server.done("soon") and server.mq("LEN", "celery") == 0)
    assert server.runs("late") == []


def test_workers_answer_remote_control_and_send_events(app, send, start_worker):
    start_worker("--task-events")
    (answer,) = until(lambda: app.control.ping(timeout=2))
    assert next(iter(answer.values())) == {"ok": "pong"}
    assert app.control.inspect(timeout=2).registered()

    events = []
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"task-succeeded": events.append})
        with Consumer(connection, receiver.queue, callbacks=[receiver._receive], no_ack=True, accept={"json"}):
            result = send("add", 1, 1)
            drain(connection, lambda: events)
    assert events[0]["uuid"] == result.id
