#!/usr/bin/env bash
# Installs the module into Debian and lets systemd start the packaged servers with their own units, which
# among other things only allow code from /usr/lib. Builds a small Debian for each in
# target/install-check, where it is kept, and boots it with systemd-nspawn, without a network. Needs root.
#
#   scripts/install-check.sh [SUITE:PACKAGE...]   (bookworm:redis-server trixie:redis-server trixie:valkey-server)
#
# Each runs the commands of docs/operations.md on a server that has only a snapshot: enable the append-only file,
# loadmodule and restart, back up, restore. Nothing may be missing, and the queue must survive another
# restart. With the module in /usr/local/lib the server must not start: otherwise this check would prove nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$PWD/target/install-check
container=''

fail() { echo "install-check: $*" >&2; exit 1; }
tidy() { [ -z "$container" ] || { kill "$container" 2> /dev/null || true; wait "$container" || true; }; }
trap tidy EXIT

# The first commands after TEXT in docs/operations.md, for this product.
commands() { # PRODUCT TEXT
  awk -v text="$2" 'index($0, text) {found = 1} found && /^```$/ {exit} inside {print} found && /^```sh$/ {inside = 1}' \
    docs/operations.md | sed "s/redis/$1/g" | grep . || fail "docs/operations.md has no commands below: $2"
}

# The script that runs in the container; its last line is "passed".
steps() { # PACKAGE
  local product=${1%-server}
  cat << INSIDE
#!/usr/bin/env bash
set -euo pipefail
unit=$1 product=$product conf=/etc/$product/$product.conf log=/var/log/$product/$1.log
INSIDE
  cat << 'INSIDE'
cli() { "$product-cli" -e "$@"; }
is() { [ "$2" = "$3" ] || { echo "$1: expected $2, got $3"; tail -n 5 "$log"; exit 1; }; echo "$1: $3"; }
loadmodule() {
  sed -i '/^loadmodule /d' "$conf"
  echo "loadmodule $1" >> "$conf"
}
restart() {
  # systemd refuses too many starts in ten seconds.
  systemctl reset-failed "$unit"
  systemctl restart "$unit"
}

sudo() { "$@"; }
# Runs commands of the page one by one; repeats those that poll the server until it is done.
follow() {
  local line
  while read -r line; do
    case $line in
      *'INFO persistence'*) until ! eval "$line" | grep -q ':1'; do sleep 0.1; done ;;
      *) eval "$line" > /dev/null ;;
    esac
    systemctl reset-failed "$unit"
  done
}

is "the unit" active "$(systemctl is-active "$unit")"
cli SET from-before yes > /dev/null
is "a server without the module" no "$(cli CONFIG GET appendonly | tail -n 1)"

field() { cli INFO persistence | tr -d '\r' | sed -n "s/^$1://p"; }
follow < /opt/append-only
is "its append-only file" ok "$(field aof_last_bgrewrite_status)"

loadmodule /usr/local/lib/redis/modules/libmq.so
if restart 2> /dev/null; then echo "the server loads code from /usr/local/lib"; exit 1; fi
systemctl stop "$unit"
echo "from /usr/local/lib: $(grep -m 1 'failed to load' "$log" | sed 's/.*# //')"
grep -q 'libmq.so: failed to map segment from shared object' "$log" || { tail "$log"; exit 1; }

loadmodule /usr/lib/redis/modules/libmq.so
restart
is "the key from before" yes "$(cli GET from-before)"
id=$(cli MQ.PUSH orders hello)
receipt=$(cli MQ.PULL orders | tail -n 1)
cli MQ.PUSH orders later > /dev/null
is "acknowledged" 1 "$(cli MQ.ACK orders "$id" "$receipt")"
# A large queue is checked by a thread, which the unit must allow.
cli MQ.MPUSH many 10000 $(seq 10000) > /dev/null
is "faults of a large queue" "" "$(cli MQ.CHECK many)"
is "its messages" 10000 "$(cli MQ.PURGE many)"
cli BGREWRITEAOF > /dev/null
until [ "$(field aof_rewrite_in_progress)" = 0 ] && [ "$(field aof_rewrite_scheduled)" = 0 ]; do sleep 0.1; done
is "the rewritten append-only file" ok "$(field aof_last_bgrewrite_status)"
restart
is "after a restart" 1 "$(cli MQ.LEN orders)"
is "the key from before" yes "$(cli GET from-before)"

mkdir /backup
follow < /opt/backup
cli MQ.PURGE orders > /dev/null
follow < /opt/restore
is "after a restore" 1 "$(cli MQ.LEN orders)"
restart
is "after another restart" 1 "$(cli MQ.LEN orders)"
is "its append-only file" yes "$(cli CONFIG GET appendonly | tail -n 1)"
echo "passed"
INSIDE
}

check() { # SUITE PACKAGE
  local suite=$1 package=$2 root=$work/$1-$2
  if [ ! -e "$root.made" ]; then
    echo "making a Debian $suite with $package"
    rm -rf "$root"
    . scripts/private-apt.sh
    apt_archive "$suite" > "$work/archive.sources"
    mmdebstrap --quiet --variant=apt --include="systemd,systemd-sysv,$package" --dpkgopt=force-unsafe-io \
      "$suite" "$root" "$work/archive.sources" > "$root.log" 2>&1 || { tail -n 20 "$root.log" >&2; fail "no Debian $suite"; }
    touch "$root.made"
  fi
  # Every run starts from the package's own state.
  local state=$work/state
  rm -rf "$state"
  cp -a "$root" "$state"
  make --no-print-directory install DESTDIR="$state" PREFIX=/usr/local > /dev/null
  make --no-print-directory install DESTDIR="$state" > /dev/null
  [ "$(stat -c %a "$state/usr/lib/redis/modules/libmq.so")" = 755 ] || fail "the module is not world-readable"
  commands "${package%-server}" '**1. An append-only file' > "$state/opt/append-only"
  commands "${package%-server}" '**A snapshot**' > "$state/opt/backup"
  commands "${package%-server}" '**To restore it**' > "$state/opt/restore"
  steps "$package" | install -m 755 /dev/stdin "$state/usr/local/sbin/install-check"
  printf '%s\n' '[Unit]' "After=$package.service" '[Service]' Type=oneshot \
    'ExecStart=/bin/sh -c "/usr/local/sbin/install-check > /var/log/install-check 2>&1; systemctl poweroff --no-block"' \
    TimeoutStartSec=60 FailureAction=poweroff > "$state/etc/systemd/system/install-check.service"
  ln -s ../install-check.service "$state/etc/systemd/system/multi-user.target.wants/"

  timeout 180 systemd-nspawn --quiet --directory="$state" --private-network --register=no --keep-unit --boot \
    < /dev/null > "$work/boot.log" 2>&1 &
  container=$!
  wait "$container" || true
  container=''
  local result=$state/var/log/install-check
  [ -s "$result" ] || { tail -n 30 "$work/boot.log" >&2; fail "$suite: systemd did not run the check"; }
  sed "s/^/$suite $package: /" "$result"
  [ "$(tail -n 1 "$result")" = 'passed' ] || fail "$suite: $package failed"
  rm -rf "$state"
  make --no-print-directory install uninstall DESTDIR="$work/none" > /dev/null
  [ ! -e "$work/none/usr/lib/redis/modules/libmq.so" ] || fail "make uninstall left the module there"
  rm -rf "$work/none"
}

[ "$(id -u)" = 0 ] || fail "please run as root"
scripts/install-needs.sh systemd
mkdir -p "$work"
[ $# -gt 0 ] || set -- bookworm:redis-server trixie:redis-server trixie:valkey-server
for each in "$@"; do check "${each%%:*}" "${each#*:}"; done
