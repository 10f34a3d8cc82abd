"""Policies and thresholds, as the data that the models read (SPEC 3 and 5)."""

from __future__ import annotations

import hashlib

import pyarrow as pa

from stedi.config import Settings
from stedi.contracts import zones_folder

_HOUR_MS = 3_600_000


def settings_row(settings: Settings) -> pa.Table:
    """The one row of relation `settings`.

    `usableFrom` is `consent` under strict (readings from the consent instant on) and `always` under seed. `hourMs` is the bucket in
    which a customer's instants are looked up; it is never shorter than the session gap, so that no session skips one.
    """
    gap_ms = round(settings.devices.session_gap_s * 1000)
    return pa.table(
        {
            "usableFrom": ["consent" if settings.policy == "strict" else "always"],
            "sessionGapMs": pa.array([gap_ms], pa.int64()),
            "minMatches": pa.array([settings.devices.min_matches], pa.int64()),
            "minJaccard": pa.array([settings.devices.min_jaccard], pa.float64()),
            "clockToleranceMs": pa.array([settings.devices.clock_tolerance_ms], pa.int64()),
            "hourMs": pa.array([max(_HOUR_MS, gap_ms)], pa.int64()),
        }
    )


def reach_rows(settings: Settings) -> pa.Table:
    """The rows of relation `reach`: which neighbouring ticks may hold a matching instant."""
    steps = [-1, 0, 1] if settings.devices.clock_tolerance_ms else [0]
    return pa.table({"step": pa.array(steps, pa.int64())})


def fingerprint(settings: Settings, key_id: str) -> str:
    """Digest of all that decides what the derived tables hold, but for the landing rows: a change means a full rebuild."""
    digest = hashlib.sha256()
    digest.update(f"{settings.policy} {settings.devices.model_dump_json()} {key_id}".encode())
    for path in sorted(zones_folder().rglob("*.*")):
        if path.suffix in (".sql", ".yaml"):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
