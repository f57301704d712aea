#!/usr/bin/env bash
# Runs the tests of the clients, each against servers that it starts itself.
#
#   scripts/test-clients.sh [NAME...]      folders in clients; default: all that have a test.sh
#
# Environment: MQ_MODULE, and MQ_SERVER (default: redis-server). Prints a table, and exits with status 1 if one failed.
set -euo pipefail
cd "$(dirname "$0")/.."
found=$(command -v "${MQ_SERVER:-redis-server}") || { echo "no server: ${MQ_SERVER:-redis-server}" >&2; exit 1; }
MQ_SERVER=$(realpath -s "$found")
export MQ_SERVER
names=("$@")
[ $# -gt 0 ] || mapfile -t names < <(for test in clients/*/test.sh; do basename "$(dirname "$test")"; done)

status=0
rows=()
for name in "${names[@]}"; do
  echo "== $name"
  started=$SECONDS
  if "clients/$name/test.sh"; then result=ok; else result=FAILED status=1; fi
  rows+=("$name|$result|$((SECONDS - started)) s")
done
echo
echo "Results on $("$MQ_SERVER" --version | cut -d' ' -f1-3):"
printf '%s\n' "${rows[@]}" | awk -F'|' '{printf "%-11s %-7s %s\n", $1, $2, $3}'
exit $status
