#!/usr/bin/env bash
# Builds substitutes for the Dockerfile's base images, under their official names, for machines that cannot pull
# images: from this machine's apt sources, its Rust toolchain and the servers of scripts/servers.sh.
#
#   scripts/docker-bases.sh IMAGE...      rust:1-bookworm, redis:8, valkey/valkey:9 and the like
#
# Existing images are kept. Needs root, a running Docker engine and mmdebstrap.
set -euo pipefail
cd "$(dirname "$0")/.."
servers=${MQ_SERVERS:-target/servers}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export DOCKER_BUILDKIT=0 # builds on images that only exist locally, without querying a registry

say() { echo "docker-bases: $*" >&2; }
there() { docker image inspect "$1" > /dev/null 2>&1; }

debian() {
  there debian:bookworm-slim && return
  local certificates=() sources=/etc/apt/sources.list.d/debian.sources
  [ -e "$sources" ] || sources=/etc/apt/sources.list
  [ ! -d /usr/local/share/ca-certificates ] ||
    certificates=(--customize-hook='copy-in /usr/local/share/ca-certificates /usr/local/share/')
  # Includes the machine's certificates, so that containers can reach the same hosts.
  # shellcheck disable=SC2016
  mmdebstrap --quiet --variant=apt --include=ca-certificates --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' "${certificates[@]}" \
    --customize-hook='upload /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt' \
    --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/etc/hostname "$1"/etc/resolv.conf' \
    bookworm - "$sources" | docker import -c 'CMD ["bash"]' - debian:bookworm-slim > /dev/null
}

rust() { # IMAGE
  debian
  local toolchain folder=$work/rust
  toolchain=$(rustc --print sysroot)
  mkdir "$folder"
  cat > "$folder/Dockerfile" <<'END'
FROM debian:bookworm-slim
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends gcc g++ libc6-dev make pkg-config git curl \
    && rm -rf /var/lib/apt/lists/*
COPY toolchain /usr/local/rust
ENV CARGO_HOME=/usr/local/cargo PATH=/usr/local/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
END
  tar -c -C "$folder" Dockerfile --transform "s,^${toolchain##*/},toolchain," --exclude='*/share/doc' \
    --exclude='*/share/man' --exclude='*/lib/rustlib/src' -C "${toolchain%/*}" "${toolchain##*/}" |
    docker build -q -t "$1" - > /dev/null
}

# As in the official images, user and group 999, named after the product, own /data.
server() { # IMAGE PRODUCT VERSION
  debian
  local name folder=$work/server
  name=$(cd "$servers" && compgen -G "$2-$3*" | sort -V | tail -1) || { say "no $2-$3 in $servers"; exit 1; }
  mkdir -p "$folder"
  cp -a "$servers/$name" "$folder/server"
  cat > "$folder/Dockerfile" <<END
FROM debian:bookworm-slim
COPY server /opt/server
RUN ln -s /opt/server/redis-server /opt/server/redis-cli /usr/local/bin/ \\
    && groupadd -r -g 999 $2 && useradd -r -u 999 -g $2 $2 \\
    && mkdir /data && chown $2:$2 /data
WORKDIR /data
END
  docker build -q -t "$1" "$folder" > /dev/null
}

for image in "$@"; do
  there "$image" && continue
  say "building a substitute for $image"
  case $image in
    debian:bookworm-slim) debian ;;
    rust:*-bookworm) rust "$image" ;;
    redis:*) server "$image" redis "${image#*:}" ;;
    valkey/valkey:*) server "$image" valkey "${image#*:}" ;;
    *) say "no substitute for $image"; exit 2 ;;
  esac
done
