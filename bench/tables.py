"""The tables of one server, and the goals, from its raw results. Standard library only."""

import statistics

from results import Samples, load


def table(head, rows):
    lines = ["| " + " | ".join(map(str, head)) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def middle_half(values):
    if len(values) < 2:
        return ""
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{low:.2f} to {high:.2f}"


class Results:
    """The raw results of one server."""

    def __init__(self, path):
        self.raw = load(path)
        self.name = self.raw["server"]
        self.parts = {name: Samples(raw) for name, raw in self.raw["parts"].items()}

    def valkey(self):
        return self.name.startswith("Valkey")

    def newer(self):
        """Than Redis 7.0: the servers with the newer list and hash encodings."""
        return not self.name.startswith("Redis 7.0")


# ---- the goals: ratios to Streams in the same run ------------------------------------------------


def cycle_goal(results, commands, aof, size):
    if size == 1:
        return 0.85
    with_aof = aof == "everysec"
    if commands == "single":
        return 0.60 if with_aof else 0.65
    if commands == "all batched":
        return 0.50 if with_aof else 0.55
    if with_aof:
        return 0.72 if results.newer() else 0.65
    return 0.85 if results.valkey() else 0.75


def payload_goal(size):
    return {100: None, 1_000: 0.75}.get(size, 0.95)


def depth_goal(messages, count):
    return 0.75 if messages == "in flight" and count >= 10**5 else None


def consumer_goal(connections, peer):
    return {"MQ.PULL ... ACK": 0.50, "MQ.PULL, MQ.ACK": 0.90}.get(peer) if connections == 64 else None


def memory_goal(results, state):
    if state == "in flight" and not results.valkey():
        return 1.0 if results.newer() else 1.15
    return 1.05 if state == "ready" else None


def returned_goal(results):
    """In bytes."""
    return None if results.newer() else 430


WAITING_GOAL = 1.3

# A tick beside a delayed message, pushed and made ready.
TICK_GOAL = 1.5
LENGTH_GOAL = 1.3
WORKER_GOAL = 1.5
FEATURE_GOALS = {"PRIORITY 1 to 9": 1.6, "DEDUP": 1.6, "DEDUP UNTILDONE": 1.6, "GROUP": 2.2}


def judged(ratio, goal):
    """The cells of a goal."""
    if goal is None:
        return ["", ""]
    return [f"{goal:.2f}", "yes" if ratio <= goal else f"no, +{ratio / goal - 1:.0%}"]


def cell_of_at_least(ratio, goal):
    return f"{ratio:.2f}" if goal is None or ratio >= goal else f"{ratio:.2f} (-{1 - ratio / goal:.0%})"


def cell(ratio, goal):
    return f"{ratio:.2f}" if goal is None or ratio <= goal else f"{ratio:.2f} (+{ratio / goal - 1:.0%})"


RATIO = ["MQ / Streams", "middle 50 % of runs", "goal", "met"]


def ratio_cells(samples, where, goal):
    ratios = samples.ratios(where | {"peer": "MQ"}, where | {"peer": "Streams"})
    ratio = statistics.median(ratios)
    return [f"{ratio:.2f}", middle_half(ratios), *judged(ratio, goal)]


def medians(samples, where, peers, name="cpu"):
    cells = []
    for peer in peers:
        found = samples.select(**where, peer=peer)
        cells.append(f"{statistics.median(found[0][name]):.2f}" if found else "")
    return cells


# ---- the tables of one server --------------------------------------------------------------------


def cycle_tables(results, samples):
    rows, phases = [], []
    for one in samples.select(peer="MQ"):
        where = {key: one[key] for key in ("commands", "aof", "round")}
        head = [one["commands"], one["aof"], f"{one['round']:,}"]
        goal = cycle_goal(results, *where.values())
        rows.append([*head, *medians(samples, where, ("lists", "Streams", "MQ")), *ratio_cells(samples, where, goal)])
        for phase in ("push", "pull", "ack"):
            head = head + medians(samples, where, ("Streams", "MQ"), phase)
            head.append(f"{samples.ratio(where | {'peer': 'MQ'}, where | {'peer': 'Streams'}, phase):.2f}")
        phases.append(head)
    columns = ["commands", "AOF", "round"]
    yield "Server CPU per message by batch, µs", table([*columns, "lists", "Streams", "MQ", *RATIO], rows)
    for phase in ("push", "pull", "ack"):
        columns += [f"{phase} S", f"{phase} MQ", "MQ / S"]
    yield "The same by phase (S: Streams), µs", table(columns, phases)


def payloads_tables(results, samples):
    rows = []
    for aof in samples.distinct("aof"):
        for size in samples.distinct("payload"):
            where = {"payload": size, "aof": aof}
            cells = medians(samples, where, ("lists", "Streams", "MQ"))
            rows.append([f"{size:,}", aof, *cells, *ratio_cells(samples, where, payload_goal(size))])
    yield (
        "Server CPU per message by payload, single commands, µs",
        table(["bytes", "AOF", "lists", "Streams", "MQ", *RATIO], rows),
    )


def depths_tables(results, samples):
    rows = []
    for one in samples.select(peer="MQ"):
        where = {key: one[key] for key in ("aof", "messages", "count", "acknowledged")}
        goal = depth_goal(one["messages"], one["count"])
        head = [one["messages"], f"{one['count']:,}", one["acknowledged"], one["aof"]]
        rows.append(head + medians(samples, where, ("Streams", "MQ")) + ratio_cells(samples, where, goal))
    yield (
        "Server CPU per message beside messages that are ready or in flight, single commands, rounds of 100, µs",
        table(["messages", "number", "acknowledged", "AOF", "Streams", "MQ", *RATIO], rows),
    )


def consumers_tables(results, samples):
    rows = []
    for one in samples.select():
        where = {key: one[key] for key in ("aof", "connections")}
        ratio = samples.ratio(where | {"peer": one["peer"]}, where | {"peer": "Streams"})
        cpu, rate, p50, p99 = (statistics.median(one[name]) for name in ("cpu", "rate", "p50", "p99"))
        cells = [one["connections"], one["aof"], consumer_label(results, one["peer"]), f"{cpu:.1f}", f"{ratio:.2f}"]
        cells += judged(ratio, consumer_goal(one["connections"], one["peer"]))
        rows.append(cells + [f"{rate:,.0f}", f"{p50:.0f}", f"{p99:.0f}"])
    head = ["connections", "AOF", "commands", "CPU, µs", "/ Streams", "goal", "met", "messages/s", "p50, µs", "p99, µs"]
    yield (
        "The loop of a consumer without pipelines: server CPU per message, and the time of one loop",
        table(head, rows),
    )


def consumer_label(results, peer):
    if peer == "Streams":
        settle = "XACK, XDEL" if results.valkey() or not results.newer() else "XACKDEL"
        return f"XREADGROUP, {settle}"
    return peer


# States that a peer has by hand, or not at all.
MEMORY_PEERS = (
    ("ready", {"lists": "ready", "Streams": "ready"}),
    ("in flight", {"Streams": "in flight"}),
    ("delayed", {"sorted set": "delayed"}),
    # Whatever was read from a stream stays pending until it is acknowledged.
    ("returned", {"Streams": "in flight"}),
)


def memory_tables(results, samples):
    def size(peer, state):
        return samples.median("bytes", peer=peer, state=state)

    rows = []
    for state, peers in MEMORY_PEERS:
        ours = size("MQ", state)
        cells = [
            f"{size(peer, peers[peer]):.0f}" if peer in peers else "" for peer in ("lists", "sorted set", "Streams")
        ]
        row = [state, *cells, f"{ours:.0f}"]
        if "Streams" in peers:
            ratio = ours / size("Streams", peers["Streams"])
            row += [f"{ratio:.2f}", *judged(ratio, memory_goal(results, state))]
        if state == "returned" and (goal := returned_goal(results)):
            row[-2:] = [f"{goal} bytes", judged(ours, goal)[1]]
        rows.append(row + [""] * (8 - len(row)))
    yield (
        f"Memory per message, {samples.raw['settings']['messages']:,} messages of 100 bytes, bytes",
        table(["state", "list", "sorted set", "stream", "MQ", "MQ / stream", "goal", "met"], rows),
    )


def waiting_tables(results, samples):
    rows = []
    counts = samples.distinct("clients")
    for peer in samples.distinct("peer"):
        for clients in counts:
            where = {"peer": peer, "clients": clients}
            cpu, idle = samples.median(**where), samples.median("idle", **where)
            ratio = cpu / samples.median(peer=peer, clients=counts[0])
            goal = WAITING_GOAL if peer == "MQ" and clients != counts[0] else None
            label = "LPUSH + BRPOP" if peer == "lists" else peer
            rows.append([label, f"{clients:,}", f"{cpu:.1f}", f"{ratio:.2f}", *judged(ratio, goal), f"{idle:.1f}"])
    head = ["commands", "blocked", "per push", f"/ {counts[0]} blocked", "goal", "met", "idle server, ms CPU per s"]
    yield "Server CPU of one push with blocked clients, µs", table(head, rows)


def features_tables(results, samples):
    rows = []
    for one in samples.select(topic="cycle"):
        where = {"topic": "cycle", "peer": one["peer"]}
        ratios = samples.ratios(where, {"topic": "cycle", "peer": "plain"})
        ratio = statistics.median(ratios)
        cells = [f"{statistics.median(one[name]):.2f}" for name in ("cpu", "push", "pull", "ack")]
        goal = FEATURE_GOALS.get(one["peer"])
        rows.append([one["peer"], *cells, f"{ratio:.2f}", middle_half(ratios), *judged(ratio, goal)])
    live = samples.raw["settings"]["live"]
    yield (
        f"Server CPU per message with features, {live:,} live keys, {live // 10:,} groups, µs",
        table(["cycle", "total", "push", "pull", "ack", "/ plain", "middle 50 % of runs", "goal", "met"], rows),
    )
    rows = []
    for size in samples.distinct("round", topic="ack"):
        one, two = ({"topic": "ack", "round": size, "peer": peer} for peer in ("together", "apart"))
        ratio = samples.ratio(one, two)
        cells = [f"{samples.median(**two):.2f}", f"{samples.median(**one):.2f}", f"{ratio:.2f}"]
        rows.append(["one at a time" if size == 1 else f"{size} in a pipeline", *cells])
    yield (
        "Server CPU of an acknowledgment and the next pull, µs",
        table(["commands", "MQ.ACK, MQ.PULL", "MQ.PULL ... ACK", "ratio"], rows),
    )
    rows = []
    for command in samples.distinct("command", topic="reads"):
        for queue in samples.distinct("queue", topic="reads"):
            where = {"topic": "reads", "command": command, "queue": queue}
            short, long = (where | {"length": length} for length in ("short", "long"))
            ratio = samples.ratio(long, short)
            count = samples.select(**long)[0]["count"]
            cells = [f"{count:,}", f"{samples.median(**short):.2f}", f"{samples.median(**long):.2f}", f"{ratio:.2f}"]
            rows.append([command, queue, *cells, *judged(ratio, LENGTH_GOAL)])
    yield (
        "Server CPU per call at 100 messages and at many, µs",
        table(["command", "queue", "many", "at 100", "at many", "ratio", "goal", "met"], rows),
    )
    rows = []
    for queue in samples.distinct("queue", topic="purge"):
        # The minimum: the thread that frees the memory can only add to it.
        few, many = (samples.select(topic="purge", queue=queue, length=length)[0] for length in ("short", "long"))
        ratio = min(many["us"]) / max(min(few["us"]), 1)
        cells = [f"{few['count']:,}", f"{many['count']:,}", f"{min(few['us'])}", f"{min(many['us'])}"]
        rows.append([queue, *cells, f"{ratio:.2f}", *judged(ratio, LENGTH_GOAL)])
    yield "Time of MQ.PURGE, µs", table(["queue", "few", "many", "at few", "at many", "ratio", "goal", "met"], rows)


def ticks_tables(results, samples):
    set_up, moved = (samples.median(name, peer="delayed") for name in ("set_up", "moved"))
    tick, delayed = ({"peer": peer} for peer in ("tick", "delayed"))
    ratio = samples.ratio(tick, delayed)
    cells = [f"{samples.median(**tick):.2f}", f"{set_up:.2f}", f"{moved:.2f}", f"{ratio:.2f}"]
    head = ["tick", "push with AT", "becomes ready", "tick / both", "goal", "met"]
    title = f"Server CPU per message of {samples.raw['settings']['count']:,} ticks and delayed messages at one moment, µs"
    yield title, table(head, [[*cells, *judged(ratio, TICK_GOAL)]])


TABLES = {
    "cycle": cycle_tables,
    "payloads": payloads_tables,
    "depths": depths_tables,
    "consumers": consumers_tables,
    "memory": memory_tables,
    "waiting": waiting_tables,
    "features": features_tables,
    "ticks": ticks_tables,
}


def page_of(results):
    machine = results.raw["machine"]
    lines = [f"# {results.name}: all tables of the bench\n"]
    lines.append(
        f"redis-mq {results.raw['module']}, {machine['cores']} cores ({machine['cpu']}), {machine['system']}. Medians of "
        "interleaved runs; the ratio is the median of the ratios of adjacent runs. What is measured: "
        "[bench/README.md](../README.md).\n"
    )
    for name, make in TABLES.items():
        samples = results.parts.get(name)
        if samples is None:
            lines.append(f"**not run: {name}**\n")
            continue
        try:
            tables = list(make(results, samples))
        except KeyError as error:
            lines.append(f"**incomplete: {name}: {error}**\n")
            continue
        for title, text in tables:
            lines.append(f"## {title}\n\n{samples.raw['date']}\n\n{text}")
    return "\n".join(lines)
