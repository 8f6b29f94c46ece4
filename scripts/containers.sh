# Functions that the stages with a real Docker engine share. Sourced after lib.sh, not run.

# Returns if a Docker engine responds. Otherwise starts one, runs the script again inside it
# (docker_engine.sh), stops it and exits. Without root on Linux, it cannot start one and skips the stage.
with_engine() { # STAGE SCRIPT ARGUMENT…
  local stage=$1
  shift
  command -v docker >/dev/null && timeout 20 docker info >/dev/null 2>&1 && return
  if [ "$(id -u)" != 0 ] || [ "$(uname)" != Linux ]; then
    skip "$stage" "no Docker engine responds, and starting one needs root on Linux"
  fi
  local script=$1 code=0 folder
  shift
  for program in docker dockerd containerd runc iptables unshare nsenter ip; do
    command -v "$program" >/dev/null || [ -x "/usr/sbin/$program" ] ||
      die "$program is not installed: apt-get install docker.io iptables iproute2 (scripts/test.sh --install does)"
  done
  export PATH="$PATH:/usr/sbin:/sbin"
  folder=$(mktemp -d "${TMPDIR:-/tmp}/aam-engine.XXXXXX")
  trap 'scripts/docker_engine.sh stop "$folder"' EXIT
  say "No Docker engine responds: starting one"
  scripts/docker_engine.sh start "$folder"
  scripts/docker_engine.sh exec "$folder" "$script" "$@" || code=$?
  [ "$code" = 0 ] || tail -n 20 "$folder/engine.log" >&2
  exit "$code"
}

# Assembles this machine's Debian with Python, PostgreSQL and Redis, once, outside the tree, and sets
# base_archive to its file. It requires the network, which an engine that with_engine started lacks:
# call it first.
fetch_base() {
  local codename cache root attempt
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/aam/containers
  base_archive=$cache/debian-$codename-1.tar
  [ ! -s "$base_archive" ] || return 0
  command -v debootstrap >/dev/null || [ -x /usr/sbin/debootstrap ] ||
    die "debootstrap is not installed; it is required for base images"
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
  if [ ! -s "$base_archive" ]; then
    say "Assembling a base image (once, cached in $cache)"
    # A mirror may fail for a moment; debootstrap itself does not retry.
    for attempt in 1 2 3; do
      root=$(mktemp -d "$cache/.root.XXXXXX")
      PATH=$PATH:/usr/sbin:/sbin debootstrap --variant=minbase --include=ca-certificates "$codename" "$root" \
        >"$cache/debootstrap.log" 2>&1 && break
      tail -n 20 "$cache/debootstrap.log"
      rm -rf "$root"
      [ "$attempt" -lt 3 ] || die "debootstrap failed"
      sleep $((attempt * 10))
    done
    # Installed services are not started.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    PATH=$PATH:/usr/sbin:/sbin chroot "$root" env DEBIAN_FRONTEND=noninteractive sh -c '
      apt-get update -qq
      apt-get install -y -qq --no-install-recommends python3 python3-venv postgresql redis-server
      apt-get clean
      rm -rf /var/lib/apt/lists/* /var/lib/postgresql/*/main' >>"$cache/debootstrap.log" 2>&1 ||
      { tail -n 20 "$cache/debootstrap.log"; rm -rf "$root"; die "installing into the base image failed"; }
    tar -C "$root" -cf "$cache/.new" .
    mv "$cache/.new" "$base_archive"
    rm -rf "$root"
  fi
  flock -u 9
}

# Makes that Debian the image aam-test/base.
base_image() {
  docker image inspect aam-test/base >/dev/null 2>&1 && return
  fetch_base
  docker import "$base_archive" aam-test/base >/dev/null
}

# Builds NAME from a Dockerfile on stdin and the files of a folder. The classic builder requires no
# other program and pulls no image that exists locally.
build() { # NAME FOLDER
  DOCKER_BUILDKIT=0 docker build --quiet --tag "$1" --file - "$2" >/dev/null
}

# Images that behave like the official ones of PostgreSQL and Redis where compose depends on it.
database_images() { # FOLDER POSTGRES REDIS
  cat >"$1/postgres.sh" <<'ENTRYPOINT'
#!/bin/sh
# Initializes the database on the first start, with only its socket open, then runs it.
set -eu
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  chmod 700 "$PGDATA"
  initdb -D "$PGDATA" -U "$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" -A scram-sha-256 -E UTF8 --no-sync >/dev/null
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
  export PGPASSWORD
  pg_ctl -D "$PGDATA" -w -o "-c listen_addresses=''" start >/dev/null
  createdb -h /var/run/postgresql -U "$POSTGRES_USER" "$POSTGRES_DB"
  pg_ctl -D "$PGDATA" -w -m fast stop >/dev/null
fi
exec postgres -c listen_addresses='*'
ENTRYPOINT
  build "$2" "$1" <<'DOCKERFILE'
FROM aam-test/base
COPY postgres.sh /usr/local/bin/
RUN chmod 755 /usr/local/bin/postgres.sh && install -d -o postgres -g postgres -m 1777 /var/lib/postgresql/data \
 && install -d -o postgres -g postgres -m 3777 /var/run/postgresql \
 && ln -s /usr/lib/postgresql/*/bin/pg_isready /usr/local/bin/
ENV PGDATA=/var/lib/postgresql/data
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
ENTRYPOINT ["postgres.sh"]
DOCKERFILE
  build "$3" "$1" <<'DOCKERFILE'
FROM aam-test/base
RUN install -d -o redis -g redis /data
VOLUME /data
WORKDIR /data
DOCKERFILE
}
