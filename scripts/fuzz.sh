#!/usr/bin/env bash
# Throws mutated catalogs at reading, converting, comparing and planning: scripts/fuzz.sh SECONDS [TARGET]
# Seeds are those in fuzz/seeds and catalogs made from the labelled renames; what was found
# interesting stays in fuzz/corpus, findings in fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:?usage: scripts/fuzz.sh SECONDS [decode|diff]}
targets=${2:-decode diff}

if ! cargo fuzz --version >/dev/null 2>&1; then
  echo "cargo-fuzz is missing: cargo install cargo-fuzz" >&2
  exit 1
fi

# Coverage and the address sanitizer are compiler switches that a stable compiler takes only so.
export RUSTC_BOOTSTRAP=1

renames=crates/catalog/tests/data/renames.jsonl
schema='def schema: {type: "object", properties: (map({(.[0]): .[1]}) | add)};'
stream='{name: .stream, json_schema: (.before | schema), supported_sync_modes: ["full_refresh", "incremental"]}'

for target in $targets; do
  corpus=fuzz/corpus/$target
  mkdir -p "$corpus"
  cp fuzz/seeds/"$target"/* "$corpus"
  # One of each kind of system, not all 828: they are alike.
  awk 'NR % 40 == 1' "$renames" | while read -r line; do
    name=$(jq -r .id <<<"$line")
    case $target in
      decode) jq -c "$schema {streams: [$stream]}" <<<"$line" >"$corpus/$name" ;;
      diff) jq -c "$schema (.before | schema), (.after | schema)" <<<"$line" >"$corpus/$name" ;;
    esac
  done
  echo "== $target for $seconds seconds"
  cargo fuzz run "$target" "$corpus" -- -dict=fuzz/catalog.dict -max_total_time="$seconds" \
    -timeout=10 -rss_limit_mb=2048 -max_len=16384 -print_final_stats=1
done
