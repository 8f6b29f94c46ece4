#!/usr/bin/env bash
# Tests the compose stack with an unedited .env.example, under a separate project name and ports:
# README's section as written, both smoke scripts, reachability, restarts of the database under load, a
# Python connector, keys from files. Removes everything at the end.
#
# If no Docker engine responds, it starts one (docker_engine.sh), as root. The image contains this tree's
# debug build; missing images of databases are created from this machine's Debian.
#
#   --image   builds the whole Dockerfile instead: 11 to 19 minutes on two cores, with an engine that
#             reaches the registries of images and crates
#   BUILD_PROFILE, BUILD_IMAGE, RUNTIME_IMAGE, POSTGRES_IMAGE, REDIS_IMAGE   as in .env.example
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. scripts/containers.sh
need curl git jq tar python3
compose version >/dev/null 2>&1 || die "docker-compose is not installed"
[ "${1:-}" = --image ] || { need cargo strip; cargo build --locked --workspace --bins --quiet; }

# Wheels of a Python connector for the image's Python, since the stack may have no way out.
wheels=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/aam/wheels-faker-1
faker=$(jq -r '.[] | select(.package == "airbyte-source-faker") | .package + "==" + .version' crates/embedded_airbyte/src/connector/python/packages.json)
if [ ! -e "$wheels/complete" ]; then
  say "Fetching $faker (once, kept in $wheels)"
  mkdir -p "$wheels"
  python3 -m pip download -q -d "$wheels" --python-version 3.11 --implementation cp --platform manylinux2014_x86_64 \
    --platform manylinux_2_17_x86_64 --platform manylinux_2_28_x86_64 --only-binary :all: "$faker"
  touch "$wheels/complete"
fi
if [ "${1:-}" = --image ]; then
  timeout 20 docker info >/dev/null 2>&1 || die "--image requires a Docker engine that reaches the registries"
else
  fetch_base
fi
with_engine compose scripts/test_compose.sh "$@"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/aam-compose.XXXXXX")
# A copy of the checkout, so that neither a .env of the developer's nor a stack of theirs is touched.
checkout=$scratch/checkout
root=$PWD
mkdir "$checkout"
export COMPOSE_PROJECT_NAME="aamtest$$" AAM_IMAGE=aam:test
# Up to Compose 2 without its own builder, classic is what every engine has.
export DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0
cleanup() {
  local code=$?
  cd "$checkout"
  if [ -f docker-compose.yml ]; then
    [ "$code" = 0 ] || { compose ps -a 2>/dev/null || compose ps; compose logs --no-color --tail 60; } || true
    compose down --volumes --remove-orphans --timeout 15 >/dev/null 2>&1 || true
  fi
  [ -z "${recorder:-}" ] || kill "$recorder" 2>/dev/null || true
  cd /
  rm -rf "$scratch"
}
trap cleanup EXIT
git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -T - -cf - | tar -xf - -C "$checkout"

say "Images"
export POSTGRES_IMAGE=${POSTGRES_IMAGE:-postgres:17} REDIS_IMAGE=${REDIS_IMAGE:-redis:7}
here() { docker image inspect "$1" >/dev/null 2>&1; }
if ! here "$POSTGRES_IMAGE" || ! here "$REDIS_IMAGE"; then
  POSTGRES_IMAGE=aam-test/postgres REDIS_IMAGE=aam-test/redis
  base_image
  mkdir "$scratch/databases"
  database_images "$scratch/databases" "$POSTGRES_IMAGE" "$REDIS_IMAGE"
fi
if [ "${1:-}" = --image ]; then
  export BUILD_PROFILE=${BUILD_PROFILE:-dev}
  export BUILD_IMAGE=${BUILD_IMAGE:-rust:1.95-bookworm} RUNTIME_IMAGE=${RUNTIME_IMAGE:-debian:bookworm-slim}
  (cd "$checkout" && compose build)
else
  base_image
  mkdir -p "$scratch/image/programs" "$scratch/image/deploy"
  for program in aam embedded_airbyte orchestrator auth_broker drift_repair_agent; do
    strip -o "$scratch/image/programs/$program" "${CARGO_TARGET_DIR:-$root/target}/debug/$program"
  done
  cp deploy/compose_init.sh "$scratch/image/deploy/"
  docker build --quiet --build-arg RUNTIME_IMAGE=aam-test/base --target full --tag "$AAM_IMAGE" \
    --file deploy/Dockerfile.local "$scratch/image" >/dev/null
fi
[ "$(docker image inspect -f '{{.Config.Healthcheck.Test}}' "$AAM_IMAGE")" = '[CMD aam probe]' ] || die "the image has no health check"

cd "$checkout"
# The caller's variables are not part of the stack under test.
for name in $(sed -n 's/^\(# \)\?\([A-Z_]*\)=.*/\2/p' .env.example); do
  case $name in
    *_IMAGE | BUILD_* | NO_PROXY) ;;
    *) unset "$name" "${name}_FILE" ;;
  esac
done
free_port() { # one without a listener that was not returned before
  local port
  for _ in $(seq 100); do
    port=$((20000 + RANDOM % 20000))
    [[ " $handed_out " == *" $port "* ]] && continue
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      handed_out="$handed_out $port"
      return
    fi
  done
  die "no free port"
}
handed_out=""
for service in ORCHESTRATOR AUTH_BROKER DRIFT_REPAIR EMBEDDED_AIRBYTE; do
  free_port
  export "SERVICE_PORT_$service=${handed_out##* }"
done
orchestrator=http://127.0.0.1:$SERVICE_PORT_ORCHESTRATOR
# As a company's laptop has it: a proxy in the Docker client's settings, which every container is given.
gateway=$(docker run --rm "$AAM_IMAGE" python3 -c '
import socket, struct
routes = [line.split() for line in open("/proc/net/route")]
print(next(socket.inet_ntoa(struct.pack("<L", int(route[2], 16))) for route in routes if route[1] == "00000000"))')
free_port
python3 "$root/scripts/record_connections.py" "${handed_out##* }" "$scratch/seen" &
recorder=$!
mkdir "$scratch/docker"
jq -n --arg proxy "http://$gateway:${handed_out##* }" \
  '{proxies: {default: {httpProxy: $proxy, httpsProxy: $proxy}}}' >"$scratch/docker/config.json"
export DOCKER_CONFIG=$scratch/docker
# The connector's packages come from a folder instead of the index.
cat >docker-compose.override.yml <<OVERRIDE
services:
  embedded_airbyte:
    environment: {PIP_NO_INDEX: "1", PIP_FIND_LINKS: /wheels, PIP_NO_COMPILE: "1"}
    volumes: ["$wheels:/wheels:ro"]
OVERRIDE

say "README's section, as it is written"
python3 - <<'README' >"$scratch/walk.sh"
import re
section = open("README.md").read().split("\n## Docker Compose\n")[1].split("\n## ")[0]
blocks = re.findall(r"```sh\n(.*?)```", section, re.S)
assert len(blocks) >= 2, section
print("set -euxo pipefail")
print(". scripts/lib.sh")
print("type docker-compose >/dev/null 2>&1 || docker-compose() { docker compose \"$@\"; }")
print("\n".join(blocks).replace("localhost:8001", "127.0.0.1:$SERVICE_PORT_ORCHESTRATOR"))
README
bash "$scratch/walk.sh" </dev/null >"$scratch/walk.log" 2>&1 || { tail -n 40 "$scratch/walk.log"; die "README's section"; }
grep -q 'countries.*ACTIVE' "$scratch/walk.log" || { tail -n 40 "$scratch/walk.log"; die "README's connection is not there"; }
say "Health"
./scripts/test_health.sh

# By the engine itself, which is quicker than compose; ids change with each `up`.
declare -A container
find_containers() {
  for service in orchestrator auth_broker drift_repair_agent embedded_airbyte postgres redis; do
    container[$service]=$(compose ps -q "$service")
  done
}
inside() { # SERVICE COMMAND…
  local service=$1
  shift
  docker exec "${container[$service]}" "$@" </dev/null
}
find_containers
say "Who can read which key"
reads() { # SERVICE KEY
  inside "$1" test -s "/run/aam/keys/$2" || die "$1 cannot read $2"
}
reads_not() { # SERVICE KEY
  ! inside "$1" test -e "/run/aam/keys/$2" || die "$1 can see $2"
}
reads auth_broker broker/secret_key
for service in orchestrator drift_repair_agent embedded_airbyte; do
  reads_not "$service" broker/secret_key
  [ -z "$(inside "$service" printenv SECRET_KEY || true)" ] || die "SECRET_KEY is in the environment of $service"
done
reads embedded_airbyte airbyte/secret_key
for service in orchestrator drift_repair_agent auth_broker; do
  reads_not "$service" airbyte/secret_key
  reads "$service" services/service_token_key
done
for key in api/api_key services/service_token_key database/url redis/url; do reads_not embedded_airbyte "$key"; done
reads_not auth_broker airbyte_client/client_secret
reads_not auth_broker redis/url
made=$(inside auth_broker cat /run/aam/keys/broker/secret_key)
echo "as it should be"

say "Who reaches whom"
# By name, and by address where the name is not known, from where connectors run.
asked=""
for address in postgres:5432 redis:6379 auth_broker:8002; do
  asked="$asked $address"
  for network in $(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' "${container[${address%:*}]}"); do
    asked="$asked $network:${address#*:}"
  done
done
reached=$(inside embedded_airbyte python3 -c '
import socket, sys
for address in sys.argv[1:]:
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), 2).close()
        print(address)
    except OSError:
        pass' orchestrator:8001 $asked)
[ "$reached" = orchestrator:8001 ] || die "of orchestrator:8001$asked connectors should reach only the first, but reach: $reached"
[[ "$(inside redis redis-cli ping 2>&1)" == *NOAUTH* ]] || die "Redis requires no password"
echo "as it should be"

say "No service runs as root, all are confined, and none accepts calls without the key"
for service in orchestrator auth_broker drift_repair_agent embedded_airbyte postgres redis; do
  [ "$(inside "$service" id -u)" != 0 ] || die "$service runs as root"
  found=$(docker inspect "${container[$service]}" | jq -c '.[0].HostConfig |
    [.CapDrop == ["ALL"], (.SecurityOpt // [] | any(startswith("no-new-privileges"))), .ReadonlyRootfs, .Memory > 0,
     .PidsLimit > 0, .LogConfig.Config["max-size"] == "10m", .Init]')
  [ "$found" = '[true,true,true,true,true,true,true]' ] ||
    die "$service: capabilities, privileges, root, memory, processes, log, init: $found"
done
status=$(curl -sS -o /dev/null -w '%{http_code}' "$orchestrator/connections")
[ "$status" = 401 ] || die "without a key, GET /connections returns $status"
published=$(docker ps --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" --format '{{.Ports}}' | grep -E '(0\.0\.0\.0|\[?::\]?):[0-9]+->' || true)
[ -z "$published" ] || die "reachable from other machines: $published"
inside orchestrator aam status >/dev/null || die "aam status"
for service in orchestrator auth_broker drift_repair_agent; do
  output=$(inside "$service" aam doctor) || die "aam doctor in $service: $output"
done
output=$(docker run --rm --network none -e DATABASE_URL=postgresql://u:p@localhost/aam "$AAM_IMAGE" aam migrate status 2>&1) &&
  die "a missing database responds"
[[ "$output" == *host.docker.internal* ]] || die "no hint about localhost: $output"
echo "as it should be"

say "A connector that is a Python package"
inside orchestrator aam onboard people -t Faker --set count=50 --stream users >/dev/null
inside orchestrator aam sync people --wait
rows=$(inside embedded_airbyte python3 -c "import sqlite3; print(sqlite3.connect('/var/lib/aam/.aam/warehouse.db').execute('SELECT COUNT(*) FROM users').fetchone()[0])")
[ "$rows" = 50 ] || die "$rows of 50 rows"

say "The database restarts under load"
export KEY
KEY=$(api_key)
python3 "$root/scripts/restart_under_load.py" "$orchestrator" "http://127.0.0.1:$SERVICE_PORT_AUTH_BROKER" \
  docker restart --time 10 "${container[postgres]}"

say "Connections, keys and events outlive the containers"
count() { curl -sS -H "Authorization: Bearer $(api_key)" "$orchestrator/connections" | jq length; }
events() { inside redis sh -c "REDISCLI_AUTH=\$(sed -n 's/^requirepass //p' /run/aam/keys/redis/redis.conf) redis-cli xlen aam:events"; }
before=$(count) published_events=$(events)
[ "$before" -ge 1 ] || die "no connection is listed"
[ "$published_events" -ge 1 ] || die "no event is in Redis"
compose down --timeout 30 >/dev/null 2>&1
say "A key that .env provides as a file"
(umask 077; echo "aam_given_$(od -An -N16 -tx4 /dev/urandom | tr -d ' ')" >"$scratch/given")
echo "AAM_API_KEY_FILE=$scratch/given" >>.env
compose up -d >/dev/null 2>&1
find_containers
./scripts/test_health.sh
[ "$(api_key)" = "$(cat "$scratch/given")" ] || die "the scripts take another key than the file's"
[ "$(count)" = "$before" ] || die "$before connections before, $(count) after"
[ "$(events)" -ge "$published_events" ] || die "$published_events events before, $(events) after"
[ "$(inside auth_broker cat /run/aam/keys/broker/secret_key)" = "$made" ] || die "another secret key after the restart"
[ ! -s "$scratch/seen" ] || { cat "$scratch/seen"; die "calls went through the proxy"; }
# One that obeys the variables does reach it.
inside embedded_airbyte env NO_PROXY= no_proxy= python3 -c '
import os, urllib.request
assert os.environ["HTTP_PROXY"], "the proxy is not in the environment"
try:
    urllib.request.urlopen("http://orchestrator:8001/health", timeout=5)
except OSError:
    pass'
[ -s "$scratch/seen" ] || die "the check of the proxy does not work"

echo
echo "The compose stack works."
