#!/usr/bin/env bash
# Runs the fuzz targets on mutated inputs: scripts/fuzz.sh SECONDS [TARGET…]
#
# Each target runs for SECONDS; as many run side by side as there are cores. Seeds are in fuzz/seeds;
# those of decode and diff are joined by catalogs made from the labelled renames. Interesting inputs
# stay in fuzz/corpus, findings in fuzz/artifacts.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

seconds=${1:?usage: scripts/fuzz.sh SECONDS [TARGET…]}
shift
targets=("$@")
if [ ${#targets[@]} = 0 ]; then
  mapfile -t targets < <(cd fuzz/fuzz_targets && printf '%s\n' *.rs | sed 's/\.rs$//')
fi
need cargo jq
cargo fuzz --version >/dev/null 2>&1 || die "cargo-fuzz is not installed: cargo install --locked cargo-fuzz"

# A stable compiler accepts the switches for coverage and the address sanitizer only with this.
export RUSTC_BOOTSTRAP=1

renames=crates/catalog/tests/data/renames.jsonl
schema='def schema: {type: "object", properties: (map({(.[0]): .[1]}) | add)};'
stream='{name: .stream, json_schema: (.before | schema), supported_sync_modes: ["full_refresh", "incremental"]}'
for target in "${targets[@]}"; do
  [ -f "fuzz/fuzz_targets/$target.rs" ] || die "there is no target $target"
  corpus=fuzz/corpus/$target
  mkdir -p "$corpus"
  cp fuzz/seeds/"$target"/* "$corpus"
  case $target in decode | diff) ;; *) continue ;; esac
  # One of each kind of system is enough: the 828 are alike.
  awk 'NR % 40 == 1' "$renames" | while read -r line; do
    name=$(jq -r .id <<<"$line")
    case $target in
      decode) jq -c "$schema {streams: [$stream]}" <<<"$line" >"$corpus/$name" ;;
      diff) jq -c "$schema (.before | schema), (.after | schema)" <<<"$line" >"$corpus/$name" ;;
    esac
  done
done

say "Building the fuzz targets"
cargo fuzz build
host=$(rustc -vV | sed -n 's/^host: //p')
logs=$(mktemp -d "${TMPDIR:-/tmp}/aam-fuzz.XXXXXX")
trap 'rm -rf "$logs"' EXIT
export host logs seconds
fuzz() { # TARGET
  local options=()
  case $1 in decode | diff) options=(-dict=fuzz/catalog.dict) ;; esac
  mkdir -p "fuzz/artifacts/$1"
  if "fuzz/target/$host/release/$1" "fuzz/corpus/$1" "${options[@]}" -max_total_time="$seconds" -timeout=10 \
    -rss_limit_mb=2048 -max_len=16384 -print_final_stats=1 -artifact_prefix="fuzz/artifacts/$1/" >"$logs/$1" 2>&1; then
    printf '%-12s %s runs\n' "$1" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$logs/$1")"
  else
    tail -n 40 "$logs/$1"
    echo "FAILED: $1; the input is in fuzz/artifacts/$1"
    return 1
  fi
}
export -f fuzz
say "Fuzzing ${#targets[@]} targets for $seconds s each"
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'fuzz {}'
