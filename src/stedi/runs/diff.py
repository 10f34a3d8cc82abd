"""What changed between two runs: the rows that each table gained and lost.

Data files that both runs have hold the same rows, so only the others are read. Rows are compared as a bag, by all columns.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from stedi.catalog.runs import completed_runs
from stedi.catalog.state import Run, readable_run
from stedi.catalog.tables import Tables
from stedi.config import Settings
from stedi.contracts import Contract, contracts
from stedi.engines.base import Engine
from stedi.engines.start import start_reader
from stedi.errors import NotFoundError

#: The table that is not seen as of a run: it lists all of them.
_TIMELESS = "runs"


@dataclass(frozen=True)
class TableDiff:
    """Rows that a table gained and lost from one run to another.

    Attributes:
        table: name of the table.
        zone: landing, trusted, curated, or records.
        added: rows that only the second run has; None where the two cannot be compared.
        removed: rows that only the first run has; None where the two cannot be compared.
        incomparable: why they cannot be compared; None where they can.
    """

    table: str
    zone: str
    added: int | None
    removed: int | None
    incomparable: str | None = None


def diff_runs(settings: Settings, first: int, second: int, table: str | None = None) -> list[TableDiff]:
    """Compare two runs, table by table; a row that a table holds twice counts twice.

    Args:
        settings: where the lakehouse is, and how much memory the engine may use.
        first: number of the run to start from.
        second: number of the run to compare it with.
        table: only this table; by default all but `runs`, which is the same as of every run.

    Raises:
        NotFoundError: there is no such run or table, or the run can no longer be read.
    """
    tables = Tables.open(settings.home)
    try:
        runs = completed_runs(tables)
        before, after = readable_run(runs, first), readable_run(runs, second)
        with tempfile.TemporaryDirectory(prefix="stedi-") as scratch:
            engine = start_reader(settings, Path(scratch))
            try:
                return [_diff(tables, engine, name, before, after) for name in _chosen(before, after, table)]
            finally:
                engine.close()
    finally:
        tables.close()


def _chosen(before: Run, after: Run, table: str | None) -> list[str]:
    known = dict.fromkeys([*contracts(before.policy), *contracts(after.policy)])
    names = [name for name in known if name != _TIMELESS and table in (None, name)]
    if not names:
        raise NotFoundError(
            f"there is no table {table} to compare", where=table, hint="`stedi diff RUN1 RUN2` lists the tables"
        )
    return names


def _diff(tables: Tables, engine: Engine, name: str, before: Run, after: Run) -> TableDiff:
    was, now = contracts(before.policy)[name], contracts(after.policy)[name]
    if _shape(was) != _shape(now):
        told = f"other columns under {before.policy} than under {after.policy}"
        return TableDiff(name, now.zone, None, None, told)
    old, new = (set(tables.files(name, run.snapshots.get(name))) for run in (before, after))
    added, removed = count_differing(engine, now, sorted(old - new), sorted(new - old))
    return TableDiff(name, now.zone, added, removed)


def _shape(contract: Contract) -> list[tuple[str, str]]:
    return [(column.name, column.type) for column in contract.columns]


def count_differing(engine: Engine, contract: Contract, old: list[str], new: list[str]) -> tuple[int, int]:
    """Number of rows that only `new` holds, and that only `old` holds; both are data files."""
    engine.use_files("old_rows", old, contract)
    engine.use_files("new_rows", new, contract)
    columns = ", ".join(f'"{column.name}"' for column in contract.columns)
    counts = engine.query(
        f"""SELECT CAST(coalesce(sum(CASE WHEN copies > 0 THEN copies END), 0) AS BIGINT) AS added,
                   CAST(coalesce(sum(CASE WHEN copies < 0 THEN -copies END), 0) AS BIGINT) AS removed
            FROM (SELECT sum("_copies") AS copies
                  FROM (SELECT {columns}, 1 AS "_copies" FROM new_rows UNION ALL SELECT {columns}, -1 FROM old_rows) AS b
                  GROUP BY {columns}) AS g"""
    ).to_pylist()[0]
    return counts["added"], counts["removed"]
