"""The raw results of the bench: one JSON file per server, made by bench.py and read by report.py.

    {"server": "Redis 7.0.15", "module": "0.2.0", "machine": {...},
     "parts": {"cycle": {"date": ..., "load": ..., "settings": {...}, "samples": [SAMPLE, ...]}}}

A sample has what identifies it (`commands`, `aof`, `peer` ...) and, per quantity, the list of values of all runs: the
n-th values of all peers were measured one after the other. Standard library only.
"""

import datetime
import json
import os
import statistics
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "results"


class Part:
    """The samples of one part on one server, as they are measured."""

    def __init__(self, **settings):
        self.settings = settings
        self.server = self.module = None
        self.samples = {}

    def measured_on(self, server):
        self.server, self.module = server.name, server.module_version

    def add(self, where, **values):
        """Adds the values of one run to the sample that `where` identifies."""
        lists = self.samples.setdefault(tuple(where.items()), {})
        for name, value in values.items():
            lists.setdefault(name, []).append(round(value, 3))

    def __len__(self):
        return len(self.samples)

    def raw(self):
        return {
            "date": datetime.date.today().isoformat(),
            # Of the last minute: on an idle machine about 1, the bench itself.
            "load": round(os.getloadavg()[0], 1),
            "settings": self.settings,
            "samples": [dict(where) | lists for where, lists in self.samples.items()],
        }


class Samples:
    """The samples of one part, read back."""

    def __init__(self, raw):
        self.raw = raw

    def select(self, **where):
        return [one for one in self.raw["samples"] if all(one.get(key) == value for key, value in where.items())]

    def values(self, name="cpu", **where):
        """The values of all runs. KeyError: there is no such sample."""
        found = self.select(**where)
        if len(found) != 1:
            raise KeyError(f"{len(found)} samples of {where}")
        return found[0][name]

    def median(self, name="cpu", **where):
        return statistics.median(self.values(name, **where))

    def ratios(self, ours, theirs, name="cpu"):
        """Our values divided by theirs of the same run, so that other load on the machine affects both."""
        return [mine / peer for mine, peer in zip(self.values(name, **ours), self.values(name, **theirs))]

    def ratio(self, ours, theirs, name="cpu"):
        return statistics.median(self.ratios(ours, theirs, name))

    def distinct(self, key, **where):
        """The values of a key, in the order in which they were measured first."""
        return list(dict.fromkeys(one[key] for one in self.select(**where) if key in one))


def machine():
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    system = release.get("PRETTY_NAME", "unknown").strip('"').split(" (")[0]
    return {"cores": os.cpu_count(), "cpu": model, "system": system}


def file_of(server, folder=FOLDER):
    """`Redis 7.0.15` is redis-7.0.json."""
    brand, version = server.lower().split()
    return Path(folder) / f"{brand}-{'.'.join(version.split('.')[:2])}.json"


def load(path):
    return json.loads(path.read_text())


def save(path, raw):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text_of(raw) + "\n")


def text_of(value, indent=0):
    """JSON with a line per sample, so that a diff shows what changed."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if not any(
        isinstance(part, dict) or isinstance(part, list) and any(isinstance(one, dict) for one in part)
        for part in parts
    ):
        return json.dumps(value)
    pad = "\n" + " " * (indent + 1)
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {text_of(part, indent + 1)}" for key, part in value.items()]
        return "{" + pad + ("," + pad).join(items) + pad[:-1] + "}"
    return "[" + pad + ("," + pad).join(text_of(part, indent + 1) for part in value) + pad[:-1] + "]"


def merge(folder, part_name, part):
    """Replaces one part in the file of its server."""
    path = file_of(part.server, folder)
    raw = load(path) if path.exists() else {"parts": {}}
    parts = raw["parts"] | {part_name: part.raw()}
    save(path, {"server": part.server, "module": part.module, "machine": machine(), "parts": parts})
    return path


# ---- progress ------------------------------------------------------------------------------------

started = time.monotonic()
last_note = 0.0


def note(text):
    """Progress on standard error: one changing line on a terminal, else a line every ten seconds."""
    global last_note
    now = time.monotonic()
    minutes, seconds = divmod(int(now - started), 60)
    if sys.stderr.isatty():
        print(f"\r\033[K{minutes}:{seconds:02} {text}", end="", file=sys.stderr, flush=True)
    elif now - last_note > 10:
        last_note = now
        print(f"{minutes}:{seconds:02} {text}", file=sys.stderr, flush=True)


def say_if_busy():
    """Whether the figures of this run can be trusted; to be called before it."""
    if (load := os.getloadavg()[0]) > 1:
        say(f"the machine is busy, its load average is {load:.1f}: the figures will be worse than on an idle one")


def say(text):
    """A line that stays."""
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    minutes, seconds = divmod(int(time.monotonic() - started), 60)
    print(f"{minutes}:{seconds:02} {text}", file=sys.stderr, flush=True)
