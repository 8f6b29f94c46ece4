#!/usr/bin/env bash
# Sends unusual requests generated from each service's own /openapi.json (schemathesis): no 500,
# no answer that the document does not have. Skipped where there is no Python with venv or no package
# index answers.
#
#   FUZZ_EXAMPLES   requests per operation and kind of data: 40
#   FUZZ_SEED       a number that gives the same requests again: drawn and printed
#   SCHEMATHESIS    the release to install: 4.32.5
set -euo pipefail
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip fuzz "python3 is not installed"
python3 -c 'import venv, ensurepip' 2>/dev/null || skip fuzz "python3-venv is not installed"
need cargo curl jq sqlite3
scratch=$(mktemp -d "${TMPDIR:-/tmp}/aam-fuzz.XXXXXX")
cleanup() {
  [ -n "${stack:-}" ] && kill "$stack" 2>/dev/null && wait "$stack" 2>/dev/null
  rm -rf "$scratch"
}
trap cleanup EXIT

python3 -m venv "$scratch/python"
timeout 300 "$scratch/python/bin/pip" install -q --disable-pip-version-check --retries 1 \
  "schemathesis==${SCHEMATHESIS:-4.32.5}" >"$scratch/pip.log" 2>&1 ||
  { tail -n 3 "$scratch/pip.log"; skip fuzz "no package index answers"; }

cargo build --locked --workspace --bins --quiet
target=${CARGO_TARGET_DIR:-target}/debug
key=aam_fuzz_0123456789abcdef
mkdir "$scratch/data"
sqlite3 "$scratch/data/shop.db" 'CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT)'
env AAM_HOME="$scratch/home" AAM_DATA_ROOTS="$scratch/data" AAM_API_KEY="$key" AAM_RATE_LIMIT=off LOG_FORMAT=json \
  SERVICE_PORT_ORCHESTRATOR=0 SERVICE_PORT_AUTH_BROKER=0 SERVICE_PORT_DRIFT_REPAIR=0 SERVICE_PORT_EMBEDDED_AIRBYTE=0 \
  "$target/aam" up >"$scratch/up.out" 2>"$scratch/up.log" &
stack=$!
for _ in $(seq 300); do
  grep -q "Stop with Ctrl-C" "$scratch/up.out" && break
  kill -0 "$stack" 2>/dev/null || { cat "$scratch/up.log"; die "the stack did not start"; }
  sleep 0.1
done
address() { sed -n "s/^ *$1  *\(http[^ ]*\).*/\1/p" "$scratch/up.out" | head -n 1; }
orchestrator=$(address orchestrator)
# Something to be found, changed, synced and healed.
connection=$(curl -fsS -X POST "$orchestrator/connections/onboard" -H "Authorization: Bearer $key" \
  -H 'Content-Type: application/json' \
  -d "{\"source_type\": \"sqlite\", \"connection_name\": \"shop\", \"source_config\": {\"path\": \"$scratch/data/shop.db\"}}" | jq -r .id)
printf '[parameters]\n"path.id" = "%s"\n"path.connectionId" = "%s"\n"header.If-Match" = "*"\n' "$connection" "$connection" >"$scratch/pinned.toml"
: >"$scratch/free.toml"

seed=${FUZZ_SEED:-$RANDOM}
failed=
fuzz() { # SERVICE CONFIGURATION ARGUMENT…
  local service=$1 base configuration=$2
  shift 2
  base=$(address "$service")
  [ -n "$base" ] || { cat "$scratch/up.out"; die "no address of the $service"; }
  say "$service at $base, FUZZ_SEED=$seed"
  # It leaves a cache where it is run.
  (cd "$scratch" && python/bin/schemathesis --no-color --config-file "$scratch/$configuration" run "$base/openapi.json" \
    -H "Authorization: Bearer $key" --seed "$seed" --max-examples "${FUZZ_EXAMPLES:-40}" \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance \
    --phases examples,coverage,fuzzing --request-timeout 60 --suppress-health-check all --warnings off "$@") ||
    failed="$failed $service;"
  kill -0 "$stack" 2>/dev/null || { tail -n 20 "$scratch/up.log"; die "the stack ended"; }
}
# All requests about one connection; then any request, mostly with unknown ids.
fuzz orchestrator pinned.toml --include-path-regex '^(/connections/\{id\}|(/api/v1/airbyte)?/ingestion/\{connectionId\})' --exclude-method DELETE
# A stream of events has no end.
fuzz orchestrator free.toml --exclude-path /events
fuzz "auth broker" free.toml
fuzz "drift-repair agent" free.toml
# actix itself responds to heads that are not HTTP.
if grep '"level":"ERROR"\|panicked' "$scratch/up.log" | grep -v '"target":"actix_http' | head -n 10 | grep .; then
  failed="$failed the log has errors;"
fi
[ -z "$failed" ] || die "requests made from the documents:$failed"
