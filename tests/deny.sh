#!/usr/bin/env bash
# Holds Cargo.lock to deny.toml: licences, bans and sources always; known weaknesses where their
# database can be had. It comes from the address that deny.toml names, or from a clone of it that
# ADVISORY_DB names; without either this says so and goes on. cargo-deny is taken from the machine,
# or built once into target/tools (two minutes on two cores).
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2
tools="$PWD/target/tools"
if ! command -v cargo-deny >/dev/null 2>&1; then
  export PATH="$PATH:$tools/bin"
fi
if ! command -v cargo-deny >/dev/null 2>&1; then
  echo "building cargo-deny $version"
  # Not optimised: it runs for two seconds.
  cargo install cargo-deny --version "$version" --locked --debug --quiet \
    --config 'profile.dev.debug=false' --root "$tools"
fi

cargo deny --locked check --hide-inclusion-graph bans licenses sources

if [ -n "${ADVISORY_DB:-}" ]; then
  # cargo-deny asks git for the address; git takes the clone instead.
  export GIT_CONFIG_COUNT=1 GIT_CONFIG_VALUE_0=https://github.com/rustsec/advisory-db
  export GIT_CONFIG_KEY_0="url.file://$(realpath "$ADVISORY_DB").insteadOf"
fi
if log=$(GIT_TERMINAL_PROMPT=0 timeout 60 cargo deny fetch db 2>&1); then
  cargo deny --locked check --hide-inclusion-graph advisories
else
  echo "advisories: NOT CHECKED, for their database cannot be fetched from here:"
  tail -n 1 <<<"$log"
  echo "ADVISORY_DB=FOLDER make deny takes them from a clone of it"
fi
