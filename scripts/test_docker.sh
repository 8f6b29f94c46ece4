#!/usr/bin/env bash
# Connectors that are Docker images, with a real engine: on the command line, in a sync, canceled, and when the
# engine of the sync is killed. The image is made here; nothing is pulled.
# If no Docker engine responds, it starts one (docker_engine.sh), as root.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. scripts/containers.sh
need cargo curl jq busybox
busybox=$(command -v busybox)
! ldd "$busybox" >/dev/null 2>&1 || die "busybox is not the static one, of which images are made (busybox-static)"
cargo build --locked --workspace --bins --quiet
with_engine docker scripts/test_docker.sh
scratch=$(mktemp -d "${TMPDIR:-/tmp}/aam-docker.XXXXXX")
image=aam-test/source-shell:$$
target=aam-test/destination-shell:$$
cleanup() {
  [ -n "${engine:-}" ] && kill -9 "$engine" 2>/dev/null
  [ -n "${installation:-}" ] && docker ps -aq --filter "label=aam.installation=$installation" | xargs -r docker rm -f >/dev/null
  docker image ls --format '{{.Repository}}:{{.Tag}}' | grep -E "^aam-test/(source|destination)-shell:$$" |
    xargs -r docker image rm -f >/dev/null 2>&1
  rm -rf "$scratch"
}
trap cleanup EXIT
bin=$(realpath "${CARGO_TARGET_DIR:-target}/debug")
cd "$scratch"
export AAM_HOME=$scratch/home

say "Making images"
mkdir -p root/bin root/tmp root/etc root/airbyte
cp "$busybox" root/bin/busybox
for applet in sh cat sleep; do ln -s busybox "root/bin/$applet"; done
printf 'root:x:0:0::/:/bin/sh\nairbyte:x:1000:1000::/airbyte:/bin/sh\n' >root/etc/passwd
cat >root/airbyte/connector <<'CONNECTOR'
#!/bin/sh
stream='{"name":"t","json_schema":{"type":"object","properties":{"id":{"type":"integer"}}},"supported_sync_modes":["full_refresh"]}'
for word in "$@"; do
  case $before in
    --config) config=$(cat "$word") || exit 1 ;;
    --catalog) cat "$word" >/dev/null || exit 1 ;;
  esac
  before=$word
done
case $1 in
  spec) echo '{"type":"SPEC","spec":{"connectionSpecification":{"type":"object","properties":{"mode":{"type":"string"}}},"supported_destination_sync_modes":["append","overwrite"]}}' ;;
  check) echo '{"type":"CONNECTION_STATUS","connectionStatus":{"status":"SUCCEEDED"}}' ;;
  discover) echo '{"type":"CATALOG","catalog":{"streams":['"$stream"']}}' ;;
  read)
    for id in 1 2 3 4 5; do echo '{"type":"RECORD","record":{"stream":"t","data":{"id":'$id'},"emitted_at":1}}'; done
    # Asked to stop, it does not.
    case $config in *endless*) while :; do sleep 1; done ;; esac
    case $config in *forever*) trap '' TERM; while :; do sleep 1; done ;; esac ;;
  write) while read -r line; do case $line in *'"type":"STATE"'*) echo "$line" ;; esac; done ;;
esac
CONNECTOR
chmod 755 root/airbyte/connector
for name in "$image" "$target"; do
  tar -C root -c . | docker import -c 'ENTRYPOINT ["/airbyte/connector"]' -c 'USER airbyte' - "$name" >/dev/null
done

say "Without an engine"
"$bin/aam" connectors spec "$image" | jq -e .connectionSpecification.properties.mode >/dev/null
"$bin/aam" connectors install "$image"
"$bin/aam" connectors list --output json | jq -e --arg i "$image" '.[] | select(.connector == $i) | .installed' >/dev/null
"$bin/aam" connectors check "$image" --set mode=once
"$bin/aam" connectors discover "$image" --set mode=once
read=$("$bin/aam" connectors read "$image" --set mode=forever --limit 3 --output json)
[ "$(jq -c '[.[0].records[].id]' <<<"$read")" = '[1,2,3]' ] || die "read: $read"
output=$("$bin/aam" connectors spec aam-test/source-absent:1 2>&1) && die "an image that is not here has a spec"
grep -q 'is not on this machine' <<<"$output" || die "$output"

say "In a sync"
start() {
  AIRBYTE_CLIENT_ID=c AIRBYTE_CLIENT_SECRET=s SERVICE_PORT_EMBEDDED_AIRBYTE=0 LOG_FORMAT=json \
    "$bin/embedded_airbyte" 2>>engine.log &
  engine=$!
  local line=''
  for _ in $(seq 300); do
    line=$(grep '"message":"listening"' engine.log | tail -n 1 || true)
    [ "$(grep -c '"message":"listening"' engine.log || true)" = "$1" ] && break
    kill -0 "$engine" || { cat engine.log; die "the engine did not start"; }
    sleep 0.1
  done
  base=http://$(jq -r .address <<<"$line")/api/public/v1
  token=$(curl -fsS "$base/applications/token" -H 'Content-Type: application/json' \
    -d '{"client_id":"c","client_secret":"s","grant-type":"client_credentials"}' | jq -r .access_token)
}
api() { # METHOD PATH [BODY]
  curl -fsS -X "$1" "$base$2" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' ${3:+-d "$3"} ||
    { tail -n 20 engine.log >&2; die "$1 $2"; }
}
start 1
workspace=$(api GET /workspaces | jq -r '.data[0].workspaceId')
define() { # KIND IMAGE
  api POST "/workspaces/$workspace/definitions/$1" \
    "{\"name\":\"shell\",\"dockerRepository\":\"${2%:*}\",\"dockerImageTag\":\"${2##*:}\"}" | jq -r .id
}
from=$(define sources "$image")
to=$(define destinations "$target")
to=$(api POST /destinations "{\"name\":\"to\",\"workspaceId\":\"$workspace\",\"definitionId\":\"$to\",\"configuration\":{}}" | jq -r .destinationId)
connect() { # MODE
  local source
  source=$(api POST /sources "{\"name\":\"$1\",\"workspaceId\":\"$workspace\",\"definitionId\":\"$from\",\"configuration\":{\"mode\":\"$1\"}}" | jq -r .sourceId)
  api POST /connections "{\"sourceId\":\"$source\",\"destinationId\":\"$to\",\"prefix\":\"$1_\",\"configurations\":{\"streams\":[{\"name\":\"t\",\"syncMode\":\"full_refresh_append\"}]}}" | jq -r .connectionId
}
sync() { api POST /jobs "{\"connectionId\":\"$1\",\"jobType\":\"sync\"}" | jq -r .jobId; }
await() { # WHAT COMMAND...
  local what=$1
  shift
  for _ in $(seq 300); do
    "$@" && return
    sleep 0.1
  done
  docker ps -a
  die "$what"
}
is() { [ "$(api GET "/jobs/$1" | jq -r .status)" = "$2" ]; }
running() { [ "$(docker ps -q --filter "label=aam.installation=$installation" --filter label=aam.job | wc -l)" -ge "$1" ]; }
none() { [ -z "$(docker ps -aq --filter "label=aam.installation=$installation")" ]; }
job=$(sync "$(connect once)")
await "the sync succeeds" is "$job" succeeded
[ "$(api GET "/jobs/$job" | jq .rowsSynced)" = 5 ] || die "$(api GET "/jobs/$job")"

say "Cancelled"
forever=$(connect forever)
job=$(sync "$forever")
installation=''
labelled() { # the source, while it runs
  source=$(docker ps -q --filter label=aam.job="$job" --filter ancestor="$image" | head -n 1)
  [ -n "$source" ]
}
await "the source runs" labelled
installation=$(docker inspect -f '{{index .Config.Labels "aam.installation"}}' "$source")
limits=$(docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.LogConfig.Type}} {{.HostConfig.Init}}' "$source")
[ "$limits" = "2147483648 512 none true" ] || die "limits: $limits"
api DELETE "/jobs/$job" >/dev/null
await "the job is cancelled" is "$job" cancelled
await "its containers are gone" none

say "Cancelled at any moment"
# From before its image was looked at to after both ends ran; each time an image of which nothing is known.
for pause in 0 0.05 0.1 0.2 0.3 0.4 0.6 0.9 1.5; do
  echo "$pause" >root/tmp/pause
  tar -C root -c . | docker import -c 'ENTRYPOINT ["/airbyte/connector"]' -c 'USER airbyte' - "$image-$pause" >/dev/null
  again=$(define sources "$image-$pause")
  again=$(api POST /sources "{\"name\":\"$pause\",\"workspaceId\":\"$workspace\",\"definitionId\":\"$again\",\"configuration\":{\"mode\":\"endless\"}}" | jq -r .sourceId)
  again=$(api POST /connections "{\"sourceId\":\"$again\",\"destinationId\":\"$to\",\"prefix\":\"p$pause\",\"configurations\":{\"streams\":[{\"name\":\"t\",\"syncMode\":\"full_refresh_append\"}]}}" | jq -r .connectionId)
  job=$(sync "$again")
  sleep "$pause"
  api DELETE "/jobs/$job" >/dev/null
  await "the job is cancelled" is "$job" cancelled
  await "no container is left after $pause s" none
done

say "Its engine killed"
job=$(sync "$forever")
await "both run" running 2
kill -9 "$engine" && wait "$engine" 2>/dev/null || true
await "the containers are gone" none

say "Left behind by all"
docker run -d --label "aam.installation=$installation" --label "aam.engine=1 long-ago" \
  --entrypoint /bin/sleep "$image" 1000 >/dev/null
start 2
job=$(api GET "/jobs?connectionId=$forever&orderBy=createdAt%7CDESC" | jq -r '.data[0].jobId')
left() { [ -z "$(docker ps -q --filter "label=aam.engine=1 long-ago")" ]; }
await "containers without an owner are removed" left
api DELETE "/jobs/$job" >/dev/null
await "the job is cancelled" is "$job" cancelled
await "no container is left" none
