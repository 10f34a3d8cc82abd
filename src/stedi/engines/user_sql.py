"""SQL from a user, on DuckDB: one SELECT, in an engine that `stedi.engines.duckdb` sealed: it reaches the tables and nothing else.

DuckDB's own words are shown only where they speak of the SQL; once rows are read, they may quote one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stedi.engines.connect import duckdb
from stedi.engines.sql import literal
from stedi.errors import QueryError, StediError, StorageError

if TYPE_CHECKING:
    import pyarrow as pa

MORE_MEMORY = "raise memory_limit in stedi.toml, or free disk space where the engine spills"
_OUTSIDE = "the query reaches outside the lakehouse"
_TABLES_ALONE = "only the tables that `stedi tables` lists can be read"
#: DuckDB errors that speak of the SQL alone, which the user wrote, as long as no row was read; all others may quote data.
_ABOUT_SQL = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException, duckdb.SyntaxException)
#: Types that are the same whether DuckDB or Arrow writes them to Parquet. Integers beyond 64 bits, for one, are not.
_SAME_IN_PARQUET = {
    *("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"),
    *("FLOAT", "DOUBLE", "DECIMAL", "VARCHAR", "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"),
}
_BATCH = 100_000


def stream(con: duckdb.DuckDBPyConnection, select: str) -> pa.RecordBatchReader:
    """The rows as a stream.

    Raises:
        QueryError: now or while rows are read; see `Engine.query_untrusted`.
    """
    bound = _bound(con, select)
    with _running():
        rows: pa.RecordBatchReader = bound.to_arrow_reader(_BATCH)
    return type(rows).from_batches(rows.schema, _read_quietly(rows))


def copy(con: duckdb.DuckDBPyConnection, select: str, path: Path) -> int | None:
    """Write the rows into a Parquet file, on all cores; returns how many.

    None, and nothing is written, where Arrow would write other types or names.

    Raises:
        QueryError: as for `stream`.
        StorageError: the disk is full.
    """
    bound = _bound(con, select)
    names = {name.lower() for name in bound.columns}  # of two that are alike, the second would get another
    if len(names) < len(bound.columns) or any(_odd(kind) for kind in bound.types):
        return None
    with _running():
        bound.create_view("answer")
        options = "FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false"
        (rows,) = con.execute(f"COPY (FROM answer) TO {literal(str(path))} ({options})").fetchall()[0]
    return int(rows)


def _odd(kind: object) -> bool:
    return str(kind).partition("(")[0] not in _SAME_IN_PARQUET  # DECIMAL(18,3)


def _bound(con: duckdb.DuckDBPyConnection, select: str) -> duckdb.DuckDBPyRelation:
    """The SELECT as DuckDB understood it: names and types are known, no row was read yet."""
    with _user_sql():
        statements = con.extract_statements(select)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise QueryError(
                "only a single SELECT can be run here", hint="the lakehouse is read-only; see: stedi query --help"
            )
        return con.sql(select)


def _read_quietly(rows: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """What fails while rows are read reaches us through Arrow as an OSError, in DuckDB's words: they quote the row."""
    try:
        yield from rows
    except OSError:
        raise QueryError(
            "the query failed while it ran",
            hint="a value may not fit the type it is cast to: try_cast gives null instead; or memory_limit is too low",
        ) from None


def disk_is_full(error: duckdb.Error) -> bool:
    """Whether an error means that nothing more can be written."""
    text = str(error)
    return "No space left" in text or "disk quota" in text.lower() or "Could not write" in text


@contextmanager
def _user_sql() -> Iterator[None]:
    """Errors in a user's SQL, before it runs: DuckDB's words are shown only where they cannot quote data."""
    try:
        yield
    except _ABOUT_SQL as error:
        raise QueryError(
            str(error).strip(), hint="`stedi tables` lists the tables, `stedi show TABLE` their columns"
        ) from None
    except duckdb.Error as error:
        raise _failed(error) from None


@contextmanager
def _running() -> Iterator[None]:
    """Errors while a user's SQL runs, of whatever class: some functions report a value as a mistake in the SQL (JSON paths, for one)."""
    try:
        yield
    except duckdb.Error as error:
        raise _failed(error) from None


def _failed(error: duckdb.Error) -> StediError:
    if isinstance(error, duckdb.OutOfMemoryException):
        return QueryError("the query ran out of memory", hint=MORE_MEMORY)
    if isinstance(error, duckdb.IOException) and disk_is_full(error):  # others may quote a value that says so
        return StorageError("the disk is full or cannot be written", hint="free some space and ask again")
    if isinstance(error, duckdb.PermissionException):
        return QueryError(_OUTSIDE, hint=_TABLES_ALONE)
    return QueryError(
        f"the query failed while it ran ({type(error).__name__})",
        hint="a value may not fit the type it is cast to: try_cast gives null instead",
    )
