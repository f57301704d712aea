#!/usr/bin/env python3
"""Tests a client through its driver: README.md says what that is."""

import argparse
import json
import os
import sys
import traceback
from pathlib import Path

from cases import Driver, needs_server, run_case
from server import Proxy, Server
from worker import WORKER_CASES

FOLDER = Path(__file__).resolve().parent


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", default=os.environ.get("MQ_SERVER", "redis-server"))
    parser.add_argument("--module", default=os.environ.get("MQ_MODULE", str(FOLDER.parents[1] / "target/release/libmq.so")))
    parser.add_argument("--only", default="", help="only the cases whose names contain this word")
    parser.add_argument("--fake", action="store_true", help="the client's fake too")
    parser.add_argument("--no-worker", action="store_true", help="not the worker")
    parser.add_argument("--no-client", action="store_true", help="not the client, nor its fake")
    parser.add_argument("driver", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if options.driver[:1] == ["--"]:
        options.driver.pop(0)
    if not options.driver:
        parser.error("the driver is missing")
    return options


def all_cases():
    for path in sorted(FOLDER.glob("*.json")):
        file = json.loads(path.read_text())
        for case in file["cases"]:
            yield f"{path.stem}: {case['name']}", case, "only" in file


class Report:
    def __init__(self, only):
        self.only, self.passed, self.failed = only, 0, []

    def run(self, name, test):
        if self.only not in name:
            return
        try:
            test()
        except Exception as error:
            self.failed.append(name)
            what = error if isinstance(error, AssertionError) else traceback.format_exc()
            print(f"FAILED  {name}\n        {what}", flush=True)
        else:
            self.passed += 1
            print(f"ok      {name}", flush=True)


def client_cases(options, report):
    for protocol in (2, 3):
        server = Server(options.server, options.module)
        proxy = Proxy(server.port)
        try:
            driver = Driver(options.driver, "client", f"redis://127.0.0.1:{proxy.port}", protocol)
            try:
                for name, case, _ in all_cases():
                    report.run(f"RESP{protocol}: {name}", lambda: run_case(case, driver, server, proxy, False))
            finally:
                driver.close()
        finally:
            proxy.close()
            server.close()


def fake_cases(options, report):
    driver = Driver(options.driver, "fake", "", 2)
    try:
        for name, case, is_for_server in all_cases():
            if not is_for_server and not needs_server(case):
                report.run(f"fake: {name}", lambda: run_case(case, driver, None, None, True))
    finally:
        driver.close()


def main():
    options = arguments()
    report = Report(options.only)
    if not options.no_client:
        client_cases(options, report)
        if options.fake:
            fake_cases(options, report)
    if not options.no_worker:
        for case in WORKER_CASES:
            name = "worker: " + case.__name__.replace("_", " ")
            report.run(name, lambda: case(options))
    print(f"{report.passed} passed, {len(report.failed)} failed")
    sys.exit(bool(report.failed) or not report.passed)


if __name__ == "__main__":
    main()
