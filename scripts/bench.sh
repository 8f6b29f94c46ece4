#!/usr/bin/env bash
# Prints AAM's figures beside what they are measured against, in one run on this machine: a release
# build's sizes, start and memory, one million rows SQLite to SQLite, two catalogs of 14.4 MB.
#
# ROWS (1000000) sets how many rows are copied. Run it on a machine that does nothing else.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need cargo python3
say "Building for release; the first time takes more than ten minutes on two cores"
cargo build --locked --release --workspace --bins --examples
scratch=$(mktemp -d "${TMPDIR:-/tmp}/aam-bench.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
say "Making the workloads"
python3 benches/workloads/catalog.py 1000 200 >"$scratch/old.json" 2>/dev/null
python3 benches/workloads/catalog.py 1000 200 2 >"$scratch/new.json" 2>/dev/null
say "Figures of $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg), $(date -u +%Y-%m-%dT%H:%MZ)"
"${CARGO_TARGET_DIR:-target}/release/examples/figures" all "$scratch"
