#!/usr/bin/env bash
# Starts a server with the module, shows one push, pull and acknowledgment, starts the console and a demo queue that moves
# in it, and runs until Ctrl-C (`make run`).
#
# MQ_MODULE   the module (target/release/libmq.so)
# PORT        the port (6379, or the next free one)
# MQ_CONSOLE  the console (target/console/debug/redis-mq)
# DEMO        0: no demo queue
# MQ_DATA     the folder for the server's data and log (data), which is kept
set -euo pipefail
cd "$(dirname "$0")/.."
module=$(realpath "${MQ_MODULE:-target/release/libmq.so}")
console=$(realpath "${MQ_CONSOLE:-target/console/debug/redis-mq}")
mkdir -p "${MQ_DATA:=data}"
data=$(realpath "$MQ_DATA")
log=$data/server.log

fail() { echo "run: $*" >&2; exit 1; }
taken() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

# Two servers on the same files would corrupt them. The server inherits the lock and holds it until it exits.
exec 9> "$data/lock"
flock -n 9 || fail "a server already uses $data (use another folder: make run MQ_DATA=...)"

port=${PORT:-6379}
if [ -n "${PORT-}" ]; then
  ! taken "$port" || fail "port $port is in use"
else
  while taken "$port"; do port=$((port + 1)); done
  [ "$port" = 6379 ] || echo "Port 6379 is in use, using $port."
fi

# In its own session, so that Ctrl-C reaches only this script, which stops the server by its pid.
setsid redis-server --port "$port" --bind 127.0.0.1 --dir "$data" --appendonly yes --save '' \
  --logfile "$log" --loadmodule "$module" < /dev/null &
server=$!
# shellcheck disable=SC2317 # reached by the trap
stop() {
  kill ${demo:+"$demo"} ${page:+"$page"} "$server" 2> /dev/null || true
  wait "$server" || true
}
trap stop EXIT
trap 'trap "" INT TERM HUP; trap - EXIT; stop; echo "Stopped. The queues are kept in $data."; exit 0' INT TERM HUP

ready() { [ "$(redis-cli -p "$port" ping 2> /dev/null)" = PONG ]; }
until ready; do
  kill -0 "$server" 2> /dev/null || { tail -n 20 "$log" >&2; fail "the server did not start"; }
  sleep 0.1
done

# A separate queue, so that no user data is touched.
queue=make-run
show() { # COMMAND...: runs it and shows command and reply like redis-cli
  echo "127.0.0.1:$port> $*"
  reply=$(redis-cli -p "$port" --no-raw "$@")
  echo "$reply"
}
field() { # NAME: its value in the last reply
  awk -v name="\"$1\"" '$NF == name {getline; gsub(/^[^"]*"|"$/, ""); print}' <<< "$reply"
}
echo
show MQ.PUSH "$queue" hello
show MQ.PULL "$queue"
show MQ.ACK "$queue" "$(field id)" "$(field receipt)"
[ "$reply" = '(integer) 1' ] || fail "the message was not acknowledged"

listen=8090
while taken "$listen"; do listen=$((listen + 1)); done
echo
echo "The console, where queues can be seen and changed (log: $data/console.log):"
setsid "$console" serve --url "redis://127.0.0.1:$port" --listen "127.0.0.1:$listen" --allow-writes \
  < /dev/null 2>> "$data/console.log" 9>&- &
page=$!
until taken "$listen"; do
  kill -0 "$page" 2> /dev/null || { tail -n 20 "$data/console.log" >&2; fail "the console did not start"; }
  sleep 0.1
done

if [ "${DEMO-}" != 0 ]; then
  setsid scripts/demo.sh "$port" < /dev/null > /dev/null 2>> "$data/demo.log" 9>&- &
  demo=$!
  echo "The queue make-run-demo in it is a demo that moves while this runs (DEMO=0: none)."
fi

echo
echo "$(redis-server --version | cut -d' ' -f1-3) with the mq module is ready (log: $log)."
echo "Connect with:  redis-cli -p $port        or any Redis client at redis://127.0.0.1:$port"
echo "Ctrl-C stops it."
wait "$server" || true
echo "run: the server exited unexpectedly; see $log" >&2
exit 1
