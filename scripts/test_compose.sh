#!/usr/bin/env bash
# Builds the image, starts the compose stack from an unedited .env.example under a project name and
# ports of its own, runs both smoke scripts against it and takes everything down again. Prints
# SKIPPED and the reason, and succeeds, where no Docker engine answers or no base image can be had.
#
#   BUILD_PROFILE   the cargo profile the image is built with: dev, the quicker one, or release
#   BUILD_IMAGE, RUNTIME_IMAGE, POSTGRES_IMAGE, REDIS_IMAGE   as in .env.example
set -euo pipefail
. "$(dirname "$0")/lib.sh"
skip() { echo "SKIPPED: $*"; exit 0; }

command -v docker >/dev/null || skip "docker is not installed"
compose version >/dev/null 2>&1 || skip "docker-compose is not installed"
timeout 20 docker info >/dev/null 2>&1 || skip "no Docker engine answers"
need curl git jq tar

export BUILD_PROFILE=${BUILD_PROFILE:-dev}
export BUILD_IMAGE=${BUILD_IMAGE:-rust:1.95-bookworm} RUNTIME_IMAGE=${RUNTIME_IMAGE:-debian:bookworm-slim}
export POSTGRES_IMAGE=${POSTGRES_IMAGE:-postgres:17} REDIS_IMAGE=${REDIS_IMAGE:-redis:7}
for image in "$BUILD_IMAGE" "$RUNTIME_IMAGE" "$POSTGRES_IMAGE" "$REDIS_IMAGE"; do
  docker image inspect "$image" >/dev/null 2>&1 || timeout 300 docker pull -q "$image" >/dev/null 2>&1 ||
    skip "the image $image is not here and cannot be pulled"
done

# A copy of the checkout, so that neither a .env of the developer's nor a stack of theirs is touched.
checkout=$(mktemp -d "${TMPDIR:-/tmp}/aam-compose.XXXXXX")
export COMPOSE_PROJECT_NAME="aamtest$$" AAM_IMAGE=aam:test
cleanup() {
  local code=$?
  cd "$checkout"
  if [ -f docker-compose.yml ]; then
    [ "$code" = 0 ] || compose logs --no-color --tail 60 || true
    compose down --volumes --remove-orphans --timeout 15 >/dev/null 2>&1 || true
  fi
  rm -rf "$checkout"
}
trap cleanup EXIT
git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -T - -cf - | tar -xf - -C "$checkout"
cd "$checkout"
cp .env.example .env
# What the caller's shell happens to hold is no part of the stack under test.
for name in $(sed -n 's/^\(# \)\?\([A-Z_]*\)=.*/\2/p' .env.example); do
  case $name in
    BUILD_* | *_IMAGE) ;;
    *) unset "$name" "${name}_FILE" ;;
  esac
done

free_port() { # one that nobody listens on now and that was not handed out before
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

say "Build the image ($BUILD_PROFILE)"
compose build
say "Start"
compose up -d

say "Onboard through it"
./scripts/test_onboarding.sh
say "Health"
./scripts/test_health.sh

say "Who can read which key"
inside() { compose exec -T "$@" </dev/null; }
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
reads_not embedded_airbyte services/service_token_key
reads_not embedded_airbyte database/url
reads_not auth_broker airbyte_client/client_secret
made=$(inside auth_broker cat /run/aam/keys/broker/secret_key)
echo "as it should be"

say "Nobody runs as root, and nobody is let in without the key"
for service in orchestrator auth_broker drift_repair_agent embedded_airbyte; do
  [ "$(inside "$service" id -u)" != 0 ] || die "$service runs as root"
done
status=$(curl -sS -o /dev/null -w '%{http_code}' "http://127.0.0.1:$SERVICE_PORT_ORCHESTRATOR/connections")
[ "$status" = 401 ] || die "without a key, GET /connections answers $status"
published=$(docker ps --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" --format '{{.Ports}}' | grep -E '(0\.0\.0\.0|\[?::\]?):[0-9]+->' || true)
[ -z "$published" ] || die "reachable from other machines: $published"
echo "as it should be"

say "What was onboarded and the keys outlive the containers"
count() {
  curl -sS -H "Authorization: Bearer $(api_key)" "http://127.0.0.1:$SERVICE_PORT_ORCHESTRATOR/connections" | jq length
}
before=$(count)
[ "$before" -ge 1 ] || die "no connection is listed"
compose down --timeout 30
compose up -d
./scripts/test_health.sh
[ "$(count)" = "$before" ] || die "$before connections before, $(count) after"
[ "$(inside auth_broker cat /run/aam/keys/broker/secret_key)" = "$made" ] || die "another secret key after the restart"

echo
echo "The compose stack works."
