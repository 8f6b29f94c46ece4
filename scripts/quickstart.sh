#!/usr/bin/env bash
# Builds AAM and runs its demo: onboard, sync, drift, heal, compare. Needs cargo and a C compiler.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
command -v cargo >/dev/null || die "cargo is not installed: get Rust 1.95 or newer from https://rustup.rs"
command -v cc >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null || die "no C compiler: install gcc or clang (Debian: apt-get install gcc libc6-dev)"
say "Building; the first time takes about seven minutes on two cores"
cargo build --locked --workspace --bins
say "Running the demo"
exec "${CARGO_TARGET_DIR:-target}/debug/aam" demo "$@"
