#!/usr/bin/env bash
# Connectors that are Python packages, for real: each of the shipped table is installed and asks for
# its specification, some are synced and compared cell by cell, and a half installed one is repaired.
# Prints SKIPPED and the reason, and succeeds, where there is no Python with venv or no package index
# answers.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
skip() { echo "SKIPPED: $*"; exit 0; }

command -v python3 >/dev/null || skip "python3 is not installed"
python3 -c 'import venv, ensurepip' 2>/dev/null || skip "python3-venv is not installed"
need cargo jq
scratch=$(mktemp -d "${TMPDIR:-/tmp}/aam-connectors.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
# uv is the faster of the two ways to install.
python3 -m venv "$scratch/uv"
if ! timeout 300 "$scratch/uv/bin/pip" install -q --disable-pip-version-check --retries 1 uv >"$scratch/pip.log" 2>&1; then
  tail -n 3 "$scratch/pip.log"
  skip "no package index answers"
fi
cargo build --locked --workspace --bins --quiet
aam=$(realpath "${CARGO_TARGET_DIR:-target}/debug/aam")
check=$(realpath scripts/connectors_check.py)
cd "$scratch"
export AAM_HOME=$scratch/home

say "Installing, by venv and pip"
"$aam" connectors install source-hardcoded-records 2>&1 | tail -n 3
say "Repairing what an interrupted installation left"
rm "$AAM_HOME"/connectors/airbyte-source-hardcoded-records-*/installed
export PATH="$scratch/uv/bin:$PATH"
"$aam" connectors install source-hardcoded-records >repaired.log 2>&1 || { cat repaired.log; die "it was not repaired"; }
grep -q 'removing what an interrupted installation left' repaired.log || { cat repaired.log; die "nothing was repaired"; }
say "Asking each for its specification"
for connector in $("$aam" connectors list --output json | jq -r '.[] | select(.made == "python") | .connector'); do
  "$aam" connectors spec "$connector" >spec.json 2>spec.err || { cat spec.err; die "$connector has no spec"; }
  jq -e '.connectionSpecification.properties | length > 0' spec.json >/dev/null || die "$connector's spec says nothing"
  echo "$connector"
done
say "Syncing and comparing"
python3 "$check" "$aam"
