#!/usr/bin/env bash
# Checks the compose stack and the Prometheus files without running a container.
# promtool comes out of Debian's package without installing it, so that no service starts.
set -euo pipefail
cd "$(dirname "$0")/.."

compose() {
  if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi
}
compose -f docker-compose.yml config --quiet
echo "docker-compose.yml: valid"

promtool=$(command -v promtool || true)
if [ -z "$promtool" ]; then
  tools=$PWD/target/tools
  promtool=$tools/usr/bin/promtool
  if [ ! -x "$promtool" ]; then
    if ! command -v apt-get >/dev/null 2>&1; then
      echo "promtool is missing: install Prometheus, then try again" >&2
      exit 1
    fi
    mkdir -p "$tools"
    cd "$tools"
    # The package lists may have to be fetched first, which only root may do.
    apt-get download -qq prometheus 2>/dev/null || { apt-get update -qq && apt-get download -qq prometheus; }
    dpkg-deb -x prometheus_*.deb .
    cd - >/dev/null
  fi
fi
"$promtool" check config --syntax-only config/prometheus/prometheus.yml
"$promtool" check rules config/prometheus/alerts.yml
cd config/prometheus
"$promtool" test rules alerts_test.yml
