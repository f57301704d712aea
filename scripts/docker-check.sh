#!/usr/bin/env bash
# Builds the image, starts it with Compose, and uses it from outside the container: it must be healthy, run without
# root, be published on the loopback address, and keep every message across a restart. The same with a password, which
# must appear on no command line. The console must be published on the loopback address, too, and show the queues.
#
#   scripts/docker-check.sh [--local-bases]
#
# --local-bases: for machines that cannot pull images. Uses substitutes for the base images (scripts/docker-bases.sh)
# and, if no Docker engine is running, installs and starts one for the duration of the check. Needs root.
# SERVER_IMAGE is the base image (redis:8). Uses a separate Compose project, which is removed afterwards.
set -euo pipefail
cd "$(dirname "$0")/.."
export SERVER_IMAGE=${SERVER_IMAGE:-redis:8}
compose=(docker compose --project-name redis-mq-check)
service=redis-mq
started='' engine=''

say() { echo "docker-check: $*"; }
fail() { echo "docker-check: $*" >&2; exit 1; }

tidy() {
  [ -z "$started" ] || "${compose[@]}" down --volumes --timeout 5 > /dev/null 2>&1 || true
  if [ -n "$engine" ]; then
    kill "$engine"
    wait "$engine" || true
  fi
}
trap tidy EXIT

start_engine() {
  local folder=$PWD/target/docker
  mkdir -p "$folder"
  dockerd --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$folder/pid" \
    --host "unix://$folder/socket" > "$folder/log" 2>&1 &
  engine=$!
  export DOCKER_HOST=unix://$folder/socket
  for _ in {1..60}; do
    ! docker info > /dev/null 2>&1 || return 0
    kill -0 "$engine" 2> /dev/null || break
    sleep 0.5
  done
  tail -n 20 "$folder/log" >&2
  fail "the Docker engine did not start"
}

local_bases() {
  scripts/install-needs.sh build fetch docker
  docker info > /dev/null 2>&1 || start_engine
  if ! docker compose version > /dev/null 2>&1; then
    # Debian 12 packages version 1.
    export DOCKER_CONFIG=$PWD/target/docker/config
    if [ ! -x "$DOCKER_CONFIG/cli-plugins/docker-compose" ]; then
      . scripts/private-apt.sh
      private_apt "$PWD/target/docker/apt" sid
      apt_unpack target/docker/compose docker-compose
      rm -rf target/docker/apt
      mkdir -p "$DOCKER_CONFIG"
      cp -a target/docker/compose/usr/libexec/docker/cli-plugins "$DOCKER_CONFIG/"
    fi
  fi
  case $SERVER_IMAGE in
    valkey/*) scripts/servers.sh valkey-9.1 ;;
    *) scripts/servers.sh redis-8.6 ;;
  esac
  scripts/docker-bases.sh debian:bookworm-slim rust:1-bookworm "$SERVER_IMAGE"
}

case ${1-} in
  --local-bases) local_bases ;;
  '') ;;
  *) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
scripts/install-needs.sh server
command -v curl > /dev/null || fail 'curl is required'
docker compose version > /dev/null || fail 'Docker Compose v2 ("docker compose") is required'

port=16379
while (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do port=$((port + 1)); done
export MQ_LISTEN=127.0.0.1:$port
page=$((port + 1))
while (exec 3<> "/dev/tcp/127.0.0.1/$page") 2> /dev/null; do page=$((page + 1)); done
export MQ_CONSOLE_LISTEN=127.0.0.1:$page MQ_CONSOLE_PASSWORD='the page'
mq() { redis-cli -e -h 127.0.0.1 -p "$port" "$@"; }
is() { # WHAT EXPECTED ACTUAL
  [ "$2" = "$3" ] || fail "$1: expected $2, got $3"
  say "$1: $3"
}
# Pulls one message and sets payload, id and receipt.
pull() { # QUEUE
  local reply
  reply=$(mq MQ.PULL "$@")
  value() { grep -x -A1 "$1" <<< "$reply" | tail -n 1; }
  payload=$(value payload) id=$(value id) receipt=$(value receipt)
}

console_status() { curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$page/api/$1"; }
console_queues() { curl -sf -u "anyone:$MQ_CONSOLE_PASSWORD" "http://127.0.0.1:$page/api/queues"; }
eventually() { # WHAT COMMAND...
  for _ in {1..60}; do
    ! "${@:2}" || { say "$1"; return; }
    sleep 0.5
  done
  fail "never: $1"
}

say "building"
started=1
# Leftovers of an aborted run.
"${compose[@]}" down --volumes > /dev/null 2>&1
"${compose[@]}" build
"${compose[@]}" up --detach --wait
container=$("${compose[@]}" ps --quiet $service)
say "image of $(docker image inspect --format '{{.Size}}' redis-mq | awk '{printf "%d MB", $1 / 1e6}'), base" \
  "$(docker image inspect --format '{{.Size}}' "$SERVER_IMAGE" | awk '{printf "%d MB", $1 / 1e6}')"
is "health" healthy "$(docker inspect --format '{{.State.Health.Status}}' "$container")"
is "published on" "127.0.0.1:$port" "$("${compose[@]}" port $service 6379)"
user=$(docker exec "$container" sed -n 's/^Uid:\t\([0-9]*\).*/\1/p' /proc/1/status)
[ "$user" != 0 ] || fail "the server runs as root"
say "the server's user: $user"

mq MQ.PUSH orders first > /dev/null
pull orders
is "pulled from outside" first "$payload"
is "acknowledged" 1 "$(mq MQ.ACK orders "$id" "$receipt")"

is "console published on" "127.0.0.1:$page" "$("${compose[@]}" port console 8090)"
is "console without its password" 401 "$(console_status queues)"
shows_orders() { console_queues | grep -q '"name":"orders"'; }
eventually "console shows the queue" shows_orders

say "restarting with two messages ready, one delayed, one in flight, one dead"
mq MQ.CONFIG bills MAXRETRIES 0 > /dev/null
mq MQ.PUSH bills dies > /dev/null
pull bills
mq MQ.NACK bills "$id" "$receipt" > /dev/null
for text in held ready-1 ready-2; do mq MQ.PUSH orders "$text" > /dev/null; done
mq MQ.PUSH orders later DELAY 3600000 > /dev/null
pull orders VISIBILITY 3600000
held_id=$id held_receipt=$receipt
"${compose[@]}" restart
"${compose[@]}" up --detach --wait
is "health" healthy "$(docker inspect --format '{{.State.Health.Status}}' "$container")"
is "ready" 2 "$(mq MQ.LEN orders READY)"
is "delayed" 1 "$(mq MQ.LEN orders DELAYED)"
is "in flight" 1 "$(mq MQ.LEN orders INFLIGHT)"
is "the delivery from before, acknowledged" 1 "$(mq MQ.ACK orders "$held_id" "$held_receipt")"
for text in ready-1 ready-2; do
  pull orders
  is "pulled" "$text" "$payload"
  is "acknowledged" 1 "$(mq MQ.ACK orders "$id" "$receipt")"
done
pull '{bills}:dead'
is "the dead one" dies "$payload"

say "with a password"
export MQ_PASSWORD="it's \"one\\two\" three"
"${compose[@]}" up --detach --wait
container=$("${compose[@]}" ps --quiet $service)
is "health" healthy "$(docker inspect --format '{{.State.Health.Status}}' "$container")"
is "without it" "NOAUTH Authentication required." "$(redis-cli -h 127.0.0.1 -p "$port" MQ.LEN orders)"
is "with it" 1 "$(REDISCLI_AUTH=$MQ_PASSWORD mq MQ.LEN orders DELAYED)"
eventually "console shows the queue, with the server's password" shows_orders
! docker top "$container" -eo pid,args | grep -F three || fail "a command line shows the password"
seq 30000 | sed 's/.*/SET many:& x/' | REDISCLI_AUTH=$MQ_PASSWORD mq > /dev/null
volume=$(docker inspect --format '{{range .Mounts}}{{.Name}}{{end}}' "$container")
"${compose[@]}" stop

say "with a password in a file, and a slow load"
secret=$(mktemp)
printf '%s\n' "$MQ_PASSWORD" > "$secret"
chmod 644 "$secret"
container=$(docker run --detach --rm --volume "$volume:/data" --volume "$secret:/run/secrets/mq" \
  --env MQ_PASSWORD_FILE=/run/secrets/mq redis-mq --appendonly yes --key-load-delay 300)
ping() { docker exec --env "REDISCLI_AUTH=$MQ_PASSWORD" "$container" redis-cli "$@" 2> /dev/null; }
until [[ $(ping ping) = LOADING* ]]; do
  [ "$(ping ping)" != PONG ] || fail "the load was too short"
  sleep 0.1
done
! docker exec "$container" redis-mq-healthy || fail "healthy while loading"
say "not healthy while loading"
until [ "$(ping ping)" = PONG ]; do sleep 0.1; done
docker exec "$container" redis-mq-healthy || fail "not healthy after loading"
is "then" 1 "$(ping MQ.LEN orders DELAYED)"
docker exec --env "REDISCLI_AUTH=$MQ_PASSWORD" "$container" redis-cli CONFIG SET requirepass another > /dev/null
docker exec "$container" redis-mq-healthy || fail "not healthy with a password unknown to the check"
docker stop "$container" > /dev/null
rm "$secret"
say "passed"
