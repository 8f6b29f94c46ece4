#!/usr/bin/env bash
# Measures AAM beside simpler programs, in one run on this machine, from a release build: sizes, start
# and memory, one million rows from SQLite to SQLite, catalogs of 10 to 10,000 streams.
#
#   scripts/bench.sh          everything
#   scripts/bench.sh catalog  reading, comparing and planning catalogs
#   scripts/bench.sh api      requests: CPU beside bare handlers and one parse of the catalog, memory
#                             over MINUTES (10)
#   scripts/bench.sh sync     syncs: engine and connectors beside the connectors alone and bare writers
#
#   --save    stores the ratios in crates/benches/baseline.json
#   --check   fails when a ratio is worse than the stored one by more than a quarter
#
# ROWS (1000000) is the number of rows to copy. BENCH_POSTGRES_URL names a PostgreSQL for the copies
# that need one; without it they are left out. Run it on an otherwise idle machine.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need cargo python3
what=all
for argument in "$@"; do
  case $argument in
    all | sync | catalog | api) what=$argument ;;
    --save | --check) export BENCH_MODE=${argument#--} ;;
    *) die "unknown argument $argument" ;;
  esac
done
export BENCH_BASELINE=$PWD/crates/benches/baseline.json
scratch=$(mktemp -d "${TMPDIR:-/tmp}/aam-bench.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
workloads=crates/benches/workloads
bench() { # NAME ARGUMENT…
  cargo bench --locked --workspace --quiet --bench "$1" -- "${@:2}"
}

# Streams, columns and further arguments of catalog.py make NAME.old.json and, drifted, NAME.new.json.
workload() {
  local name=$1 streams=$2 columns=$3 drift=$4
  shift 4
  python3 $workloads/catalog.py "$streams" "$columns" 0 "$@" >"$scratch/catalogs/$name.old.json" 2>/dev/null
  python3 $workloads/catalog.py "$streams" "$columns" "$drift" "$@" >"$scratch/catalogs/$name.new.json" 2>/dev/null
}

machine() { printf '%s cores, load %s, %s' "$(nproc)" "$(uptime | sed 's/.*averages*: //; s/[, ].*//')" "$(date -u +%Y-%m-%dT%H:%MZ)"; }

catalogs() {
  mkdir -p "$scratch/catalogs"
  for streams in 10 100 1000; do workload "${streams}x200" "$streams" 200 2; done
  workload 10000x50 10000 50 2
  workload 1000x200-same 1000 200 0
  workload 1000x200-unique 1000 200 2 unique
  say "Catalogs, with $(machine)"
  bench catalog_figures "$scratch/catalogs"
}

if [ "$what" = catalog ]; then
  catalogs
  exit
fi
say "Building for release; the first time takes more than ten minutes on two cores"
cargo build --locked --release --workspace --bins
if [ "$what" = api ]; then
  python3 $workloads/catalog.py 100 50 >"$scratch/catalog.json" 2>/dev/null
  say "Requests, with $(machine)"
  bench figures api "$scratch" "${MINUTES:-10}"
  exit
fi
say "Making the workloads"
python3 $workloads/records.py "${ROWS:-1000000}" "$scratch/records.jsonl"
say "Figures, with $(machine)"
bench figures "$what" "$scratch"
if [ "$what" = all ]; then catalogs; fi
