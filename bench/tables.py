"""What the bench prints: tables, also kept in files, and progress on a terminal."""

import datetime
import statistics
import sys
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"

# The file of the current heading, if tables are kept.
kept = None


def verdict(ratio, goal, limit=None):
    if goal is None:
        return "", ""
    text = f"{goal:.2f}" if limit is None else f"{goal:.2f} ({limit:.2f})"
    if ratio <= goal:
        return text, "yes"
    if limit is not None and ratio <= limit:
        return text, f"within limit, +{ratio / goal - 1:.0%}"
    return text, f"no, +{ratio / goal - 1:.0%}"


def middle_half(values):
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{low:.2f} to {high:.2f}"


def heading(server, topic, text, keep):
    """Starts a topic; with `keep`, it replaces the topic's results for this server."""
    global kept
    kept = None
    if keep:
        brand, version = server.lower().split()
        RESULTS.mkdir(exist_ok=True)
        kept = RESULTS / f"{brand}-{version.rsplit('.', 1)[0]}-{topic}.md"
        kept.write_text(f"# {server}: {text}\n\n{datetime.date.today()}\n\n")
    print(f"### {server}: {text}\n")


def paragraph(text):
    print(f"{text}\n", flush=True)
    if kept:
        with kept.open("a") as file:
            print(f"{text}\n", file=file)


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    paragraph("\n".join(lines))


def note(text):
    """Progress, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
