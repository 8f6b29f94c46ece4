#!/usr/bin/env bash
# Every check that CI runs, one after another:
#
#   format lints rustdoc dependencies msrv tests fuzz
#
#   --only CHECK[,CHECK]   these checks alone
#   --without CHECK        all but this one
#
# Further arguments go to scripts/test.sh.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
checks="format lints rustdoc dependencies msrv tests fuzz"
chosen=$checks
rest=()
known() {
  for check in $1; do
    [[ " $checks " == *" $check "* ]] || die "unknown check $check; the checks are: $checks"
  done
}
while [ $# -gt 0 ]; do
  case $1 in
    --only)
      chosen=${2:?--only requires a check}
      chosen=${chosen//,/ }
      known "$chosen"
      shift
      ;;
    --without)
      known "${2:?--without requires a check}"
      chosen=" $chosen "
      chosen=${chosen/ $2 / }
      shift
      ;;
    *) rest+=("$1") ;;
  esac
  shift
done
need cargo
tools=$PWD/target/tools
export PATH="$PATH:$tools/bin"

# The oldest Rust that Cargo.toml promises compiles everything.
msrv() {
  local promised
  promised=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
  if [[ $(rustc --version) == "rustc $promised."* ]]; then
    echo "rustc is $promised itself"
    return
  fi
  rustup toolchain list | grep -q "^$promised" || rustup toolchain install --profile minimal "$promised"
  local toolchain
  toolchain=$(rustup toolchain list | sed -n "s/^\($promised[^ ]*\).*/\1/p" | head -n 1)
  CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/msrv cargo "+$toolchain" check --locked --workspace --all-targets
}

for check in $chosen; do
  say "Check $check"
  case $check in
    format) cargo fmt --all --check ;;
    lints) cargo clippy --locked --workspace --all-targets -- -D warnings ;;
    rustdoc) RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items ;;
    dependencies) scripts/test_dependencies.sh ;;
    msrv) msrv ;;
    tests) scripts/test.sh "${rest[@]}" ;;
    # Builds with a sanitizer, so it shares nothing with the other checks.
    fuzz)
      if ! cargo fuzz --version >/dev/null 2>&1; then
        cargo install --locked --quiet --root "$tools" cargo-fuzz@0.13.2
      fi
      scripts/fuzz.sh 60
      ;;
  esac
done
