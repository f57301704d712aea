#!/usr/bin/env bash
# All tests of the console. MQ_SERVER is a redis-server or valkey-server, MQ_MODULE the module. Needs Prometheus with its
# promtool, and Chromium with its chromedriver.
#
#   console/test.sh [FILTER...]
#
# FILTER...   words for `cargo test`
set -euo pipefail
cd "$(dirname "$0")"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$(cd .. && pwd)/target}/console"
cargo fmt --check
# Lints in the same build: cargo clippy would build all dependencies a second time.
export RUSTC_WORKSPACE_WRAPPER=clippy-driver RUSTFLAGS="${RUSTFLAGS-} -D warnings"
# Tests mostly wait for samples, which come every two seconds.
RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((4 * $(nproc)))} cargo test --locked "$@"
