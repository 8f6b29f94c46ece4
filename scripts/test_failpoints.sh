#!/usr/bin/env bash
# Kills a process at each moment of each step of each operation, by its own abort and by kill -9, on
# SQLite and on the PostgreSQL that AAM_TEST_POSTGRES_URL names, and prints what was left as a table.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need cargo
[ -n "${AAM_TEST_POSTGRES_URL:-}" ] || die "AAM_TEST_POSTGRES_URL names no PostgreSQL server, for example postgresql://user:password@127.0.0.1:5432/postgres"
cargo build --locked --workspace --bins
AAM_TEST_MATRIX=full cargo test --locked --workspace --test operations -- --nocapture matrix
