#!/usr/bin/env bash
# Asks every service whether it is alive and ready. Waits up to WAIT seconds (60) for one that starts.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need curl jq

check() {
  await_service "$@"
  printf '%-20s %-8s ok\n' "$1" "$3"
}

for service in "orchestrator $ORCHESTRATOR" "auth_broker $AUTH_BROKER" "drift_repair_agent $DRIFT_REPAIR"; do
  read -r name base <<<"$service"
  check "$name" "$base" /health ".service == \"$name\" and .status == \"healthy\" and (.timestamp | endswith(\"Z\"))"
  check "$name" "$base" /ready '.ready == true'
done
echo "All services are healthy and ready."
