"""How far a phone's clock is ahead of a device's, for each session and customer who could have used it (docs/decisions/0002).

Every pair of their instants votes for the difference between the two. Where somebody used the device, one difference gets a vote from
nearly every instant, give or take the tolerance; for everybody else the votes are scattered. So the offset is the middle of the window as
wide as the tolerance on both sides that gathers most votes; of several windows the one whose middle is nearest to 0, then the earlier.
"""

from __future__ import annotations

from stedi.config import DeviceSettings
from stedi.engines.base import Engine

#: Instants of devices whose differences are counted at a time: with a skew of 2 s it takes about a gigabyte.
INSTANTS_PER_PART = 3_000_000

_PAIR = '"deviceNumber", "sessionStart", "customerNumber"'


def find_offsets(engine: Engine, devices: DeviceSettings) -> None:
    """Make relation `clock_offsets` from `near_instants`. Grain: session, customer; no row where clocks are taken to agree."""
    columns = f'{_PAIR}, CAST(0 AS BIGINT) AS "clockOffsetMs"'
    if not devices.clock_skew_ms:
        engine.keep("clock_offsets", f"SELECT {columns} FROM near_instants WHERE FALSE")
        return
    instants = engine.query("SELECT count(*) AS n FROM session_instants")["n"][0].as_py()
    parts = max(1, -(-instants // INSTANTS_PER_PART))
    for part in range(parts):
        engine.keep(f"clock_offsets_{part}", _offsets(parts, part, 2 * devices.clock_tolerance_ms))
    every = " UNION ALL ".join(f'SELECT {_PAIR}, "clockOffsetMs" FROM clock_offsets_{part}' for part in range(parts))
    engine.keep("clock_offsets", every)
    for part in range(parts):
        engine.drop(f"clock_offsets_{part}")


def _offsets(parts: int, part: int, width_ms: int) -> str:
    """The offsets of a part of the devices."""
    window = f"""(PARTITION BY {_PAIR} ORDER BY "difference" RANGE BETWEEN CURRENT ROW AND {width_ms} FOLLOWING)"""
    return f"""
        WITH votes AS (
          SELECT {_PAIR}, "phoneTime" - "deviceTime" AS "difference", count(*) AS "votes"
          FROM near_instants WHERE "deviceNumber" % {parts} = {part}
          GROUP BY {_PAIR}, "phoneTime" - "deviceTime"
        ),
        gathered AS (
          SELECT {_PAIR}, "difference", sum("votes") OVER {window} AS "votes", max("difference") OVER {window} AS "last" FROM votes
        ),
        middles AS (
          SELECT {_PAIR}, "votes", "difference" + ("last" - "difference") // 2 AS "clockOffsetMs" FROM gathered
        )
        SELECT {_PAIR}, "clockOffsetMs" FROM middles
        QUALIFY row_number() OVER (
          PARTITION BY {_PAIR} ORDER BY "votes" DESC, abs("clockOffsetMs"), "clockOffsetMs"
        ) = 1"""
