#!/usr/bin/env bash
# Onboards a connection, lists it, reads it, syncs it to its end, applies a changed catalog and checks
# that version 2 is active. Fails at the first step that fails; prints the connection's id.
#
#   SOURCE_TYPE     sqlite
#   SOURCE_CONFIG   {"path": ".aam/sample.db"}, the sample database of `aam up` and of compose;
#                   a relative path starts from the first of AAM_DATA_ROOTS
#   CREDENTIAL_ID   none; the credential's members are left out of SOURCE_CONFIG
#   DESTINATION_ID  Airbyte's only destination
#   WAIT            seconds a sync may take: 300
#
# Each run uses its own name and table prefix, so it can be repeated, also on a real Airbyte.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need curl jq
WAIT=${WAIT:-300}
SOURCE_TYPE=${SOURCE_TYPE:-sqlite}
if [ -z "${SOURCE_CONFIG:-}" ]; then
  [ -n "${CREDENTIAL_ID:-}" ] && SOURCE_CONFIG='{}' || SOURCE_CONFIG='{"path": ".aam/sample.db"}'
fi
run=$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')
name="smoke $run"
# A stack that was started just now may need a moment.
WAIT=60 await_service orchestrator "$ORCHESTRATOR" /ready '.ready == true'
WAIT=60 await_service drift_repair_agent "$DRIFT_REPAIR" /ready '.ready == true'
key=$(api_key)
auth=()
[ -n "$key" ] && auth=(-H "Authorization: Bearer $key")

call() { # EXPECTED_STATUS METHOD URL [BODY]; the answer's body on stdout
  local expected=$1 method=$2 url=$3 answer status body
  shift 3
  local data=()
  [ $# -gt 0 ] && data=(-H 'Content-Type: application/json' --data-binary "$1")
  answer=$(curl -sS --max-time 900 -w '\n%{http_code}' -X "$method" "${auth[@]}" "${data[@]}" "$url") || die "$method $url: no answer"
  status=${answer##*$'\n'} body=${answer%$'\n'*}
  [ "$status" = "$expected" ] || die "$method $url answered $status, not $expected: $body"
  printf '%s' "$body"
}

say "Onboard a $SOURCE_TYPE source as \`$name\`"
request=$(jq -n --arg type "$SOURCE_TYPE" --arg name "$name" --arg prefix "smoke_${run}_" \
  --argjson config "$SOURCE_CONFIG" --arg credential "${CREDENTIAL_ID:-}" --arg destination "${DESTINATION_ID:-}" \
  '{source_type: $type, connection_name: $name, prefix: $prefix}
   + (if $config == {} then {} else {source_config: $config} end)
   + (if $credential == "" then {} else {credential_id: $credential} end)
   + (if $destination == "" then {} else {destination_id: $destination} end)')
connection=$(call 201 POST "$ORCHESTRATOR/connections/onboard" "$request")
id=$(jq -er '.id' <<<"$connection")
jq -e '.status == "ACTIVE" and .airbyte_connection_id != null' >/dev/null <<<"$connection" || die "not ACTIVE: $connection"
echo "connection $id is ACTIVE"

say "List and read it"
call 200 GET "$ORCHESTRATOR/connections" | jq -e --arg id "$id" 'any(.[]; .id == $id)' >/dev/null || die "the list lacks it"
call 200 GET "$ORCHESTRATOR/connections/$id" | jq -c '{name, source_type, status, catalog_version}'

say "Sync it to its end"
sync=$(call 200 POST "$ORCHESTRATOR/connections/$id/sync")
job=$(jq -er '.job_id | strings' <<<"$sync")
deadline=$((SECONDS + WAIT))
while :; do
  state=$(call 200 GET "$ORCHESTRATOR/jobs/$job")
  case $(jq -r .status <<<"$state") in
    succeeded) break ;;
    failed | cancelled) die "the sync ended badly: $state" ;;
  esac
  [ "$SECONDS" -lt "$deadline" ] || die "the sync did not end within $WAIT s: $state"
  sleep 0.5
done
jq -c '{job_id, status, rows_synced, bytes_synced}' <<<"$state"

say "Apply a catalog: the first stream alone, as a full refresh"
stream=$(call 200 GET "$ORCHESTRATOR/connections/$id/catalogs/1" | jq -ec '[.sync_catalog.streams[] | select(.config.selected)][0].stream')
apply=$(jq -n --arg id "$id" --argjson stream "$stream" \
  '{connection_id: $id, expected_version: 1, new_sync_catalog: {streams: [{
     stream: ({name: $stream.name, json_schema: {}} + (if $stream.namespace then {namespace: $stream.namespace} else {} end)),
     sync_mode: "full_refresh", destination_sync_mode: "overwrite"}]}}')
applied=$(call 200 POST "$DRIFT_REPAIR/repair/apply_new_catalog" "$apply")
jq -c . <<<"$applied"
jq -e '.previous_version == 1 and .new_version == 2 and .status == "success"' >/dev/null <<<"$applied" || die "no version 2"
call 200 GET "$ORCHESTRATOR/connections/$id" | jq -e '.status == "ACTIVE" and .catalog_version == 2' >/dev/null || die "version 2 is not active"

echo
echo "Onboarded, synced and changed connection $id"
