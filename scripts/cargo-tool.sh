#!/usr/bin/env bash
# Builds an exact version of a cargo tool below the target folder, unless it exists already. Prints the path of its
# binary.
#
#   scripts/cargo-tool.sh cargo-deny 0.20.2
set -euo pipefail
cd "$(dirname "$0")/.."

name=$1 version=$2
tools=${CARGO_TARGET_DIR:-target}/tools
binary=$tools/bin/$name
if [ "$("$binary" --version 2> /dev/null)" != "$name $version" ]; then
  echo "cargo-tool: building $name $version; this takes some minutes" >&2
  cargo install "$name" --locked --version "=$version" --root "$tools" --quiet >&2
fi
echo "$binary"
