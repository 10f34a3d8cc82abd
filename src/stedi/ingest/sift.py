"""Sift the clean lines of a dirty file from the suspicious ones, at nearly full speed.

A line is clean when the proof of `read` holds for it alone: every quote in it is accounted for by the fields that were read from it. Few
lines of a dirty file are suspicious; only those go on to `salvage`.
"""

from __future__ import annotations

import json

from stedi.contracts import Contract
from stedi.engines.sql import quoted
from stedi.ingest import read

#: Longer lines are quarantined unread.
LONGEST = 64 << 20


def sift_select(contract: Contract) -> str:
    """SELECT over `raw_lines`: the contract's source columns, `line`, `clean`, and `raw` where the line is not clean."""
    columns = contract.source_columns
    types = json.dumps({c.name: read.TYPES[c.type] for c in columns}).replace("'", "''")
    values = ", ".join(f"{read.value(c, 'r.' + quoted(c.name))} AS {quoted(c.name)}" for c in columns)
    names = ", ".join(quoted(c.name) for c in columns)
    accounted = " + ".join(f"CASE WHEN {quoted(c.name)} IS NULL THEN 0 ELSE {read.quotes_of(c)} END" for c in columns)
    present = " AND ".join(f"{quoted(c.name)} IS NOT NULL" for c in columns if c.required)
    filled = "".join(f" AND NOT {read.is_blank(c)}" for c in columns if c.required and c.type == "varchar")
    return f"""
        WITH texts AS (
          SELECT line, raw, CASE WHEN octet_length(raw) <= {LONGEST} THEN try(decode(raw)) END AS t FROM raw_lines
        ), parsed AS (
          SELECT line, raw,
            CASE WHEN ends_with(t, '}}') THEN t WHEN ends_with(t, ',') OR ends_with(t, chr(13)) THEN left(t, -1) END AS u,
            CASE WHEN starts_with(u, '{{') AND json_valid(u) THEN from_json(u, '{types}') END AS r
          FROM texts
        ), fields AS (
          SELECT line, raw, u, {values} FROM parsed
        ), judged AS (
          SELECT *, coalesce({present}{filled}
            AND NOT contains(u, chr(92)) AND NOT contains(u, 'true') AND NOT contains(u, 'false')
            AND {accounted} = strlen(u) - strlen(replace(u, '"', '')), false) AS clean
          FROM fields
        )
        SELECT line, clean, CASE WHEN NOT clean THEN raw END AS raw, {names} FROM judged"""
