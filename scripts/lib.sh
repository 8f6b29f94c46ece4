# What the scripts share. Sourced, not run.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n== %s\n' "$*"; }
die() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
# Ends a test script that cannot run here, and records why for scripts/test.sh.
skip() { # NAME REASON…
  local name=$1
  shift
  printf 'SKIPPED: %s\n' "$*"
  [ -z "${AAM_TEST_SKIPS:-}" ] || printf '%s\t%s\n' "$name" "$*" >>"$AAM_TEST_SKIPS"
  exit 77
}
need() {
  for program in "$@"; do
    command -v "$program" >/dev/null || die "$program is not installed"
  done
}

# Keys and tokens go to the address that is asked, past every proxy that the environment or a .curlrc
# names; whatever else is started here asks this machine directly too.
curl() { command curl --noproxy '*' "$@"; }
export NO_PROXY="127.0.0.1,localhost,::1${NO_PROXY:+,$NO_PROXY}"
export no_proxy=$NO_PROXY

# A variable of .env, unless the environment has it.
from_env_file() {
  [ -n "${!1:-}" ] && { printf '%s' "${!1}"; return; }
  [ -f .env ] || return 0
  sed -n "s/^$1=//p" .env | tail -n 1 | sed 's/^"\(.*\)"$/\1/; s/^'"'"'\(.*\)'"'"'$/\1/'
}

# docker-compose, as a program of its own or as docker's plugin; fails where there is neither.
compose() {
  if command -v docker-compose >/dev/null 2>&1; then
    docker-compose "$@"
  elif docker compose version >/dev/null 2>&1; then
    docker compose "$@"
  else
    return 127
  fi
}

# The key the services want: given, or in .env, or made by the compose stack's init.
api_key() {
  local key file
  key=$(from_env_file AAM_API_KEY)
  file=$(from_env_file AAM_API_KEY_FILE)
  if [ -z "$key" ] && [ -n "$file" ] && [ -r "$file" ]; then key=$(cat "$file"); fi
  if [ -z "$key" ] && [ -n "$(compose ps -q orchestrator 2>/dev/null)" ]; then
    key=$(compose exec -T orchestrator cat /run/aam/keys/api/api_key 2>/dev/null || true)
  fi
  printf '%s' "$key"
}

# The base URL of a service: given, or on this machine at its port.
service_url() { # URL_VARIABLE PORT_VARIABLE DEFAULT_PORT
  local url port
  url=$(from_env_file "$1")
  port=$(from_env_file "$2")
  printf '%s' "${url:-http://127.0.0.1:${port:-$3}}"
}

ORCHESTRATOR=$(service_url ORCHESTRATOR_URL SERVICE_PORT_ORCHESTRATOR 8001)
AUTH_BROKER=$(service_url AUTH_BROKER_URL SERVICE_PORT_AUTH_BROKER 8002)
DRIFT_REPAIR=$(service_url DRIFT_REPAIR_URL SERVICE_PORT_DRIFT_REPAIR 8003)
ORCHESTRATOR=${ORCHESTRATOR%/} AUTH_BROKER=${AUTH_BROKER%/} DRIFT_REPAIR=${DRIFT_REPAIR%/}

# Waits until a service answers what is expected of it; fails after WAIT seconds (60).
await_service() { # NAME BASE PATH JQ_FILTER
  local deadline=$((SECONDS + ${WAIT:-60})) body=""
  while :; do
    body=$(curl -sS --max-time 10 "$2$3" 2>&1) && jq -e "$4" >/dev/null 2>&1 <<<"$body" && return
    [ "$SECONDS" -lt "$deadline" ] || die "$1 $3 at $2: $body"
    sleep 0.5
  done
}
