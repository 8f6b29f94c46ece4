#!/usr/bin/env bash
# AAM's main job, and one of every call, through validating proxies between the caller and the embedded
# Airbyte. Counts what breaks Airbyte's own OpenAPI documents, but for the differences that Airbyte's
# server is known to have from them. Skipped without the documents.
#
#   AIRBYTE_PUBLIC_SPEC, AIRBYTE_CONFIG_SPEC   the documents; the Config API's paths begin with /v1
#   PRISM   the proxy, @stoplight/prism-cli from npm: "prism" if installed, else by npx
#   KEEP    set: leave the folder with all logs and say where it is
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Where Airbyte's server differs from its documents: a pattern of `METHOD path status: violation`,
# and why it is none of ours.
KNOWN=(
  "^post /applications/token .*required property 'grant_type'|the property is named grant-type, and neither is needed"
  "^post .*/declarative_sources .*required property 'workspaceId'|taken from the path"
  "^post /v1/applications/token .*security scheme|the document requires a token for requesting a token"
  "^post /v1/.* [45][0-9][0-9]: response\.body|the Config API answers an error id instead of the documented object"
  "^post /v1/.* [45][0-9][0-9]: response .*status code|statuses of errors that the document leaves out"
)

[ -n "${AIRBYTE_PUBLIC_SPEC:-}" ] && [ -n "${AIRBYTE_CONFIG_SPEC:-}" ] ||
  skip contract "AIRBYTE_PUBLIC_SPEC and AIRBYTE_CONFIG_SPEC do not name Airbyte's OpenAPI documents"
need cargo curl jq sqlite3
if [ -n "${PRISM:-}" ]; then prism=("$PRISM")
elif command -v prism >/dev/null; then prism=(prism)
elif command -v npx >/dev/null; then prism=(npx --yes @stoplight/prism-cli)
else skip contract "neither prism nor npx is installed"
fi
timeout 300 "${prism[@]}" --version >/dev/null 2>&1 || skip contract "@stoplight/prism-cli cannot be had"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/aam-contract.XXXXXX")
pids=()
cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  if [ -n "${KEEP:-}" ]; then echo "kept: $scratch"; else rm -rf "$scratch"; fi
}
trap cleanup EXIT
cargo build --locked --workspace --bins --quiet
target=$(realpath "${CARGO_TARGET_DIR:-target}/debug")

port=$((20000 + RANDOM % 20000))
next_port() {
  while port=$((port + 1)); (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
}
await() { # WHAT COMMAND...
  local what=$1
  shift
  for _ in $(seq 300); do "$@" >/dev/null 2>&1 && return; sleep 0.2; done
  tail -n 20 "$scratch"/*.log
  die "$what does not answer"
}

say "Starting the embedded Airbyte, two proxies and AAM"
mkdir "$scratch/data" "$scratch/control"
sqlite3 "$scratch/data/shop.db" <<'SQL'
CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL, updated_at TIMESTAMP);
INSERT INTO orders VALUES (1, 'pen', '2024-01-01 00:00:00'), (2, 'ink', '2024-01-02 00:00:00');
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO customers VALUES (1, 'Ada');
SQL
jq -n --arg program "$target/recording_connector" --arg scratch "$scratch" '
  {version: "1.0.0", program: $program} as $common
  | [$common + {definition_id: "b117307c-14b6-41aa-9422-947e34922962", kind: "source", name: "Salesforce",
       docker_repository: "airbyte/source-salesforce", args: ["--control", "\($scratch)/control"]},
     $common + {definition_id: "a7bcc9d8-13b3-4e49-b80d-d020b90045e3", kind: "destination", name: "Dev Null",
       docker_repository: "airbyte/destination-dev-null", supports_refreshes: true,
       args: ["--destination", "--out", "\($scratch)/written.jsonl"]}]' >"$scratch/connectors.json"
next_port; engine_port=$port
next_port; public_port=$port
next_port; config_port=$port
export AIRBYTE_CLIENT_ID=contract AIRBYTE_CLIENT_SECRET=secret-of-contract
env AAM_HOME="$scratch/engine" AAM_DATA_ROOTS="$scratch/data" SERVICE_PORT_EMBEDDED_AIRBYTE="$engine_port" \
  "$target/embedded_airbyte" --local-connectors "$scratch/connectors.json" >"$scratch/engine.log" 2>&1 &
pids+=($!)
await "the embedded Airbyte" curl -fs "http://127.0.0.1:$engine_port/api/public/v1/health"
"${prism[@]}" proxy "$AIRBYTE_PUBLIC_SPEC" "http://127.0.0.1:$engine_port/api/public/v1" --port "$public_port" >"$scratch/public.log" 2>&1 &
pids+=($!)
"${prism[@]}" proxy "$AIRBYTE_CONFIG_SPEC" "http://127.0.0.1:$engine_port/api" --port "$config_port" >"$scratch/config.log" 2>&1 &
pids+=($!)
public="http://127.0.0.1:$public_port" config="http://127.0.0.1:$config_port/v1"
await "the proxy of the public API" curl -fs "$public/health"
await "the proxy of the Config API" curl -fs "$config/health"
next_port; export SERVICE_PORT_ORCHESTRATOR=$port
next_port; export SERVICE_PORT_AUTH_BROKER=$port
next_port; export SERVICE_PORT_DRIFT_REPAIR=$port
next_port; export SERVICE_PORT_SCHEMA_OBSERVER=$port
next_port; export SERVICE_PORT_EMBEDDED_AIRBYTE=$port
export ORCHESTRATOR_URL=http://127.0.0.1:$SERVICE_PORT_ORCHESTRATOR
export AUTH_BROKER_URL=http://127.0.0.1:$SERVICE_PORT_AUTH_BROKER
export DRIFT_REPAIR_URL=http://127.0.0.1:$SERVICE_PORT_DRIFT_REPAIR
export AAM_HOME="$scratch/aam" AIRBYTE_API_URL="$public" AIRBYTE_CONFIG_API_URL="$config"
"$target/aam" up >"$scratch/aam.log" 2>&1 &
pids+=($!)
await "AAM" curl -fs "$ORCHESTRATOR_URL/ready"

say "AAM's main job: onboard, sync, drift, heal, sync"
aam() { "$target/aam" "$@" || { tail -n 20 "$scratch/aam.log"; die "aam $*"; }; }
aam onboard shop --source-type sqlite --set path="$scratch/data/shop.db" --stream orders
aam sync shop --wait
sqlite3 "$scratch/data/shop.db" "ALTER TABLE orders ADD COLUMN note TEXT; INSERT INTO orders VALUES (3, 'cap', '2024-01-03 00:00:00', 'blue');"
aam heal shop
aam sync shop --wait
aam connections >/dev/null
[ "$(sqlite3 "$scratch/engine/warehouse.db" 'SELECT count(*) FROM orders WHERE note = '"'blue'")" = 1 ] ||
  die "the healed column did not arrive"

say "One of every call"
scripts/contract_calls.sh "$public" "$config" "$scratch/control"

# What the proxies found, each with the request it belongs to. They handle one request at a time here,
# but for AAM's own, whose lines may mix: a violation is then shown beside a neighbour.
violations() { # LOG
  sed 's/\x1b\[[0-9;]*m//g' "$1" | awk '
    /\[HTTP SERVER\]/ { for (i = 1; i <= NF; i++) if ($i == "SERVER]") request = $(i + 1) " " $(i + 2); status = "" }
    /has returned/ { status = $NF }
    /Violation:|violation/ { sub(/.*[Vv]iolation: */, ""); print request " " status ": " $0 }'
}
say "What the proxies say"
violations "$scratch/public.log" >"$scratch/found"
violations "$scratch/config.log" >>"$scratch/found"
requests=$(cat "$scratch/public.log" "$scratch/config.log" | grep -c 'HTTP SERVER')
unexpected=$(mktemp -p "$scratch")
while IFS= read -r line; do
  for known in "${KNOWN[@]}"; do
    [[ $line =~ ${known%%|*} ]] && { printf '%s\n' "${known#*|}" >>"$scratch/expected"; continue 2; }
  done
  printf '%s\n' "$line" >>"$unexpected"
done <"$scratch/found"
[ -f "$scratch/expected" ] && { echo "known differences of Airbyte's server from its documents:"; sort "$scratch/expected" | uniq -c; }
if [ -s "$unexpected" ]; then
  sort "$unexpected" | uniq -c
  die "$(wc -l <"$unexpected") violations in $requests requests"
fi
echo "no violations in $requests requests"
