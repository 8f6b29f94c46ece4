# Throw-away database servers for a run of tests. Sourced after lib.sh, not run.
#
# start_databases starts a PostgreSQL, a MariaDB and a Redis on free ports below a scratch folder and
# exports AAM_TEST_POSTGRES_URL, AAM_TEST_MYSQL_URL and AAM_TEST_REDIS_URL; stop_databases removes all.

pg_bin() { # the newest PostgreSQL's programs; Debian keeps them off the PATH
  local found
  found=$(command -v initdb || ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -n 1 || true)
  [ -n "$found" ] && dirname "$found"
  return 0
}

free_port() { # one that nothing listens on now
  local port
  for _ in $(seq 100); do
    port=$((20000 + RANDOM % 20000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  die "no free port"
}

as_owner() { "$@"; }

start_databases() { # SCRATCH
  databases=$1
  # PostgreSQL refuses to run as root, and so does MariaDB.
  if [ "$(id -u)" = 0 ]; then
    databases_owner=$(id -un postgres 2>/dev/null || echo nobody)
    chown "$databases_owner" "$databases"
    as_owner() {
      setpriv --reuid "$databases_owner" --regid "$(id -g "$databases_owner")" --clear-groups \
        env HOME="$databases" "$@"
    }
  fi
  chmod 755 "$databases"
  PG=$(pg_bin)
  start_postgres
  start_mariadb
  local redis_port
  redis_port=$(free_port)
  redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --dir "$databases" >/dev/null &
  redis_pid=$!
  for _ in $(seq 300); do
    (exec 3<>"/dev/tcp/127.0.0.1/$mariadb_port") 2>/dev/null && break
    kill -0 "$mariadb_pid" 2>/dev/null || { cat "$databases/mariadb.log"; die "MariaDB did not start"; }
    sleep 0.1
  done
  export AAM_TEST_MYSQL_URL="mysql://aam:aam@127.0.0.1:$mariadb_port"
  export AAM_TEST_POSTGRES_URL="postgresql://aam:aam@127.0.0.1:$pg_port/postgres"
  export AAM_TEST_REDIS_URL="redis://127.0.0.1:$redis_port"
}

stop_databases() {
  [ -n "${redis_pid:-}" ] && kill "$redis_pid" 2>/dev/null
  [ -s "${databases:-}/mariadb.pid" ] && kill -9 "$(cat "$databases/mariadb.pid")" 2>/dev/null
  [ -d "${databases:-}/pg" ] && as_owner "$PG/pg_ctl" -D "$databases/pg" -m immediate stop >/dev/null 2>&1
  rm -rf "${databases:-/nonexistent}"
}

start_postgres() {
  pg_port=$(free_port)
  printf 'aam' >"$databases/password" && chmod 644 "$databases/password"
  as_owner "$PG/initdb" -D "$databases/pg" -U aam -A scram-sha-256 --pwfile "$databases/password" -E UTF8 --no-sync >/dev/null
  # With TLS, since hosted databases insist on it.
  as_owner openssl req -new -x509 -days 2 -nodes -subj /CN=localhost \
    -keyout "$databases/pg/server.key" -out "$databases/pg/server.crt" 2>/dev/null
  as_owner "$PG/pg_ctl" -D "$databases/pg" -l "$databases/pg.log" -w -o "-p $pg_port -k $databases -c listen_addresses=127.0.0.1 -c ssl=on -c fsync=off -c max_connections=400 -c wal_level=logical -c max_replication_slots=50" start >/dev/null ||
    { cat "$databases/pg.log"; die "PostgreSQL did not start"; }
}

start_mariadb() {
  mariadb_port=$(free_port)
  as_owner mariadb-install-db --no-defaults --datadir="$databases/mariadb" --skip-test-db \
    --auth-root-authentication-method=normal >"$databases/mariadb.log" 2>&1 || { cat "$databases/mariadb.log"; die "MariaDB was not set up"; }
  printf "CREATE USER aam@'%%' IDENTIFIED BY 'aam';\nGRANT ALL ON *.* TO aam@'%%' WITH GRANT OPTION;\n" >"$databases/mariadb.sql"
  # With a certificate that an authority signed, so that clients can verify it.
  as_owner openssl req -new -x509 -days 2 -nodes -subj "/CN=An authority" \
    -keyout "$databases/ca.key" -out "$databases/ca.pem" 2>/dev/null
  as_owner openssl req -new -nodes -subj /CN=localhost -keyout "$databases/mariadb.key" -out "$databases/mariadb.csr" 2>/dev/null
  printf 'subjectAltName=IP:127.0.0.1\n' >"$databases/names"
  as_owner openssl x509 -req -days 2 -in "$databases/mariadb.csr" -CA "$databases/ca.pem" -CAkey "$databases/ca.key" \
    -CAcreateserial -extfile "$databases/names" -out "$databases/mariadb.pem" 2>/dev/null
  as_owner mariadbd --no-defaults --datadir="$databases/mariadb" --socket="$databases/mariadb.sock" \
    --pid-file="$databases/mariadb.pid" --port="$mariadb_port" --bind-address=127.0.0.1 --skip-name-resolve \
    --ssl-ca="$databases/ca.pem" --ssl-cert="$databases/mariadb.pem" --ssl-key="$databases/mariadb.key" --max-connections=400 \
    --log-bin="$databases/mariadb-log" --binlog-format=ROW --server-id=1 \
    --max-allowed-packet=64M --innodb-flush-log-at-trx-commit=0 --init-file="$databases/mariadb.sql" >>"$databases/mariadb.log" 2>&1 &
  mariadb_pid=$!
}
