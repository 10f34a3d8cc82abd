"""Policies and thresholds, as the data that the models read (SPEC 3 and 5)."""

from __future__ import annotations

import hashlib

import msgspec
import pyarrow as pa

from stedi.config import Settings
from stedi.contracts import zones_folder

_HOUR_MS = 3_600_000
#: Instants of two people who walk at the same pace coincide more often than scattered ones would: measured, with room to spare
#: (docs/decisions/0002). More so where the offset between clocks is chosen to fit.
_ROOM, _ROOM_WITH_OFFSET = 2, 5
_NEVER = 1e300


def settings_row(settings: Settings) -> pa.Table:
    """The one row of relation `settings`.

    `usableFrom` is `consent` under strict (readings from the consent instant on) and `always` under seed. `hourMs` is the bucket in
    which a customer's instants are looked up; it is never shorter than the session gap, so that no session skips one. `reachMs` is how
    far apart two instants may lie that are one. The rest is of the rule `likelihood` (docs/decisions/0002): `edgeMs`, by how much the
    phone's window is longer at both ends; `coverMs`, the time within which a phone's instant matches by chance, with room for the
    regular pace of both; `offsetsTried`; `rivalMs`, how far from a session another may lie that the same instants could match.
    A pair has a row in session_evidence from `rowJaccard` on, or above `rowEvidence`.
    """
    devices = settings.devices
    gap_ms = round(devices.session_gap_s * 1000)
    tolerance_ms, skew_ms, likelihood = (
        devices.clock_tolerance_ms,
        devices.clock_skew_ms,
        devices.identity_rule == "likelihood",
    )
    room = _ROOM_WITH_OFFSET if skew_ms else _ROOM
    return pa.table(
        {
            "usableFrom": ["consent" if settings.policy == "strict" else "always"],
            "sessionGapMs": pa.array([gap_ms], pa.int64()),
            "minMatches": pa.array([devices.min_matches], pa.int64()),
            "minJaccard": pa.array([devices.min_jaccard], pa.float64()),
            "clockToleranceMs": pa.array([tolerance_ms], pa.int64()),
            "hourMs": pa.array([max(_HOUR_MS, gap_ms)], pa.int64()),
            "reachMs": pa.array([tolerance_ms + skew_ms], pa.int64()),
            "edgeMs": pa.array([tolerance_ms if likelihood else 0], pa.int64()),
            "coverMs": pa.array([room * (2 * tolerance_ms + 1)], pa.int64()),
            "offsetsTried": pa.array([1 + 2 * skew_ms // (tolerance_ms + 1)], pa.int64()),
            "rivalMs": pa.array([2 * skew_ms], pa.int64()),
            "minEvidence": pa.array([devices.min_evidence], pa.float64()),
            "minMargin": pa.array([devices.min_margin], pa.float64()),
            "rowJaccard": pa.array([_NEVER if likelihood else devices.min_jaccard], pa.float64()),
            "rowEvidence": pa.array([0.0 if likelihood else _NEVER], pa.float64()),
        }
    )


def reach_rows(settings: Settings) -> pa.Table:
    """The rows of relation `reach`: which neighbouring ticks may hold a matching instant."""
    steps = [-1, 0, 1] if settings.devices.clock_tolerance_ms or settings.devices.clock_skew_ms else [0]
    return pa.table({"step": pa.array(steps, pa.int64())})


def fingerprint(settings: Settings, key_id: str) -> str:
    """Digest of all that decides what the derived tables hold, but for the landing rows: a change means a full rebuild."""
    digest = hashlib.sha256()
    digest.update(f"{settings.policy} {msgspec.json.encode(settings.devices).decode()} {key_id}".encode())
    for path in sorted(zones_folder().rglob("*.*")):
        if path.suffix in (".sql", ".yaml"):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
