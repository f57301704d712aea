#!/usr/bin/env bash
# All tests of the console. MQ_SERVER is a redis-server or valkey-server, MQ_MODULE the module. Needs Prometheus with its
# promtool, and Chromium with its chromedriver.
set -euo pipefail
cd "$(dirname "$0")"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$(cd .. && pwd)/target}/console"
cargo fmt --check
cargo clippy --locked --all-targets -- -D warnings
cargo test --locked
