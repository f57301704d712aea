#!/usr/bin/env python3
"""What the instructions of a cycle are for, from the files that instructions.sh keeps.

    bench/causes.py FOLDER MESSAGES

A cause is a set of functions of the server and what they call; what no cause has is the command itself: the code of the
module, or for Streams the work on the stream. The server needs symbols. Standard library only.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

# The entries of what is measured: an inclusive count begins where another function calls one of these.
READING = r"readQueryFromClient$"
COMMANDS = r"mq::server::command::called|x(add|readgroup|read|ack|del|ackdel)Command$"
CAUSES = {
    "replication": r"RM_Replicate|alsoPropagate$|streamPropagate\w+$",
    "looking up, opening and closing keys": r"lookupKey\w*$|RM_(Open|Close)Key$|(RM_S|s)ignalModifiedKey$|notifyKeyspaceEvent$",
    "lists and hashes, by the module API": r"RM_(List|Hash|Zset)\w+$|RM_(ValueLength|KeyType)$",
    "replies": r"RM_Reply\w+$|_?addReply\w*$|setDeferred\w+$",
}
ALLOCATOR = r"(malloc|free|realloc|calloc|malloc_usable_size|z(m|c|re)alloc\w*|zfree\w*|(zm|z)alloc_usable\w*|je_\w+)$"


def read(path):
    """The own counts by function, and the inclusive counts by caller and callee."""
    names, own, calls = {}, defaultdict(int), defaultdict(int)

    def name(text):
        number, _, known = text.partition(" ")
        names.setdefault(number, re.sub(r"('\d+|::h[0-9a-f]{16})$", "", known))
        return names[number]

    function = callee = None
    is_call = False
    for line in path.read_text(errors="replace").splitlines():
        if line.startswith("fn="):
            function = name(line[3:])
        elif line.startswith("cfn="):
            callee = name(line[4:])
        elif line.startswith("calls="):
            is_call = True
        elif line[:1].isdigit() or line[:1] in ("+", "-", "*"):
            count = int(line.split()[1])
            if is_call:
                calls[function, callee] += count
            else:
                own[function] += count
            is_call = False
    return own, calls


def inclusive(calls, pattern, below=""):
    """What the functions of the pattern take where another one calls them, except those of `below`."""
    entries = re.compile(pattern)
    outer = re.compile(below) if below else None
    return sum(
        count
        for (caller, callee), count in calls.items()
        if entries.match(callee) and not entries.match(caller) and not (outer and outer.match(caller))
    )


def causes(folder, kind, messages):
    """Instructions per message by cause."""
    totals = defaultdict(float)
    for suffix, sign in (("", 1), ("-0", -1)):
        own, calls = read(folder / f"{kind}-single{suffix}.callgrind")
        whole = sum(own.values())
        reading = inclusive(calls, READING)
        if reading == 0:
            raise SystemExit("the server has no symbols")
        commands = inclusive(calls, COMMANDS)
        # The server's own commands are replicated after them.
        later = inclusive({edge: n for edge, n in calls.items() if edge[0] == "call"}, CAUSES["replication"])
        found = {cause: inclusive(calls, pattern, "RM_(Replicate|Call)") for cause, pattern in CAUSES.items()}
        counts = {
            "reading and dispatching commands": reading - commands - later,
            **found,
            "the command itself": commands + later - sum(found.values()),
            "the rest: event loop, sockets, timers": whole - reading,
            "all": whole,
            "of that, malloc and free": sum(n for function, n in own.items() if re.match(ALLOCATOR, function)),
        }
        for cause, count in counts.items():
            totals[cause] += sign * count / messages
    return totals


def main():
    folder, messages = Path(sys.argv[1]), int(sys.argv[2])
    streams, mq = (causes(folder, kind, messages) for kind in ("streams", "mq"))
    print("| instructions per message, single commands | Streams | MQ |")
    print("|---|---|---|")
    for cause, count in mq.items():
        print(f"| {cause} | {streams[cause]:,.0f} | {count:,.0f} |")


if __name__ == "__main__":
    main()
