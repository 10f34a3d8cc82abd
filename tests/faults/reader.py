"""A reader that looks at a lakehouse again and again, by both ways, and writes down what it saw. Run as `python -m faults.reader`.

Arguments: the lakehouse, a file to write observations to, one JSON per line, and a file whose appearance ends it.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from faults.harness import State, seen_by_readers, seen_in_catalog


def digest(state: State) -> str:
    """One mark of the rows of all tables but `runs`, which belongs to no run."""
    rows = {name: found for name, found in state.items() if name != "runs"}
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()


def look(lake: Path, out: Path, end: Path) -> None:
    with out.open("a") as told:
        while not end.exists():
            for way in (seen_by_readers, seen_by_readers, seen_in_catalog):
                state = way(lake)
                if state:  # before the first run there is nothing to see
                    told.write(json.dumps([way.__name__, len(state.get("runs", [])), digest(state)]) + "\n")
                    told.flush()


if __name__ == "__main__":
    look(*map(Path, sys.argv[1:4]))
