r"""Read a dirty file line by line: keep what can be read without guessing, say of the rest why not (SPEC 1, decision 1).

In steps, each a relation of the engine:

0. `sifted`     every line; those that are clean have been read already (`sift`).
1. `lines`      the suspicious lines, as text; a line that is not UTF-8 has none.
2. `scanned`    what a line holds: `objects`, read from its left up to the first that is no JSON, and the `rest` that is left.
3. `joined`     lines without any object, joined from one that begins with `{` to before the next: a record spread over lines.
4. `pieces`     the records that arrived: one row each, with its JSON where it has any.
5. `judged`     pieces with each field read by the rules of its type, and the first reason against them.

A file that is one JSON array skips the first three: its elements are the pieces, numbered by position.
Every line ends up in exactly one piece or more, so nothing is dropped silently.
"""

from __future__ import annotations

from stedi.contracts import Column, Contract
from stedi.engines.base import Engine
from stedi.engines.sql import literal, quoted, trimmed
from stedi.errors import DataError
from stedi.ingest import read
from stedi.ingest.discover import LandingFile
from stedi.ingest.lines import line_reader
from stedi.ingest.profile import Profile
from stedi.ingest.sift import LONGEST, sift_select

#: An object with up to two levels of objects inside; RE2 has no recursion.
_STRING = r'"(?:[^"\\]|\\.)*"'
_FLAT = rf'\{{(?:[^{{}}"]|{_STRING})*\}}'
_NESTED = rf'\{{(?:[^{{}}"]|{_STRING}|{_FLAT})*\}}'
_OBJECT = rf'\{{(?:[^{{}}"]|{_STRING}|{_NESTED})*\}}'
#: What may stand between records: white space, and one of these marks alone between two newlines.
_BETWEEN = r"[ \t\r]*(?:\[|\]|\],|,)?[ \t\r]*"
#: An object that is spread over lines, and the lines after it that hold no record.
_SPREAD = rf"(?s)^(\{{.*\}}){_BETWEEN}(?:\n{_BETWEEN})*$"
_NO_RECORD = "('', '[', ']', '],', ',')"
_SPACE = "concat(' ', chr(9), chr(10), chr(13))"
#: Quarantined text is cut after so many bytes.
KEPT = 1 << 20


def salvage(engine: Engine, profile: Profile, contract: Contract) -> None:
    """Leave the records of a dirty file in two relations: the clean lines in `sifted`, and in `judged` all others.

    Both have the contract's source columns and `line`; `judged` has the `reason` against a record (null: it was read) and its `raw` text.
    """
    if not (profile.array and _cut_array(engine, profile.file, contract)):
        _cut_lines(engine, profile.file, contract)
    engine.keep("judged", _judged(contract))


def _cut_array(engine: Engine, file: LandingFile, contract: Contract) -> bool:
    """Make the elements of a file that is one JSON array the pieces, numbered by position; False where it is none."""
    packing = file.packing or "uncompressed"
    elements = f"read_json_objects([{literal(file.readable)}], format = 'array', compression = '{packing}', hive_partitioning = false)"
    try:
        engine.keep(
            "pieces",
            # An element `null` is where a record was taken out: it keeps the place, and is no record (`ingest.raw`).
            "SELECT * FROM (SELECT row_number() OVER () AS line, CAST(json AS VARCHAR) AS object,"
            " CAST(NULL AS VARCHAR) AS broken, CAST(NULL AS VARCHAR) AS raw"
            f" FROM {elements}) WHERE object <> 'null'",
        )
    except DataError:
        return False
    columns = ", ".join(f"NULL AS {quoted(c.name)}" for c in contract.source_columns)
    engine.keep("sifted", f"SELECT 0 AS line, false AS clean, {columns} WHERE FALSE")
    engine.keep("lines", "SELECT 0 AS line, CAST(NULL AS VARCHAR) AS text WHERE FALSE")
    engine.keep("joined", "SELECT 0 AS line, 0 AS last_line WHERE FALSE")
    return True


def _cut_lines(engine: Engine, file: LandingFile, contract: Contract) -> None:
    engine.use_rows("raw_lines", line_reader(file))
    engine.keep("sifted", sift_select(contract))
    engine.drop("raw_lines")
    engine.keep("lines", _lines())
    engine.keep("scanned", _scanned())
    engine.keep("joined", _joined())
    engine.keep("pieces", _pieces())


def salvaged_select(contract: Contract, path: str, ingested_at: str) -> str:
    """SELECT of the landing rows of the file that was salvaged last."""
    columns = ", ".join(quoted(c.name) for c in contract.source_columns)
    place = _provenance(path, ingested_at)
    return (
        f"SELECT *{read.customer(contract)} FROM (SELECT {columns}, {place} FROM sifted WHERE clean"
        f" UNION ALL SELECT {columns}, {place} FROM judged WHERE reason IS NULL)"
    )


def quarantine_select(feed: str, path: str, ingested_at: str) -> str:
    """SELECT of the quarantine rows of the file that was salvaged last."""
    return (
        f'SELECT {literal(feed)} AS "feed", reason AS "reason", raw AS "raw", {_provenance(path, ingested_at)}'
        " FROM judged WHERE reason IS NOT NULL"
    )


def forget(engine: Engine) -> None:
    """Free what the file that was salvaged last has left in memory."""
    for name in ("sifted", "lines", "scanned", "joined", "pieces", "judged"):
        engine.drop(name)


def counts_select() -> str:
    """SELECT of the records of the file that was salvaged last: landed, and quarantined."""
    return (
        "SELECT (SELECT count(*) FROM sifted WHERE clean) + count(*) FILTER (reason IS NULL) AS landed,"
        " count(*) FILTER (reason IS NOT NULL) AS quarantined FROM judged"
    )


def lost_lines_select() -> str:
    """SELECT of the number of lines that hold something and are in no piece: 0, or records were dropped silently."""
    return f"""
        SELECT count(*) AS lines FROM lines AS l
        WHERE (l.text IS NULL OR l.text NOT IN {_NO_RECORD})
          AND NOT EXISTS (SELECT 1 FROM pieces AS p WHERE p.line = l.line)
          AND NOT EXISTS (SELECT 1 FROM joined AS j WHERE l.line BETWEEN j.line AND j.last_line)"""


def _provenance(path: str, ingested_at: str) -> str:
    return f'{literal(path)} AS "_source_file", line AS "_source_line", TIMESTAMPTZ \'{ingested_at}\' AS "_ingested_at"'


def _lines() -> str:
    return f"""
        SELECT line, raw, octet_length(raw) > {LONGEST} AS too_long,
          trim(CASE WHEN octet_length(raw) <= {LONGEST} THEN try(decode(raw)) END, {_SPACE}) AS text
        FROM sifted WHERE NOT clean"""


def _scanned() -> str:
    """A line that is one valid object is taken whole; else objects are cut from the left, each alone."""
    trimmed = f"rtrim(text, concat(',', {_SPACE}))"
    return f"""
        WITH whole AS (
          SELECT line, raw, too_long, text,
            CASE WHEN starts_with(text, '{{') AND json_valid({trimmed}) AND len(text) - len({trimmed}) <= 1 THEN {trimmed} END AS object
          FROM lines
        ), prefixed AS (
          SELECT line, raw, too_long, text, object,
            CASE WHEN object IS NULL THEN regexp_extract(text, '^(?:{_BETWEEN}{_OBJECT})+(?:{_BETWEEN}$)?') END AS prefix
          FROM whole
        ), cut AS (
          SELECT line, raw, too_long, text, object, prefix, regexp_extract_all(prefix, '{_OBJECT}') AS found
          FROM prefixed
        ), counted AS (
          SELECT *, coalesce(list_position(list_transform(found, lambda o: json_valid(o)), false), len(found) + 1) AS broken
          FROM cut
        )
        SELECT line, raw, too_long, text,
          CASE WHEN object IS NOT NULL THEN [object] ELSE coalesce(found[1:broken - 1], []) END AS objects,
          CASE WHEN object IS NULL AND broken > 1
            THEN concat(array_to_string(found[broken:], ''), substr(text, length(prefix) + 1)) END AS rest
        FROM counted"""


def _joined() -> str:
    return f"""
        WITH alone AS (
          SELECT line, text FROM scanned WHERE len(objects) = 0 AND text IS NOT NULL
        ), stepped AS (
          SELECT line, text,
            CASE WHEN starts_with(text, '{{') OR line - 1 <> lag(line) OVER (ORDER BY line) THEN 1 ELSE 0 END AS begins
          FROM alone
        ), grouped AS (
          SELECT line, text, sum(begins) OVER (ORDER BY line ROWS UNBOUNDED PRECEDING) AS part FROM stepped
        ), texts AS (
          SELECT part, min(line) AS line, max(line) AS last_line, string_agg(text, chr(10) ORDER BY line) AS text
          FROM grouped GROUP BY part HAVING count(*) > 1
        ), cut AS (
          SELECT line, last_line, regexp_extract(text, '{_SPREAD}', 1) AS object FROM texts
        )
        SELECT line, last_line, object FROM cut WHERE json_valid(object)"""


def _pieces() -> str:
    return f"""
        SELECT line, unnest(objects) AS object, NULL AS broken, NULL AS raw FROM scanned WHERE len(objects) > 0
        UNION ALL
        SELECT line, NULL, 'not JSON', rest FROM scanned WHERE len(objects) > 0 AND trim(rest, {_SPACE}) NOT IN {_NO_RECORD}
        UNION ALL
        SELECT line, object, NULL, NULL FROM joined
        UNION ALL
        SELECT s.line, NULL,
          CASE WHEN s.too_long THEN 'line too long' WHEN s.text IS NULL THEN 'not UTF-8' ELSE 'not JSON' END,
          coalesce(s.text, CAST(s.raw[1:{KEPT}] AS VARCHAR))
        FROM scanned AS s
        LEFT JOIN joined AS j ON s.line BETWEEN j.line AND j.last_line
        WHERE len(s.objects) = 0 AND j.line IS NULL AND (s.text IS NULL OR s.text NOT IN {_NO_RECORD})"""


def _judged(contract: Contract) -> str:
    columns = contract.source_columns
    tokens = ", ".join(f"{_token(c)} AS {quoted('token ' + c.name)}" for c in columns)
    doubles = ", ".join(f"{_spellings(c)} AS {quoted('spellings ' + c.name)}" for c in columns)
    values = ", ".join(f"{_value(c)} AS {quoted(c.name)}" for c in columns)
    reasons = " ".join(_reasons(c) for c in columns)
    kept = ", ".join(quoted(c.name) for c in columns)
    return f"""
        WITH keyed AS (
          SELECT *, json_keys(object) AS keys FROM pieces
        ), spelled AS (
          SELECT *, {doubles} FROM keyed
        ), tokens AS (
          SELECT *, {tokens} FROM spelled
        ), read AS (
          SELECT *, {values} FROM tokens
        )
        SELECT {kept}, line, CASE WHEN broken IS NOT NULL THEN broken {reasons} END AS reason,
          substr(coalesce(raw, object), 1, {KEPT}) AS raw
        FROM read"""


def _spellings(column: Column) -> str:
    """The keys that mean this column: the exact ones, or those in another case where there is no exact one."""
    exact = f"list_filter(keys, lambda k: k = {literal(column.name)})"
    folded = f"list_filter(keys, lambda k: lower(k) = {literal(column.name.lower())})"
    return f"CASE WHEN len({exact}) > 0 THEN {exact} ELSE {folded} END"


def _token(column: Column) -> str:
    """The JSON text of the column's value; null where it is absent or null."""
    spellings = quoted("spellings " + column.name)
    extracted = f"CAST(json_extract(object, concat('$.\"', {spellings}[1], '\"')) AS VARCHAR)"
    return f"CASE WHEN len({spellings}) = 1 THEN nullif({extracted}, 'null') END"


def _value(column: Column) -> str:
    token = quoted("token " + column.name)
    text = f"json_extract_string({token}, '$')"
    string = f"starts_with({token}, '\"')"
    trimmed = f"trim({text}, {_SPACE})"
    if column.type == "varchar":
        return f"CASE WHEN {string} THEN {text} WHEN regexp_full_match({token}, '-?[0-9]+') THEN {token} END"
    if column.type == "bigint":
        digits = f"regexp_extract({trimmed}, '^(-?(?:0|[1-9][0-9]*))(?:\\.0+)?$', 1)"
        return (
            f"CASE WHEN {string} THEN try_cast(nullif({digits}, '') AS BIGINT)"
            f" WHEN regexp_full_match({token}, '-?[0-9]+') THEN try_cast({token} AS BIGINT)"
            f" WHEN regexp_full_match({token}, '-?[0-9]+\\.0') AND abs(try_cast({token} AS DOUBLE)) < {2**53}"
            f" THEN CAST(CAST({token} AS DOUBLE) AS BIGINT) END"
        )
    number = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
    digits = f"CASE WHEN {string} THEN {trimmed} ELSE {token} END"
    double = f"CASE WHEN regexp_full_match({digits}, '{number}') THEN try_cast({digits} AS DOUBLE) END"
    return f"CASE WHEN isfinite({double}) THEN {double} END"


def _reasons(column: Column) -> str:
    """Cases of the reason, in the order in which they are told; none quotes the value."""
    name, token = quoted(column.name), quoted("token " + column.name)
    meant = {"varchar": "a text", "bigint": "an integer", "double": "a finite number"}[column.type]
    cases = [f"WHEN len({quoted('spellings ' + column.name)}) > 1 THEN {_told(column, 'duplicate key')}"]
    if column.required:
        cases.append(f"WHEN {token} IS NULL THEN {_told(column, 'missing')}")
    cases.append(f"WHEN {token} IS NOT NULL AND {name} IS NULL THEN {_told(column, 'not ' + meant)}")
    if column.required and column.type == "varchar":
        cases.append(f"WHEN {trimmed(name)} = '' THEN {_told(column, 'blank')}")
    return " ".join(cases)


def _told(column: Column, text: str) -> str:
    return literal(f"{column.name}: {text}")
