#!/usr/bin/env bash
# Other engines read our tables: installs what they need that PyPI does not have, fetches them once, and runs the tests.
set -euo pipefail
missing=()
command -v java >/dev/null || missing+=(openjdk-17-jre-headless) # Spark; Trino brings a newer one
command -v mvn >/dev/null || missing+=(maven)
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "not here, and cannot be installed: ${missing[*]}" >&2
  else
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
  fi
fi
# The tests fetch, too; but where it is done before, a download does not count as a test's time. They tell what fails.
(cd tests && python -m interop.artifacts) || echo "some programs cannot be fetched" >&2
exec pytest --durations=15 tests/interop
