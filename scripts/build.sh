#!/usr/bin/env bash
# Builds the module, target/release/libmq.so. Prints a line instead of cargo's hundred; warnings and errors are shown whole.
#
#   scripts/build.sh [--unless-fresh]
#
# --unless-fresh: does nothing where the module is newer than its sources. Who installs it, root perhaps, needs no
# toolchain then.
#
# MQ_MODULE   where cargo puts the module (target/release/libmq.so)
set -euo pipefail
cd "$(dirname "$0")/.."
module=${MQ_MODULE:-target/release/libmq.so}
shown=${module#"$PWD/"}

is_fresh() { [ -f "$module" ] && [ -z "$(find src Cargo.toml Cargo.lock -newer "$module" -print -quit)" ]; }

if [ "${1-}" = --unless-fresh ]; then
  ! is_fresh || exit 0
  # Built by root, it would leave files that the user can't replace.
  [ -z "${SUDO_USER-}" ] || { echo "build: $shown is missing or out of date; first run, without sudo: make build" >&2; exit 1; }
fi
scripts/install-needs.sh build
if is_fresh; then
  cargo build --release --locked --quiet
else
  echo "Building $shown, which takes some minutes the first time."
  cargo build --release --locked --quiet
  # Cargo leaves it as it is where only the sources' times are new.
  touch "$module"
  echo "Built $shown."
fi
