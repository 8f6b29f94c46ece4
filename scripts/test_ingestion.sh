#!/usr/bin/env bash
# Real data through the ingestion API alone: PostgreSQL and MariaDB, written to all the while, into S3 as
# Parquet and as JSONL, read back and compared cell by cell. The S3 server is moto's. Skipped where no
# database is named, there is no Python with venv, or no package index answers.
#
#   AAM_TEST_POSTGRES_URL, AAM_TEST_MYSQL_URL   servers whose user may make users and databases
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ -n "${AAM_TEST_POSTGRES_URL:-}" ] || skip ingestion "AAM_TEST_POSTGRES_URL names no PostgreSQL"
[ -n "${AAM_TEST_MYSQL_URL:-}" ] || skip ingestion "AAM_TEST_MYSQL_URL names no MariaDB"
command -v python3 >/dev/null || skip ingestion "python3 is not installed"
python3 -c 'import venv, ensurepip' 2>/dev/null || skip ingestion "python3-venv is not installed"
need cargo
scratch=$(mktemp -d "${TMPDIR:-/tmp}/aam-ingestion.XXXXXX")
cleanup() {
  [ -n "${stack:-}" ] && kill "$stack" 2>/dev/null && wait "$stack" 2>/dev/null
  rm -rf "$scratch"
}
trap cleanup EXIT
# uv is the faster of the two ways to install.
python3 -m venv "$scratch/python"
if ! timeout 300 "$scratch/python/bin/pip" install -q --disable-pip-version-check --retries 1 uv >"$scratch/pip.log" 2>&1; then
  tail -n 3 "$scratch/pip.log"
  skip ingestion "no package index answers"
fi
if ! timeout 600 "$scratch/python/bin/uv" pip install -q --python "$scratch/python/bin/python" \
  'moto[server]' boto3 duckdb pytz 'psycopg[binary]' 'pymysql[rsa]' >"$scratch/pip.log" 2>&1; then
  tail -n 3 "$scratch/pip.log"
  skip ingestion "the package index does not answer any more"
fi
cargo build --locked --workspace --bins --quiet
aam=$(realpath "${CARGO_TARGET_DIR:-target}/debug/aam")
check=$(realpath scripts/ingestion_check.py)
cd "$scratch"
export AAM_HOME=$scratch/home AAM_API_KEY=aam_check_0123456789abcdef
export AIRBYTE_CLIENT_ID=check AIRBYTE_CLIENT_SECRET=secret-of-the-check
# Secrets are looked for in the most that is ever logged.
env AAM_RATE_LIMIT=off LOG_FORMAT=json LOG_LEVEL=debug SERVICE_PORT_ORCHESTRATOR=0 SERVICE_PORT_AUTH_BROKER=0 \
  SERVICE_PORT_DRIFT_REPAIR=0 SERVICE_PORT_EMBEDDED_AIRBYTE=0 "$aam" up >up.out 2>up.log &
stack=$!
for _ in $(seq 300); do
  grep -q "Stop with Ctrl-C" up.out && break
  kill -0 "$stack" 2>/dev/null || { cat up.log; die "the stack did not start"; }
  sleep 0.1
done
address() { sed -n "s/^ *$1  *\(http[^ ]*\).*/\1/p" up.out | head -n 1; }
code=0
ORCHESTRATOR=$(address orchestrator) AIRBYTE=$(address Airbyte) \
  PYTHONDONTWRITEBYTECODE=1 "$scratch/python/bin/python" "$check" || code=$?
if [ "$code" != 0 ]; then
  grep '"level":"\(WARN\|ERROR\)"' up.log | tail -n 20 >&2
  die "data did not flow as it should"
fi
if grep '"level":"ERROR"\|panicked' up.log | head -n 10 | grep .; then
  die "the log has errors"
fi
