# The commands a developer needs; `just` lists them. Each is a script that also runs without just.

_list:
    @just --list

# Build and run the demo: onboard, sync, drift, heal, compare.
quickstart *arguments:
    scripts/quickstart.sh {{arguments}}

# Every test, against a PostgreSQL and a Redis of its own.
test *arguments:
    scripts/test.sh {{arguments}}

# What CI runs: format, lints, tests.
verify *arguments:
    scripts/verify.sh {{arguments}}

# The figures, from a release build.
bench *arguments:
    scripts/bench.sh {{arguments}}
