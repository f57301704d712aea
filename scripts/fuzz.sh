#!/usr/bin/env bash
# Fuzzes the module's code without a server (docs/fuzzing.md). Findings are written to target/fuzz; only
# `keep` changes the corpora in fuzz/corpus.
#
#   scripts/fuzz.sh run SECONDS [TARGET...]   runs each target that long, one per core at a time
#   scripts/fuzz.sh repeat TARGET FILE        reruns one input
#   scripts/fuzz.sh keep [TARGET...]          adds the inputs found by the runs to the corpora, and minimizes them
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(realpath -m "${CARGO_TARGET_DIR:-target}")/fuzz
programs=$work/$(rustc -vV | sed -n 's/^host: //p')/release
targets=(arguments records apply model calendar)

fail() { echo "fuzz: $*" >&2; exit 1; }

build() {
  local tool
  tool=$(scripts/cargo-tool.sh cargo-fuzz 0.13.2)
  # No sanitizer: all unsafe code is in src/server, which is not reached. RUSTC_BOOTSTRAP allows the nightly flags.
  RUSTC_BOOTSTRAP=1 "$tool" build --sanitizer none --target-dir "$work"
}

fuzz() { # TARGET SECONDS
  local found=$work/found/$1 crashes=$work/crashes/$1 log=$work/$1.log inputs=("fuzz/corpus/$1")
  [ ! -d "fuzz/seeds/$1" ] || inputs+=("fuzz/seeds/$1")
  mkdir -p "$found" "$crashes"
  # A minute for one input counts as an infinite loop.
  if "$programs/$1" "$found" "${inputs[@]}" -max_total_time="$2" -timeout=60 -max_len=2048 \
    -artifact_prefix="$crashes/" -print_final_stats=1 > "$log" 2>&1; then
    awk -v target="$1" '
      / cov: / {for (i = 1; i < NF; i++) if ($i == "cov:") coverage = $(i + 1)}
      /number_of_executed_units/ {runs = $2}
      /new_units_added/ {new = $2}
      END {printf "fuzz: %-10s %9d runs, coverage %5d, %5d new inputs\n", target, runs, coverage, new}
    ' "$log"
  else
    grep -v ' \(NEW\|REDUCE\|pulse\) \|NEW_FUNC' "$log" | tail -n 60 >&2
    sed -n "s|.*Test unit written to \(.*\)|fuzz: $1 failed; reproduce it with: scripts/fuzz.sh repeat $1 \1|p" "$log" >&2
    return 1
  fi
}

command=${1-}
shift || true
case $command in
  run)
    seconds=${1:?SECONDS is missing}
    shift
    [ $# -eq 0 ] || targets=("$@")
    build
    export work programs
    export -f fuzz
    # shellcheck disable=SC2016 # the inner shell's arguments
    printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'fuzz "$@"' fuzz {} "$seconds"
    ;;
  repeat)
    [ $# -eq 2 ] || fail "repeat TARGET FILE"
    build
    MQ_PRINT_OPS=1 "$programs/$1" "$2"
    ;;
  keep)
    [ $# -eq 0 ] || targets=("$@")
    build
    for target in "${targets[@]}"; do
      small=$work/small/$target
      rm -rf "$small"
      mkdir -p "$small" "$work/found/$target"
      "$programs/$target" -set_cover_merge=1 -use_counters=0 -max_len=700 "$small" "fuzz/corpus/$target" "$work/found/$target"
      rm -rf "fuzz/corpus/$target" "$work/found/$target"
      cp -r "$small" "fuzz/corpus/$target"
    done
    ;;
  *) fail "run SECONDS [TARGET...] | repeat TARGET FILE | keep [TARGET...]" ;;
esac
