"""Does a lakehouse stay quick after many small runs?

    python -m bench.many_runs                       3, 100 and 300 runs, each of one landing file
    python -m bench.many_runs --without-upkeep      the same with `automatic = false`, to compare

After so many runs it measures, as whole processes (median of 5): `stedi tables`, a run with nothing new, and runs of one new file
each. It counts the files and the bytes of Iceberg's metadata. The many runs in between are made inside this process. Upkeep would let
files wait for an hour; here it is 5 s (`min_age_s`), for 300 runs take minutes, not days.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import stedi
from bench.__main__ import HERE, STEDI, measure
from stedi.simulate import SimulationOptions, simulate

#: Landing files that the first run reads; each later run reads one.
_FIRST = 100


@dataclass(frozen=True)
class Row:
    """The state of the lakehouse after some runs; times in seconds, medians of whole processes."""

    runs: int
    tables_s: float
    nothing_new_s: float
    one_file_s: float
    data_files: int
    files_on_disk: int
    metadata_mb: float


class Deliveries:
    """Feeds of 1,000 simulated customers in small files: all customers first, then readings, a file at a time."""

    def __init__(self, folder: Path) -> None:
        simulate(folder / "feeds", SimulationOptions(customers=1_000, seed=11, records_per_file=250))
        found = [path for path in (folder / "feeds").rglob("*") if path.is_file() and "truth" not in path.parts]
        self._files = sorted(found, key=lambda path: ("customer" not in path.parts, path.name, str(path)))
        self._source, self.landing = folder / "feeds", folder / "landing"

    def deliver(self, count: int = 1) -> None:
        """Link the next files into the landing area."""
        if len(self._files) < count:
            raise SystemExit("there are not enough landing files")
        for path in self._files[:count]:
            target = self.landing / path.relative_to(self._source)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)
        del self._files[:count]


def rows(folder: Path, marks: list[int], *, upkeep: bool) -> Iterator[Row]:
    """Make runs, and measure at each of the marks."""
    deliveries = Deliveries(folder)
    settings = {"automatic": upkeep, "min_age_s": 5}
    told = "\n".join(f"{name} = {json.dumps(value)}" for name, value in settings.items())
    (folder / "stedi.toml").write_text(f'landing = "landing"\n\n[maintenance]\n{told}\n')
    os.chdir(folder)
    lake = stedi.open_lakehouse()
    deliveries.deliver(_FIRST)
    lake.run()
    for mark in marks:
        while len(lake.runs()) < mark:
            deliveries.deliver()
            lake.run()
        yield _row(lake, mark, deliveries)


def _row(lake: stedi.Lakehouse, mark: int, deliveries: Deliveries) -> Row:
    def nothing() -> None:
        return

    counted = _counted(lake)
    tables = measure("tables", [STEDI, "tables"], 5, nothing)
    idle = measure("nothing new", [STEDI, "run"], 5, nothing)
    one = measure("one file", [STEDI, "run"], 5, deliveries.deliver)
    return Row(mark, tables.wall_s.median, idle.wall_s.median, one.wall_s.median, *counted)


def _counted(lake: stedi.Lakehouse) -> tuple[int, int, float]:
    """Data files of the last run, all files on disk, and the bytes of Iceberg's metadata."""
    files = [path for path in lake.folder.rglob("*") if path.is_file()]
    metadata = sum(path.stat().st_size for path in files if path.parent.name == "metadata")
    published = max((lake.folder / "published").glob("*.json"), key=os.path.getmtime)
    current = sum(map(len, json.loads(published.read_text())["files"].values()))
    return current, len(files), round(metadata / 1e6, 2)


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.many_runs", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--marks", type=int, nargs="+", default=[3, 100, 300], help="measure after so many runs")
    parser.add_argument("--without-upkeep", action="store_true", help="runs do no upkeep by themselves")
    chosen = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as on a user's machine
    folder = Path(tempfile.mkdtemp(prefix="stedi-bench-"))
    found = []
    print("| runs | `stedi tables`, s | nothing new, s | one new file, s | data files | files on disk | metadata, MB |")
    print("|---|---|---|---|---|---|---|", flush=True)
    try:
        for row in rows(folder, chosen.marks, upkeep=not chosen.without_upkeep):
            found.append(row)
            print("| " + " | ".join(f"{value:,}" for value in asdict(row).values()) + " |", flush=True)
    finally:
        os.chdir(HERE)
        shutil.rmtree(folder, ignore_errors=True)
    (HERE / "out").mkdir(exist_ok=True)
    name = "many-runs-without-upkeep.json" if chosen.without_upkeep else "many-runs.json"
    (HERE / "out" / name).write_text(json.dumps([asdict(row) for row in found], indent=2) + "\n")


if __name__ == "__main__":
    main()
