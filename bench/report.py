#!/usr/bin/env python3
"""Makes the tables and charts of the bench from the raw results.

    bench/report.py           writes bench/results/*.md, bench/results/*.svg, and the marked blocks of the pages
    bench/report.py --check   writes nothing; exits with status 1 if a file is not what the raw results give

A block of a page is everything between `<!-- bench: NAME -->` and `<!-- /bench -->`. Standard library only.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path

from figures import CHARTS, peers_chart
from results import FOLDER, load
from summary import BLOCKS, console_block, peers_block, workers_block
from tables import Results, page_of

PROJECT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "bench/README.md", "docs/console.md", "docs/operations.md", "docs/protocol.md")
SERVERS = ("redis-7.0", "redis-8.6", "valkey-9.1")
OTHER_PEERS, WORKERS, CONSOLE = "peers", "workers", "console"


def with_blocks(text, blocks):
    def replaced(match):
        name = match[1]
        if name not in blocks:
            raise SystemExit(f"unknown block {name}")
        return f"<!-- bench: {name} -->\n\n{blocks[name]}\n<!-- /bench -->"

    return re.sub(r"<!-- bench: (\S+) -->\n.*?<!-- /bench -->", replaced, text, flags=re.DOTALL)


def missing(error):
    return f"Not run: {error}.\n"


def render(folder, pages):
    """{path relative to the project: text} of everything made from the raw results in a folder."""
    made = {}
    servers = [Results(folder / f"{name}.json") for name in SERVERS if (folder / f"{name}.json").exists()]
    for results in servers:
        name = f"bench/results/{results.name.lower().replace(' ', '-').rsplit('.', 1)[0]}.md"
        made[name] = page_of(results)
    blocks = {}
    for name, make in BLOCKS.items():
        try:
            blocks[name] = make(servers)
        except KeyError as error:
            blocks[name] = missing(error)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        for name, make in CHARTS.items():
            try:
                make(servers, scratch)
            except (KeyError, ValueError) as error:
                print(f"report: no chart {name}: {error}", file=sys.stderr)
        peers = folder / f"{OTHER_PEERS}.json"
        blocks["peers"] = missing(OTHER_PEERS)
        if peers.exists():
            raw = load(peers)
            blocks["peers"] = peers_block(raw)
            peers_chart(raw, scratch)
        workers = folder / f"{WORKERS}.json"
        blocks["workers"] = workers_block(load(workers)) if workers.exists() else missing(WORKERS)
        console = folder / f"{CONSOLE}.json"
        blocks["console"] = console_block(load(console)) if console.exists() else missing(CONSOLE)
        for path in sorted(scratch.glob("*.svg")):
            made[f"bench/results/{path.name}"] = path.read_text()
    for page in pages:
        path = PROJECT / page
        made[page] = with_blocks(path.read_text(), blocks)
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare")
    parser.add_argument("--results", type=Path, default=FOLDER, help="the folder of the raw results")
    parser.add_argument("--into", type=Path, default=PROJECT, help="write below this folder instead of the project")
    options = parser.parse_args()
    stale = []
    for name, text in render(options.results, PAGES).items():
        path = options.into / name
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if not options.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    if options.check and stale:
        sys.exit(f"not what the raw results give (run bench/report.py): {', '.join(stale)}")
    for name in stale:
        print(f"report: wrote {name}")


if __name__ == "__main__":
    main()
