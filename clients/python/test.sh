#!/usr/bin/env bash
# Tests the Python client: its style and types, the unit tests, and the contract of all clients, with the newest redis-py
# and with the oldest that it supports. MQ_SERVER is the server (redis-server), MQ_MODULE the module (that of the last
# `make build`). Installs what it needs into .venv.
set -euo pipefail
cd "$(dirname "$0")"

[ -x .venv/bin/python ] || python3 -m venv .venv
python=$PWD/.venv/bin/python
install() { "$python" -m pip install --quiet --disable-pip-version-check "$@"; }
install --editable . --requirement tests/requirements.txt
[ -d .venv/redis-5 ] || install --target .venv/redis-5 redis==5.0.0

"$python" -m ruff check
"$python" -m ruff format --check
"$python" -m mypy
"$python" -m pytest --quiet

contract() { "$python" ../contract/run.py "$@"; }
contract --fake -- "$python" tests/driver.py
contract --fake --no-worker -- "$python" tests/driver.py --asyncio
PYTHONPATH=.venv/redis-5 contract -- "$python" tests/driver.py --asyncio --threads
