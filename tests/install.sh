#!/usr/bin/env bash
# Installs the Debian packages that the tests need and this machine lacks; without the right to do
# so it stops with the exact command. Says nothing where nothing is missing.
set -euo pipefail

missing=()
need() { # COMMAND PACKAGE
  command -v "$1" >/dev/null 2>&1 || missing+=("$2")
}

need cc gcc
need c++ g++
need make make
need perl perl        # the vendored OpenSSL is configured with it
need openssl openssl  # certificates of the suites
need setpriv util-linux
need valgrind valgrind # counts instructions
if [ "${KAFKA:-1}" != 0 ]; then
  need mvn maven
  java_major=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1 || true)
  if [ "${java_major:-0}" -lt 17 ]; then missing+=(openjdk-17-jre-headless); fi
fi
if ! docker compose version >/dev/null 2>&1; then need docker-compose docker-compose; fi

if ! command -v cargo >/dev/null 2>&1; then
  echo "cargo is missing: install a stable Rust toolchain (1.90 or later), then run this again" >&2
  exit 1
fi
if [ "${#missing[@]}" -eq 0 ]; then exit 0; fi

command_line="apt-get install -y --no-install-recommends ${missing[*]}"
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "missing: ${missing[*]}" >&2
  echo "run this, then try again:  sudo $command_line" >&2
  exit 1
fi
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
$command_line >/dev/null
