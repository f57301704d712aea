#!/bin/sh
# Tests the transport: its style, and it on a real server with real Celery workers. MQ_SERVER is the server (redis-server),
# MQ_MODULE the module. Arguments go to pytest. Installs what it needs into .venv.
set -eu
cd "$(dirname "$0")"
: "${MQ_SERVER:?the path of redis-server or valkey-server}" "${MQ_MODULE:?the path of the module}"

[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
.venv/bin/python -m ruff check --quiet
.venv/bin/python -m ruff format --check --quiet
exec .venv/bin/python -m pytest --quiet "$@"
