#!/usr/bin/env bash
# Makes one call of each kind to both APIs of an Airbyte, in a separate workspace, and checks each
# status. Started by test_contract.sh, which puts validating proxies in between. Calls that return 501
# are skipped, because the proxy then generates a response.
#
# Arguments: public API, Config API, the folder that makes the Salesforce-like test source drift.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
public=$1 config=$2 control=$3
token=$(curl -sS "$public/applications/token" -H 'Content-Type: application/json' \
  -d "$(jq -n '{client_id: env.AIRBYTE_CLIENT_ID, client_secret: env.AIRBYTE_CLIENT_SECRET, "grant-type": "client_credentials"}')" | jq -er .access_token)
curl -sS "$config/applications/token" -H 'Content-Type: application/json' \
  -d "$(jq -n '{client_id: env.AIRBYTE_CLIENT_ID, client_secret: env.AIRBYTE_CLIENT_SECRET}')" | jq -e .access_token >/dev/null

answer=
call() { # EXPECTED_STATUS METHOD URL [BODY]
  local expected=$1 method=$2 url=$3 data=() got
  shift 3
  [ $# -gt 0 ] && data=(-H 'Content-Type: application/json' --data-binary "$1")
  got=$(curl -sS --max-time 120 -w '\n%{http_code}' -X "$method" -H "Authorization: Bearer $token" -H 'Accept: application/json' "${data[@]}" "$url")
  answer=${got%$'\n'*}
  [ "${got##*$'\n'}" = "$expected" ] || die "$method $url answered ${got##*$'\n'}, not $expected: $answer"
}
get() { call 200 GET "$public$1"; }
post() { call 200 POST "$public$1" "$2"; }
ask() { call "${3:-200}" POST "$config$1" "$2"; } # PATH BODY [EXPECTED_STATUS]
of() { jq -er "$1" <<<"$answer"; }
unknown=$(cat /proc/sys/kernel/random/uuid)

# Public API
post /workspaces '{"name": "contract", "notifications": {"failure": {"email": {"enabled": true}}}}'
workspace=$(of .workspaceId)
call 200 PATCH "$public/workspaces/$workspace" '{"name": "contract 2"}'
get "/workspaces/$workspace"
get "/workspaces?workspaceIds=$workspace&includeDeleted=true&limit=5&offset=0"
call 404 GET "$public/workspaces/$unknown"
get /applications
call 404 GET "$public/applications/$unknown"
call 500 POST "$public/applications" '{"name": "x"}'
call 403 GET "$public/organizations"
call 403 GET "$public/users?organizationId=$unknown"
call 403 GET "$public/permissions"
call 404 GET "$public/permissions/$unknown"
call 403 GET "$public/groups?organizationId=$unknown"
call 403 GET "$public/regions?organizationId=$unknown"
call 403 GET "$public/dataplanes"

for kind in source destination; do
  definitions="/workspaces/$workspace/definitions/${kind}s"
  get "$definitions"
  get "/connector_definitions?type=$kind&workspaceId=$workspace"
  image=airbyte/source-salesforce
  [ "$kind" = destination ] && image=airbyte/destination-dev-null
  post "$definitions" "{\"name\": \"own\", \"dockerRepository\": \"$image\", \"dockerImageTag\": \"1\", \"documentationUrl\": \"https://example.org\"}"
  own=$(of .id)
  get "$definitions/$own"
  call 200 PUT "$public$definitions/$own" '{"name": "own 2", "dockerImageTag": "2"}'
  call 200 DELETE "$public$definitions/$own"
done
declarative="/workspaces/$workspace/definitions/declarative_sources"
manifest='{"version": "6.0.0", "type": "DeclarativeSource", "streams": [], "spec": {"connection_specification": {"type": "object"}}}'
post "$declarative" "{\"name\": \"manifest\", \"manifest\": $manifest}"
own=$(of .id)
get "$declarative"
get "$declarative/$own"
call 200 PUT "$public$declarative/$own" "{\"manifest\": $manifest}"
call 200 DELETE "$public$declarative/$own"

post /sources "{\"name\": \"crm\", \"workspaceId\": \"$workspace\", \"configuration\": {\"sourceType\": \"salesforce\", \"client_id\": \"i\", \"client_secret\": \"secret\", \"refresh_token\": \"token\"}}"
source=$(of .sourceId) definition=$(of .definitionId)
get "/sources/$source?includeSecretCoordinates=true"
get "/sources?workspaceIds=$workspace&includeDeleted=true"
call 200 PATCH "$public/sources/$source" '{"name": "crm 2", "configuration": {"client_secret": "**********"}}'
call 200 PUT "$public/sources/$source" '{"name": "crm 3", "configuration": {"client_id": "i", "client_secret": "**********", "refresh_token": "**********"}, "resourceAllocation": {"default": {"cpu_limit": "1"}}}'
call 404 GET "$public/sources/$unknown"
post /destinations "{\"name\": \"sink\", \"workspaceId\": \"$workspace\", \"configuration\": {\"destinationType\": \"dev-null\"}}"
destination=$(of .destinationId) destination_definition=$(of .definitionId)
get "/destinations/$destination"
get "/destinations?workspaceIds=$workspace"
call 200 PATCH "$public/destinations/$destination" '{"name": "sink 2"}'
call 200 PUT "$public/destinations/$destination" '{"name": "sink 3", "configuration": {}}'
get "/streams?sourceId=$source&destinationId=$destination&ignoreCache=true"
post /tags "{\"name\": \"nightly\", \"color\": \"FF5733\", \"workspaceId\": \"$workspace\"}"
tag=$answer
tag_id=$(of .tagId)
get "/tags?workspaceIds=$workspace"
get "/tags/$tag_id"
call 200 PATCH "$public/tags/$tag_id" '{"name": "nightly", "color": "00FF00"}'
call 409 POST "$public/tags" "{\"name\": \"nightly\", \"color\": \"FF5733\", \"workspaceId\": \"$workspace\"}"
post /connections "{\"sourceId\": \"$source\", \"destinationId\": \"$destination\", \"configurations\": {\"streams\": [{\"name\": \"Account\", \"syncMode\": \"incremental_deduped_history\"}, {\"name\": \"Contact\"}]}, \"tags\": [$tag]}"
connection=$(of .connectionId)
get "/connections/$connection"
get "/connections?workspaceIds=$workspace&tagIds=$tag_id&includeDeleted=true"
call 200 PATCH "$public/connections/$connection" '{"name": "main", "schedule": {"scheduleType": "cron", "cronExpression": "0 0 6 * * ?"}, "namespaceDefinition": "custom_format", "namespaceFormat": "lake_${SOURCE_NAMESPACE}"}'
call 400 PATCH "$public/connections/$connection" '{"schedule": {"scheduleType": "cron", "cronExpression": "often"}}'

ended() { # JOB
  local deadline=$((SECONDS + 60))
  while get "/jobs/$1"; do
    case $(of .status) in succeeded) return ;; failed | cancelled) die "job $1: $answer" ;; esac
    [ "$SECONDS" -lt "$deadline" ] || die "job $1 does not end"
  done
}
post /jobs "{\"connectionId\": \"$connection\", \"jobType\": \"sync\"}"
job=$(of .jobId)
ended "$job"
get "/jobs?connectionId=$connection&limit=1&offset=0&jobType=sync&status=succeeded&orderBy=createdAt%7CDESC&createdAtStart=2020-01-01T00:00:00Z&updatedAtEnd=2100-01-01T00:00:00Z"
call 200 DELETE "$public/jobs/$job"
call 409 GET "$public/jobs/987654321"
post /jobs "{\"connectionId\": \"$connection\", \"jobType\": \"clear\"}"
ended "$(of .jobId)"
call 422 POST "$public/jobs" "{\"connectionId\": \"$connection\", \"jobType\": \"refresh\"}"

# Config API
c="{\"connectionId\": \"$connection\"}"
ask /connections/get "$c"
read -r old <<<"$(of .sourceCatalogId)"
catalog=$(jq -c .syncCatalog <<<"$answer")
ask /connections/list "{\"workspaceId\": \"$workspace\"}"
ask /connections/status "{\"connectionIds\": [\"$connection\"]}"
ask /connections/update "{\"connectionId\": \"$connection\", \"nonBreakingChangesPreference\": \"propagate_columns\", \"syncCatalog\": $catalog}"
ask /connections/update_with_reason "{\"connectionUpdate\": {\"connectionId\": \"$connection\", \"backfillPreference\": \"enabled\"}, \"updateReason\": \"why not\"}"
ask /web_backend/connections/get "{\"connectionId\": \"$connection\", \"withRefreshedCatalog\": true}"
ask /web_backend/connections/update "{\"connectionId\": \"$connection\", \"name\": \"main 2\", \"skipReset\": true}"
ask /sources/get "{\"sourceId\": \"$source\"}"
ask /sources/discover_schema "{\"sourceId\": \"$source\"}"
touch "$control/extra_column" "$control/extra_stream"
ask /sources/discover_schema "{\"sourceId\": \"$source\", \"connectionId\": \"$connection\", \"disable_cache\": true}"
new=$(of .catalogId)
found=$(jq -c .catalog <<<"$answer")
ask /catalogs/diff "{\"current_catalog_id\": \"$old\", \"new_catalog_id\": \"$new\"}"
ask /catalogs/diff "{\"current_catalog_id\": \"$old\", \"new_catalog_id\": \"$new\", \"connection_id\": \"$connection\", \"persist_changes\": true}"
apply="{\"catalog\": $found, \"catalogId\": \"$new\", \"connectionId\": \"$connection\", \"workspaceId\": \"$workspace\"}"
ask /connections/apply_schema_change "$apply"
ask /connections/apply_schema_changes "$apply"
ask /sources/apply_schema_changes "{\"catalog\": $found, \"catalogId\": \"$new\", \"sourceId\": \"$source\", \"workspaceId\": \"$workspace\"}" 204
ask /connections/postprocess_discovered_catalog "{\"connectionId\": \"$connection\", \"catalogId\": \"$new\"}"
ask /sources/most_recent_source_actor_catalog "{\"sourceId\": \"$source\"}"
ask /sources/check_connection "{\"sourceId\": \"$source\"}"
ask /destinations/check_connection "{\"destinationId\": \"$destination\"}"
ask /source_definitions/list_for_workspace "{\"workspaceId\": \"$workspace\", \"filterByUsed\": true}"
ask /destination_definitions/list_for_workspace "{\"workspaceId\": \"$workspace\"}"
ask /source_definition_specifications/get "{\"sourceDefinitionId\": \"$definition\", \"workspaceId\": \"$workspace\"}"
ask /destination_definition_specifications/get "{\"destinationDefinitionId\": \"$destination_definition\", \"workspaceId\": \"$workspace\"}"
ask /actor_definition_versions/get_for_destination "{\"destinationId\": \"$destination\"}"
ask /source_oauths/get_consent_url "{\"sourceDefinitionId\": \"$definition\", \"workspaceId\": \"$workspace\", \"redirectUrl\": \"https://example.org\"}" 404
ask /source_oauths/complete_oauth "{\"sourceDefinitionId\": \"$definition\", \"workspaceId\": \"$workspace\"}" 404
ask /connections/sync "$c"
job=$(of .job.id)
ended "$job"
for call in get get_light get_without_logs get_debug_info cancel; do ask "/jobs/$call" "{\"id\": $job}"; done
ask /jobs/list "{\"configTypes\": [\"sync\", \"reset_connection\"], \"configId\": \"$connection\", \"includingJobId\": $job, \"pagination\": {\"pageSize\": 2, \"rowOffset\": 0}}"
ask /attempt/get_for_job "{\"jobId\": $job, \"attemptNumber\": 0}"
ask /attempt/get_combined_stats "{\"jobId\": $job, \"attemptNumber\": 0}"
ask /state/get "$c"
state=$answer
ask /state/create_or_update "{\"connectionId\": \"$connection\", \"connectionState\": $state}"
ask /state/create_or_update_safe "{\"connectionId\": \"$connection\", \"connectionState\": $state}"
ask /connections/refresh "{\"connectionId\": \"$connection\", \"refreshMode\": \"Merge\", \"streams\": [{\"streamName\": \"Account\"}]}"
ended "$(of .job.id)"
for call in clear reset; do
  ask "/connections/$call" "$c"
  ended "$(of .job.id)"
  ask "/connections/$call/stream" "{\"connectionId\": \"$connection\", \"streams\": [{\"streamName\": \"Contact\"}]}"
  ended "$(of .job.id)"
done
ask /connections/get "{\"connectionId\": \"$unknown\"}" 404
ask /connections/update "{\"connectionId\": \"$connection\", \"status\": \"inactive\"}"
ask /connections/sync "$c" 500

call 204 DELETE "$public/connections/$connection"
call 204 DELETE "$public/tags/$tag_id"
call 204 DELETE "$public/sources/$source"
call 204 DELETE "$public/destinations/$destination"
call 204 DELETE "$public/workspaces/$workspace"
echo "every call answered as expected"
