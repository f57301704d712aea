#!/usr/bin/env python3
"""Compares the cost of redis-mq with plain lists and Streams on the same server, in interleaved runs.

Starts its own servers (loopback, a free port, a temporary folder) and writes the raw results, one JSON file per server.
report.py makes the tables and charts. Every reply is checked: an error, a missing message or a wrong order ends the
part, and the next one follows; the exit status is then 1. It asserts no times.

Standard library only.
"""

import argparse
import os
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

from consumers import consumers_part
from cycle import cycle_part, depths_part, payloads_part
from features import FEATURES, features_part
from memory import memory_part
from results import FOLDER, merge, say, say_if_busy
from server import Connection, expect
from ticks import ticks_part
from waiting import waiting_part
from workloads import PAYLOAD_BYTES, Lists, Mq, Streams, drive

PROJECT = Path(__file__).resolve().parent.parent
KINDS = {kind.label.lower(): kind for kind in (Lists, Streams, Mq)}
PARTS = {
    "cycle": cycle_part,
    "payloads": payloads_part,
    "consumers": consumers_part,
    "memory": memory_part,
    "depths": depths_part,
    "waiting": waiting_part,
    "features": features_part,
    "ticks": ticks_part,
}


def drive_part(options):
    """Runs cycles of one workload against a running server; for instructions.sh."""
    connection = Connection(options.port)
    if kind := FEATURES.get(options.kind):
        workload = kind(connection, options.size, options.live)
    else:
        workload = KINDS[options.kind](connection, options.size, options.batched, options.payload)
    workload.prepare(connection)
    drive(workload, connection, options.rounds, time.monotonic_ns)
    expect("left behind", workload.left(connection), 0)


def run_parts(options):
    """Returns the parts that failed."""
    binaries = options.server or [os.environ.get("MQ_SERVER", "redis-server")]
    for binary in binaries:
        if not shutil.which(binary):
            raise SystemExit(f"no server at {binary}: give --server or MQ_SERVER")
    options.module = Path(options.module).resolve()
    if not options.module.is_file():
        raise SystemExit(f"no module at {options.module}: run `make build`")
    names = options.parts.split(",")
    if unknown := set(names) - set(PARTS):
        raise SystemExit(f"unknown parts: {', '.join(unknown)}; known: {', '.join(PARTS)}")
    say_if_busy()
    failed = []
    for number, binary in enumerate(binaries, 1):
        for name in names:
            began = time.monotonic()
            try:
                part = PARTS[name](options, binary)
            except Exception:
                traceback.print_exc()
                say(f"server {number} of {len(binaries)}: {name} FAILED")
                failed.append(f"{name} on {binary}")
                continue
            path = merge(options.results, name, part)
            say(f"{part.server}: {name} took {time.monotonic() - began:.0f} s, {len(part)} samples in {path.name}")
    return failed


def numbers(text):
    return [int(count) for count in text.split(",")]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--server", action="append", help="a server binary; may be repeated (MQ_SERVER, or redis-server)")
    module = os.environ.get("MQ_MODULE", PROJECT / "target/release/libmq.so")
    add("--module", default=module, help="the module (MQ_MODULE)")
    add("--results", default=FOLDER, type=Path, help="the folder of the raw results")
    add("--parts", default=",".join(PARTS), help="comma-separated")
    add("--messages", type=int, default=8000, help="messages per run")
    add("--runs", type=int, default=9, help="interleaved runs of the cycle")
    add("--payload-runs", type=int, default=5, help="interleaved runs of the payloads")
    add("--consumer-runs", type=int, default=5, help="interleaved runs of the consumers")
    add("--depth-runs", type=int, default=5, help="interleaved runs beside messages that are ready or in flight")
    add("--most", type=int, default=10**7, help="most ready messages beside the cycle (without AOF)")
    add("--most-held", type=int, default=10**6, help="most messages in flight, and most ready ones with AOF")
    add("--memory-messages", type=int, default=500_000, help="messages in the memory comparison")
    add("--waiting", type=numbers, default=[10, 1000, 10_000], help="comma-separated numbers of blocked clients")
    add("--waiting-runs", type=int, default=3, help="interleaved runs with blocked clients")
    add("--pushes", type=int, default=3000, help="pushes per run with blocked clients")
    add("--feature-runs", type=int, default=7, help="interleaved runs of the features")
    add("--live", type=int, default=1_000_000, help="live keys in the comparison of features")
    commands = parser.add_subparsers(dest="command")
    driver = commands.add_parser("drive", help="run cycles against a running server")
    driver.add_argument("port", type=int)
    driver.add_argument("kind", choices=[*KINDS, *FEATURES])
    driver.add_argument("size", type=int, help="messages per round")
    driver.add_argument("rounds", type=int)
    driver.add_argument("--batched", action="store_true")
    driver.add_argument("--payload", type=int, default=PAYLOAD_BYTES, help="bytes of each payload")
    options = parser.parse_args()
    # Ends the servers, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if options.command == "drive":
        drive_part(options)
    elif failed := run_parts(options):
        sys.exit("these parts failed: " + "; ".join(failed))


if __name__ == "__main__":
    main()
