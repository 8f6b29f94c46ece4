#!/usr/bin/env bash
# Airbyte's own Python SDK, unmodified, against the embedded Airbyte: the last release of the 0.x line
# and the newest one. Prints SKIPPED and the reason, and succeeds, where there is no Python with venv
# or no package index answers.
#
#   SDK_VERSIONS   releases of airbyte-api to try: "0.53.0 newest"
set -euo pipefail
. "$(dirname "$0")/lib.sh"
skip() { echo "SKIPPED: $*"; exit 0; }

command -v python3 >/dev/null || skip "python3 is not installed"
python3 -c 'import venv, ensurepip' 2>/dev/null || skip "python3-venv is not installed"
need cargo curl jq
scratch=$(mktemp -d "${TMPDIR:-/tmp}/aam-sdk.XXXXXX")
cleanup() {
  [ -n "${engine:-}" ] && kill "$engine" 2>/dev/null && wait "$engine" 2>/dev/null
  rm -rf "$scratch"
}
trap cleanup EXIT

installed=()
for version in ${SDK_VERSIONS:-0.53.0 newest}; do
  wanted="airbyte-api==$version"
  [ "$version" = newest ] && wanted=airbyte-api
  python3 -m venv "$scratch/$version"
  if ! timeout 300 "$scratch/$version/bin/pip" install -q --disable-pip-version-check --retries 1 "$wanted" \
    >"$scratch/pip.log" 2>&1; then
    tail -n 3 "$scratch/pip.log"
    skip "no package index answers"
  fi
  installed+=("$version")
done

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
base="http://127.0.0.1:$port/api/public/v1"
for _ in $(seq 100); do
  curl -fsS --max-time 5 "$base/health" >/dev/null 2>&1 && break
  kill -0 "$engine" 2>/dev/null || { cat "$scratch/engine.log"; die "the embedded Airbyte did not start"; }
  sleep 0.1
done
for version in "${installed[@]}"; do
  say "airbyte-api $("$scratch/$version/bin/python" -c 'from importlib.metadata import version; print(version("airbyte-api"))')"
  timeout 300 "$scratch/$version/bin/python" scripts/sdk_check.py "$base" sdk secret-of-sdk ||
    { tail -n 20 "$scratch/engine.log"; die "the SDK $version did not get through"; }
done
