#!/usr/bin/env bash
# Prints AAM's figures beside what they are measured against, in one run on this machine: a release
# build's sizes, start and memory, one million rows SQLite to SQLite, catalogs from 10 to 10,000 streams.
#
#   scripts/bench.sh          everything
#   scripts/bench.sh catalog  reading, comparing and planning catalogs alone; builds the catalog crate alone
#   scripts/bench.sh api    requests: CPU beside bare handlers and one parse of the catalog, memory for MINUTES (10)
#   scripts/bench.sh sync   the syncs alone: engine and connectors beside the connectors alone and bare writers
#
# ROWS (1000000) sets how many rows are copied; BENCH_POSTGRES_URL names a PostgreSQL to copy in, else that part is
# left out. Run it on a machine that does nothing else.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need cargo python3
what=${1:-all}
case $what in all | sync | catalog | api) ;; *) die "unknown argument $what" ;; esac
scratch=$(mktemp -d "${TMPDIR:-/tmp}/aam-bench.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
programs=${CARGO_TARGET_DIR:-target}/release/examples

# Streams, columns and what else catalog.py is told make NAME.old.json and, drifted, NAME.new.json.
workload() {
	local name=$1 streams=$2 columns=$3 drift=$4
	shift 4
	python3 benches/workloads/catalog.py "$streams" "$columns" 0 "$@" >"$scratch/catalogs/$name.old.json" 2>/dev/null
	python3 benches/workloads/catalog.py "$streams" "$columns" "$drift" "$@" >"$scratch/catalogs/$name.new.json" 2>/dev/null
}

catalogs() {
	mkdir -p "$scratch/catalogs"
	for streams in 10 100 1000; do workload "${streams}x200" "$streams" 200 2; done
	workload 10000x50 10000 50 2
	workload 1000x200-same 1000 200 0
	workload 1000x200-unique 1000 200 2 unique
	say "Catalogs, with $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg), $(date -u +%Y-%m-%dT%H:%MZ)"
	"$programs/catalog_figures" "$scratch/catalogs"
}

if [ "$what" = catalog ]; then
	cargo build --locked --release --package catalog --example catalog_figures
	catalogs
	exit
fi
say "Building for release; the first time takes more than ten minutes on two cores"
cargo build --locked --release --workspace --bins --examples
if [ "$what" = api ]; then
	python3 benches/workloads/catalog.py 100 50 >"$scratch/catalog.json" 2>/dev/null
	say "Requests, with $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg), $(date -u +%Y-%m-%dT%H:%MZ)"
	"$programs/figures" api "$scratch" "${MINUTES:-10}"
	exit
fi
say "Making the workloads"
python3 benches/workloads/records.py "${ROWS:-1000000}" "$scratch/records.jsonl"
say "Figures of $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg), $(date -u +%Y-%m-%dT%H:%MZ)"
"$programs/figures" "$what" "$scratch"
if [ "$what" = all ]; then catalogs; fi
