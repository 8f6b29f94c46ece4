#!/usr/bin/env bash
# A Docker engine for tests, in separate network and mount namespaces, with its defaults: bridge
# networks, published ports, overlay2. It does not touch this machine's network or Docker. Run as root.
#
#   docker_engine.sh start FOLDER          starts it; its files are below FOLDER
#   docker_engine.sh exec FOLDER COMMAND…  runs a command where the engine and its published ports are
#   docker_engine.sh stop FOLDER           ends it and all that ran in it
#
# Requires dockerd, containerd and runc (Debian: docker.io), iptables, iproute2 and util-linux.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2; }
what=$1 folder=$2
shift 2
inside() { # the process that holds the namespaces
  local pid
  pid=$(cat "$folder/namespace.pid" 2>/dev/null) && [ -d "/proc/$pid" ] && echo "$pid"
}

case $what in
  start)
    [ "$(id -u)" = 0 ] || { echo "starting a Docker engine needs root" >&2; exit 1; }
    mkdir -p "$folder"
    folder=$(cd "$folder" && pwd)
    # Detached from the terminal, and from the pipes of this script's caller.
    setsid unshare --net --mount "$0" inside "$folder" </dev/null >"$folder/engine.log" 2>&1 &
    for _ in $(seq 300); do
      if [ -S "$folder/docker.sock" ] && "$0" exec "$folder" docker info >/dev/null 2>&1; then exit 0; fi
      kill -0 $! 2>/dev/null || break
      sleep 0.2
    done
    tail -n 30 "$folder/engine.log" >&2
    echo "the Docker engine does not start" >&2
    exit 1
    ;;
  exec)
    pid=$(inside) || { echo "no Docker engine runs in $folder" >&2; exit 1; }
    folder=$(cd "$folder" && pwd)
    exec nsenter --target "$pid" --net --mount --wd="$PWD" env DOCKER_HOST="unix://$folder/docker.sock" "$@"
    ;;
  stop)
    pid=$(inside) || exit 0
    network=$(readlink "/proc/$pid/ns/net")
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 100); do
      [ -d "/proc/$pid" ] || break
      sleep 0.1
    done
    # Its remains: containers have separate namespaces, below shims that run in the engine's.
    for _ in 1 2 3; do
      for process in /proc/[0-9]*; do
        [ "$(readlink "$process/ns/net" 2>/dev/null)" = "$network" ] && kill -9 "${process#/proc/}" 2>/dev/null || true
      done
      sleep 0.2
    done
    # Mounts end with their namespace, but their folders may be busy for a moment.
    for _ in $(seq 50); do
      rm -rf "$folder" 2>/dev/null && exit 0
      sleep 0.2
    done
    echo "could not remove $folder" >&2
    ;;
  inside)
    # Mounts made here are invisible outside.
    mount --make-rprivate /
    mount -t tmpfs tmpfs /run
    mkdir -p /run/lock
    ip link set lo up
    # An address and a default route, which `host-gateway` and containers' routes require.
    ip link add outside type veth peer name nowhere
    ip link set nowhere up
    ip addr add 10.255.254.1/24 dev outside
    ip link set outside up
    ip route add default dev outside
    # There is no name server here; lookups fail at once.
    printf 'nameserver 10.255.254.1\noptions timeout:1 attempts:1\n' >"$folder/resolv.conf"
    mount --bind "$folder/resolv.conf" "$(realpath /etc/resolv.conf)"
    # The engine requires a single cgroup hierarchy, so cgroup v2 is hidden from it.
    mountpoint -q /sys/fs/cgroup/unified && umount /sys/fs/cgroup/unified
    # Not in the caller's cgroup, whose limits must not apply to the engine.
    export XDG_RUNTIME_DIR=/run
    dockerd --host "unix://$folder/docker.sock" --data-root "$folder/data" --exec-root "$folder/exec" \
      --pidfile "$folder/docker.pid" --ip6tables=false --log-level warn &
    engine=$!
    trap 'kill "$engine" 2>/dev/null; wait "$engine"; exit 0' TERM INT
    echo $$ >"$folder/namespace.pid"
    wait "$engine"
    ;;
  *) exit 2 ;;
esac
