#!/usr/bin/env bash
# scripts/verify_airbyte.sh against embedded Airbytes: it finds no difference to one like its own, and
# the one difference to a strict one.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need cargo python3 sqlite3
cargo build --locked --workspace --bins --quiet
scratch=$(mktemp -d "${TMPDIR:-/tmp}/aam-verify-test.XXXXXX")
trap 'kill "${other:-}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$scratch"' EXIT
sqlite3 "$scratch/shop.db" "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT); INSERT INTO orders VALUES (1, 'tea')"
export AAM_DATA_ROOTS=$scratch AIRBYTE_CLIENT_ID=yours AIRBYTE_CLIENT_SECRET=secret-of-yours
export VERIFY_SOURCE="{\"sourceType\": \"sqlite\", \"path\": \"$scratch/shop.db\"}"

compare() { # MODE: prints what verify_airbyte.sh does, and returns its code
  AAM_HOME="$scratch/$1" EMBEDDED_AIRBYTE_MODE=$1 SERVICE_PORT_EMBEDDED_AIRBYTE=0 LOG_FORMAT=json \
    "${CARGO_TARGET_DIR:-target}/debug/embedded_airbyte" >/dev/null 2>"$scratch/$1.log" &
  other=$!
  local address=
  for _ in $(seq 100); do
    address=$(sed -n 's/.*"message":"listening".*"address":"\([^"]*\)".*/\1/p' "$scratch/$1.log" | head -n 1)
    [ -n "$address" ] && break
    sleep 0.1
  done
  local code=0
  AIRBYTE_API_URL="http://$address/api/public/v1" scripts/verify_airbyte.sh || code=$?
  kill "$other"
  wait "$other" 2>/dev/null || true
  return $code
}

compare lenient >"$scratch/lenient.txt" || { cat "$scratch/lenient.txt"; die "the same engine differs from itself"; }
cat "$scratch/lenient.txt"
grep -q '^[0-9]* answers compared, 0 differences$' "$scratch/lenient.txt" || die "no summary"
compare strict >"$scratch/strict.txt" && die "a strict engine is not distinguished from a lenient one"
cat "$scratch/strict.txt"
grep -q '^token by a form: status: embedded 200, yours 400' "$scratch/strict.txt" || die "the difference is not reported"
[ "$(wc -l <"$scratch/strict.txt")" = 2 ] || die "more than one difference"
