"""`stedi run` beside what one would run instead, on the same files, pair by pair.

    python -m bench.compare --sizes stedi-2023,10000
    python -m bench.compare --sizes 100000,1000000 --runs 3 --folder bench/out/feeds

a. `stedi run` from an empty lakehouse.
b. The floor: its own SQL in a bare DuckDB, plain Parquet, and nothing else (`bench/rivals/floor.py`).
b2. The usual chain, without identity, in a bare DuckDB; c. in PySpark; d. in Polars; e. in pandas (`bench/rivals/`).

1. Feeds of each size: the real ones, or simulated without dirt, duplicates and compression.
2. Each command runs once on tiny feeds, untimed, so that programs and libraries lie in memory.
3. In each round the feeds are read once, then the commands follow one another: a, b, b2, c, d, e. Each is a process of its own.
4. Its tables are counted and thrown away. b must have as many rows as a in every table, and c, d, e as many as b2.
5. The round is added to `bench/out/compare.json` at once. A ratio is one of figures of the same round.

Peak memory is that of the largest process: of PySpark it is the JVM's. Linux never accounts less to a process than the one that started it
held then, some 80 MB here: it stands in each round as `bench_mb`. `--readme` and `--plot-only` only write anew what follows from the
rounds that are kept.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

import stedi
from bench import report
from bench.__main__ import HERE, REAL_FEEDS, STEDI, once
from bench.erasure import everything, files
from bench.rivals.job import FIELDS, files_of

#: Module in `bench/rivals` and library of each rival.
RIVALS = {
    "b": ("floor", "duckdb"),
    "b2": ("plain", "duckdb"),
    "c": ("with_spark", "pyspark"),
    "d": ("with_polars", "polars"),
    "e": ("with_pandas", "pandas"),
}
#: Customers beyond which a rival is not asked: pandas holds whole tables in memory.
AT_MOST = {"e": 100_000}
#: Those who must agree with one another on the number of rows, the first of each with all others.
AGREE = (("a", "b"), ("b2", "c", "d", "e"))
_TINY = 100


@dataclass(frozen=True)
class Bench:
    """What is compared, and where.

    Attributes:
        names: who takes part, in order.
        memory_limit: what DuckDB may use, in `stedi run` and on its own.
        folder: holds feeds by size, and what is written.
        keep: whether what the last round wrote stays.
    """

    names: Sequence[str]
    memory_limit: str
    folder: Path
    keep: bool

    def feeds(self, size: str) -> Path:
        """The feeds of a size; simulated where they are not there."""
        if size == "stedi-2023":
            if not REAL_FEEDS.is_dir():
                raise SystemExit(f"{REAL_FEEDS} is missing: leave stedi-2023 out")
            return REAL_FEEDS
        place = self.folder / f"feeds-{size}"
        if not place.exists():
            print(f"simulating {int(size):,} customers", flush=True)
            draft = place.with_name(place.name + ".draft")
            shutil.rmtree(draft, ignore_errors=True)
            clean = ["--dirty-share", "0", "--duplicate-rate", "0", "--compressed-share", "0"]
            once([STEDI, "simulate", str(draft), "--customers", size, *clean])
            draft.rename(place)  # whole, or not there
        return place

    def round(self, feeds: Path, names: Sequence[str]) -> tuple[dict[str, Any], dict[str, dict[str, int]]]:
        """One round: what was measured, and rows by table, of each. Who does not finish is measured as `failed`, and has no rows."""
        measured: dict[str, Any] = {}
        rows: dict[str, dict[str, int]] = {}
        for name in names:
            work = self.folder / f"out-{name}"
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            try:
                wall, processor, peak = once(*self._command(name, feeds, work))
            except SystemExit as failure:
                if name == "a":
                    raise
                print(f"{name} did not finish: {failure}", flush=True)
                measured[name] = {"failed": True}
            else:
                written = everything(files(work / "tables"))
                measured[name] = {
                    "wall_s": wall,
                    "processor_s": processor,
                    "peak_mb": peak,
                    "written_mb": written / 1e6,
                }
                rows[name] = rows_of_lakehouse(work / "tables") if name == "a" else rows_of_files(work / "tables")
            if not self.keep:
                shutil.rmtree(work)
        return measured, rows

    def _command(self, name: str, feeds: Path, work: Path) -> tuple[list[str], Path]:
        tables = work / "tables"
        if name == "a":
            (work / "stedi.toml").write_text(f'memory_limit = "{self.memory_limit}"\n')
            return [STEDI, "run", "--landing", str(feeds), "--lakehouse", str(tables)], work
        module = f"bench.rivals.{RIVALS[name][0]}"
        command = [sys.executable, "-m", module, str(feeds), str(tables), "--memory-limit", self.memory_limit]
        return command, HERE.resolve().parent


def rows_of_lakehouse(place: Path) -> dict[str, int]:
    """Rows of every table that is made of feeds."""
    lake = stedi.open_lakehouse(place)
    return {info.name: info.rows for info in lake.tables() if info.zone != "records" and info.name != "quarantine"}


def rows_of_files(place: Path) -> dict[str, int]:
    """Rows of every table, from the footers of its files."""
    found: dict[str, int] = {}
    for path in sorted(place.glob("*/*.parquet")):
        found[path.parent.name] = found.get(path.parent.name, 0) + pq.read_metadata(path).num_rows
    return found


def check_rows(rows: dict[str, dict[str, int]]) -> None:
    """Stop where two that should have written the same tables did not.

    Raises:
        SystemExit: says who, and which tables.
    """
    for group in AGREE:
        present = [name for name in group if name in rows]
        for other in present[1:]:
            ours, theirs = rows[present[0]], rows[other]
            if ours != theirs:
                tables = [name for name in sorted(ours | theirs) if ours.get(name) != theirs.get(name)]
                found = ", ".join(f"{name} {ours.get(name)} and {theirs.get(name)}" for name in tables)
                raise SystemExit(f"{present[0]} and {other} differ in numbers of rows: {found}")


def warm(feeds: Path) -> None:
    """Read the feeds, so that they lie in memory as far as it goes."""
    for feed in FIELDS:
        for path in files_of(feeds, feed):
            with Path(path).open("rb") as file:
                while file.read(8 << 20):
                    pass


def missing(name: str) -> str | None:
    """Why somebody cannot take part here; None where nothing is missing."""
    library = RIVALS[name][1] if name in RIVALS else "stedi"
    if importlib.util.find_spec(library) is None:
        return f"{library} is not installed; `make bench-compare` installs it"
    java = Path(os.environ.get("JAVA_HOME", "/nowhere"), "bin", "java")
    if name == "c" and shutil.which("java") is None and not java.exists():
        return "Java is not installed"
    return None


def taking_part(asked: Sequence[str]) -> list[str]:
    """Those of the asked who can; says why the others cannot."""
    able = []
    for name in asked:
        if name != "a" and name not in RIVALS:
            raise SystemExit(f"--only knows a, {', '.join(RIVALS)}; not {name}")
        if (why := missing(name)) is not None:
            print(f"{name} is left out: {why}")
        else:
            able.append(name)
    if not able:
        raise SystemExit("nobody is left to compare")
    return able


def compare(bench: Bench, sizes: Sequence[str], runs: int) -> None:
    """Make the rounds, and keep each as it is finished."""
    bench.round(bench.feeds(str(_TINY)), bench.names)
    for size in sizes:
        feeds = bench.feeds(size)
        customers = 956 if size == "stedi-2023" else int(size)
        names = [name for name in bench.names if customers <= AT_MOST.get(name, customers)]
        for name in sorted({*bench.names} - {*names}):
            print(f"{name} is left out at {customers:,} customers: it is asked up to {AT_MOST[name]:,}")
        about = {
            "size": size,
            "customers": customers,
            "feeds_mb": sum(Path(path).stat().st_size for feed in FIELDS for path in files_of(feeds, feed)) / 1e6,
            "memoryLimit": bench.memory_limit,
            "machine": machine(),
        }
        for number in range(runs):
            warm(feeds)
            load = os.getloadavg()[0]
            measured, rows = bench.round(feeds, names)
            check_rows(rows)
            names = [name for name in names if name in rows]
            when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            report.add({**about, "when": when, "load": load, "bench_mb": own, "measured": measured, "rows": rows})
            walls = ", ".join(f"{name} {one['wall_s']:.2f} s" for name, one in measured.items() if "wall_s" in one)
            print(f"{size}, round {number + 1} of {runs}: {walls}", flush=True)


def machine() -> dict[str, Any]:
    """Where it was measured, and with which versions."""
    found = {library for _, library in RIVALS.values() if importlib.util.find_spec(library) is not None}
    versions = {library: metadata.version(library) for library in sorted(found)}
    return {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        **versions,
    }


def main() -> None:
    """Measure, keep, and show."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.compare", description=__doc__.split("\n")[0] if __doc__ else None
    )
    parser.add_argument("--sizes", default="stedi-2023,10000", help="stedi-2023, or numbers of simulated customers")
    parser.add_argument("--runs", type=int, default=3, help="rounds of each size (default 3)")
    parser.add_argument("--only", default="a,b,b2,c,d,e", help="who takes part")
    parser.add_argument("--memory-limit", default="4GB", help="what DuckDB may use, in a, b and b2 (default 4GB)")
    parser.add_argument("--folder", type=Path, help="where feeds are kept; a temporary folder by default")
    parser.add_argument("--keep", action="store_true", help="keep what the last round wrote, below --folder")
    parser.add_argument("--anew", action="store_true", help="forget the kept rounds of these sizes first")
    parser.add_argument("--plot-only", action="store_true", help="measure nothing, draw the plot anew")
    parser.add_argument(
        "--readme", action="store_true", help="measure nothing, write the plot and the README's table anew"
    )
    options = parser.parse_args()
    if options.plot_only or options.readme:
        report.draw()
        if options.readme:
            report.write_readme()
        return
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as on a user's machine
    sizes = options.sizes.split(",")
    if options.anew:
        report.forget(sizes)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="stedi-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        names = taking_part(options.only.split(","))
        compare(Bench(names, options.memory_limit, folder.absolute(), options.keep), sizes, options.runs)
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    print("\n" + report.tables(report.rounds()))
    report.draw()


if __name__ == "__main__":
    main()
