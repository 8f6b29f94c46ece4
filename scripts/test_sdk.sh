#!/usr/bin/env bash
# Clients of Airbyte, unmodified, against the embedded Airbyte: Airbyte's Python SDK (the last release
# of the 0.x line and the newest one), the Airflow provider, dagster-airbyte, PyAirbyte and
# prefect-airbyte. Skipped where there is no Python with venv or no package index answers.
#
#   SDK_VERSIONS   releases of airbyte-api to try: "0.53.0 newest"
set -euo pipefail
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip sdk "python3 is not installed"
python3 -c 'import venv, ensurepip' 2>/dev/null || skip sdk "python3-venv is not installed"
need cargo curl jq
scratch=$(mktemp -d "${TMPDIR:-/tmp}/aam-sdk.XXXXXX")
cleanup() {
  [ -n "${engine:-}" ] && kill "$engine" 2>/dev/null && wait "$engine" 2>/dev/null
  rm -rf "$scratch"
}
trap cleanup EXIT

say "Installing the clients"
python3 -m venv "$scratch/tools"
# uv installs the heavy clients in seconds, where pip takes minutes.
if ! timeout 300 "$scratch/tools/bin/pip" install -q --disable-pip-version-check --retries 1 uv==0.9.13 \
  >"$scratch/pip.log" 2>&1; then
  tail -n 3 "$scratch/pip.log"
  skip sdk "no package index answers"
fi
environment() { # NAME REQUIREMENT…
  local name=$1
  shift
  "$scratch/tools/bin/uv" venv -q --python "$(command -v python3)" "$scratch/$name"
  timeout 300 "$scratch/tools/bin/uv" pip install -q --python "$scratch/$name/bin/python" "$@" ||
    die "$* cannot be installed"
}
sdks=()
for version in ${SDK_VERSIONS:-0.53.0 newest}; do
  wanted="airbyte-api==$version"
  [ "$version" = newest ] && wanted=airbyte-api
  environment "$version" "$wanted"
  sdks+=("$version")
done
environment airflow apache-airflow-providers-airbyte==6.2.0
environment dagster dagster-airbyte==0.29.27
environment pyairbyte airbyte==0.71.3
# The package requires a release of Prefect that current Pythons do not install: its client alone is
# taken out of the wheel.
environment prefect httpx==0.28.1
"$scratch/tools/bin/pip" download -q --disable-pip-version-check --no-deps -d "$scratch/wheels" \
  prefect-airbyte==0.3.2
python3 -m zipfile -e "$scratch"/wheels/prefect_airbyte-*.whl "$scratch/prefect-airbyte"

cargo build --locked --workspace --bins --quiet
target=${CARGO_TARGET_DIR:-target}/debug
mkdir "$scratch/control"
jq -n --arg program "$(realpath "$target/recording_connector")" --arg scratch "$scratch" '
  {version: "1.0.0", program: $program} as $common
  | [$common + {definition_id: "b117307c-14b6-41aa-9422-947e34922962", kind: "source", name: "Salesforce",
       docker_repository: "airbyte/source-salesforce", args: ["--control", "\($scratch)/control"]},
     $common + {definition_id: "a7bcc9d8-13b3-4e49-b80d-d020b90045e3", kind: "destination", name: "Dev Null",
       docker_repository: "airbyte/destination-dev-null", supports_refreshes: true,
       args: ["--destination", "--out", "\($scratch)/written.jsonl"]}]' >"$scratch/connectors.json"
port=
for _ in $(seq 100); do
  port=$((20000 + RANDOM % 20000))
  (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
done
AAM_HOME="$scratch/home" SERVICE_PORT_EMBEDDED_AIRBYTE=$port AIRBYTE_CLIENT_ID=sdk AIRBYTE_CLIENT_SECRET=secret-of-sdk \
  "$target/embedded_airbyte" --local-connectors "$scratch/connectors.json" >"$scratch/engine.log" 2>&1 &
engine=$!
root="http://127.0.0.1:$port"
base="$root/api/public/v1"
for _ in $(seq 100); do
  curl -fsS --max-time 5 "$base/health" >/dev/null 2>&1 && break
  kill -0 "$engine" 2>/dev/null || { cat "$scratch/engine.log"; die "the embedded Airbyte did not start"; }
  sleep 0.1
done
run() { # CLIENT ARGUMENT…
  local client=$1
  shift
  timeout 300 "$@" || { tail -n 20 "$scratch/engine.log"; die "$client failed"; }
}
for version in "${sdks[@]}"; do
  say "airbyte-api $("$scratch/$version/bin/python" -c 'from importlib.metadata import version; print(version("airbyte-api"))')"
  run "airbyte-api $version" "$scratch/$version/bin/python" scripts/sdk_check.py "$base" sdk secret-of-sdk
done

token=$(curl -fsS --json '{"client_id": "sdk", "client_secret": "secret-of-sdk"}' "$base/applications/token" | jq -r .access_token)
post() { curl -fsS --oauth2-bearer "$token" --json "$2" "$base$1"; } # PATH BODY
workspace() { # NAME: makes a workspace with a source, a destination and a connection
  workspace=$(post /workspaces "{\"name\": \"$1\"}" | jq -r .workspaceId)
  source=$(post /sources "{\"name\": \"crm\", \"workspaceId\": \"$workspace\", \"configuration\": {\"sourceType\":
    \"salesforce\", \"client_id\": \"id\", \"client_secret\": \"a secret\", \"refresh_token\": \"another\"}}" | jq -r .sourceId)
  destination=$(post /destinations "{\"name\": \"sink\", \"workspaceId\": \"$workspace\",
    \"configuration\": {\"destinationType\": \"dev-null\"}}" | jq -r .destinationId)
  connection=$(post /connections "{\"name\": \"crm to sink\", \"sourceId\": \"$source\", \"destinationId\": \"$destination\",
    \"configurations\": {\"streams\": [{\"name\": \"Account\", \"syncMode\": \"full_refresh_append\"}]}}" | jq -r .connectionId)
}

say "Airflow: apache-airflow-providers-airbyte 6.2.0"
workspace airflow
run Airflow env AIRFLOW_HOME="$scratch/airflow-home" AIRFLOW__LOGGING__LOGGING_LEVEL=WARN \
  "$scratch/airflow/bin/python" -W ignore scripts/clients/airflow_check.py "$root" sdk secret-of-sdk "$connection"
say "Dagster: dagster-airbyte 0.29.27"
workspace dagster
run Dagster env DAGSTER_DISABLE_TELEMETRY=yes DAGSTER_HOME= \
  "$scratch/dagster/bin/python" -W ignore scripts/clients/dagster_check.py "$root" sdk secret-of-sdk "$workspace" "$connection"
say "PyAirbyte 0.71.3"
workspace pyairbyte
run PyAirbyte env DO_NOT_TRACK=1 AIRBYTE_DISABLE_TELEMETRY=1 HOME="$scratch" \
  "$scratch/pyairbyte/bin/python" -W ignore scripts/clients/pyairbyte_check.py "$root" sdk secret-of-sdk "$workspace" "$source"
say "Prefect: the client of prefect-airbyte 0.3.2"
workspace prefect
run Prefect "$scratch/prefect/bin/python" -W ignore scripts/clients/prefect_check.py "$scratch/prefect-airbyte/prefect_airbyte" \
  "$root" "$token" "$connection"
