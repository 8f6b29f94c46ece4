#!/usr/bin/env bash
# Connectors that are Python packages, for real: each of the shipped table is installed and asks for
# its specification, some are synced and compared cell by cell, and a half installed one is repaired. The
# native file connectors are synced beside them, into files that DuckDB reads and a server of S3.
# Skipped where there is no Python with venv, or no package index answers in time.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip connectors "python3 is not installed"
python3 -c 'import venv, ensurepip' 2>/dev/null || skip connectors "python3-venv is not installed"
need cargo jq
scratch=$(mktemp -d "${TMPDIR:-/tmp}/aam-connectors.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
# uv is the faster of the two ways to install.
python3 -m venv "$scratch/uv"
if ! timeout 300 "$scratch/uv/bin/pip" install -q --disable-pip-version-check --retries 1 uv >"$scratch/pip.log" 2>&1; then
  tail -n 3 "$scratch/pip.log"
  skip connectors "no package index answers"
fi
python3 -m venv "$scratch/tools"
if ! timeout 600 "$scratch/uv/bin/uv" pip install -q --python "$scratch/tools/bin/python" 'moto[server]' boto3 duckdb pytz >"$scratch/pip.log" 2>&1; then
  tail -n 3 "$scratch/pip.log"
  skip connectors "the package index does not answer any more"
fi
cargo build --locked --workspace --bins --quiet
aam=$(realpath "${CARGO_TARGET_DIR:-target}/debug/aam")
check=$(realpath scripts/connectors_check.py)
root=$PWD
cd "$scratch"
export AAM_HOME=$scratch/home

# Runs aam; where the reason of a failure is the index, the rest is skipped.
try() {
  local code=0
  timeout 300 "$aam" "$@" >out.log 2>err.log || code=$?
  [ "$code" = 0 ] && return
  tail -n 5 err.log
  [ "$code" = 124 ] && skip connectors "the package index is too slow"
  grep -q 'package index cannot be reached' err.log && skip connectors "the package index does not answer any more"
  die "aam $*"
}

say "Installing, by venv and pip"
try connectors install source-hardcoded-records
tail -n 1 out.log
say "Repairing what an interrupted installation left"
rm "$AAM_HOME"/connectors/airbyte-source-hardcoded-records-*/installed
export PATH="$scratch/uv/bin:$PATH"
try connectors install source-hardcoded-records
grep -q 'removing what an interrupted installation left' err.log || { cat err.log; die "nothing was repaired"; }
say "Asking each for its specification"
for connector in $("$aam" connectors list --output json | jq -r '.[] | select(.made == "python") | .connector'); do
  try connectors spec "$connector"
  jq -e '.connectionSpecification.properties | length > 0' out.log >/dev/null || die "$connector's spec has no properties"
  shipped=$root/crates/embedded_airbyte/src/connector/python/specifications/airbyte-$connector.json
  diff <(jq -S .specification "$shipped") <(jq -S . out.log) || die "$connector's shipped specification is another one"
  echo "$connector"
  # Each takes some 300 MB; only these are needed further.
  case $connector in
    source-hardcoded-records | source-faker | source-file) ;;
    *) rm -rf "$AAM_HOME/connectors/airbyte-$connector-"* ;;
  esac
done
say "Syncing and comparing"
"$scratch/tools/bin/python" "$check" "$aam"
