#!/usr/bin/env bash
# Builds a release archive from the debug programs, unpacks it elsewhere and runs aam from it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need cargo tar
scratch=$(mktemp -d "${TMPDIR:-/tmp}/aam-release-test.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
scripts/release.sh check "$version"
scripts/release.sh notes "$version" >"$scratch/notes.md"
[ -s "$scratch/notes.md" ] || die "the version has no notes"
! scripts/release.sh check 99.0.0 2>/dev/null || die "a version that is not in Cargo.toml is accepted"
archive=$(scripts/release.sh archive --profile dev --output "$scratch/release" | tail -n 1)
cd "$scratch/release"
sha256sum --check --quiet ./*.sha256
tar -xzf "$archive"
cd aam-"$version"-*/
[ "$(./aam --version)" = "aam $version" ] || die "aam --version prints $(./aam --version)"
for program in orchestrator auth_broker drift_repair_agent embedded_airbyte connector; do
  [ -x "$program" ] || die "$program is missing"
done
AAM_HOME=$scratch/home ./aam connectors list | grep -q source-postgres || die "the archive's aam lists no connectors"
echo "$(du -h "$archive" | cut -f1) $(basename "$archive")"
