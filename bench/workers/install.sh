#!/usr/bin/env bash
# Installs what `make bench-workers` compares, into one folder: the clients of this project, and the other systems with
# the exact versions of the lock files here and in bench/peers.
#
#   bench/workers/install.sh FOLDER
#
# What cannot be had is said, and the bench shows it as not run. Needs node, npm, python3 with venv, go and cargo.
set -uo pipefail
folder=$(mkdir -p "${1:?the folder}" && realpath "$1")
cd "$(dirname "$0")/../.." || exit
missing() { echo "workers: MISSING: $*" >&2; }

bench/peers/install.sh "$folder" clients
"$folder/venv/bin/pip" -q --disable-pip-version-check install --no-deps -r bench/workers/requirements.txt || missing "RQ, Dramatiq"

# The client of this project is built beside the packages that npm has installed.
typescript() {
  local built=$folder/node/node_modules/redis-mq
  (cd clients/typescript && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error &&
    npx tsc --project tsconfig.build.json --outDir "$built/dist" && cp package.json "$built/")
}
typescript || missing "the TypeScript client"
(cd bench/workers/go && go build -o "$folder/bin/go-worker" .) || missing "the Go clients"
cargo build --quiet --release --locked --manifest-path bench/workers/rust/Cargo.toml --target-dir "$folder/rust" || missing "the Rust clients"
