# Commands for developers; `just` lists them. Each is a script that also runs without just.

_list:
    @just --list

# Build and run the demo: onboard, sync, drift, heal, compare.
quickstart *arguments:
    scripts/quickstart.sh {{arguments}}

# All tests, against a throw-away PostgreSQL, MariaDB and Redis.
test *arguments:
    scripts/test.sh {{arguments}}

# What CI runs: format, lints, tests.
verify *arguments:
    scripts/verify.sh {{arguments}}

# The benchmarks, from a release build.
bench *arguments:
    scripts/bench.sh {{arguments}}
