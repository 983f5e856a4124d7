#!/usr/bin/env bash
# Fuzzes each target in turn, or the ones named, for FUZZ_SECONDS each (default 600). A finding ends
# the run and leaves its input in artifacts/TARGET.
set -eu -o pipefail
cd "$(dirname "$0")"

ALL=(kql decode envelope detector_vs_reference many_rules kernel exceptions config)
SECONDS_EACH=${FUZZ_SECONDS:-600}
# By the clock on the wall: a machine with other work needs more.
TIMEOUT=${FUZZ_TIMEOUT:-10}

declare -A DICTIONARY=(
	[kql]=kql [decode]=json [envelope]=json [exceptions]=toml [config]=toml
)

if ! command -v cargo-fuzz >/dev/null; then
	echo "cargo-fuzz is missing; install it with: cargo install cargo-fuzz --locked" >&2
	exit 1
fi
./seeds.sh
for target in "${@:-${ALL[@]}}"; do
	# A seed may be larger than what is made from it: long inputs are slow and find little.
	options=(-max_total_time="$SECONDS_EACH" -max_len=4096 -timeout="$TIMEOUT" -rss_limit_mb=4096)
	options+=(-print_final_stats=1)
	if [ -n "${DICTIONARY[$target]:-}" ]; then
		options+=(-dict="dictionaries/${DICTIONARY[$target]}.dict")
	fi
	echo "== $target, $SECONDS_EACH s"
	# The deep seeds first, whole: -max_len would cut them.
	deep=(corpus/"$target"/deep*)
	if [ -e "${deep[0]}" ]; then
		RUSTC_BOOTSTRAP=1 cargo fuzz run "$target" "${deep[@]}" -- -timeout="$TIMEOUT" -rss_limit_mb=4096
	fi
	RUSTC_BOOTSTRAP=1 cargo fuzz run "$target" -- "${options[@]}"
done
