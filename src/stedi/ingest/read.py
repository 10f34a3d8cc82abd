"""Read clean files at the engine's full speed, and prove that nothing was lost or bent.

DuckDB's reader is fast but forgiving: it takes 123.7 for the integer 124, `true` for 1, and a key in another case for a missing one.
So text is read as its JSON token and integers as doubles, values that do not fit become null, and then the quotes are counted:

    every non-null field accounts for 2 quotes (its key), every non-null text field for 2 more (its value).

In a file without backslashes this sum equals the number of quotes in the file only if no key was missed, misspelled, extra, or null,
no number came as a string, no text came without quotes, and nothing was turned into null. With one record per line besides, the
file was read exactly. Anything else goes to `salvage`, which takes its time and decides the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stedi.contracts import FEEDS, NAMES_CUSTOMER, Column, Contract
from stedi.engines.sql import customer_of, literal, quoted, trimmed
from stedi.ingest.profile import Profile

#: What each type is read as. Text as its JSON token shows whether it was quoted; a double shows whether an integer was whole.
TYPES = {"varchar": "JSON", "bigint": "DOUBLE", "double": "DOUBLE"}
#: Beyond this a double no longer holds every integer.
_EXACT = 2**53


def fast_select(profiles: Sequence[Profile], contract: Contract, ingested_at: str) -> str:
    """SELECT of the landing rows of clean files; `ingested_at` is an ISO timestamp.

    `row_number()` is the line because one file is read in order and has one record per line.
    """
    return "\nUNION ALL ".join(_file_select(p, contract, ingested_at) for p in profiles)


def _file_select(profile: Profile, contract: Contract, ingested_at: str) -> str:
    path, readable = literal(profile.file.path), literal(profile.file.readable)
    packing = profile.file.packing or "uncompressed"
    types = ", ".join(f"{quoted(c.name)}: '{TYPES[c.type]}'" for c in contract.source_columns)
    values = ", ".join(f"{value(c, quoted(c.name))} AS {quoted(c.name)}" for c in contract.source_columns)
    shape = "array" if profile.array else "newline_delimited"
    return (
        f'SELECT *{customer(contract)}, {path} AS "_source_file", TIMESTAMPTZ \'{ingested_at}\' AS "_ingested_at" FROM ('
        f'SELECT {values}, row_number() OVER () AS "_source_line"'
        f" FROM read_json([{readable}], format = '{shape}', columns = {{{types}}}, compression = '{packing}',"
        " hive_partitioning = false))"
    )


def customer(contract: Contract) -> str:
    """The column `_customer`, for tables whose records name one."""
    field = {FEEDS[feed]: field for feed, field in NAMES_CUSTOMER.items()}.get(contract.name)
    return f', {customer_of(quoted(field))} AS "_customer"' if field else ""


def value(column: Column, name: str) -> str:
    """The value of a column that was read under `TYPES` as `name`; null where it does not fit."""
    if column.type == "varchar":
        text = f"CAST({name} AS VARCHAR)"
        return f"CASE WHEN starts_with({text}, '\"') THEN substr({text}, 2, length({text}) - 2) END"
    if column.type == "bigint":
        return f"CASE WHEN {name} = trunc({name}) AND abs({name}) < {_EXACT} THEN try_cast({name} AS BIGINT) END"
    return f"CASE WHEN isfinite({name}) THEN {name} END"


def quotes_of(column: Column) -> int:
    """Quotes that a non-null field accounts for: those of its key, and those of a text."""
    return 4 if column.type == "varchar" else 2


def is_blank(column: Column) -> str:
    """Whether a text holds white space alone."""
    return f"({trimmed(quoted(column.name))} = '')"


def proof_select(parquet: str, contract: Contract) -> str:
    """SELECT, per file of a fast read: records and blank texts; and of all files: the quotes accounted for, and missing fields.

    It hardly reads anything: how many values are null stands in the footer. A file never accounts for more quotes than it has. So if the
    sums agree, every file does.
    """
    present = '(m."num_values" - m."stats_null_count")'
    quotes = " ".join(f"WHEN {literal(c.name)} THEN {quotes_of(c)}" for c in contract.source_columns)
    required = [c for c in contract.source_columns if c.required]
    missing = " ".join(f'WHEN {literal(c.name)} THEN m."stats_null_count"' for c in required)
    texts = {quoted(c.name): is_blank(c) for c in required if c.type == "varchar"}
    # what begins with a visible sign of ASCII is not blank: this is quick to see, and nearly always so
    odd = [f"WHEN {text} < '!' OR {text} > '~' THEN CASE WHEN {blank} THEN 1 END" for text, blank in texts.items()]
    blank = " + ".join(f"count(CASE {case} END)" for case in odd)
    return f"""SELECT f.*, t.* FROM (
          SELECT "_source_file" AS "path", count(*) AS "records", {blank} AS "blank"
          FROM read_parquet({literal(parquet)}) GROUP BY "_source_file") AS f
        CROSS JOIN (
          SELECT CAST(sum({present} * CASE m."path_in_schema" {quotes} ELSE 0 END) AS BIGINT) AS "quotes",
            CAST(sum(CASE m."path_in_schema" {missing} ELSE 0 END) AS BIGINT) AS "missing"
          FROM parquet_metadata({literal(parquet)}) AS m) AS t"""


def accounting_select(parquet: str, contract: Contract) -> str:
    """SELECT, per file of a fast read: records, the quotes they account for, and whether a required field is missing."""
    fields = [f"count({quoted(c.name)}) * {quotes_of(c)}" for c in contract.source_columns]
    missing = [f"count(*) - count({quoted(c.name)})" for c in contract.source_columns if c.required]
    blank = [
        f"count(CASE WHEN {is_blank(c)} THEN 1 END)"
        for c in contract.source_columns
        if c.required and c.type == "varchar"
    ]
    return (
        f'SELECT "_source_file" AS "path", count(*) AS "records", {" + ".join(fields)} AS "quotes",'
        f' {" + ".join(missing + blank)} AS "missing" FROM read_parquet({literal(parquet)}) GROUP BY "_source_file"'
    )


def are_exact(profiles: Sequence[Profile], records: Mapping[str, int], rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether what `proof_select` finds proves that all files were read exactly. If not, some of them still may have been."""
    in_order = all(p.plain and (p.array or records[p.file.path] == p.lines) for p in profiles)
    found = rows[0] if rows else {"quotes": 0, "missing": 0}
    blank = sum(row["blank"] for row in rows)
    return in_order and blank == found["missing"] == 0 and found["quotes"] == sum(p.quotes for p in profiles)


def is_exact(profile: Profile, records: int, quotes: int, missing: int) -> bool:
    """Whether a fast read of this file is proven to hold exactly what the file holds."""
    in_order = profile.array or records == profile.lines
    return profile.plain and in_order and quotes == profile.quotes and missing == 0
