"""Which instants of a device and a phone match: one to one, as many as possible, earliest first (SPEC 5).

Without a clock tolerance equal instants match, and there is nothing to choose. With one, an instant may lie near several others. In each
round every pair in which both sides are the other's earliest is taken, and the pairs that shared an instant with it are dropped. Taking
such a pair never costs a match: were its two instants matched elsewhere, to later ones, those later ones would match each other.
"""

from __future__ import annotations

from stedi.engines.base import Engine

_PAIR = '"deviceNumber", "sessionStart", "customerNumber"'
_MUTUAL = f"""
    WITH earliest AS (
      SELECT {_PAIR}, "deviceTime", "phoneTime",
        min("phoneTime") OVER (PARTITION BY {_PAIR}, "deviceTime") AS "firstPhone",
        min("deviceTime") OVER (PARTITION BY {_PAIR}, "phoneTime") AS "firstDevice"
      FROM open_pairs
    )
    SELECT {_PAIR}, "deviceTime", "phoneTime" FROM earliest
    WHERE "phoneTime" = "firstPhone" AND "deviceTime" = "firstDevice\""""
_LEFT = """
    SELECT p."deviceNumber", p."sessionStart", p."customerNumber", p."deviceTime", p."phoneTime" FROM open_pairs AS p
    WHERE NOT EXISTS (
      SELECT 1 FROM round_matches AS m
      WHERE m."deviceNumber" = p."deviceNumber" AND m."sessionStart" = p."sessionStart" AND m."customerNumber" = p."customerNumber"
        AND m."deviceTime" = p."deviceTime"
    ) AND NOT EXISTS (
      SELECT 1 FROM round_matches AS m
      WHERE m."deviceNumber" = p."deviceNumber" AND m."sessionStart" = p."sessionStart" AND m."customerNumber" = p."customerNumber"
        AND m."phoneTime" = p."phoneTime"
    )"""


def match_instants(engine: Engine, clock_tolerance_ms: int) -> None:
    """Make relation `instant_matches` from `instant_pairs`. Grain: session, customer, deviceTime; phoneTime is used once too."""
    columns = f'{_PAIR}, "deviceTime", "phoneTime"'
    if clock_tolerance_ms == 0:
        engine.keep("instant_matches", f"SELECT {columns} FROM instant_pairs")
        return
    engine.keep("instant_matches", f"SELECT {columns} FROM instant_pairs WHERE FALSE")
    engine.keep("open_pairs", f"SELECT {columns} FROM instant_pairs")
    while engine.query("SELECT count(*) AS n FROM open_pairs")["n"][0].as_py():
        engine.keep("round_matches", _MUTUAL)
        engine.keep(
            "all_matches", f"SELECT {columns} FROM instant_matches UNION ALL SELECT {columns} FROM round_matches"
        )
        engine.keep("instant_matches", f"SELECT {columns} FROM all_matches")
        engine.keep("pairs_left", _LEFT)
        engine.keep("open_pairs", f"SELECT {columns} FROM pairs_left")
    for name in ("open_pairs", "round_matches", "all_matches", "pairs_left"):
        engine.drop(name)
