#!/usr/bin/env bash
# Runs every test, stage by stage, against a throw-away PostgreSQL, MariaDB and Redis started for
# the run.
#
#   --install   as root on Debian: installs the packages that are missing
#
# Without it, missing programs are named together with the command that installs them.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
INSTALL=no
for argument in "$@"; do
  case $argument in
    --install) INSTALL=yes ;;
    *) die "unknown argument $argument" ;;
  esac
done

pg_bin() { # the newest PostgreSQL's programs; Debian keeps them off the PATH
  local found
  found=$(command -v initdb || ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -n 1 || true)
  [ -n "$found" ] && dirname "$found"
  return 0
}
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
# The stages with a Docker engine start one where none answers.
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
    # Nothing of it is started: at run level 1 packages start no services.
    apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive $command -qq >/dev/null
  else
    die "missing: ${missing[*]}. Install them: sudo apt-get update && sudo $command"
  fi
fi
need cargo

# PostgreSQL refuses to run as root, and so does MariaDB.
scratch=$(mktemp -d "${TMPDIR:-/tmp}/aam-test.XXXXXX")
as_owner() { "$@"; }
if [ "$(id -u)" = 0 ]; then
  owner=$(id -un postgres 2>/dev/null || echo nobody)
  chown "$owner" "$scratch"
  as_owner() { setpriv --reuid "$owner" --regid "$(id -g "$owner")" --clear-groups env HOME="$scratch" "$@"; }
fi
chmod 755 "$scratch"
PG=$(pg_bin)
cleanup() {
  [ -n "${redis_pid:-}" ] && kill "$redis_pid" 2>/dev/null
  [ -s "$scratch/mariadb.pid" ] && kill -9 "$(cat "$scratch/mariadb.pid")" 2>/dev/null
  [ -d "$scratch/pg" ] && as_owner "$PG/pg_ctl" -D "$scratch/pg" -m immediate stop >/dev/null 2>&1
  rm -rf "$scratch"
}
trap cleanup EXIT

free_port() { # one that nobody listens on now
  local port
  for _ in $(seq 100); do
    port=$((20000 + RANDOM % 20000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  die "no free port"
}

say "Starting a throw-away PostgreSQL, MariaDB and Redis"
pg_port=$(free_port)
printf 'aam' >"$scratch/password" && chmod 644 "$scratch/password"
as_owner "$PG/initdb" -D "$scratch/pg" -U aam -A scram-sha-256 --pwfile "$scratch/password" -E UTF8 --no-sync >/dev/null
# With TLS, since hosted databases insist on it.
as_owner openssl req -new -x509 -days 2 -nodes -subj /CN=localhost \
  -keyout "$scratch/pg/server.key" -out "$scratch/pg/server.crt" 2>/dev/null
as_owner "$PG/pg_ctl" -D "$scratch/pg" -l "$scratch/pg.log" -w -o "-p $pg_port -k $scratch -c listen_addresses=127.0.0.1 -c ssl=on -c fsync=off -c max_connections=400 -c wal_level=logical -c max_replication_slots=50" start >/dev/null ||
  { cat "$scratch/pg.log"; die "PostgreSQL did not start"; }
mariadb_port=$(free_port)
as_owner mariadb-install-db --no-defaults --datadir="$scratch/mariadb" --skip-test-db \
  --auth-root-authentication-method=normal >"$scratch/mariadb.log" 2>&1 || { cat "$scratch/mariadb.log"; die "MariaDB was not set up"; }
printf "CREATE USER aam@'%%' IDENTIFIED BY 'aam';\nGRANT ALL ON *.* TO aam@'%%' WITH GRANT OPTION;\n" >"$scratch/mariadb.sql"
# With a certificate that an authority signed, so that it can be verified.
as_owner openssl req -new -x509 -days 2 -nodes -subj "/CN=An authority" \
  -keyout "$scratch/ca.key" -out "$scratch/ca.pem" 2>/dev/null
as_owner openssl req -new -nodes -subj /CN=localhost -keyout "$scratch/mariadb.key" -out "$scratch/mariadb.csr" 2>/dev/null
printf 'subjectAltName=IP:127.0.0.1\n' >"$scratch/names"
as_owner openssl x509 -req -days 2 -in "$scratch/mariadb.csr" -CA "$scratch/ca.pem" -CAkey "$scratch/ca.key" \
  -CAcreateserial -extfile "$scratch/names" -out "$scratch/mariadb.pem" 2>/dev/null
as_owner mariadbd --no-defaults --datadir="$scratch/mariadb" --socket="$scratch/mariadb.sock" \
  --pid-file="$scratch/mariadb.pid" --port="$mariadb_port" --bind-address=127.0.0.1 --skip-name-resolve \
  --ssl-ca="$scratch/ca.pem" --ssl-cert="$scratch/mariadb.pem" --ssl-key="$scratch/mariadb.key" --max-connections=400 \
  --log-bin="$scratch/mariadb-log" --binlog-format=ROW --server-id=1 \
  --max-allowed-packet=64M --innodb-flush-log-at-trx-commit=0 --init-file="$scratch/mariadb.sql" >>"$scratch/mariadb.log" 2>&1 &
mariadb_pid=$!
redis_port=$(free_port)
redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --dir "$scratch" >/dev/null &
redis_pid=$!
for _ in $(seq 300); do
  (exec 3<>"/dev/tcp/127.0.0.1/$mariadb_port") 2>/dev/null && break
  kill -0 "$mariadb_pid" 2>/dev/null || { cat "$scratch/mariadb.log"; die "MariaDB did not start"; }
  sleep 0.1
done
export AAM_TEST_MYSQL_URL="mysql://aam:aam@127.0.0.1:$mariadb_port"
export AAM_TEST_POSTGRES_URL="postgresql://aam:aam@127.0.0.1:$pg_port/postgres"
export AAM_TEST_REDIS_URL="redis://127.0.0.1:$redis_port"

say "Building"
# The tests start the real binaries.
cargo build --locked --workspace --bins
say "Tests"
nextest=no
cargo nextest --version >/dev/null 2>&1 && nextest=yes
if [ "$nextest" = yes ]; then
  cargo nextest run --locked --workspace
else
  cargo test --locked --workspace --lib --bins --tests
fi
for mode in strict hostile; do
  say "Whole-stack tests on a $mode Airbyte"
  export AAM_TEST_AIRBYTE_MODE=$mode
  if [ "$nextest" = yes ]; then
    cargo nextest run --locked --workspace -E 'binary(contract) | binary(failures) | binary(heal)'
  else
    cargo test --locked --workspace --test contract --test failures --test heal
  fi
done
unset AAM_TEST_AIRBYTE_MODE
say "Stage verify"
scripts/test_verify_airbyte.sh
say "Stage SDK"
scripts/test_sdk.sh
say "Stage fuzz"
scripts/test_fuzz.sh
say "Stage connectors"
scripts/test_connectors.sh
say "Stage ingestion"
scripts/test_ingestion.sh
say "Stage Docker"
scripts/test_docker.sh
say "Stage contract"
scripts/test_contract.sh
say "Stage compose"
scripts/test_compose.sh
say "All tests passed"
