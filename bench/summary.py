"""The figures of all servers side by side, and of other queues: the blocks in the pages. Standard library only."""

import statistics

from results import Samples
from tables import (
    FEATURE_GOALS,
    TICK_GOAL,
    WAITING_GOAL,
    WORKER_GOAL,
    cell,
    cell_of_at_least,
    consumer_goal,
    cycle_goal,
    depth_goal,
    memory_goal,
    payload_goal,
    returned_goal,
    table,
)


def cycle_ratio(commands, aof, size):
    def ratio(results):
        where = {"commands": commands, "aof": aof, "round": size}
        samples = results.parts["cycle"]
        found = samples.ratio(where | {"peer": "MQ"}, where | {"peer": "Streams"})
        return found, cycle_goal(results, commands, aof, size)

    return ratio


def part_ratio(part, ours, theirs, goal, name="cpu"):
    return lambda results: (results.parts[part].ratio(ours, theirs, name), goal(results))


def payload_ratio(size, aof):
    where = {"payload": size, "aof": aof}
    return part_ratio("payloads", where | {"peer": "MQ"}, where | {"peer": "Streams"}, lambda _: payload_goal(size))


def depth_ratio(messages, count, order, aof):
    where = {"aof": aof, "messages": messages, "count": count, "acknowledged": order}
    goal = depth_goal(messages, count)
    return part_ratio("depths", where | {"peer": "MQ"}, where | {"peer": "Streams"}, lambda _: goal)


def consumer_ratio(connections, peer, aof):
    where = {"aof": aof, "connections": connections}
    goal = consumer_goal(connections, peer)
    return part_ratio("consumers", where | {"peer": peer}, where | {"peer": "Streams"}, lambda _: goal)


def push_ratio(results):
    where = {"commands": "single", "aof": "everysec", "round": 100}
    return results.parts["cycle"].ratio(where | {"peer": "MQ"}, where | {"peer": "Streams"}, "push"), None


def memory_ratio(state):
    ours, theirs = {"state": state, "peer": "MQ"}, {"state": state, "peer": "Streams"}
    return part_ratio("memory", ours, theirs, lambda results: memory_goal(results, state), "bytes")


def returned_cell(results):
    size, goal = results.parts["memory"].median("bytes", peer="MQ", state="returned"), returned_goal(results)
    return f"{size:.0f}" if goal is None or size <= goal else f"{size:.0f} (+{size / goal - 1:.0%})"


def waiting_ratio(results):
    samples = results.parts["waiting"]
    return samples.median(peer="MQ", clients=10_000) / samples.median(peer="MQ", clients=10), WAITING_GOAL


def feature_ratio(feature):
    ours, plain = ({"topic": "cycle", "peer": peer} for peer in (feature, "plain"))
    return part_ratio("features", ours, plain, lambda _: FEATURE_GOALS[feature])


# A row: its text, and the function that gives the ratio and the goal; two functions: with AOF and without.
SUMMARY = [
    (f"{way}, rounds of {size:,}", cycle_ratio(way, "everysec", size), cycle_ratio(way, "off", size))
    for way in ("single", "batched", "all batched")
    for size in (1, 100, 1000)
    if size > 1 or way == "single"
]
SUMMARY += [
    (f"payloads of {text}", payload_ratio(size, "everysec"), payload_ratio(size, "off"))
    for size, text in ((1_000, "1 KB"), (10_000, "10 KB"), (100_000, "100 KB"), (1_000_000, "1 MB"))
]
SUMMARY += [
    (
        f"{count:,} in flight, {order} acknowledged",
        *(depth_ratio("in flight", count, order, aof) for aof in ("everysec", "off")),
    )
    for count in (10**5, 10**6)
    for order in ("oldest", "random")
]
SUMMARY += [
    (
        f"consumers on {count} connection{'s' if count > 1 else ''}, `{peer}`",
        *(consumer_ratio(count, peer, aof) for aof in ("everysec", "off")),
    )
    for count in (1, 64)
    for peer in ("MQ.PULL ... ACK", "MQ.PULL, MQ.ACK")
]
SINGLE_SUMMARY = [
    ("memory, ready", memory_ratio("ready")),
    ("memory, in flight", memory_ratio("in flight")),
    ("a push with 10,000 blocked clients / with 10", waiting_ratio),
    *((f"{feature} / plain cycle", feature_ratio(feature)) for feature in FEATURE_GOALS),
    ("a tick of a schedule / a delayed message", part_ratio("ticks", {"peer": "tick"}, {"peer": "delayed"}, lambda _: TICK_GOAL)),
]


def judged_cell(function, results):
    try:
        return cell(*function(results))
    except KeyError:
        return "not run"


def summary_block(servers):
    head = ["server CPU per message, MQ / Streams"]
    for results in servers:
        head += [f"{results.name}, AOF", "without"]
    rows = [
        [text, *(judged_cell(one, results) for results in servers for one in functions)] for text, *functions in SUMMARY
    ]
    return table(head, rows)


def others_block(servers):
    rows = [[text, *(judged_cell(function, results) for results in servers)] for text, function in SINGLE_SUMMARY]
    rows.insert(2, ["memory, returned, bytes", *map(returned_cell, servers)])
    return table(["", *(results.name for results in servers)], rows)


def readme_block(servers):
    """The few figures of the README."""
    chosen = [
        (
            "a consumer, one message at a time, 64 connections: `MQ.PULL ... ACK`",
            consumer_ratio(64, "MQ.PULL ... ACK", "everysec"),
        ),
        ("the same: `MQ.PULL`, then `MQ.ACK`", consumer_ratio(64, "MQ.PULL, MQ.ACK", "everysec")),
        ("push, pull, acknowledge in pipelines of 100", cycle_ratio("single", "everysec", 100)),
        ("pull and acknowledge 100 per command", cycle_ratio("batched", "everysec", 100)),
        ("push too: `MQ.MPUSH`, `MQ.PULL COUNT`, `MQ.ACK IDS`", cycle_ratio("all batched", "everysec", 100)),
        ("a push alone, in pipelines of 100", push_ratio),
        ("push, pull, acknowledge payloads of 10 KB", payload_ratio(10_000, "everysec")),
        ("memory of a ready message", memory_ratio("ready")),
        ("memory of a message in flight", memory_ratio("in flight")),
    ]

    def value(function, results):
        try:
            return f"{function(results)[0]:.2f}"
        except KeyError:
            return "not run"

    rows = [[text, *(value(function, results) for results in servers)] for text, function in chosen]
    return table(["redis-mq / Streams", *(results.name for results in servers)], rows)


def ack_block(servers):
    """For the pages that recommend acknowledging with the next pull and pushing in batches."""
    rows = []
    for count in (1, 8, 64):
        row = [f"{count} connection{'s' if count > 1 else ''}"]
        for results in servers:
            samples = results.parts.get("consumers")
            where = {"aof": "everysec", "connections": count}
            for name in ("cpu", "rate"):
                if samples is None:
                    row.append("not run")
                    continue
                one, two = (where | {"peer": peer} for peer in ("MQ.PULL ... ACK", "MQ.PULL, MQ.ACK"))
                row.append(f"{samples.ratio(one, two, name):.2f}")
        rows.append(row)
    head = ["`MQ.PULL ... ACK` / `MQ.PULL`, `MQ.ACK`"]
    for results in servers:
        head += [f"{results.name}: server CPU", "messages/s"]
    return table(head, rows)


def mpush_block(servers):
    rows = []
    for size in (100, 1000):
        row = [f"{size:,} messages"]
        for results in servers:
            samples = results.parts.get("cycle")
            if samples is None:
                row.append("not run")
                continue
            where = {"aof": "everysec", "round": size, "peer": "MQ"}
            ratio = samples.ratio(where | {"commands": "all batched"}, where | {"commands": "single"}, "push")
            row.append(f"{ratio:.2f}")
        rows.append(row)
    return table(["server CPU, one `MQ.MPUSH` / a pipeline of `MQ.PUSH`", *(results.name for results in servers)], rows)


def memory_block(servers):
    states = list(
        dict.fromkeys(one["state"] for results in servers for one in results.parts["memory"].select(peer="MQ"))
    )
    rows = []
    for state in states:
        values = [results.parts["memory"].median("bytes", peer="MQ", state=state) for results in servers]
        # The name of the state in docs/delivery.md.
        state = "ready again after a retry" if state == "returned" else state
        rows.append([state, *(f"{value:.0f}" for value in values)])
    return table(["bytes per message", *(results.name for results in servers)], rows)


# ---- beside other queues: peers.json -------------------------------------------------------------


def peer_rows(raw):
    """The systems with their medians: name, versions, and quantity by mode; or why it did not run."""
    for system in raw["systems"]:
        yield (
            system,
            {
                mode: {name: statistics.median(values) for name, values in quantities.items() if values}
                for mode, quantities in system.get("modes", {}).items()
            },
        )


def peers_block(raw):
    rows = []
    for system, modes in peer_rows(raw):
        head = [system["name"], system.get("versions", "")]
        if "not_run" in system:
            rows.append([*head, f"not run: {system['not_run']}", *[""] * 7])
            continue
        cells = []
        for name, unit in (("rate", "{:,.0f}"), ("cpu", "{:.1f}")):
            for mode in ("single", "batched"):
                value = modes.get(mode, {}).get(name)
                cells.append("-" if value is None else unit.format(value))
        latency = modes.get("latency", {})
        cells += [f"{latency[name]:.2f}" if name in latency else "-" for name in ("p50", "p99")]
        memory = modes.get("memory", {})
        cells += [f"{memory[name]:,.0f}" if name in memory else "-" for name in ("memory", "disk")]
        rows.append(head + cells)
    head = ["system", "versions", "messages/s, one by one", "batched", "server CPU, µs, one by one", "batched"]
    return table([*head, "delivery p50, ms", "p99", "memory, bytes", "disk, bytes"], rows)


# ---- the console: console.json -------------------------------------------------------------------


def console_block(raw):
    part = raw["parts"]["console"]
    samples, settings = Samples(part), part["settings"]
    alone, beside = (samples.median("share", what=what) for what in ("server alone", "server"))
    memory = samples.values("mb", what="memory")
    rows = [
        ["the server, share of a core", f"{beside - alone:.2f} %"],
        ["the console, share of a core", f"{samples.median('share', what='console'):.2f} %"],
        [
            f"memory of the console, first and last of {settings['seconds'] / 60:.0f} minutes, highest",
            ", ".join(f"{size:.1f} MB" for size in (memory[0], memory[-1], max(memory))),
        ],
    ]
    for path in samples.distinct("path"):
        took = samples.values("ms", what="answer", path=path)
        rows.append([f"`/{path}`, median and longest", f"{statistics.median(took):.0f} ms, {max(took):.0f} ms"])
    return table([f"{settings['queues']:,} queues, {settings['sampled']:,} sampled", raw["server"]], rows)


# ---- the workers of the clients: workers.json ----------------------------------------------------


def workers_block(raw):
    samples = Samples(raw)
    concurrencies = samples.distinct("concurrency")
    rows = []
    for system in raw["systems"]:
        name, language = system["system"], system["language"]
        row = [language, name, system["versions"]]
        if "not_run" in system:
            rows.append([*row, f"not run: {system['not_run']}", *[""] * (4 * len(concurrencies) - 1)])
            continue
        for concurrency in concurrencies:
            where = {"language": language, "concurrency": concurrency}
            own, ours = where | {"system": name}, where | {"system": "redis-mq worker"}
            row.append(f"{samples.median('rate', **own):,.0f}")
            row.append(worker_ratio(samples, ours, own))
            row += [f"{samples.median(quantity, **own):.1f}" for quantity in ("cpu", "client")]
        rows.append(row)
    head = ["language", "system", "versions"]
    for concurrency in concurrencies:
        head += [f"messages/s, {concurrency} at once", "worker / it", "server CPU, µs", "client CPU, µs"]
    return table(head, rows)


def worker_ratio(samples, ours, theirs):
    if ours == theirs:
        return ""
    if not samples.select(**ours):
        return "-"
    # A plain loop is no worker, and ours with other options is no other one: they are shown without a goal.
    has_goal = theirs["system"] != "plain loop" and not theirs["system"].startswith(ours["system"])
    goal = WORKER_GOAL if has_goal else None
    ratios = samples.ratios(ours, theirs, "rate")
    return f"{cell_of_at_least(statistics.median(ratios), goal)} [{min(ratios):.2f} to {max(ratios):.2f}]"


BLOCKS = {
    "summary": summary_block,
    "others": others_block,
    "readme": readme_block,
    "ack": ack_block,
    "mpush": mpush_block,
    "memory": memory_block,
}
