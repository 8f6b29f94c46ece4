#!/usr/bin/env bash
# Ends the embedded Airbyte in the middle of syncs, by kill -9 and by SIGTERM, and prints for each
# destination, mode and way: stops, stops after a commit, rows, missing rows, doubled rows. The S3
# server is moto's where a package index answers, else one of the tests' own.
#
#   AAM_TEST_POSTGRES_URL   a server whose user may make databases
#   STOPS                   of each destination, mode and way (50)
#   AAM_TEST_ENGINE         another build of the engine to try
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need cargo
[ -n "${AAM_TEST_POSTGRES_URL:-}" ] || die "AAM_TEST_POSTGRES_URL names no PostgreSQL server, for example postgresql://user:password@127.0.0.1:5432/postgres"
scratch=$(mktemp -d "${TMPDIR:-/tmp}/aam-delivery.XXXXXX")
cleanup() {
  [ -n "${moto:-}" ] && kill "$moto" 2>/dev/null
  rm -rf "$scratch"
}
trap cleanup EXIT
if python3 -m venv "$scratch/python" 2>/dev/null &&
  timeout 300 "$scratch/python/bin/pip" install -q --disable-pip-version-check --retries 1 uv >"$scratch/pip.log" 2>&1 &&
  timeout 600 "$scratch/python/bin/uv" pip install -q --python "$scratch/python/bin/python" 'moto[server]' >"$scratch/pip.log" 2>&1; then
  # Port 0 selects a free one, which moto prints.
  "$scratch/python/bin/moto_server" -H 127.0.0.1 -p 0 >"$scratch/moto.log" 2>&1 &
  moto=$!
  for _ in $(seq 300); do
    port=$(sed -n 's/.*Running on http:\/\/127\.0\.0\.1:\([0-9]*\).*/\1/p' "$scratch/moto.log" | head -n 1)
    [ -n "$port" ] && break
    kill -0 "$moto" 2>/dev/null || { cat "$scratch/moto.log"; die "moto did not start"; }
    sleep 0.1
  done
  [ -n "$port" ] || die "moto names no port"
  export AAM_TEST_S3_URL=http://127.0.0.1:$port
fi
cargo build --locked --workspace --bins
say "destination | mode | way | stops | after a commit | rows | missing | doubled"
AAM_TEST_DELIVERY=${STOPS:-50} cargo test --locked --workspace --test api delivery::rows -- --nocapture --test-threads 3
