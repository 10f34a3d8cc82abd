"""What readers see: the completed runs, and the tables as of one of them."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stedi.catalog.published import Published, read_published
from stedi.catalog.state import Run, readable_run
from stedi.config import Settings
from stedi.contracts import contracts
from stedi.home import Home

if TYPE_CHECKING:
    import pyarrow as pa

    from stedi.engines.duckdb import DuckDBEngine


def published(where: Home | Path) -> Published:
    """The published state; the catalog is loaded only where it alone knows.

    Raises:
        LakehouseError: there is no lakehouse, it is damaged or was moved, or a newer version wrote it.
    """
    if state := read_published(where):
        return state
    from stedi.catalog.runs import published_state
    from stedi.catalog.tables import Tables

    tables = Tables.open(where)
    try:
        return published_state(tables)
    finally:
        tables.close()


@contextmanager
def open_engine(
    settings: Settings, as_of: int | None, names: Collection[str]
) -> Iterator[tuple[DuckDBEngine, Run, list[str]]]:
    """An engine that has these tables as of a run, the last one by default; with it the run, and the files that it may read.

    Raises:
        NotFoundError: there is no such run, or it can no longer be read.
    """
    from stedi.engines.start import start_reader

    state = published(settings.home)
    run = readable_run(state.runs, as_of)
    files = state.files if run is state.runs[-1] else _planned_files(settings.home, run, names)
    with tempfile.TemporaryDirectory(prefix="stedi-") as scratch:
        engine = start_reader(settings, Path(scratch))
        try:
            for name in names:
                if paths := files.get(name):
                    engine.open_files(name, paths)
                else:  # a run of an older program knows fewer tables
                    engine.use_files(name, [], contracts(run.policy)[name])
            yield engine, run, [path for name in names for path in files.get(name, [])]
        finally:
            engine.close()


@contextmanager
def streamed(settings: Settings, as_of: int | None, sql: str) -> Iterator[pa.RecordBatchReader]:
    """The rows of a user's SELECT, as a stream; see `Lakehouse.query`."""
    with open_engine(settings, as_of, _asked(settings, sql)) as (engine, _, files):
        yield engine.query_untrusted(sql, files)


def copied(settings: Settings, as_of: int | None, sql: str, path: Path) -> int | None:
    """Write the rows of a user's SELECT into a Parquet file; returns how many. None where only their stream can be written."""
    with open_engine(settings, as_of, _asked(settings, sql)) as (engine, _, files):
        return engine.copy_untrusted(sql, files, path)


def _asked(settings: Settings, sql: str) -> list[str]:
    """Tables that a query may ask for: to open all takes a while."""
    return [name for name in contracts(settings.policy) if name in sql.lower()]


def _planned_files(home: Home, run: Run, names: Collection[str]) -> dict[str, list[str]]:
    """Data files of an earlier run, as the catalog plans them. The runs themselves are those known today."""
    from stedi.catalog.tables import Tables

    tables = Tables.open(home)
    try:
        snapshots = {**run.snapshots, "runs": tables.head("runs")}
        return {name: tables.files(name, snapshots.get(name)) for name in names}
    finally:
        tables.close()
