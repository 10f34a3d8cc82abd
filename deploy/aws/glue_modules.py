"""Write `glue-modules.txt`: the exact list for `--additional-python-modules`, from `uv.lock`.

Glue 6.0 runs Python 3.13 on Amazon Linux 2023 and brings Spark. All else that the package and PySpark need is named here, with the version
that the tests ran with, whether Glue has some version of it or not; pip installs these and nothing else (`--no-deps`).

    uv run python deploy/aws/glue_modules.py           # write it
    uv run python deploy/aws/glue_modules.py --check   # fail where it is stale
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

HERE = Path(__file__).resolve().parent
LIST = HERE / "glue-modules.txt"
#: Where the job runs, as the markers in a lock file ask for it.
GLUE = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.13.0",
    "python_version": "3.13",
    "sys_platform": "linux",
}
_HEAD = "# Written by glue_modules.py from uv.lock: what the Glue 6.0 job installs (Python 3.13, x86-64). Spark is Glue's own.\n"


def exact_modules() -> Iterator[str]:
    """Each `name==version` that holds on Glue 6.0."""
    export = [os.environ.get("UV", "uv"), "export", "--frozen", "--quiet", "--no-default-groups", "--no-emit-project"]
    export += [
        "--no-hashes",
        "--no-header",
        "--no-annotate",
        *(f"--extra={name}" for name in ("aws", "httpfs", "pandas")),
    ]
    told = subprocess.run(export, cwd=HERE, capture_output=True, text=True, check=True)  # noqa: S603
    for line in told.stdout.splitlines():
        needed = Requirement(line)
        if needed.marker is None or needed.marker.evaluate(GLUE):
            yield f"{needed.name}{needed.specifier}"


def main() -> int:
    """Write the list, or check it."""
    text = _HEAD + "".join(f"{module}\n" for module in sorted(exact_modules()))
    if "--check" in sys.argv[1:]:
        return int(LIST.read_text("utf-8") != text)
    LIST.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
