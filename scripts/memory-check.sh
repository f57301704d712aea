#!/usr/bin/env bash
# Runs the server tests under a memory checker, with a custom build of Redis 7.0.
#
#   scripts/memory-check.sh asan [FILTER...]       server and module built with AddressSanitizer
#   scripts/memory-check.sh memcheck [FILTER...]   the release build of the module, under valgrind's memcheck
#
# Both also detect leaks when a server exits. Exits with status 1 if a test failed or the tool
# reported anything; the reports are in target/memory/TOOL/reports.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/private-apt.sh
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
tool=${1-}
shift || true
work=$target/memory/$tool
reports=$work/reports
rust_libraries=$(rustc --print sysroot)/lib/rustlib/x86_64-unknown-linux-gnu/lib

say() { echo "memory-check: $*"; }

# The server with the C library's allocator, so that the tool knows every allocation of the server and the module.
server() { # MAKE-ARGUMENT...
  export MQ_SERVER=$work/redis/src/redis-server
  [ ! -x "$MQ_SERVER" ] || return 0
  say "building a server from Debian's source package of redis"
  rm -rf "$work"
  mkdir -p "$work/source" "$work/redis"
  APT_TYPES=deb-src private_apt "$work/apt" bookworm
  (cd "$work/source" && apt-get "${APT[@]}" -qq source --download-only redis)
  tar -xzf "$work"/source/redis_*.orig.tar.gz -C "$work/redis" --strip-components 1
  make -C "$work/redis/src" -j "$(nproc)" MALLOC=libc OPTIMIZATION=-O1 "$@" redis-server > "$work/build.log" 2>&1 ||
    { tail -n 20 "$work/build.log"; exit 1; }
}

asan() {
  local triple=x86_64-unknown-linux-gnu
  # One sanitizer runtime for both, in the executable: that of the Rust toolchain.
  server CFLAGS='-fsanitize=address -fno-omit-frame-pointer' \
    LDFLAGS="-Wl,--whole-archive $rust_libraries/librustc-stable_rt.asan.a -Wl,--no-whole-archive"
  # With debug assertions; RUSTC_BOOTSTRAP allows -Z on a stable toolchain.
  RUSTC_BOOTSTRAP=1 RUSTFLAGS='-Zsanitizer=address --cfg planted_panic' CARGO_PROFILE_DEV_OPT_LEVEL=1 \
    cargo build --locked --lib --target "$triple"
  export MQ_MODULE=$target/$triple/debug/libmq.so
  case $(nm -D --undefined-only "$MQ_MODULE") in
    *__asan_report_load*) ;;
    *) say "the module is not instrumented"; exit 1 ;;
  esac
  export MQ_PLANTED_PANIC=1
  export ASAN_OPTIONS=detect_leaks=1:log_path=$reports/report
  cargo test --locked --test server --no-run
  run cargo test --locked --test server -- "$@"
}

memcheck() {
  server
  cargo build --release --locked
  export MQ_MODULE=$target/release/libmq.so
  # exec, because the tests compare the process id that the server reports with that of the process they started.
  cat > "$work/redis-server" <<END
#!/bin/sh
exec valgrind --quiet --error-exitcode=99 --keep-debuginfo=yes --num-callers=30 \\
  --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \\
  --suppressions='$PWD/scripts/memcheck.supp' --log-file='$reports/process-%p' '$MQ_SERVER' "\$@"
END
  chmod 755 "$work/redis-server"
  MQ_SERVER=$work/redis-server
  cargo test --locked --test server --no-run
  run watched_tests "$@"
  say "$(find "$reports" -type f | wc -l) processes were checked"
}

# valgrind slows servers down many times, but the tests use timeouts of milliseconds. So all clocks run at a twentieth
# of their speed; the tests mostly wait. Tests that set a server's clock themselves use the real one.
watched_tests() { # [FILTER...]
  local clocks=clock_steps filter of_clocks=() status=0
  for filter in "${@:-$clocks}"; do
    case $filter in *"$clocks"*) of_clocks+=("$filter") ;; esac
  done
  faketime -f '+0 x0.05' cargo test --locked --test server -- --test-threads 12 --skip "$clocks" "$@" || status=1
  [ ${#of_clocks[@]} -eq 0 ] || cargo test --locked --test server -- --test-threads 4 "${of_clocks[@]}" || status=1
  return $status
}

run() { # COMMAND...
  rm -rf "$reports"
  mkdir "$reports"
  local status=0 found
  # Lets the servers exit, which is when the tool checks for leaks.
  MQ_LEAKS=1 "$@" || status=1
  mapfile -t found < <(find "$reports" -type f -size +0 | sort)
  for report in "${found[@]}"; do
    echo "---- $report"
    head -n 60 "$report"
  done
  say "$tool: ${#found[@]} reports"
  [ ${#found[@]} -eq 0 ] || status=1
  [ $status = 0 ] || exit 1
}

case $tool in
  asan | memcheck) "$tool" "$@" ;;
  *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
