"""The charts of the bench, from the raw results. Standard library only."""

import statistics

import charts
from summary import peer_rows
from tables import MEMORY_PEERS

MQ_AND_STREAMS = {"redis-mq": "ours", "Streams": "peer"}
ALL_THREE = MQ_AND_STREAMS | {"lists (no acknowledgment)": "third"}
LABELS = {"MQ": "redis-mq", "Streams": "Streams", "lists": "lists (no acknowledgment)"}


def cycle_chart(servers, folder):
    panels = {}
    for results in servers:
        samples = results.parts["cycle"]
        panel = panels[results.name] = {}
        for commands, size in (("single", 100), ("single", 1000), ("batched", 100), ("all batched", 100)):
            where = {"commands": commands, "aof": "everysec", "round": size}
            ratio = samples.ratio(where | {"peer": "MQ"}, where | {"peer": "Streams"})
            ours, theirs = (samples.median(**where, peer=peer) for peer in ("MQ", "Streams"))
            panel[f"{commands}, {size:,}"] = {
                "redis-mq": (ours, f"{charts.shown(ours)} ({ratio:.2f} ×)"),
                "Streams": theirs,
            }
    charts.bars(
        folder / "cycle.svg",
        "Server CPU to push, pull and acknowledge a message",
        "single commands in pipelines of 100 and 1,000, batches of 100 to pull and acknowledge, and to push too; AOF everysec; in brackets the ratio to Streams",
        "µs per message",
        panels,
        MQ_AND_STREAMS,
        gutter=130,
    )


def consumers_chart(servers, folder):
    panels = {}
    for results in servers:
        samples = results.parts["consumers"]
        panel = panels[results.name] = {}
        for peer in samples.distinct("peer"):
            where = {"aof": "everysec", "connections": 64}
            cpu = samples.median(**where, peer=peer)
            ratio = samples.ratio(where | {"peer": peer}, where | {"peer": "Streams"})
            text = f"{charts.shown(cpu)} ({ratio:.2f} ×)" if peer != "Streams" else charts.shown(cpu)
            row = "XREADGROUP, XACK(DEL)" if peer == "Streams" else peer
            panel[row] = {"redis-mq" if peer.startswith("MQ") else "Streams or lists": (cpu, text)}
    charts.bars(
        folder / "consumers.svg",
        "Server CPU of consumers that take and acknowledge one message at a time",
        "64 connections without pipelines, AOF everysec; in brackets the ratio to Streams",
        "µs per message",
        panels,
        {"redis-mq": "ours", "Streams or lists": "peer"},
        gutter=200,
    )


def memory_chart(servers, folder):
    panels = {}
    for results in servers:
        samples = results.parts["memory"]
        panel = panels[results.name] = {}
        for state, peers in MEMORY_PEERS:
            row = {"redis-mq": samples.median("bytes", peer="MQ", state=state)}
            for peer, theirs in peers.items():
                label = "Streams" if peer == "Streams" else "list or sorted set"
                row[label] = samples.median("bytes", peer=peer, state=theirs)
            panel[state] = row
    charts.bars(
        folder / "memory.svg",
        "Memory of a message of 100 bytes",
        "bytes of used_memory per message by state; a message that returned to a stream is one that is pending",
        "bytes",
        panels,
        MQ_AND_STREAMS | {"list or sorted set": "third"},
        gutter=100,
    )


def points(samples, x, name="cpu", **where):
    return [(one[x], statistics.median(one[name])) for one in samples.select(**where)]


def payloads_chart(servers, folder):
    panels = {}
    for results in servers:
        samples = results.parts["payloads"]
        panel = panels[results.name] = {}
        for peer in ("lists", "Streams", "MQ"):
            panel[LABELS[peer]] = [
                (size, samples.ratio({**where, "peer": peer}, {**where, "peer": "Streams"}))
                for size in samples.distinct("payload")
                for where in [{"payload": size, "aof": "everysec"}]
            ]
    charts.lines(
        folder / "payloads.svg",
        "Server CPU to push, pull and acknowledge a message, by payload",
        "redis-mq and lists, divided by Streams in the same run; single commands, AOF everysec",
        "bytes of payload (AOF everysec)",
        "server CPU / that of Streams",
        panels,
        ALL_THREE,
    )


def depths_chart(servers, folder):
    panels = {}
    for results in servers:
        samples = results.parts["depths"]
        for messages, order, text in (
            ("ready", "oldest", "ready"),
            ("in flight", "oldest", "in flight, oldest"),
            ("in flight", "random", "in flight, random"),
        ):
            aof = "off" if messages == "ready" else "everysec"
            where = {"messages": messages, "acknowledged": order, "aof": aof}
            panels[f"{results.name}: {text}"] = {
                LABELS[peer]: points(samples, "count", **where, peer=peer) for peer in ("Streams", "MQ")
            }
    charts.lines(
        folder / "depths.svg",
        "Server CPU of a message beside others that are ready or in flight",
        "redis-mq beside Streams; the oldest or random messages are acknowledged; in flight with AOF everysec",
        "other messages",
        "µs per message",
        panels,
        MQ_AND_STREAMS,
    )


CHARTS = {
    "cycle": cycle_chart,
    "consumers": consumers_chart,
    "memory": memory_chart,
    "payloads": payloads_chart,
    "depths": depths_chart,
}


def peers_chart(raw, folder):
    panels = {"messages/s, batched": {}, "server CPU, µs": {}, "delivery p99, ms": {}, "memory, bytes": {}}
    for system, modes in peer_rows(raw):
        best = modes.get("batched") or modes.get("single") or {}
        values = (
            best.get("rate"),
            best.get("cpu"),
            modes.get("latency", {}).get("p99"),
            modes.get("memory", {}).get("memory"),
        )
        series = "redis-mq" if system["name"] == "redis-mq" else "others"
        for panel, value in zip(panels, values):
            value = "not run" if "not_run" in system else "-" if not value or value <= 0 else value
            panels[panel][system["name"]] = {series: value}
    charts.bars(
        folder / "peers.svg",
        "redis-mq beside other queues, each with its own client",
        "batched, where the system has it; delivery: from the push until a waiting consumer has the message, at half load, one by one; memory of a ready message",
        dict(zip(panels, ("more is better, logarithmic", *["less is better, logarithmic"] * 3))),
        panels,
        {"redis-mq": "ours", "others": "peer"},
        gutter=130,
        log=True,
    )
