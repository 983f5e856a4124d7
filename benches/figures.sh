#!/usr/bin/env bash
# Takes all figures of docs/PERFORMANCE.md in one go,
# and writes what was printed to target/bench/figures.txt. Wants a quiet machine: it says the load.
#
#   benches/figures.sh          builds, then measures: about an hour
#   benches/figures.sh build    only builds (long: do it before the machine is to be quiet)
set -euo pipefail
cd "$(dirname "$0")/.."

benches=(kernel rules alerts pipe generate workers consume latency start peers peers_kafka plots)
only_built=$(printf -- '--bench %s ' "${benches[@]}")
# shellcheck disable=SC2086 # one word for each argument
cargo bench --locked --no-run $only_built
cargo build --locked --release
if [ "${1:-}" = build ]; then exit 0; fi

mkdir -p target/bench
exec > >(tee target/bench/figures.txt) 2>&1

say() { printf '\n== %s (load %s)\n' "$*" "$(cut -d' ' -f1-3 /proc/loadavg)"; }
run() {
    local bench=$1
    shift
    say "$bench $*"
    cargo bench --locked --quiet --bench "$bench" -- "$@" || echo "$bench failed"
}

date -u
git log -1 --format='commit %h of %ci'
grep -m1 'model name' /proc/cpuinfo || true
nproc
run kernel --megabytes 100 --runs 9
run rules --megabytes 100 --runs 7
run alerts --megabytes 100 --runs 7
run pipe --megabytes 200 --runs 7
run generate --megabytes 200 --runs 7
for compression in none lz4 zstd; do
    run consume --broker kafka --runs 7 --compression "$compression"
done
run consume --broker kafka --runs 7 --compression lz4 --permille 10
for compression in none lz4; do
    run consume --broker canned --events 3000000 --runs 7 --compression "$compression"
done
run latency
run latency --compression lz4
run latency --compression lz4
run latency --away 5 --permille 100 --rate 10000 --seconds 10 --warm 10
run start --runs 9
run workers --runs 5
if [ -x target/peers/bin/rsigma ]; then run peers; fi
run peers_kafka
run plots
say "instructions"
make instructions
say "binary, stripped"
stat -c '%s bytes' target/release/ouzel
