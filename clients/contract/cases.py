"""Carries out the cases of the *.json files. A file is {"cases": [...]}, with "only": "server" if the fakes lack what it
tests. A case is {"name": ..., "steps": [...]}; each runs on an empty server.

A step is one of
- {"call": method, arguments..., "gives": pattern} or {..., "error": type}; "as": name saves the result.
  "gives" may be left out: then it only must not fail. "only": "server" leaves the case out with the fake.
- {"command": [word, ...]}: sent to the server beside the client; a case with one is left out with the fake.
- {"wait": ms}: waits, or sets the clock of the fake forward.
- {"cut": n}: the connection of the client ends at the first reply that exceeds n bytes, without that reply.
- {"disconnect": true}: ends all connections of the client. Its next call should be one that repeats, publish.
- {"restart": true}: kills the server, and starts it again.

In arguments, "$name", "$name.field" and "$name.0" stand for what was saved, {"in": ms} for a moment from now. Payloads are text,
{"hex": ...} or {"repeat": text, "times": n}.

A pattern is a value that must be equal, or
- {"has": {field: pattern, ...}}, with null for a field that must be absent
- [pattern, ...] for arrays of that length
- {"any": true}, {"uuid": true}, {"near": ms}: a moment that far from now, give or take two seconds; {"at_least": n};
  {"starts": text}, {"same": "$name.field"}, {"differs": "$name.field"}, {"payload": payload}
"""

import base64
import json
import os
import subprocess
import threading
import time
import uuid

LEEWAY = 2000


class Driver:
    """The program through which a client is called."""

    def __init__(self, command, mode, url, protocol):
        environment = {"MQ_URL": url, "MQ_PROTOCOL": str(protocol)}
        self.process = subprocess.Popen([*command, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **environment})

    def call(self, request):
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        watchdog = threading.Timer(90, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline()
        watchdog.cancel()
        if not line:
            raise AssertionError(f"the driver ended, or did not answer in time: {str(request)[:200]}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Run:
    """One case."""

    def __init__(self, driver, server, proxy, is_fake):
        self.driver, self.server, self.proxy, self.is_fake = driver, server, proxy, is_fake
        self.saved = {}
        self.now = time.time() * 1000

    def step(self, step):
        step = dict(step)
        if "wait" in step:
            return self.wait(step["wait"])
        if "command" in step:
            return self.server.connect()(*[self.filled(word) for word in step["command"]])
        if "cut" in step:
            return self.proxy.cut_after(step["cut"])
        if "disconnect" in step:
            return self.proxy.cut()
        if "restart" in step:
            self.server.kill()
            return self.server.start()
        expected = {key: step.pop(key) for key in ("gives", "error", "as") if key in step}
        reply = self.driver.call(self.arguments(step))
        if "error" in expected:
            check(reply.get("error"), expected["error"], f"{step}: {str(reply)[:500]}", self)
            return None
        if "ok" not in reply:
            raise AssertionError(f"{step}: {str(reply)[:500]}")
        if "gives" in expected:
            check(reply["ok"], expected["gives"], str(step)[:300], self)
        if "as" in expected:
            self.saved[expected["as"]] = reply["ok"]
        return None

    def wait(self, ms):
        if self.is_fake:
            self.driver.call({"call": "advance", "ms": ms})
        else:
            time.sleep(ms / 1000)
        self.now += ms

    def clock(self):
        return self.now if self.is_fake else time.time() * 1000

    def arguments(self, step):
        step = self.filled(step)
        if "payload" in step:
            step["payload"] = encoded(step["payload"])
        if "payloads" in step:
            step["payloads"] = [encoded(payload) for payload in step["payloads"]]
        return step

    def filled(self, value):
        if isinstance(value, str) and value.startswith("$"):
            return self.recall(value)
        if isinstance(value, list):
            return [self.filled(one) for one in value]
        if isinstance(value, dict):
            if value.keys() == {"in"}:
                return int(self.clock() + value["in"])
            return {name: self.filled(one) for name, one in value.items()}
        return value

    def recall(self, path):
        name, *fields = path[1:].split(".")
        value = self.saved[name]
        for field in fields:
            value = value[int(field)] if isinstance(value, list) else value.get(field)
        return value


def bytes_of(payload):
    if isinstance(payload, str):
        return payload.encode()
    if "hex" in payload:
        return bytes.fromhex(payload["hex"])
    return payload["repeat"].encode() * payload["times"]


def encoded(payload):
    return base64.b64encode(bytes_of(payload)).decode()


def check(value, pattern, where, run):
    """Fails if a value does not fit a pattern."""

    def fail(what):
        raise AssertionError(f"{where}: {what}, but got {str(value)[:300]}")

    if isinstance(pattern, list):
        if not isinstance(value, list) or len(value) != len(pattern):
            fail(f"expected {len(pattern)} items")
        for one, expected in zip(value, pattern):
            check(one, expected, where, run)
        return
    if not isinstance(pattern, dict):
        if isinstance(pattern, str):
            pattern = run.filled(pattern)
        if value != pattern or isinstance(value, bool) != isinstance(pattern, bool):
            fail(f"expected {pattern!r}")
        return
    (kind, expected), = pattern.items()
    if kind == "has":
        if not isinstance(value, dict):
            fail("expected an object")
        for field, inner in expected.items():
            if field == "payload":
                inner = {"payload": inner}
            if inner is None:
                if value.get(field) is not None:
                    fail(f"expected no {field}")
            else:
                check(value.get(field), inner, f"{where}, {field}", run)
    elif kind == "payload":
        if value != encoded(expected):
            fail(f"expected the payload {str(expected)[:100]}")
    elif kind == "uuid":
        if str(uuid.UUID(value)) != value:
            fail("expected a UUID")
    elif kind == "near":
        if not isinstance(value, int) or abs(value - run.clock() - expected) > LEEWAY:
            fail(f"expected a moment {expected} ms from now, which is {run.clock():.0f}")
    elif kind == "at_least":
        if not isinstance(value, (int, float)) or value < expected:
            fail(f"expected at least {expected}")
    elif kind == "starts":
        if not isinstance(value, str) or not value.startswith(expected):
            fail(f"expected a text that starts with {expected!r}")
    elif kind == "same":
        if value != run.recall(expected):
            fail(f"expected {run.recall(expected)!r}")
    elif kind == "differs":
        if value == run.recall(expected):
            fail("expected another value")
    elif kind == "any":
        if value is None:
            fail("expected something")
    else:
        raise ValueError(f"unknown pattern {kind}")


def needs_server(case):
    return any(key in step for step in case["steps"] for key in ("command", "cut", "disconnect", "restart", "only"))


def run_case(case, driver, server, proxy, is_fake):
    if server:
        server.connect()("FLUSHALL")
    elif driver.call({"call": "reset"}).get("error"):
        raise AssertionError("the fake can't be reset")
    run = Run(driver, server, proxy, is_fake)
    for number, step in enumerate(case["steps"], 1):
        step = {key: value for key, value in step.items() if key != "only"}
        try:
            run.step(step)
        except AssertionError as error:
            raise AssertionError(f"step {number}: {error}") from None
