#!/usr/bin/env bash
# Instructions that the server executes per message (push, pull and acknowledge), MQ compared with Streams.
#
#   bench/instructions.sh [-r ROUNDS] [-n SIZE] [-p BYTES] [-l LIVE] [-k FOLDER]
#
# The server runs under callgrind, once with ROUNDS rounds of SIZE messages and once with none; the
# difference divided by the number of messages is printed. The count varies little between runs, so it shows
# the effect of a code change even on a busy machine; it does not measure time (see bench.py).
# -p sets the bytes of a payload.
# -l compares the cycle with priorities, deduplication and groups to the plain one, with LIVE live keys.
# -k keeps callgrind's files in FOLDER (for causes.py and callgrind_annotate).
# MQ_SERVER and MQ_MODULE as for the tests. Needs valgrind.
set -euo pipefail

rounds=20 size=100 payload=100 live="" keep=""
while getopts r:n:p:l:k: option; do
  case $option in
    r) rounds=$OPTARG ;;
    n) size=$OPTARG ;;
    p) payload=$OPTARG ;;
    l) live=$OPTARG ;;
    k) keep=$OPTARG ;;
    *) exit 2 ;;
  esac
done

here=$(cd "$(dirname "$0")" && pwd)
server=$(command -v "${MQ_SERVER:-redis-server}") || { echo "no server: set MQ_SERVER" >&2; exit 1; }
module=$(realpath -e "${MQ_MODULE:-$here/../target/release/libmq.so}") || exit 1
command -v valgrind >/dev/null || { echo "no valgrind: apt-get install valgrind" >&2; exit 1; }

folder=$(mktemp -d)
pid=
trap '[[ -z $pid ]] || kill "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# count NAME ARGUMENT...: counts the instructions of a server under `bench.py drive` with ARGUMENT...
count() {
  local name=$1 port deadline
  shift
  port=$(free_port)
  valgrind --tool=callgrind --trace-children=yes \
    --callgrind-out-file="$folder/$name.%p" --log-file="$folder/valgrind.log" \
    "$server" --bind 127.0.0.1 --port "$port" --dir "$folder" --save '' --appendonly no --hz 1 \
    --loadmodule "$module" >"$folder/server.log" 2>&1 &
  pid=$!
  deadline=$((SECONDS + 120))
  until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    if ! kill -0 "$pid" 2>/dev/null || ((SECONDS > deadline)); then
      cat "$folder/server.log" >&2
      echo "the server did not start under valgrind" >&2
      exit 1
    fi
    sleep 0.2
  done
  python3 "$here/bench.py" ${live:+--live "$live"} drive "$port" "$@"
  kill "$pid"
  wait "$pid" || true
  mv "$folder/$name.$pid" "$folder/$name.callgrind"
  pid=
  awk '/^(summary|totals):/ { print $2; exit }' "$folder/$name.callgrind" >"$folder/$name.count"
}

version=$("$server" --version | head -c 60)

beside_streams() {
  echo "Instructions per message (push, pull, acknowledge), $rounds rounds of $size, $payload bytes, $version:"
  echo
  echo "| commands | Streams | MQ | MQ / Streams |"
  echo "|---|---|---|---|"
  for how in single batched; do
    flags=(--payload "$payload")
    [[ $how = single ]] || flags+=(--batched)
    for kind in streams mq; do
      count "$kind-$how-0" "$kind" "$size" 0 "${flags[@]}"
      count "$kind-$how" "$kind" "$size" "$rounds" "${flags[@]}"
    done
    paste "$folder"/{streams-"$how"-0,streams-"$how",mq-"$how"-0,mq-"$how"}.count |
      awk -v how="$how" -v messages=$((rounds * size)) '{
        streams = ($2 - $1) / messages; mq = ($4 - $3) / messages
        printf "| %s | %.0f | %.0f | %.2f |\n", how, streams, mq, mq / streams
      }'
  done
}

with_features() {
  local kind
  echo "Instructions per message (push, pull, acknowledge), $rounds rounds of $size, $live live keys, $version:"
  echo
  echo "| cycle | instructions | to plain |"
  echo "|---|---|---|"
  for kind in plain priorities dedup untildone groups; do
    count "$kind-0" "$kind" "$size" 0
    count "$kind" "$kind" "$size" "$rounds"
    paste "$folder"/{plain-0,plain,"$kind-0","$kind"}.count |
      awk -v kind="$kind" -v messages=$((rounds * size)) '{
        printf "| %s | %.0f | %.2f |\n", kind, ($4 - $3) / messages, ($4 - $3) / ($2 - $1)
      }'
  done
}

if [[ -n $live ]]; then
  with_features
else
  beside_streams
fi

if [[ -n $keep ]]; then
  mkdir -p "$keep"
  cp "$folder"/*.callgrind "$keep"
fi
