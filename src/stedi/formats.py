"""Rows as files: CSV, JSON lines or Parquet, written batch by batch, in bounded memory."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from stedi.errors import QueryError

if TYPE_CHECKING:
    import pyarrow as pa


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A name beside `path` to write under. What is written takes the place of `path` at the end; what fails leaves nothing behind."""
    target = path.resolve()  # a link stays a link
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_csv(batches: Iterable[pa.RecordBatch], schema: pa.Schema, out: BinaryIO) -> int:
    """Write a header and a line per row; returns the number of rows. Texts are quoted, null is an empty field without quotes."""
    from pyarrow.csv import CSVWriter

    with _explained("csv"), CSVWriter(out, schema) as writer:
        return _write_all(batches, writer)


def write_parquet(batches: Iterable[pa.RecordBatch], schema: pa.Schema, out: BinaryIO) -> int:
    """Write one Parquet file; returns the number of rows."""
    from pyarrow.parquet import ParquetWriter

    _require_names(schema, "parquet")
    with _explained("parquet"), ParquetWriter(out, schema, compression="zstd") as writer:
        return _write_all(batches, writer)


def write_json(batches: Iterable[pa.RecordBatch], schema: pa.Schema, out: BinaryIO) -> int:
    """Write one JSON object per line; returns the number of rows. Instants are ISO 8601; what JSON cannot say (NaN) is null."""
    _require_names(schema, "json")
    rows = 0
    for batch in batches:
        columns = [[_value(value) for value in column] for column in python_columns(batch)]
        lines = [
            json.dumps(dict(zip(schema.names, row, strict=True)), ensure_ascii=False, default=_plain)
            for row in zip(*columns, strict=True)
        ]
        out.write("".join(line + "\n" for line in lines).encode("utf-8", "backslashreplace"))
        rows += len(lines)
    return rows


def python_columns(rows: pa.RecordBatch | pa.Table) -> list[list[Any]]:
    """The values of each column as Python has them, but instants as ISO 8601: Arrow would load pandas to make objects of them."""
    from pyarrow import compute, string, types

    columns: list[list[Any]] = []
    for column in rows.columns:
        if types.is_timestamp(column.type):
            text = compute.replace_substring(column.cast(string()), " ", "T", max_replacements=1)
            columns.append(text.to_pylist())
        else:
            columns.append(column.to_pylist())
    return columns


def _write_all(batches: Iterable[pa.RecordBatch], writer: Any) -> int:
    rows = 0
    for batch in batches:
        writer.write_batch(batch)
        rows += batch.num_rows
    return rows


def _require_names(schema: pa.Schema, kind: str) -> None:
    doubled = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if doubled:
        raise QueryError(
            f"two columns have the same name, which {kind} cannot hold",
            where=doubled[0],
            hint="name one of them with AS",
        )


@contextmanager
def _explained(kind: str) -> Iterator[None]:
    """PyArrow refuses a few types; its words may quote a value."""
    import pyarrow as pa

    try:
        yield
    except pa.ArrowException as error:
        raise QueryError(
            f"{kind} cannot hold a column of this result ({type(error).__name__})",
            hint="cast lists, structs and intervals to varchar, or use --format json",
        ) from None


def _value(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_value(part) for part in value]
    if isinstance(value, dict):
        return {name: _value(part) for name, part in value.items()}
    return value


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, datetime) else str(value)
