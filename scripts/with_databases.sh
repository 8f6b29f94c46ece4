#!/usr/bin/env bash
# Runs a command with a throw-away PostgreSQL, MariaDB and Redis, whose addresses are in
# AAM_TEST_POSTGRES_URL, AAM_TEST_MYSQL_URL and AAM_TEST_REDIS_URL:
#
#   scripts/with_databases.sh cargo nextest run --workspace -E 'binary(failures)'
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. scripts/databases.sh
[ $# -gt 0 ] || die "name the command to run"
scratch=$(mktemp -d "${TMPDIR:-/tmp}/aam-databases.XXXXXX")
trap stop_databases EXIT
start_databases "$scratch"
"$@"
