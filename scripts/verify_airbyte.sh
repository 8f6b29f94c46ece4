#!/usr/bin/env bash
# Makes AAM's calls to your Airbyte and to an embedded one that it starts, and prints each difference
# between their responses. Everything is created in a separate workspace, which is removed at the end. Exit code 0: no difference; 1: differences; 2: it could not run.
#
#   AIRBYTE_API_URL, AIRBYTE_CLIENT_ID, AIRBYTE_CLIENT_SECRET   your Airbyte; AIRBYTE_CONFIG_API_URL where needed
#   VERIFY_SOURCE, VERIFY_DESTINATION                           configurations with sourceType and destinationType;
#                                                               unset: faker and dev-null
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need cargo python3 curl
[ -n "${AIRBYTE_API_URL:-}" ] || { echo "AIRBYTE_API_URL is not set: which Airbyte is to be compared?" >&2; exit 2; }
cargo build --locked --workspace --bins --quiet
scratch=$(mktemp -d "${TMPDIR:-/tmp}/aam-verify.XXXXXX")
trap 'kill "${engine:-}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$scratch"' EXIT
# Nothing of the other Airbyte's settings is for the embedded one.
env -u AIRBYTE_API_URL -u AIRBYTE_BASE_URL -u AIRBYTE_CONFIG_API_URL -u EMBEDDED_AIRBYTE_MODE \
  AIRBYTE_CLIENT_ID=verify AIRBYTE_CLIENT_SECRET=verify-embedded-airbyte AAM_HOME="$scratch/home" \
  SERVICE_PORT_EMBEDDED_AIRBYTE=0 LOG_FORMAT=json \
  "${CARGO_TARGET_DIR:-target}/debug/embedded_airbyte" >/dev/null 2>"$scratch/engine.log" &
engine=$!
for _ in $(seq 100); do
  address=$(sed -n 's/.*"message":"listening".*"address":"\([^"]*\)".*/\1/p' "$scratch/engine.log" | head -n 1)
  [ -n "$address" ] && break
  kill -0 "$engine" 2>/dev/null || break
  sleep 0.1
done
[ -n "$address" ] || { cat "$scratch/engine.log" >&2; echo "the embedded Airbyte does not start" >&2; exit 2; }
EMBEDDED_URL="http://$address" python3 scripts/verify_airbyte.py
