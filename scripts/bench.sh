#!/usr/bin/env bash
# Prints AAM's figures beside what they are measured against, in one run on this machine: a release
# build's sizes, start and memory, one million rows SQLite to SQLite, two catalogs of 14.4 MB.
#
#   scripts/bench.sh        everything
#   scripts/bench.sh sync   the syncs alone: engine and connectors beside the connectors alone and bare writers
#
# ROWS (1000000) sets how many rows are copied; BENCH_POSTGRES_URL names a PostgreSQL to copy in, else that part is
# left out. Run it on a machine that does nothing else.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need cargo python3
what=${1:-all}
case $what in all | sync) ;; *) die "unknown argument $what" ;; esac
say "Building for release; the first time takes more than ten minutes on two cores"
cargo build --locked --release --workspace --bins --examples
scratch=$(mktemp -d "${TMPDIR:-/tmp}/aam-bench.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
say "Making the workloads"
python3 benches/workloads/catalog.py 1000 200 >"$scratch/old.json" 2>/dev/null
python3 benches/workloads/catalog.py 1000 200 2 >"$scratch/new.json" 2>/dev/null
python3 benches/workloads/records.py "${ROWS:-1000000}" "$scratch/records.jsonl"
say "Figures of $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg), $(date -u +%Y-%m-%dT%H:%MZ)"
"${CARGO_TARGET_DIR:-target}/release/examples/figures" "$what" "$scratch"
