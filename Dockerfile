# One image with every program of AAM. It builds with the classic builder and with BuildKit.
#
#   BUILD_IMAGE     a Rust toolchain and a C compiler
#   RUNTIME_IMAGE   a Debian of the same release or newer
#   PROFILE         the cargo profile: release, or dev for a quick build
#
# Both images can be pinned: NAME@sha256:DIGEST. Targets: `full`, the default, and `slim`, which lacks
# Python and so cannot run connectors that are Python packages.
ARG BUILD_IMAGE=rust:1.95-bookworm
ARG RUNTIME_IMAGE=debian:bookworm-slim

# The manifests and empty sources. The next stage depends on nothing else, so an edited source does
# not build the dependencies again.
FROM ${BUILD_IMAGE} AS skeleton
WORKDIR /skeleton
COPY . .
RUN find . -type f ! -name Cargo.toml ! -name Cargo.lock ! -path '*/src/lib.rs' ! -path '*/src/main.rs' ! -path '*/src/bin/*' -delete \
 && find . -name '*.rs' | while read -r file; do \
      case "$file" in */lib.rs) : >"$file" ;; *) echo 'fn main() {}' >"$file" ;; esac; \
    done \
 && find . -type d -empty -delete

FROM ${BUILD_IMAGE} AS build
ARG PROFILE=release
WORKDIR /build
COPY --from=skeleton /skeleton .
RUN cargo build --locked --profile "$PROFILE" --workspace --bins
COPY . .
# Cargo compares times, and the sources are older than what was just built from the empty ones.
RUN find crates services migrations -name '*.rs' -exec touch {} + \
 && cargo build --locked --profile "$PROFILE" --workspace --bins \
 && case "$PROFILE" in dev) folder=debug ;; *) folder=$PROFILE ;; esac \
 && mkdir /programs \
 && for program in aam embedded_airbyte orchestrator auth_broker drift_repair_agent; do \
      cp "target/$folder/$program" /programs/ && strip "/programs/$program" || exit 1; \
    done

FROM build AS programs

# -- From here on deploy/Dockerfile.local is the same.

FROM ${RUNTIME_IMAGE} AS without-python
RUN groupadd --system --gid 10001 aam \
 && useradd --system --uid 10001 --gid aam --home-dir /var/lib/aam --shell /usr/sbin/nologin aam \
 && install -d -o aam -g aam -m 0700 /var/lib/aam /var/lib/aam/.aam
# Relative paths of file connectors start from the working directory, as they do for `aam up`.
ENV AAM_HOME=/var/lib/aam/.aam AAM_DATA_ROOTS=/var/lib/aam
WORKDIR /var/lib/aam
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["aam", "probe"]
CMD ["aam", "--help"]

FROM without-python AS with-python
# Nothing is fetched where the base has it.
RUN python3 -c 'import venv, ensurepip' 2>/dev/null \
 || { apt-get update && apt-get install -y --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/*; }

FROM with-python AS full
# From the build image, so that `slim` needs no package index.
COPY --from=programs /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=programs /programs/ /usr/local/bin/
COPY deploy/compose_init.sh /usr/local/lib/aam/compose_init.sh
USER 10001:10001

FROM without-python AS slim
COPY --from=programs /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=programs /programs/ /usr/local/bin/
COPY deploy/compose_init.sh /usr/local/lib/aam/compose_init.sh
USER 10001:10001

# What is built where no target is named.
FROM full
