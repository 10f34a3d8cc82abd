"""`stedi query`: one SELECT over the tables."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal

import typer

from stedi import formats
from stedi.cli.options import AsJson, AsOf, LakehouseDir, examples, opened_as_of
from stedi.cli.output import Grid, counted, emit, note
from stedi.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

    from stedi.lakehouse import Lakehouse
    from stedi.results import Rows

Format = Literal["table", "csv", "json", "parquet"]

#: Rows that the format `table` shows.
MOST_ROWS = 100
#: What `--json` prints, once per line.
FIELDS = {"COLUMN": "a value of the row; instants in ISO 8601 (UTC), NaN and infinity as null"}

_WRITERS = {"csv": formats.write_csv, "json": formats.write_json, "parquet": formats.write_parquet}
_ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
}

Sql = Annotated[
    str, typer.Argument(metavar="SQL", help="One SELECT in the dialect of the engine; - reads it from stdin.")
]
On = Annotated[
    Literal["duckdb", "athena"],
    typer.Option("--on", help="Engine: the embedded one, or Athena on AWS, by [athena] in stedi.toml."),
]
FormatOption = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help=f"How to print the rows: table shows {MOST_ROWS} at most, json is one object per line;"
        " by default what the ending of --output says, else table.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write to this file, which is replaced only when all rows are written."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    epilog = examples(
        'stedi query "SELECT count(*) FROM machine_learning_curated"',
        'stedi query "FROM device_sessions" --format csv > sessions.csv',
        'stedi query "FROM machine_learning_curated" --output training.parquet',
        'stedi query "SELECT * FROM customers_curated" --as-of 3 --format json | jq .',
        "stedi query - < question.sql",
        'stedi query --on athena "SELECT count(*) FROM machine_learning_curated"',
    )
    app.command("query", short_help="Run one SELECT over the tables.", epilog=epilog)(query)


def query(
    sql: Sql,
    on: On = "duckdb",
    as_of: AsOf = None,
    format: FormatOption = None,
    output: Output = None,
    lakehouse: LakehouseDir = None,
    as_json: AsJson = False,
) -> None:
    """Run one SELECT over the tables and print its rows as they are, personal values included.

    It reads the tables that `stedi tables` lists and nothing else: no files, no network, and it changes nothing. --json is --format json.

    With --on athena the SELECT runs in Athena, whose database may hold other tables, too; bytes scanned and cost are told on stderr.
    """
    chosen = _format(format, output, as_json=as_json)
    if on == "athena" and as_of is not None:
        raise typer.BadParameter(
            "--as-of reads the lakehouse itself; in Athena write FOR VERSION AS OF and the snapshot of `stedi runs`"
        )
    lake = opened_as_of(lakehouse, as_of, asks_engine=on == "duckdb")
    text = sys.stdin.read() if sql == "-" else sql
    rows = lake.query(text) if on == "duckdb" else _in_athena(lake, text)
    if chosen == "table":
        _print_table(rows)
        return
    if output is None:
        sys.stdout.flush()
        _write(rows, chosen, sys.stdout.buffer)
        return
    written = _save(rows, chosen, output, lake)
    note(f"{counted(written, 'row')} written to {output}")


def _in_athena(lake: Lakehouse, sql: str) -> Rows:
    from stedi.athena.query import Spent, query_athena

    def tell(spent: Spent) -> None:
        cost = f"about {spent.usd:.5f} USD by [athena] usd_per_tb"
        note(f"athena: {spent.seconds:.1f} s, {counted(spent.scanned_bytes, 'byte')} scanned, {cost}")

    return query_athena(lake.settings.athena, sql, tell)


def _format(format: Format | None, output: Path | None, *, as_json: bool) -> Format:
    guessed = _ENDINGS.get(output.suffix.lower()) if output else None
    chosen: Format = "json" if as_json else format or guessed or "table"
    if as_json and format not in (None, "json"):
        raise typer.BadParameter(f"--json and --format {format} exclude each other")
    if chosen == "table" and output:
        raise typer.BadParameter("--output needs --format csv, json or parquet")
    if chosen == "parquet" and output is None and sys.stdout.isatty():
        raise typer.BadParameter("--format parquet needs --output FILE, for a terminal cannot show it")
    return chosen


def _write(rows: Rows, chosen: Format, out: BinaryIO) -> int:
    with rows.reader() as reader:
        written = _WRITERS[chosen](reader, reader.schema, out)
        out.flush()
    return written


def _save(rows: Rows, chosen: Format, path: Path, lake: Lakehouse) -> int:
    """Write to a file, which is replaced when all rows are written. A device or a pipe is written to as it is: it must stay one."""
    target = path.resolve()
    if target.is_relative_to(lake.folder.resolve()):
        raise ConfigError("the output would lie inside the lakehouse", where=str(path), hint="write it somewhere else")
    if target.exists() and not target.is_file():
        with target.open("wb") as out:
            return _write(rows, chosen, out)
    if chosen == "parquet":
        return rows.to_parquet(target)
    with formats.replaced(target) as temporary, temporary.open("xb") as out:
        return _write(rows, chosen, out)


def _print_table(rows: Rows) -> None:
    with rows.reader() as reader:
        names = reader.schema.names
        found = list(itertools.islice(_tuples(reader), MOST_ROWS + 1))
        right = [_is_number(field.type) for field in reader.schema]
    columns = [">" + name if number else name for name, number in zip(names, right, strict=True)]
    emit(None, Grid(columns, found[:MOST_ROWS], records=True), as_json=False)
    if len(found) > MOST_ROWS:
        note(f"note: only the first {MOST_ROWS} rows are shown; --format csv prints all")


def _tuples(batches: pa.RecordBatchReader) -> Iterator[tuple[Any, ...]]:
    for batch in batches:
        first = batch.slice(0, MOST_ROWS + 1)
        for row in zip(*formats.python_columns(first), strict=True):
            yield tuple("NULL" if value is None else str(value) for value in row)


def _is_number(kind: pa.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))
