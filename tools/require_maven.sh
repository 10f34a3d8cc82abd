#!/usr/bin/env bash
# Maven, which fetches Java programs for tests. Where it is missing and this may install packages (root on Debian), it does; else the tests say it.
set -euo pipefail
if command -v mvn >/dev/null; then exit 0; fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "Maven is not here, and cannot be installed: on Debian, apt-get install maven" >&2
  exit 0
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends maven
