"""The program works without pandas, and reads without NumPy: PyArrow imports them, where they are installed, to see what a value is."""

from __future__ import annotations

import sys

_hidden = {"pandas"}


class _NotFound:
    """Answers for what is hidden that it is not installed."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        """Stop the import as that of a missing package; leave everything else to the other finders. PySpark must have them."""
        if name in _hidden and "pyspark" not in sys.modules:
            raise ModuleNotFoundError("no frames are made here", name=name)


def do_without_pandas() -> None:
    """Let this process find no pandas: importing it would take a quarter of a second of every command that writes.

    For the program alone. Who imports `stedi` as a library may well hold frames.
    """
    if "pandas" not in sys.modules:
        sys.meta_path.insert(0, _NotFound)


def do_without_numpy() -> None:
    """Hide NumPy, too, from a program that does without pandas: for commands that read tables alone, which it keeps waiting for as long."""
    _hidden.add("numpy")
