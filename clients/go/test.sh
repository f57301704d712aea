#!/usr/bin/env bash
# All tests of the Go client: its own, and the contract of the clients. MQ_SERVER is a redis-server, MQ_MODULE the module.
set -euo pipefail
cd "$(dirname "$0")"
unformatted=$(gofmt -l .)
[ -z "$unformatted" ] || { echo "gofmt: $unformatted" >&2; exit 1; }
for module in . mqotel; do
  (cd "$module" && go vet ./... && go test -race -count 1 ./...)
done
go build -race -o target/driver ./tests/driver
python3 ../contract/run.py --fake -- target/driver
