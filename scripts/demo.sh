#!/usr/bin/env bash
# A queue that moves, for the console of `make run`: a producer pushes five messages in two seconds into
# make-run-demo, and a worker, which is faster on the whole, acknowledges most of them, fails some, and rests from time to
# time. Its dead letters expire after ten minutes.
# Runs until it is terminated.
#
#   scripts/demo.sh PORT
set -euo pipefail
queue=make-run-demo
mq() { redis-cli -e -p "$port" "$@"; }
port=$1

trap 'trap - EXIT; kill 0' EXIT
trap exit INT TERM HUP
mq MQ.CONFIG $queue VISIBILITY 10000 MAXRETRIES 2 BACKOFF 2000 > /dev/null
mq MQ.CONFIG "{$queue}:dead" TTL 600000 > /dev/null
mq -r -1 -i 0.4 MQ.PUSH $queue "an order" > /dev/null &

number=0
field() { awk -v name="$1" '$0 == name {getline; print; exit}' <<< "$message"; } # NAME: its value
while message=$(mq --raw MQ.PULL $queue BLOCK 5000 CONSUMER demo-worker); do
  [ -n "$message" ] || continue
  number=$((number + 1))
  sleep 0.1
  if [ $((number % 20)) = 0 ]; then
    mq MQ.NACK $queue "$(field id)" "$(field receipt)" DEAD REASON "no stock" > /dev/null
  elif [ $((number % 7)) = 0 ]; then
    mq MQ.NACK $queue "$(field id)" "$(field receipt)" REASON "the shop does not answer" > /dev/null
  else
    mq MQ.ACK $queue "$(field id)" "$(field receipt)" > /dev/null
  fi
  [ $((number % 60)) != 0 ] || sleep 8
done
