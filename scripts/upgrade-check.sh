#!/usr/bin/env bash
# Upgrades from 0.1.0 under load: by a replica that takes over, and by a restart on the append-only file or
# the snapshot. 0.1.0 was never published, so it is built from its last commit.
#
#   scripts/upgrade-check.sh      environment: MQ_MODULE, MQ_SERVER, MQ_CHAOS_SECONDS (per test, default: 30)
set -euo pipefail
cd "$(dirname "$0")/.."
last=38705fd^
folder=$(realpath "${CARGO_TARGET_DIR:-target}")/upgrade
export MQ_OLD_MODULE=$folder/build/release/libmq.so
if [ ! -f "$MQ_OLD_MODULE" ]; then
  git rev-parse -q --verify "$last" > /dev/null || { echo "the history is missing: git fetch --unshallow" >&2; exit 1; }
  mkdir -p "$folder/source"
  git archive "$last" | tar -x -C "$folder/source"
  cargo build --release --locked --manifest-path "$folder/source/Cargo.toml" --target-dir "$folder/build"
fi
MQ_CHAOS_SECONDS=${MQ_CHAOS_SECONDS:-30} cargo test --locked --test server -- --ignored --show-output chaos::upgrade
