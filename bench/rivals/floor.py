"""(b) The floor: the product's own SQL in a bare DuckDB, and nothing else.

Reads the same JSON and writes the same tables under `strict` as plain Parquet. There is no catalog, no field ids, no tolerance for dirt and
no proof that files were read exactly, no quarantine, no audit, no books, no sync, no commit, and nobody could tell which file a row came
from. What is left is what the answer itself costs; `stedi run` can never take less.
"""

from __future__ import annotations

from pathlib import Path

from bench.rivals.bare import Bare
from bench.rivals.job import start
from stedi.contracts import FEEDS, NAMES_CUSTOMER, model
from stedi.engines.sql import customer_of, quoted

#: Derived tables in order, each with what is computed before it and what is of no use after it. As in `stedi.runs.rebuild`; a test
#: compares the two. It is not imported, since that imports the catalog, which a bare script does not need.
DERIVED: dict[str, tuple[str, ...]] = {
    "customer_trusted": ("customer_holding",),
    "consent_history": (),
    "accelerometer_trusted": ("repeated_readings",),
    "session_evidence": (
        "customer_numbers",
        "device_numbers",
        "phone_instants",
        "device_instants",
        "session_instants",
        "sessions",
        "near_instants",
        "instant_pairs",
        "session_pairs",
        "pair_hours",
        "pair_evidence",
    ),
    "device_sessions": (),
    "customers_curated": (),
    "step_trainer_trusted": ("decided_instants", "usable_instants", "repeated_steps"),
    "machine_learning_curated": ("session_pseudonyms",),
}
SPENT: dict[str, tuple[str, ...]] = {
    "session_instants": ("device_instants",),
    "instant_pairs": ("instant_pairs", "near_instants"),
    "session_evidence": ("phone_instants", "sessions", "clock_offsets", "session_pairs", "pair_hours", "pair_evidence"),
    "decided_instants": ("session_instants",),
    "usable_instants": ("instant_matches",),
    "step_trainer_trusted": ("usable_instants",),
    "machine_learning_curated": ("session_pseudonyms",),
}
STEPS_PER_PART = 3_000_000
#: The product's default settings, and any key.
SETTINGS = {
    "settings": """SELECT 'consent' AS "usableFrom", CAST(60000 AS BIGINT) AS "sessionGapMs", CAST(3 AS BIGINT) AS "minMatches",
        CAST(0.8 AS DOUBLE) AS "minJaccard", CAST(0 AS BIGINT) AS "clockToleranceMs", CAST(3600000 AS BIGINT) AS "hourMs",
        CAST(0 AS BIGINT) AS "reachMs", CAST(0 AS BIGINT) AS "edgeMs", CAST(2 AS BIGINT) AS "coverMs", CAST(1 AS BIGINT) AS "offsetsTried",
        CAST(0 AS BIGINT) AS "rivalMs", CAST(3 AS DOUBLE) AS "minEvidence", CAST(10 AS DOUBLE) AS "minMargin",
        CAST(0.8 AS DOUBLE) AS "rowJaccard", CAST(1e300 AS DOUBLE) AS "rowEvidence\"""",
    "reach": 'SELECT CAST(0 AS BIGINT) AS "step"',
    "pseudonym_key": f"SELECT unhex('{'36' * 64}') AS \"innerPad\", unhex('{'5c' * 64}') AS \"outerPad\"",
}
_NO_OFFSETS = """SELECT "deviceNumber", "sessionStart", "customerNumber", CAST(0 AS BIGINT) AS "clockOffsetMs"
    FROM near_instants WHERE FALSE"""
#: What the models ask of landing rows beside the fields of the feed: here all rows come from one line of one file.
_PLACE = ', \'\' AS "_source_file", CAST(0 AS BIGINT) AS "_source_line", TIMESTAMPTZ \'2000-01-01\' AS "_ingested_at"'


def run(feeds: Path, out: Path, memory_limit: str) -> None:
    """Write every table of the lakehouse that holds data of the feeds."""
    bare = Bare(out, memory_limit)
    for name, select in SETTINGS.items():
        bare.keep(name, select)
    for feed in FEEDS:
        bare.land(feeds, feed, _customer(feed) + _PLACE)
    for name, before in DERIVED.items():
        for step in before:
            if step == "near_instants":  # may be many times the readings; the clocks are taken to agree
                bare.define(step, model(step, "strict"))
                bare.keep("clock_offsets", _NO_OFFSETS)
                continue
            bare.keep(step, model(step, "strict"))
            if step == "instant_pairs":  # without a clock tolerance these are the matches
                bare.keep("instant_matches", "SELECT * FROM instant_pairs")
            bare.drop(SPENT.get(step, ()))
        _write(bare, name)
        bare.drop(SPENT.get(name, ()))
    bare.close()


def _customer(feed: str) -> str:
    return f', {customer_of(quoted(NAMES_CUSTOMER[feed]))} AS "_customer"' if feed in NAMES_CUSTOMER else ""


def _write(bare: Bare, name: str) -> None:
    """Write a derived table; the last one a part of the customers at a time, as the product does: it keeps a large join small."""
    if name != "machine_learning_curated":
        bare.write(name, model(name, "strict"))
        return
    sides = ("step_trainer_trusted", "accelerometer_trusted")
    parts = max(1, -(-bare.count(sides[0]) // STEPS_PER_PART))
    for part in range(parts):
        if parts > 1:
            for side in sides:
                bare.define(
                    side, f'SELECT * FROM ({bare.written(side)}) AS t WHERE hash(t."customer") % {parts} = {part}'
                )
        bare.write(name, model(name, "strict"), part)


if __name__ == "__main__":
    start(run)
