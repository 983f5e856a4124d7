#!/usr/bin/env bash
# Does the crate hold for aarch64, whose level of the pass (NEON) no other processor compiles?
#
#   tests/aarch64.sh       checks the core for it; needs the target's standard library, which rustup
#                          adds where it can be had
#   tests/aarch64.sh run   builds the core's tests for it and runs them in an emulator (4 minutes);
#                          needs gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user
set -euo pipefail
cd "$(dirname "$0")/.."

target=aarch64-unknown-linux-gnu
cargo=${CARGO:-cargo}
folder() { rustc --print sysroot; }
if ! [ -d "$(folder)/lib/rustlib/$target/lib" ]; then
  rustup target add "$target" >/dev/null 2>&1 || true
fi
if ! [ -d "$(folder)/lib/rustlib/$target/lib" ]; then
  echo "aarch64: NOT CHECKED, its standard library is not to be had here (rustup target add $target)"
  exit 0
fi

if [ "${1:-}" = run ]; then
  for program in aarch64-linux-gnu-gcc qemu-aarch64; do
    if ! command -v "$program" >/dev/null 2>&1; then
      echo "missing: $program" >&2
      echo "run this, then try again:  sudo apt-get install -y --no-install-recommends" \
        "gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user" >&2
      exit 1
    fi
  done
  export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
  export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
  exec "$cargo" test --locked --no-default-features --lib --target "$target" -- detect:: event:: alert::
fi

# Nothing is linked, so that the C libraries may be built for this machine: no cross compiler needed.
export CC_aarch64_unknown_linux_gnu=${CC:-cc} AR_aarch64_unknown_linux_gnu=${AR:-ar}
"$cargo" check --locked --quiet --no-default-features --lib --target "$target" \
  --target-dir target/aarch64-check
echo "aarch64: the core compiles"
