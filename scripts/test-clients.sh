#!/usr/bin/env bash
# Runs the tests of the clients side by side, each against servers that it starts itself: they mostly wait.
#
#   scripts/test-clients.sh [NAME...]      folders in clients; default: all that have a test.sh
#
# Environment: MQ_MODULE, and MQ_SERVER (default: redis-server). Shows the output of what failed and a table, and exits
# with status 1 if something failed.
set -euo pipefail
cd "$(dirname "$0")/.."
found=$(command -v "${MQ_SERVER:-redis-server}") || { echo "no server: ${MQ_SERVER:-redis-server}" >&2; exit 1; }
MQ_SERVER=$(realpath -s "$found")
export MQ_SERVER
logs=${CARGO_TARGET_DIR:-target}/clients
mkdir -p "$logs"
names=("$@")
[ $# -gt 0 ] || mapfile -t names < <(for test in clients/*/test.sh; do basename "$(dirname "$test")"; done)

echo "Testing the clients: ${names[*]}"
running=()
for name in "${names[@]}"; do
  "clients/$name/test.sh" > "$logs/$name.log" 2>&1 &
  running+=($!)
done
status=0
rows=()
for number in "${!names[@]}"; do
  name=${names[number]}
  result=ok
  wait "${running[number]}" || { result=FAILED status=1; sed "s/^/$name: /" "$logs/$name.log"; }
  rows+=("$name|$result|$(grep -cE '^ok ' "$logs/$name.log" || true) cases")
done
echo
echo "Results on $("$MQ_SERVER" --version | cut -d' ' -f1-3) (logs in $logs):"
printf '%s\n' "${rows[@]}" | awk -F'|' '{printf "%-11s %-7s %s\n", $1, $2, $3}'
exit $status
