"""What a question costs through `stedi query`, beside DuckDB on bare Parquet files of the same rows.

    python -m bench.query --lakehouse DIR
    python -m bench.query --customers 100000

1. Copy the tables that are asked for into plain Parquet, one file per table, as DuckDB writes it, rows in the order of the lakehouse.
2. Ask each question in turns, `stedi query` and a bare DuckDB script: processes of their own, timed from start to end, the answer
   written to a file. Both must give the same rows.
3. Ask the same from a Python process that is there already, `Lakehouse.query` and a DuckDB connection that has the files as views.

Prints a Markdown table, and writes `bench/out/query.json`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import duckdb

import stedi
from bench.__main__ import HERE, STEDI, Figure, once

TABLES = ("accelerometer_trusted", "step_trainer_trusted", "device_sessions", "machine_learning_curated")
EXPORT = "all training rows"
#: {who} stands for one customer, by a number that says nothing of them.
QUESTIONS = {
    "one person's readings": """SELECT "timestamp", x, y, z FROM accelerometer_trusted WHERE customer = '{who}' ORDER BY ALL""",
    "readings per day": """SELECT CAST(make_timestamp("timestamp" * 1000) AS DATE) AS day, count(*) AS readings
        FROM accelerometer_trusted GROUP BY day ORDER BY day""",
    "sessions and their readings": """SELECT s.reason, count(*) AS readings, avg(t."distanceFromObject") AS distance
        FROM device_sessions AS s JOIN step_trainer_trusted AS t
          ON t."serialNumber" = s."serialNumber" AND t."sensorReadingTime" BETWEEN s."sessionStart" AND s."sessionEnd"
        GROUP BY s.reason ORDER BY s.reason""",
    EXPORT: "FROM machine_learning_curated",
}
#: What is measured of a question.
KINDS = ("stedi", "bare DuckDB", "ratio")
Found = dict[str, Figure]
_BARE = """
import sys, duckdb
con = duckdb.connect()
for name in sys.argv[3].split(","):
    con.execute(f"CREATE VIEW {name} AS FROM read_parquet('{sys.argv[1]}/{name}.parquet')")
con.execute(f"COPY ({sys.argv[4]}) TO '{sys.argv[2]}' (FORMAT parquet, COMPRESSION zstd)")
"""


def copies(lake: stedi.Lakehouse, folder: Path) -> None:
    """Copy tables into plain Parquet files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        with lake.table(name).reader() as rows, duckdb.connect() as con:
            con.register("rows", rows)
            con.execute(f"COPY rows TO '{folder / name}.parquet' (FORMAT parquet, COMPRESSION zstd)")


def _mark(file: Path) -> object:
    """Number of rows, and a sum over them that does not depend on their order."""
    return duckdb.sql(f"SELECT count(*), sum(hash(t)) FROM '{file}' AS t").fetchall()


def ratios(place: Path, folder: Path, questions: dict[str, str], runs: int) -> dict[str, Found]:
    """Seconds of both, and the ratio within each round, by question."""
    ours, bare = folder / "ours.parquet", folder / "bare.parquet"
    found = {}
    for name, sql in questions.items():
        rounds = []
        for number in range(runs + 1):  # the first one warms up
            ours.unlink(missing_ok=True)
            mine = once([STEDI, "query", sql, "--lakehouse", str(place), "--output", str(ours)])[0]
            theirs = once([sys.executable, "-c", _BARE, str(folder), str(bare), ",".join(TABLES), sql])[0]
            if number:
                rounds.append((mine, theirs, mine / theirs))
        if _mark(ours) != _mark(bare):
            raise SystemExit(f"{name}: the answers differ")
        found[name] = _figures(rounds)
    return found


def ratios_in_python(lake: stedi.Lakehouse, folder: Path, questions: dict[str, str], runs: int) -> dict[str, Found]:
    """The same without the start of a process: rows as an Arrow table."""
    found = {}
    with duckdb.connect() as con:
        for table in TABLES:
            con.execute(f"CREATE VIEW {table} AS FROM read_parquet('{folder / table}.parquet')")
        for name, sql in questions.items():
            rounds = []
            for number in range(runs + 1):
                start = time.perf_counter()
                lake.query(sql).to_arrow()
                between = time.perf_counter()
                con.sql(sql).to_arrow_table()
                mine, theirs = between - start, time.perf_counter() - between
                if number:
                    rounds.append((mine, theirs, mine / theirs))
            found[name] = _figures(rounds)
    return found


def _figures(rounds: list[tuple[float, float, float]]) -> Found:
    return dict(zip(KINDS, map(Figure.of, map(list, zip(*rounds, strict=True))), strict=True))


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.query", description=__doc__)
    parser.add_argument("--lakehouse", type=Path, help="a lakehouse that is there")
    parser.add_argument(
        "--customers", type=int, default=10_000, help="else simulate feeds of so many customers, and run"
    )
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        place = options.lakehouse or folder / "lake"
        if options.lakehouse is None:
            feeds = str(folder / "feeds")
            subprocess.run([STEDI, "simulate", feeds, "--customers", str(options.customers)], check=True)
            subprocess.run([STEDI, "run", "--landing", feeds, "--lakehouse", str(place)], check=True)
        lake = stedi.open_lakehouse(place)
        copies(lake, folder)
        (who,) = lake.query("SELECT min(customer) AS who FROM customers_curated").to_arrow()["who"].to_pylist()
        questions = {name: " ".join(sql.replace("{who}", who).split()) for name, sql in QUESTIONS.items()}
        found = ratios(place, folder, questions, options.runs)
        quick = {name: sql for name, sql in questions.items() if name != EXPORT}  # which would be held in memory
        in_python = ratios_in_python(lake, folder, quick, options.runs)
        rows = {info.name: info.rows for info in lake.tables() if info.name in TABLES}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{rows['accelerometer_trusted']:,} readings in accelerometer_trusted")
    _print("`stedi query`", found)
    _print("`Lakehouse.query`", in_python)
    (HERE / "out").mkdir(exist_ok=True)
    kept = {"rows": rows, "questions": _kept(found), "inPython": _kept(in_python)}
    (HERE / "out" / "query.json").write_text(json.dumps(kept, indent=2) + "\n")


def _print(ours: str, found: dict[str, Found]) -> None:
    print(f"\n| question | {ours}, s | bare DuckDB, s | ratio: median (min to max) |\n|---|---|---|---|")
    for name, (mine, theirs, ratio) in ((name, one.values()) for name, one in found.items()):
        print(
            f"| {name} | {mine.median:.3f} | {theirs.median:.3f} | {ratio.median:.2f} ({ratio.lowest:.2f} to {ratio.highest:.2f}) |"
        )


def _kept(found: dict[str, Found]) -> dict[str, dict[str, dict[str, float]]]:
    return {name: {kind: asdict(figure) for kind, figure in one.items()} for name, one in found.items()}


if __name__ == "__main__":
    main()
