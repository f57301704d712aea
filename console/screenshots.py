#!/usr/bin/env python3
"""Makes docs/images/: the page's overview and a queue, light and dark, while queues move.

    make console build
    console/screenshots.py --seconds 600

Starts its own server, console, producers, consumers and browser (loopback, free ports). The charts show ten minutes, so it
takes as long.

Standard library only; needs chromedriver (scripts/install-needs.sh console).
"""

import argparse
import base64
import json
import math
import os
import random
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT / "bench"))

from console import Console  # noqa: E402
from server import Connection, Server, ServerError  # noqa: E402

WIDTH = 1240
# Of each its view and height.
PICTURES = {"overview": ("", 760), "queue": ("queue?name=webhooks", 885)}
ended = threading.Event()
ERRORS = ["connection refused", "no such customer", "timeout after 5 s"]


def prepare(call):
    """Queues that are stuck, each for another reason."""
    for queue, *settings in (
        ("payments", "MAXINFLIGHT", 5),
        ("webhooks", "MAXRETRIES", 0, "RATE", 20),
        ("orders", "MAXRETRIES", 2, "BACKOFF", 200),
    ):
        call("MQ.CONFIG", queue, *settings)
    for number in range(45):
        call("MQ.PUSH", "payments", json.dumps({"amount": number}))
    for number in range(5):
        call("MQ.PULL", "payments", "VISIBILITY", 3_600_000, "CONSUMER", f"payments-{number % 2}")
    for number in range(230):
        call("MQ.PUSH", "invoices", json.dumps({"number": number}))
    for number in range(12):
        call("MQ.PUSH", "reports", "monthly")
    call("MQ.PAUSE", "reports")
    for number in range(30):
        call("MQ.PUSH", "sms", "hello", "DELAY", random.randint(3_600_000, 7_200_000))
    call("MQ.SCHEDULE", "reports", "daily", "", "CRON", "30 6 * * MON-FRI", "TZ", "Europe/Berlin")


def produce(port, queues, rate):
    """Pushes in waves of two minutes."""
    call = Connection(port).call
    while True:
        wave = 1 + 0.6 * math.sin(time.monotonic() / 19) + 0.3 * math.sin(time.monotonic() / 7)
        call("MQ.PUSH", random.choice(queues), json.dumps({"id": random.randint(1, 9999)}))
        time.sleep(random.expovariate(rate * max(wave, 0.1)))


def consume(port, queue, consumer, seconds, failing):
    call = Connection(port).call
    while True:
        fields = call("MQ.PULL", queue, "BLOCK", 5000, "CONSUMER", consumer)
        if fields is None:
            continue
        message = dict(zip(fields[::2], fields[1::2]))
        time.sleep(random.uniform(0, 2 * seconds))
        held = (queue, message[b"id"], message[b"receipt"])
        if random.random() < failing:
            call("MQ.NACK", *held, "REASON", random.choice(ERRORS))
        else:
            call("MQ.ACK", *held)


def start(work, *arguments):
    """In a thread of its own, until the server ends."""

    def run():
        try:
            work(*arguments)
        except (ServerError, OSError):
            if not ended.is_set():
                raise

    threading.Thread(target=run, daemon=True).start()


def load(port):
    prepare(Connection(port).call)
    # Queues, and pushes per second.
    producers = [
        (["orders", "orders", "emails", "thumbnails"], 50),
        (["search-index", "audit"], 25),
        (["webhooks"], 24),
        (["billing:eu", "billing:us"], 6),
    ]
    # Queue, consumers, seconds for a message, the share that fails.
    consumers = [
        ("orders", 3, 0.05, 0.02),
        ("emails", 2, 0.05, 0),
        ("thumbnails", 1, 0.06, 0),
        ("search-index", 1, 0.03, 0),
        ("audit", 1, 0.01, 0),
        ("webhooks", 1, 0.01, 0.02),
        ("billing:eu", 1, 0.1, 0),
        ("billing:us", 1, 0.1, 0),
    ]
    for queues, rate in producers:
        start(produce, port, queues, rate)
    for queue, number, seconds, failing in consumers:
        for own in range(number):
            start(consume, port, queue, f"{queue}-{own + 1}", seconds, failing)


class Browser:
    """Chromium by the WebDriver protocol; `with` stops it."""

    def __enter__(self):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        started = next(line for line in self.driver.stdout if "successfully on port" in line)
        self.url = "http://127.0.0.1:" + started.rsplit("port ", 1)[1].strip().rstrip(".")
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]}
        session = self.send("/session", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}})
        self.url += "/session/" + session["sessionId"]
        return self

    def __exit__(self, *_):
        self.send("", method="DELETE")
        self.driver.terminate()
        self.driver.wait()

    def send(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request) as reply:
            return json.load(reply)["value"]

    def tell(self, command, **parameters):
        self.send("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def picture(self, page, height, theme):
        self.tell("Emulation.setDeviceMetricsOverride", width=WIDTH, height=height, deviceScaleFactor=1, mobile=False)
        self.tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        self.send("/url", {"url": page})
        time.sleep(5)  # two samples
        return base64.b64decode(self.send("/screenshot"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default=os.environ.get("MQ_SERVER", "redis-server"))
    parser.add_argument("--module", type=Path, default=os.environ.get("MQ_MODULE", PROJECT / "target/release/libmq.so"))
    parser.add_argument("--console", default=PROJECT / "target/console/release/redis-mq")
    parser.add_argument("--folder", type=Path, default=PROJECT / "docs/images")
    parser.add_argument("--seconds", type=int, default=600)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with Server(options.server, options.module.resolve()) as server, Console(options.console, server.port, ["--allow-writes"]) as console:
        load(server.port)
        end = time.monotonic() + options.seconds
        while time.monotonic() < end:
            console.get("api/queues?limit=1")  # somebody looks, so it samples every two seconds
            time.sleep(10)
        with Browser() as browser:
            for name, (view, height) in PICTURES.items():
                for theme in ("light", "dark"):
                    picture = browser.picture(f"{console.url}#/{view}", height, theme)
                    (options.folder / f"console-{name}-{theme}.png").write_bytes(picture)
        ended.set()


if __name__ == "__main__":
    main()
