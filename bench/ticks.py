"""Server CPU of a tick of a schedule beside a delayed message that is pushed and becomes ready. Part `ticks`. Standard
library only."""

import time

from cycle import turned
from results import Part, note
from server import Connection, Server, ServerError, command, expect
from workloads import YEAR_MS, payloads

# All at one moment: as many as a queue can have schedules.
COUNT = 10_000
RUNS = 7
# How long the commands may take that set it up, and its messages to become ready, in seconds.
SET_UP, LIMIT = 4, 30


def schedules(connection, pool, due_ms):
    """Sets schedules with one tick at that time, unix ms. Returns nothing: setting them is no part of a tick."""
    lines = (
        command("MQ.SCHEDULE", "q", f"schedule-{number}", payload, "EVERY", YEAR_MS, "START", due_ms)
        for number, payload in enumerate(pool)
    )
    expect("MQ.SCHEDULE", connection.run(b"".join(lines), COUNT), [1] * COUNT)


def pushes(connection, pool, due_ms):
    connection.run(b"".join(command("MQ.PUSH", "q", payload, "AT", due_ms) for payload in pool), COUNT)


KINDS = {"tick": schedules, "delayed": pushes}


def measure(server, kind, pool):
    """Server CPU in µs per message, to set up and to become ready."""
    control, connection = server.control, Connection(server.port)
    due_ms = int((time.time() + SET_UP) * 1000)
    start = control.cpu_us()
    KINDS[kind](connection, pool, due_ms)
    set_up = control.cpu_us() - start
    left = due_ms / 1000 - time.time()
    if left < 0.2:
        raise ServerError(f"setting up {COUNT} took too long")
    time.sleep(left - 0.1)
    before = control.cpu_us()
    deadline = time.monotonic() + LIMIT
    while control.call("MQ.LEN", "q", "READY") < COUNT:
        if time.monotonic() > deadline:
            raise ServerError(f"not all {COUNT} became ready")
        time.sleep(0.02)
    moved = control.cpu_us() - before
    connection.call("MQ.DROP", "q")
    connection.close()
    return set_up / COUNT, moved / COUNT


def ticks_part(options, binary):
    part = Part(runs=RUNS, count=COUNT)
    pool = payloads(COUNT)
    with Server(binary, options.module) as server:
        part.measured_on(server)
        for run in range(RUNS):
            note(f"{server.name} ticks, run {run + 1} of {RUNS}")
            for kind in turned(list(KINDS), run):
                set_up, moved = measure(server, kind, pool)
                total = moved if kind == "tick" else set_up + moved
                part.add({"peer": kind}, cpu=total, set_up=set_up, moved=moved)
    return part
