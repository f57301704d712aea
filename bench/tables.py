"""What the bench prints: tables, and progress on a terminal."""

import statistics
import sys


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


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print(flush=True)


def note(text):
    """Progress, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
