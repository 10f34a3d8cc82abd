#!/usr/bin/env bash
# Other engines read our tables: installs what they need that PyPI does not have, fetches them once, and runs the tests.
set -euo pipefail
bash tools/require_java.sh || echo "Spark is not tested" >&2 # Trino brings a Java of its own
bash tools/require_maven.sh
# The tests fetch, too; but where it is done before, a download does not count as a test's time. They tell what fails.
(cd tests && python -m interop.artifacts) || echo "some programs cannot be fetched" >&2
exec pytest --durations=15 tests/interop
