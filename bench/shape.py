"""How well-shaped the tables are: files and their sizes before and after `stedi maintain`, beside one plain Parquet file of the same rows.

    python -m bench.shape --lakehouse DIR       it is maintained: use a copy, or one that is for measuring
    python -m bench.shape --customers 100000

Prints a Markdown table, and writes `bench/out/shape.json`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import duckdb

import stedi
from bench.__main__ import HERE, STEDI, once
from stedi.catalog.snapshots import sized_files
from stedi.catalog.tables import Tables

#: Tables with less than this many bytes have nothing to shape.
_LITTLE = 1_000_000


def sizes(place: Path) -> dict[str, list[int]]:
    """Bytes of the data files of every table as of the last run."""
    tables = Tables.open(place)
    try:
        return {
            name: sorted(file.size for file in sized_files(tables.load(name), tables.head(name)))
            for name in tables.names()
        }
    finally:
        tables.close()


def plain(lake: stedi.Lakehouse, name: str, folder: Path) -> int:
    """Bytes of one plain Parquet file with the rows of a table, in their order, packed as ours are."""
    path = folder / f"{name}.parquet"
    with lake.table(name).reader() as rows, duckdb.connect() as con:
        con.register("rows", rows)
        con.execute(f"COPY rows TO '{path}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)")
    size = path.stat().st_size
    path.unlink()
    return size


def told(found: list[int]) -> str:
    """Files, and their smallest, middle and largest size in MB."""
    low, middle, high = found[0], found[len(found) // 2], found[-1]
    return f"{len(found):,} of {low / 1e6:.1f} / {middle / 1e6:.1f} / {high / 1e6:.1f}"


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.shape", description=__doc__)
    parser.add_argument("--lakehouse", type=Path, help="a lakehouse that is there")
    parser.add_argument(
        "--customers", type=int, default=10_000, help="else simulate feeds of so many customers, and run"
    )
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        place = options.lakehouse or folder / "lake"
        if options.lakehouse is None:
            feeds = str(folder / "feeds")
            subprocess.run([STEDI, "simulate", feeds, "--customers", str(options.customers)], check=True)
            subprocess.run([STEDI, "run", "--landing", feeds, "--lakehouse", str(place)], check=True)
        lake = stedi.open_lakehouse(place)
        before = sizes(place)
        wall, _, peak = once([STEDI, "maintain", "--lakehouse", str(place)])
        after = sizes(place)
        bare = {name: plain(lake, name, folder) for name in before if sum(before[name]) > _LITTLE}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n`stedi maintain`: {wall:.1f} s, {peak:.0f} MB of memory at most\n")
    print("| table | files before, MB least / middle / most | files after | MB before | MB after | plain Parquet, MB |")
    print("|---|---|---|---:|---:|---:|")
    for name, size in bare.items():
        old, new = before[name], after[name]
        print(
            f"| `{name}` | {told(old)} | {told(new)} | {sum(old) / 1e6:.1f} | {sum(new) / 1e6:.1f} | {size / 1e6:.1f} |"
        )
    (HERE / "out").mkdir(exist_ok=True)
    facts = {"seconds": wall, "before": before, "after": after, "plain": bare}
    (HERE / "out" / "shape.json").write_text(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main()
