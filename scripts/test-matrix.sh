#!/usr/bin/env bash
# Runs the server tests on several servers (`make test-matrix`), all with the same module, MQ_MODULE.
#
#   scripts/test-matrix.sh [NAME...]      names as in scripts/servers.sh; default: all
#
# MQ_TESTS is passed to the test program: a filter, options. MQ_IO_THREADS=4 gives each server four I/O
# threads. Prints a table, and exits with status 1 if a test failed or a server is unavailable.
set -euo pipefail
cd "$(dirname "$0")/.."
export MQ_SERVERS=${MQ_SERVERS:-target/servers}
logs=${CARGO_TARGET_DIR:-target}/matrix
mkdir -p "$logs"
read -ra tests <<< "${MQ_TESTS-}"
# Tests mostly wait. I/O threads don't: they spin.
[ -n "${MQ_IO_THREADS-}" ] || export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((3 * $(nproc)))}

[ $# -gt 0 ] || mapfile -t names < <(scripts/servers.sh --list)
[ $# -eq 0 ] || names=("$@")
status=0
scripts/servers.sh "${names[@]}" || status=1

rows=()
for name in "${names[@]}"; do
  server=$(realpath -m "$MQ_SERVERS/$name/redis-server")
  if [ ! -x "$server" ]; then
    rows+=("$name|MISSING|")
    continue
  fi
  echo "== $name"
  result=ok
  MQ_SERVER=$server cargo test --locked --test server -- "${tests[@]}" 2>&1 | tee "$logs/$name.log" || result=FAILED
  counts=$(sed -nE 's/^test result: [^.]*\. ([0-9]+ passed; [0-9]+ failed).*/\1/p' "$logs/$name.log")
  case $counts in '' | '0 passed'*) result=FAILED ;; esac
  [ "$result" = ok ] || status=1
  rows+=("$name|$result|${counts:-no test ran}")
done
echo
echo "Results by server (logs in $logs):"
printf '%s\n' "${rows[@]}" | awk -F'|' '{printf "%-11s %-8s %s\n", $1, $2, $3}'
exit $status
