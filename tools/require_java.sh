#!/usr/bin/env bash
# Java 17 or newer, for Spark. Where it is missing and this may install packages (root on Debian), it does.
set -euo pipefail
java="${JAVA_HOME:+$JAVA_HOME/bin/}java"
version=$("$java" -version 2>&1 | sed -nE 's/.*version "([0-9]+).*/\1/p' | head -1 || true)
if [ "${version:-0}" -ge 17 ]; then exit 0; fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "Spark needs Java 17 or newer: on Debian, apt-get install openjdk-17-jre-headless" >&2
  exit 1
fi
apt-get update -qq
mkdir -p /usr/share/man/man1 # slim images have none, and the package wants it
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless ||
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends default-jre-headless
