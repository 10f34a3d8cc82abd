"""DDL for Athena and Trino, from the contracts: the raw feeds as external tables, and views for analysts over the Iceberg tables.

The Iceberg tables themselves need none: a run makes them in the catalog, with the comments of their columns.

1. `raw_FEED`: what lies in the landing area, read where it is by a JSON SerDe. It is the feed as it arrived, unsifted and with its
   personal columns: for engineers.
2. `analyst_TABLE`: each trusted and curated table without the columns that identify a person; beside each instant in ms a column
   `...Utc` that is a timestamp, null where the integer is no instant of a calendar or stands for 'not given'.
3. `analyst_TABLE_per_day`: rows per day (UTC), by the first instant of the table that is never null.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from stedi.contracts import FEEDS, Column, Contract, Policy, contracts
from stedi.errors import ConfigError

Dialect = Literal["athena", "trino"]

_HIVE_TYPES = {"varchar": "string", "bigint": "bigint", "double": "double"}
_SERDE = "org.openx.data.jsonserde.JsonSerDe"
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
#: What a contract says of an instant, and of one that may not be given (SPEC 1).
_INSTANT, _NOT_GIVEN = "ms since the epoch", "0 or negative: not given"
#: The years 1 to 9999, which programs have dates for.
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999


@dataclass(frozen=True)
class Statement:
    """One statement of DDL, without the semicolon. `kind` is `table` or `view`."""

    kind: Literal["table", "view"]
    name: str
    purpose: str
    sql: str


def statements(
    dialect: Dialect, policy: Policy, *, database: str = "stedi", into: str | None = None, location: str | None = None
) -> list[Statement]:
    """The DDL for one engine.

    Args:
        dialect: `athena` or `trino`.
        policy: under which the tables are built: it decides which columns they have (SPEC 3).
        database: where the Iceberg tables are; in Trino also `catalog.database`.
        into: where the raw tables and the views go; by default the same.
        location: address of the landing area, such as `s3://bucket/landing`; without it there are no raw tables.

    Raises:
        ConfigError: a name or the address is not one.
    """
    place = into or database
    for name in (database, place):
        if not re.fullmatch(rf"({_NAME}\.)?{_NAME}", name):
            raise ConfigError("this is no name of a database", where=name, hint="write DATABASE, or CATALOG.DATABASE")
    known = contracts(policy)
    raw = [_raw(feed, known[table], dialect, place, _address(location)) for feed, table in FEEDS.items() if location]
    derived = [contract for contract in known.values() if contract.zone in ("trusted", "curated")]
    return raw + [view for contract in derived for view in _views(contract, dialect, database, place)]


def _address(location: str | None) -> str:
    if not location or not re.fullmatch(r"[a-z0-9]+:/[^'\s]*", location):
        raise ConfigError(
            "the location is no address", where="--location", hint="write it as s3://BUCKET/PREFIX, without the feed"
        )
    return location.rstrip("/")


def _raw(feed: str, contract: Contract, dialect: Dialect, place: str, location: str) -> Statement:
    name, purpose = (
        f"raw_{feed}",
        f"The feed {feed} as its files lie in the landing area, before it was read and sifted.",
    )
    if dialect == "athena":
        columns = ",\n".join(
            f"  `{c.name.lower()}` {_HIVE_TYPES[c.type]} COMMENT {_text(c.description)}"
            for c in contract.source_columns
        )
        sql = (
            f"CREATE EXTERNAL TABLE IF NOT EXISTS {_hive_place(place)}.`{name}` (\n{columns}\n)\n"
            f"COMMENT {_text(purpose)}\n"
            f"ROW FORMAT SERDE '{_SERDE}'\n"
            "WITH SERDEPROPERTIES ('case.insensitive' = 'true', 'ignore.malformed.json' = 'true')\n"
            f"LOCATION '{location}/{feed}/'\n"
            "TBLPROPERTIES ('classification' = 'json')"
        )
    else:
        columns = ",\n".join(f'  "{c.name}" {c.type} COMMENT {_text(c.description)}' for c in contract.source_columns)
        sql = (
            f"CREATE TABLE IF NOT EXISTS {_place(place)}.{name} (\n{columns}\n)\nCOMMENT {_text(purpose)}\n"
            f"WITH (format = 'OPENX_JSON', external_location = '{location}/{feed}')"
        )
    return Statement("table", name, purpose, sql)


def _views(contract: Contract, dialect: Dialect, database: str, place: str) -> Iterator[Statement]:
    table = f"{_place(database)}.{contract.name}"
    columns = [column for column in contract.columns if not column.personal]
    yield _view(f"analyst_{contract.name}", contract.purpose, list(_selected(columns)), f"FROM {table}", dialect, place)
    instant = next((column for column in columns if column.required and _INSTANT in column.description), None)
    if instant is not None:
        day = f"CAST({_timestamp(instant)} AS date)"
        selected = [
            ("day", f"day (UTC) of {instant.name}: {instant.description}", day),
            ("count", f"number of rows: {contract.grain}", "count(*)"),
        ]
        purpose = f"Rows per day of {contract.name}, {contract.grain}."
        yield _view(f"analyst_{contract.name}_per_day", purpose, selected, f"FROM {table}\nGROUP BY 1", dialect, place)


def _selected(columns: list[Column]) -> Iterator[tuple[str, str, str]]:
    """Name, meaning and expression of each column of a view."""
    for column in columns:
        yield column.name, column.description, f'"{column.name}"'
        if _INSTANT in column.description:
            yield f"{column.name}Utc", f"{column.name} as a timestamp: {column.description}", _timestamp(column)


def _timestamp(column: Column) -> str:
    """An instant in ms as a timestamp in UTC, since Athena keeps no time zone in a view; null beyond the years 1 to 9999."""
    name = f'"{column.name}"'
    first, last = (1, _LAST_MS) if _NOT_GIVEN in column.description else (_FIRST_MS, _LAST_MS)
    value = f"CAST(from_unixtime({name} / 1000e0) AT TIME ZONE 'UTC' AS timestamp(3))"
    return f"CASE WHEN {name} BETWEEN {first} AND {last} THEN {value} END"


def _view(
    name: str, purpose: str, selected: list[tuple[str, str, str]], rest: str, dialect: Dialect, place: str
) -> Statement:
    """A view. Athena knows no comments of views, so there they are in its text."""
    lines = [
        f'  {expression} AS "{column}"{"," if last else ""} -- {_plain(meaning)}'
        for last, (column, meaning, expression) in zip(range(len(selected) - 1, -1, -1), selected, strict=True)
    ]
    comment = f"\nCOMMENT {_text(purpose)}" if dialect == "trino" else ""
    sql = f"CREATE OR REPLACE VIEW {_place(place)}.{name}{comment} AS\nSELECT\n" + "\n".join(lines) + f"\n{rest}"
    return Statement("view", name, purpose, sql)


def _place(name: str) -> str:
    return ".".join(f'"{part}"' for part in name.split("."))


def _hive_place(name: str) -> str:
    return ".".join(f"`{part}`" for part in name.split("."))


def _text(value: str) -> str:
    return "'" + _plain(value).replace("'", "''") + "'"


def _plain(value: str) -> str:
    """Words for a comment: a semicolon would end the statement for programs that cut a script there."""
    return value.replace(";", ",").replace("\n", " ")
