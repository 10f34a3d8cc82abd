"""Athena sends every value as text, with the type of its column beside it: here it becomes Arrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from stedi.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


def schema_of(columns: Sequence[dict[str, Any]]) -> pa.Schema:
    """The schema of an answer. Arrays, maps, rows, JSON, times and intervals stay text, as Athena writes them."""
    import pyarrow as pa

    return pa.schema([pa.field(column["Name"], _type(column)) for column in columns])


def batch_of(rows: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    """One page of rows. A value that is not there is null; an empty text is a text.

    Raises:
        DataError: a value is not of the type of its column.
    """
    import pyarrow as pa

    columns = zip(*([datum.get("VarCharValue") for datum in row["Data"]] for row in rows), strict=True)
    texts = list(columns) or [()] * len(schema)
    try:
        arrays = [_array(list(column), field.type) for column, field in zip(texts, schema, strict=True)]
    except (pa.ArrowException, ValueError, KeyError):
        raise DataError(
            "Athena sent a value that is not of its column's type", where="athena", hint="cast it to varchar"
        ) from None
    return pa.record_batch(arrays, schema=schema)


def _type(column: dict[str, Any]) -> pa.DataType:
    import pyarrow as pa

    kind = str(column["Type"]).lower()
    if kind == "decimal":
        return pa.decimal128(int(column["Precision"]), int(column["Scale"]))
    known: dict[str, Callable[[], pa.DataType]] = {
        "boolean": pa.bool_,
        "tinyint": pa.int8,
        "smallint": pa.int16,
        "integer": pa.int32,
        "int": pa.int32,
        "bigint": pa.int64,
        "float": pa.float32,
        "real": pa.float32,
        "double": pa.float64,
        "date": pa.date32,
        "varbinary": pa.binary,
        "timestamp": lambda: pa.timestamp("us"),
        "timestamp with time zone": lambda: pa.timestamp("us", "UTC"),
    }
    return known.get(kind, pa.string)()


def _array(texts: list[str | None], kind: pa.DataType) -> pa.Array[Any]:
    import pyarrow as pa
    from pyarrow import types
    from pyarrow.compute import cast

    found: pa.Array[Any]
    if types.is_binary(kind):
        found = pa.array([None if text is None else bytes.fromhex(text) for text in texts], kind)
    elif types.is_timestamp(kind) and kind.tz:
        found = pa.array([None if text is None else _instant(text) for text in texts], kind)
    else:
        found = cast(pa.array(texts, pa.string()), kind)
    return found


def _instant(text: str) -> datetime:
    """An instant as Athena writes it: `2023-11-14 22:13:20.000 UTC`, with the name of a zone or an offset such as `+02:00`."""
    local, _, zone = text.rpartition(" ")
    if zone[:1] in "+-":
        return datetime.fromisoformat(local + zone).astimezone(UTC)
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
