#!/usr/bin/env bash
# Builds the module, target/release/libmq.so. Replaces cargo's progress output by one line; shows warnings and errors in full.
#
#   scripts/build.sh [--unless-fresh]
#
# --unless-fresh: does nothing if the module is newer than its sources, so that root can install it without a
# toolchain.
#
# MQ_MODULE   path of the module (target/release/libmq.so)
set -euo pipefail
cd "$(dirname "$0")/.."
module=${MQ_MODULE:-target/release/libmq.so}
shown=${module#"$PWD/"}

is_fresh() { [ -f "$module" ] && [ -z "$(find src Cargo.toml Cargo.lock -newer "$module" -print -quit)" ]; }

if [ "${1-}" = --unless-fresh ]; then
  ! is_fresh || exit 0
  # A build as root would leave files that the user cannot replace.
  [ -z "${SUDO_USER-}" ] || { echo "build: $shown is missing or out of date; run first, without sudo: make build" >&2; exit 1; }
fi
scripts/install-needs.sh build
if is_fresh; then
  cargo build --release --locked --quiet
else
  echo "Building $shown; the first build takes some minutes."
  cargo build --release --locked --quiet
  # If only the sources' timestamps changed, cargo does not rewrite it.
  touch "$module"
  echo "Built $shown."
fi
