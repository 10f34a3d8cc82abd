"""What an erasure costs, for one person and for many, beside the full run, on simulated feeds.

    python -m bench.erasure --customers 10000

1. Simulate feeds; a full run.
2. Find one person. Forget one person, then as many as `--people`, each with the proof, which reads everything.
3. A run with nothing new after each; a full rebuild, which must give every table the same number of rows.

Each step is a process of its own, timed from start to end. Bytes rewritten are those of landing files that hold something else than
before, and of data files of the lakehouse that were not there before. Prints a Markdown table, and writes `bench/out/erasure.json`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import stedi
from bench.__main__ import HERE, STEDI, once
from bench.incremental import rows

#: Size and time of files by path.
Files = dict[Path, tuple[int, int]]


def files(folder: Path) -> Files:
    """Files below a folder as they are now."""
    found = {path: path.stat() for path in folder.rglob("*") if path.is_file()}
    return {path: (about.st_size, about.st_mtime_ns) for path, about in found.items()}


def written(before: Files, after: Files) -> int:
    """Bytes of the files that are new or changed."""
    return sum(size for path, (size, time_ns) in after.items() if before.get(path) != (size, time_ns))


def everything(found: Files) -> int:
    """Bytes of all files."""
    return sum(size for size, _ in found.values())


class Measured:
    """A step: seconds of wall and processor time, peak memory in MB, and bytes of landing and data files: all, and rewritten."""

    def __init__(self, command: list[str], folder: Path, feeds: Path, data: Path) -> None:
        before = files(feeds), files(data)
        self.wall, self.processor, self.peak = once(command, folder)
        after = files(feeds), files(data)
        self.landing, self.landing_rewritten = everything(before[0]), written(before[0], after[0])
        self.data, self.data_rewritten = everything(before[1]), written(before[1], after[1])


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.erasure", description=__doc__)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--people", type=int, default=1_000)
    parser.add_argument("--clean", action="store_true", help="feeds without dirt, duplicates and compression")
    parser.add_argument("--memory-limit", default="4GB")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder by default")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        measured = history(
            folder, options.customers, options.people, clean=options.clean, memory_limit=options.memory_limit
        )
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{options.customers:,} simulated customers\n")
    print(
        "| step | wall, s | processor, s | peak memory, MB | landing, MB rewritten of all | tables, MB rewritten of all |"
    )
    print("|---|---|---|---|---|---|")
    for name, one in measured.items():
        landing = f"{one.landing_rewritten / 1e6:.1f} of {one.landing / 1e6:.1f}"
        tables = f"{one.data_rewritten / 1e6:.1f} of {one.data / 1e6:.1f}"
        print(f"| {name} | {one.wall:.1f} | {one.processor:.1f} | {one.peak:.0f} | {landing} | {tables} |")
    (HERE / "out").mkdir(exist_ok=True)
    facts = {"customers": options.customers, "people": options.people, "memoryLimit": options.memory_limit}
    steps = {name: vars(one) for name, one in measured.items()}
    (HERE / "out" / "erasure.json").write_text(json.dumps(facts | {"steps": steps}, indent=2))


def history(folder: Path, customers: int, people: int, *, clean: bool, memory_limit: str) -> dict[str, Measured]:
    """Make the steps."""
    feeds, place = folder / "feeds", folder / "lake"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stedi.toml").write_text(f'memory_limit = "{memory_limit}"\nlakehouse = "{place}"\nlanding = "{feeds}"\n')
    if not feeds.exists():
        dirt = ["--dirty-share", "0", "--duplicate-rate", "0", "--compressed-share", "0"] if clean else []
        once([STEDI, "simulate", str(feeds), "--customers", str(customers), *dirt])
    shutil.rmtree(feeds / "truth", ignore_errors=True)  # it names everybody: nothing could be proven
    lake = stedi.open_lakehouse(place, landing=feeds, memory_limit=memory_limit)
    run, subject, data = [STEDI, "run"], [STEDI, "subject"], place / "warehouse"

    def step(*command: str) -> Measured:
        return Measured([*command], folder, feeds, data)

    measured = {"full run": step(*run)}
    who = 'SELECT DISTINCT "_customer" AS email FROM customer_landing ORDER BY md5("_customer") LIMIT {}'
    one, *others = lake.query(who.format(people + 1)).to_arrow()["email"].to_pylist()
    (folder / "others.txt").write_text("\n".join(others))
    measured["find 1 person"] = step(*subject, "find", one)
    measured["forget 1 person"] = step(*subject, "forget", one)
    measured["nothing new"] = step(*run)
    many = f"{len(others):,} people"
    measured[f"forget {many}"] = step(*subject, "forget", "--file", str(folder / "others.txt"))
    measured["nothing new, again"] = step(*run)
    left = rows(lake)
    measured["full rebuild"] = step(*run, "--full")
    if rows(lake) != left:
        raise SystemExit("a rebuild gives other numbers of rows")
    return measured


if __name__ == "__main__":
    main()
