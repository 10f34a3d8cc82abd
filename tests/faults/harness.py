"""Orders victims, and says what a lakehouse holds and what lies in it that nobody refers to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

import stedi
from stedi.catalog.runs import completed_runs
from stedi.catalog.tables import Tables
from stedi.contracts import Policy, contracts

ON_SPARK = os.environ.get("STEDI_ENGINE") == "spark"
#: How much longer a run of few rows takes than on the embedded engine, about.
SLOWER = 10 if ON_SPARK else 1
#: A state of the lakehouse: the rows of every table, in an order of their own.
State = dict[str, list[str]]
#: What differs between two lakehouses that were fed the same: when rows were read, and what a run says of itself.
VARYING = {"_ingested_at", "token", "startedAt", "finishedAt", "snapshots", "report", "ingestedAt"}


def fewer(number: int) -> int:
    """How many of what the embedded engine does so often: on Spark, one in ten."""
    return max(1, number // SLOWER)


class Victims:
    """Lets runs live in processes that can be killed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, lake: Path, landing: Path, settings: dict[str, Any] | None = None, **order: Any) -> dict[str, Any]:
        """One run. `at` and `fault`: see `faults.instants`; `delay_s`: killed after that time; `options`: arguments of `run`.

        With `forget`, a list of emails, it is an erasure instead.
        """
        told = {"lake": str(lake), "landing": str(landing), "settings": settings or {}, "options": {}} | order
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        outcome: dict[str, Any] = json.loads(self._process.stdout.readline())
        return outcome


@contextmanager
def victims() -> Iterator[Victims]:
    """The process that forks victims, for as long as the block."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-m", "faults.victim"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            yield Victims(process)
        finally:
            process.kill()


def seen_by_readers(folder: Path) -> State:
    """Every table as the public door gives it, all in one query."""
    lake = stedi.open_lakehouse(folder)
    if not (folder / "catalog.db").exists():
        return {}
    runs = lake.runs()
    return _state(lake.query(_everything(runs[-1].policy)).to_arrow()) if runs else {}


def seen_in_catalog(folder: Path) -> State:
    """Every table as PyIceberg reads it at the snapshots of the last completed run."""
    if not (folder / "catalog.db").exists():
        return {}
    tables = Tables.open(folder)
    try:
        runs = completed_runs(tables)
        if not runs:
            return {}
        snapshots = {**runs[-1].snapshots, "runs": tables.head("runs")}
        with duckdb.connect() as con:
            for name, snapshot in snapshots.items():
                rows = tables.rows(name, snapshot)
                if name == "runs":  # one may have been published since
                    rows = rows.filter(pc.field("run") <= runs[-1].run)
                con.register(name, rows)
            return _state(con.sql(_everything(runs[-1].policy)).to_arrow_table())
    finally:
        tables.close()


def _everything(policy: Policy) -> str:
    """SELECT of every row of every table as text."""
    parts = []
    for name, contract in contracts(policy).items():
        columns = ", ".join(f'"{column.name}"' for column in contract.columns if column.name not in VARYING)
        parts.append(f"SELECT '{name}' AS t, CAST(r AS VARCHAR) AS r FROM (SELECT row({columns}) AS r FROM {name})")
    return " UNION ALL ".join(parts) + " ORDER BY t, r"


def _state(rows: pa.Table) -> State:
    found: State = {}
    for row in rows.to_pylist():
        found.setdefault(row["t"], []).append(row["r"])
    return found


def unreferred(folder: Path) -> list[str]:
    """Files in `warehouse/` that no snapshot of a table that exists refers to, and whatever is left in `staging/`."""
    tables = Tables.open(folder)
    referred: set[str] = set()
    try:
        for name in tables.names():
            table = tables.load(name)
            referred |= {table.metadata_location, *(entry.metadata_file for entry in table.metadata.metadata_log)}
            for snapshot in table.metadata.snapshots:
                referred.add(snapshot.manifest_list)
                for manifest in snapshot.manifests(table.io):
                    referred.add(manifest.manifest_path)
                    entries = manifest.fetch_manifest_entry(table.io, discard_deleted=True)
                    referred |= {entry.data_file.file_path for entry in entries}
    finally:
        tables.close()
    found = [path for path in (folder / "warehouse").rglob("*") if path.is_file()]
    left = list((folder / "staging").rglob("*"))
    return sorted(str(path.relative_to(folder)) for path in [*found, *left] if str(path) not in referred)


def copy(source: Path, target: Path) -> None:
    """Make `target` what `source` is, times of files included."""
    if target.exists():
        shutil.rmtree(target)
    if source.exists():
        shutil.copytree(source, target)
