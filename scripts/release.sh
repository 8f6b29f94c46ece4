#!/usr/bin/env bash
# Builds what a release consists of (RELEASING.md):
#
#   release.sh check VERSION                  Cargo.toml, Cargo.lock and CHANGELOG.md agree on the version
#   release.sh notes VERSION                  the version's section of the changelog
#   release.sh archive [--profile PROFILE] [--output FOLDER]
#                                             aam-VERSION-TARGET.tar.gz and its checksum; profile: dist
#   release.sh image NAME:TAG                 the image, with Docker
set -euo pipefail
. "$(dirname "$0")/lib.sh"

PROGRAMS="aam orchestrator auth_broker drift_repair_agent embedded_airbyte connector"

version() { sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml; }

section() { # VERSION
  awk -v version="$1" '/^## /{ found = ($2 == version); next } found' CHANGELOG.md
}

checksum() { # FILE…
  if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi
}

case ${1:-} in
  check)
    wanted=${2:?usage: release.sh check VERSION}
    [ "$(version)" = "$wanted" ] || die "Cargo.toml has version $(version), not $wanted"
    cargo metadata --locked --no-deps --format-version 1 >/dev/null || die "Cargo.lock is out of date"
    [ -n "$(section "$wanted")" ] || die "CHANGELOG.md has no section \"## $wanted\""
    echo "$wanted is consistent"
    ;;
  notes)
    notes=$(section "${2:?usage: release.sh notes VERSION}")
    [ -n "$notes" ] || die "CHANGELOG.md has no section \"## $2\""
    printf '%s\n' "$notes"
    ;;
  archive)
    shift
    profile=dist output=release
    while [ $# -gt 0 ]; do
      case $1 in
        --profile) profile=${2:?--profile requires a name} ;;
        --output) output=${2:?--output requires a folder} ;;
        *) die "unknown argument $1" ;;
      esac
      shift 2
    done
    need cargo tar
    cargo build --locked --workspace --bins --profile "$profile"
    folder=$profile
    [ "$profile" = dev ] && folder=debug
    built=${CARGO_TARGET_DIR:-target}/$folder
    target=$(rustc -vV | sed -n 's/^host: //p')
    name=aam-$(version)-$target
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/aam-release.XXXXXX")
    trap 'rm -rf "$scratch"' EXIT
    mkdir -p "$scratch/$name" "$output"
    for program in $PROGRAMS; do
      cp "$built/$program" "$scratch/$name/"
      strip "$scratch/$name/$program"
    done
    cp -R LICENSE README.md CHANGELOG.md .env.example docs "$scratch/$name/"
    tar -C "$scratch" -czf "$output/$name.tar.gz" "$name"
    (cd "$output" && checksum "$name.tar.gz" >"$name.tar.gz.sha256")
    echo "$output/$name.tar.gz"
    ;;
  image)
    name=${2:?usage: release.sh image NAME:TAG}
    need docker
    docker build --label org.opencontainers.image.version="$(version)" \
      --label org.opencontainers.image.revision="$(git rev-parse HEAD)" --tag "$name" .
    ;;
  *)
    die "usage: release.sh check|notes|archive|image"
    ;;
esac
