#!/usr/bin/env bash
# Installs what `make bench-peers` compares with, into one folder: the clients with the exact versions of
# package-lock.json and requirements.txt, and Debian's beanstalkd, RabbitMQ and NATS, unpacked without installing them.
#
#   bench/peers/install.sh FOLDER [clients]     clients: only those, not Debian's servers
#
# What cannot be had is said, and the bench shows it as not run; the exit status is 1 only if the clients of redis-mq
# and Streams are missing. Needs node, npm and python3 with venv.
set -uo pipefail
folder=$(mkdir -p "${1:?the folder}" && realpath "$1")
cd "$(dirname "$0")/../.." || exit
. scripts/private-apt.sh

say() { echo "peers: $*" >&2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Of the releases whose packages run here, the newest that has it.
debian() { # NAME PATTERN SUITE...: the packages of NAME's dependencies whose names match PATTERN
  local name=$1 pattern=$2 suite packages
  shift 2
  [ ! -e "$folder/$name.done" ] || return 0
  for suite in "$@"; do
    if [ ! -d "$work/$suite" ]; then
      mkdir "$work/$suite"
      private_apt "$work/$suite" "$suite" 2> "$work/log" || continue
      printf '%s\n' "${APT[@]}" > "$work/$suite/options"
    fi
    mapfile -t APT < "$work/$suite/options"
    packages=$(apt-get "${APT[@]}" -s install "$name" 2> "$work/log" |
      awk -v pattern="$pattern" '/^Inst / {gsub(/[()]/, ""); if ($2 ~ pattern) print $2 "=" $3}')
    # shellcheck disable=SC2086
    if [ -n "$packages" ] && apt_unpack "$folder/debian" $packages 2> "$work/log"; then
      touch "$folder/$name.done"
      return 0
    fi
  done
  say "MISSING: $name: $(tail -1 "$work/log")"
}

if [ "${2-}" != clients ]; then
  debian beanstalkd '^beanstalkd$' bookworm
  debian rabbitmq-server '^(rabbitmq-server|erlang-.*|libsctp1)$' bookworm
  # NATS syncs its files each second from 2.10 on. It is one static binary, so a newer Debian's runs too.
  debian nats-server '^nats-server$' trixie bookworm

  if [ -e "$folder/debian/usr/lib/erlang" ] && [ ! -e "$folder/bin/erl" ]; then
    mkdir -p "$folder/bin"
    cat > "$folder/bin/erl" << 'END'
#!/bin/sh
# Debian's erl has the path of an installed Erlang.
ROOTDIR=$(dirname "$(readlink -f "$0")")/../debian/usr/lib/erlang
BINDIR=$(echo "$ROOTDIR"/erts-*/bin)
EMU=beam PROGNAME=erl
export ROOTDIR BINDIR EMU PROGNAME
exec "$BINDIR/erlexec" "$@"
END
    chmod 755 "$folder/bin/erl"
  fi
fi

if ! { python3 -m venv "$folder/venv" &&
  "$folder/venv/bin/pip" -q --disable-pip-version-check install --no-deps -r bench/peers/requirements.txt; }; then
  rm -rf "$folder/venv"
  say "MISSING: Celery"
fi

# npm installs beside the lock file.
mkdir -p "$folder/node"
cp bench/peers/package.json bench/peers/package-lock.json "$folder/node/"
(cd "$folder/node" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) || { say "MISSING: the npm packages"; exit 1; }
