# Everything that is done often. `make` alone lists it.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
CARGO ?= cargo

.PHONY: help demo test install format lint aarch64 aarch64-tests deny core instructions suite faults docs stack bench bench-kafka bench-peers bench-plots fuzz clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## the main job on an embedded broker: events in, alerts out, checked; ends by itself
	$(CARGO) run --release --locked --quiet -- demo

test: install format lint aarch64 deny core instructions suite docs stack ## all tests (KAFKA=0 leaves out the real broker)
	@if [ "$${KAFKA:-1}" = 0 ]; then echo "KAFKA=0: the suite against a real Apache Kafka was skipped"; fi
	@echo "all tests passed"

install: ## installs what the tests need, where it may; else says the command
	@tests/install.sh

format: ## the source is formatted
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml

lint: ## no warning, with and without Kafka; the fuzz targets compile
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --no-default-features --lib --bins -- -D warnings
	$(CARGO) check --locked --quiet --manifest-path fuzz/Cargo.toml --target-dir target/fuzz-check

aarch64: ## the core compiles for aarch64, with its level of the pass
	@tests/aarch64.sh

aarch64-tests: ## the core's tests of detection, events and alerts, for aarch64 in an emulator
	@tests/aarch64.sh run

deny: ## dependencies: licences, bans, sources; known weaknesses where their database can be had
	@tests/deny.sh

core: ## the core and its tests, built without librdkafka
	$(CARGO) test --locked --no-default-features --lib

instructions: ## instructions of the hot path against the baseline that is checked in (valgrind)
	$(CARGO) bench --locked --profile counts --no-default-features --bench instructions

suite: ## unit, integration, embedded-broker, real-broker and documentation tests
	$(CARGO) test --locked

faults: install ## every fault against a real Apache Kafka, within the hour (SEED=n repeats a run, ROWS=1,7 some rows)
	OUZEL_HISTORIES=100000 $(CARGO) test --locked --lib pipeline::
	OUZEL_FAULTS=1 $(if $(SEED),OUZEL_FAULT_SEED=$(SEED)) $(if $(ROWS),OUZEL_FAULT_ROWS=$(ROWS)) $(CARGO) test --locked --test kafka

docs: ## the documentation of the source, every link right
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" $(CARGO) doc --locked --no-deps --document-private-items

stack: ## the compose stack and the Prometheus files, as far as they can be checked without running
	@tests/stack.sh

bench: ## the benches that need no broker
	$(CARGO) bench --locked --bench kernel --bench pipe --bench rules --bench alerts --bench load
	$(CARGO) bench --locked --bench generate --bench workers

bench-kafka: ## the benches against a real Apache Kafka, and against a server that replays
	$(CARGO) bench --locked --bench consume -- --broker canned
	$(CARGO) bench --locked --bench consume -- --broker kafka
	$(CARGO) bench --locked --bench latency --bench start

bench-peers: ## beside other programs: rsigma over files (built under target/peers), a Java filter and rsyslog on a real Kafka
	test -x target/peers/bin/rsigma || $(CARGO) install rsigma --version 0.23.0 --locked --root target/peers
	$(CARGO) bench --locked --bench peers
	$(CARGO) bench --locked --bench peers_kafka

bench-plots: ## draws docs/performance/*.svg
	$(CARGO) bench --locked --bench plots

fuzz: ## each fuzz target for FUZZ_SECONDS (default 600); see fuzz/README.md
	fuzz/run.sh

clean: ## removes what was built
	$(CARGO) clean
