#!/usr/bin/env bash
# Every check, in the order CI runs them. Takes the arguments of scripts/test.sh.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
say "Format"
cargo fmt --all --check
say "Lints"
cargo clippy --locked --workspace --all-targets -- -D warnings
say "Dependencies"
scripts/test_dependencies.sh
scripts/test.sh "$@"
