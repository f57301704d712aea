#!/usr/bin/env bash
# Installs missing tools for the given tasks with apt, and says so. Does nothing if everything is there.
# Starts and enables no service.
#
#   scripts/install-needs.sh build|server|docs|peers|clients|console|fuzz|memory|lint|fetch|git|systemd|docker...
set -euo pipefail

say() { echo "install-needs: $*" >&2; }

missing=()
command_of() { # COMMAND PACKAGE...: adds the packages if the command is missing
  command -v "$1" > /dev/null || missing+=("${@:2}")
}
file_of() { # PACKAGE PATTERN...: adds the package if no file matches
  compgen -G "$2" > /dev/null || missing+=("$1")
}

for task in "$@"; do
  case $task in
    build)
      command -v cargo > /dev/null || { say "the Rust toolchain is missing: see https://rustup.rs"; exit 1; }
      command_of make make
      command_of cc gcc libc6-dev
      [ -n "${LIBCLANG_PATH-}" ] || file_of libclang-dev '/usr/lib/llvm-*/lib/libclang.so'
      ;;
    server)
      command_of redis-server redis-server
      command_of redis-cli redis-tools
      file_of procps /bin/kill
      ;;
    docs)
      command_of python3 python3
      python3 -c 'import ensurepip' 2> /dev/null || missing+=(python3-venv)
      command_of node nodejs
      command_of npm npm
      command_of go golang-go
      ;;
    clients)
      command_of python3 python3
      python3 -c 'import ensurepip' 2> /dev/null || missing+=(python3-venv)
      command_of node nodejs
      command_of npm npm
      command_of go golang-go
      command_of cc gcc libc6-dev
      ;;
    console)
      command_of promtool prometheus
      command_of chromedriver chromium chromium-driver
      command_of openssl openssl
      ;;
    peers)
      command_of python3 python3
      python3 -c 'import ensurepip' 2> /dev/null || missing+=(python3-venv)
      command_of node nodejs
      command_of npm npm
      ;;
    fuzz)
      command_of c++ g++
      ;;
    lint)
      command_of python3 python3
      command_of shellcheck shellcheck
      ;;
    fetch)
      command_of python3 python3
      python3 -m pip --version > /dev/null 2>&1 || missing+=(python3-pip)
      command_of ldd libc-bin
      ;;
    git)
      command_of git git
      ;;
    memory)
      command_of nm binutils
      command_of llvm-symbolizer llvm
      command_of valgrind valgrind
      command_of faketime faketime
      ;;
    systemd)
      command_of systemd-nspawn systemd-container
      command_of mmdebstrap mmdebstrap
      ;;
    docker)
      command_of docker docker.io
      command_of dockerd docker.io
      command_of iptables iptables
      command_of mmdebstrap mmdebstrap
      ;;
    *) say "unknown task $task"; exit 2 ;;
  esac
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get > /dev/null; then
  say "please install the contents of these Debian packages: ${missing[*]}"
  exit 1
fi
as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo > /dev/null || { say "please run as root: apt-get install ${missing[*]}"; exit 1; }
  as_root=(sudo)
fi

# Debian starts a service when its package is installed, unless this file forbids it.
policy=/usr/sbin/policy-rc.d
log=$(mktemp)
tidy() {
  rm -f "$log"
  [ -z "${policy_is_ours-}" ] || "${as_root[@]}" rm -f "$policy"
}
trap tidy EXIT
if [ ! -e "$policy" ]; then
  policy_is_ours=1
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" install -m 755 /dev/stdin "$policy"
fi

install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    "${missing[@]}" > "$log" 2>&1 < /dev/null
}
say "installing with apt: ${missing[*]}"
if ! install; then
  say "the package lists are outdated; updating them"
  "${as_root[@]}" apt-get update -q > "$log" 2>&1 < /dev/null || { cat "$log" >&2; exit 1; }
  install || { cat "$log" >&2; exit 1; }
fi
for service in redis-server prometheus; do
  case " ${missing[*]} " in *" $service "*) "${as_root[@]}" update-rc.d "$service" disable ;; esac
done
