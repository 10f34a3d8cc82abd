"""The program works without pandas: PyArrow imports it, where it is installed, just to see whether a value is a frame."""

from __future__ import annotations

import sys


class _NotFound:
    """Answers for `pandas` that it is not installed."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        """Stop the import of pandas as a missing package would; leave everything else to the other finders. PySpark must have it."""
        if name == "pandas" and "pyspark" not in sys.modules:
            raise ModuleNotFoundError("no frames are made here", name=name)


def do_without_pandas() -> None:
    """Let this process find no pandas: importing it would take a quarter of a second of every command that writes.

    For the program alone. Who imports `stedi` as a library may well hold frames.
    """
    if "pandas" not in sys.modules:
        sys.meta_path.insert(0, _NotFound)
