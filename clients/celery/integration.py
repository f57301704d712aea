"""Runs Celery's own integration tests (t/integration of the installed release) with kombu's Redis transport and with
this one, each on a server of its own, and lists the tests whose results differ.

    .venv/bin/python integration.py [--only redis | redis-mq] [--folder PATH] [pytest's arguments ...]

MQ_SERVER and MQ_MODULE as for test.sh, which has to run once before. Results are kept in the folder, build/integration,
from where the comparison takes those of the other transport if only one runs. Status 1: a test passes with kombu's
transport and fails with this one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import celery

from tests.conftest import Server

NEEDS = (
    "cryptography",
    "msgpack",
    "pydantic",
    "pytest-click",
    "pytest-order",
    "pytest-rerunfailures",
    "pytest-subtests",
    "pytest-timeout",
    "pyyaml",
    "sqlalchemy",
)
TRANSPORTS = ("redis", "redis-mq")
#: Every process of the tests is to know the transport, also the workers that they start.
SITECUSTOMIZE = "import kombu_redis_mq\n"


def pip(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words], check=True)


def source(folder: Path) -> Path:
    """The source distribution of the installed release, which has the tests."""
    name = f"celery-{celery.__version__}"
    if not (folder / name).exists():
        pip("download", "--no-deps", "--no-binary", ":all:", "--dest", str(folder), f"celery=={celery.__version__}")
        with tarfile.open(folder / f"{name}.tar.gz") as archive:
            archive.extractall(folder)
    return folder / name


def run(transport: str, folder: Path, arguments: list[str]) -> None:
    data = TemporaryDirectory()
    site = folder / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(SITECUSTOMIZE)
    server = Server(Path(data.name))
    try:
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # for the program celery
            "PYTHONPATH": str(site),
            "TEST_BROKER": f"{transport}://127.0.0.1:{server.port}/0",
            "TEST_BACKEND": f"redis://127.0.0.1:{server.port}/0",
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(server.port),
        }
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--continue-on-collection-errors", "-p", "no:cacheprovider",
             "-p", "celery.contrib.pytest", f"--junitxml={folder / transport}.xml",
             *(arguments or ["t/integration"])],
            cwd=source(folder), env=environment,
        )  # fmt: skip
    finally:
        server.stop()
        data.cleanup()


def results(report: Path) -> dict[str, str]:
    outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        outcomes[f"{case.get('classname')}::{case.get('name')}"] = next(iter(sorted(kinds)), "passed")
    return outcomes


def compare(folder: Path) -> int:
    stock, ours = (results(folder / f"{transport}.xml") for transport in TRANSPORTS)
    for transport, outcomes in zip(TRANSPORTS, (stock, ours)):
        counts = {outcome: list(outcomes.values()).count(outcome) for outcome in sorted(set(outcomes.values()))}
        print(f"{transport}: {counts}")
    differences = [name for name in sorted({*stock, *ours}) if stock.get(name) != ours.get(name)]
    for name in differences:
        print(f"{name}: {stock.get(name)} with redis, {ours.get(name)} with redis-mq")
    return int(any(stock.get(name) == "passed" and ours.get(name) != "passed" for name in differences))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=TRANSPORTS)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "build" / "integration")
    options, arguments = parser.parse_known_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    pip("install", *NEEDS)
    for transport in [options.only] if options.only else TRANSPORTS:
        run(transport, folder, arguments)
    return compare(folder) if all((folder / f"{transport}.xml").exists() for transport in TRANSPORTS) else 0


if __name__ == "__main__":
    sys.exit(main())
