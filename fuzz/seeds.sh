#!/usr/bin/env bash
# Fills corpus/TARGET with what fuzzing starts from: the small files of seeds/, the queries and the
# configuration that the package ships, and inputs a million levels deep, too large to be kept.
set -eu -o pipefail
cd "$(dirname "$0")"

DEPTH=1000000

# repeat TEXT COUNT: TEXT, COUNT times, without white space around it.
repeat() {
	head -c "$(($2 * ${#1}))" < <(yes "$1" | tr -d '\n')
}

# each_line FOLDER: every line of standard input as a file of its own.
each_line() {
	local number=0 line
	while IFS= read -r line; do
		number=$((number + 1))
		printf '%s' "$line" >"$1/line-$number"
	done
}

for target in kql decode envelope detector_vs_reference many_rules kernel exceptions config; do
	mkdir -p "corpus/$target"
done

each_line corpus/kql <seeds/kql.txt
sed -n "s/^query = ['\"]\(.*\)['\"]\$/\1/p" ../config/rules/okta/*.toml | each_line corpus/kql
repeat '(' $DEPTH >corpus/kql/deep-brackets
repeat '(' 60000 >corpus/kql/deep-brackets-allowed-length
repeat 'a:{' $DEPTH >corpus/kql/deep-nested
repeat 'a:(' 20000 >corpus/kql/deep-lists-allowed-length
repeat 'not(' 15000 >corpus/kql/deep-not-allowed-length
repeat 'a:1_or_' 9000 | tr _ ' ' >corpus/kql/long-allowed-length

for target in decode envelope; do
	cp seeds/json/* "corpus/$target/"
	for alert in ../tests/golden/*.json; do cp "$alert" "corpus/$target/alert-${alert##*/}"; done
	repeat '[' $DEPTH >"corpus/$target/deep-arrays"
	repeat '{"a":' $DEPTH >"corpus/$target/deep-objects"
	{ repeat '[' $DEPTH; repeat ']' $DEPTH; } >"corpus/$target/deep-closed"
	{ printf '{"'; repeat 'a.' $DEPTH; printf 'a":1}'; } >"corpus/$target/deep-dots"
	{ printf '{"message":"'; repeat '[' $DEPTH; printf '"}'; } >"corpus/$target/deep-wrapped"
	{ printf '{"eventType":"user.mfa.factor.reset_all","a":'; repeat '[' $DEPTH; } >"corpus/$target/deep-candidate"
done

for target in detector_vs_reference many_rules kernel; do
	head -c 4096 /dev/urandom >"corpus/$target/random"
done
cp seeds/exceptions/* corpus/exceptions/
{ printf '[[exception]]\nid = "e"\nowner = "o"\nreason = "r"\nquery = "'; repeat '(' $DEPTH; printf '"\n'; } >corpus/exceptions/deep.toml
{ printf 'a = '; repeat '[' $DEPTH; } >corpus/exceptions/deep-arrays.toml
repeat '{"a":' $DEPTH >corpus/exceptions/deep.ndjson
cp seeds/config/* corpus/config/
cp ../config/ouzel.toml corpus/config/
# Every key of the documented file, written out.
sed 's/^# *\([a-z_]* = \)/\1/' ../config/ouzel.toml >corpus/config/written-out.toml
{ printf 'a = '; repeat '[' $DEPTH; } >corpus/config/deep-arrays.toml
{ repeat 'a.' $DEPTH; printf 'a = 1'; } >corpus/config/deep-keys.toml
printf '\0OUZEL__INPUT__GROUP=x\ninput.topics=["a"]\nrule.a={ max_signals = 5 }\n' >corpus/config/layers
