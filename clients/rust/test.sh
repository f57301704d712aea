#!/usr/bin/env bash
# All tests of the Rust client: its own, and the contract of the clients. MQ_SERVER is a redis-server or valkey-server,
# MQ_MODULE the module.
set -euo pipefail
cd "$(dirname "$0")"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$(cd ../.. && pwd)/target}/clients/rust"
export RUSTDOCFLAGS="-D warnings"
cargo fmt --check
cargo check --locked
cargo clippy --locked --all-features --all-targets -- -D warnings
cargo doc --locked --all-features --no-deps
cargo test --locked --all-features
cargo build --locked --all-features --example driver
python3 ../contract/run.py --fake -- "$CARGO_TARGET_DIR/debug/examples/driver"
