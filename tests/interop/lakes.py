"""Lakehouses with a past, and rows to compare whatever their order."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

import stedi
from stedi.contracts import Policy
from stedi.simulate import SimulationOptions, simulate

Bag = Counter[tuple[Any, ...]]


def lake_with_a_past(folder: Path, policy: Policy) -> stedi.Lakehouse:
    """Two runs, the first of the other policy and pinned: so rows were replaced, and tables have changed their columns."""
    simulate(folder / "feeds", SimulationOptions(customers=150, seed=9, dirty_share=0.02))
    lake = stedi.open_lakehouse(folder / "lakehouse", policy=policy)
    lake.run(folder / "feeds", policy="seed" if policy == "strict" else "strict")
    lake.pin(1)
    lake.run(folder / "feeds")
    return lake


def tables_with_rows(lake: stedi.Lakehouse) -> list[str]:
    """Every table but those that never had a row, which another engine sees as empty."""
    found = [info.name for info in lake.tables() if info.snapshot is not None or info.name == "runs"]
    assert len(found) >= 11
    return found


def bag(rows: pa.Table) -> Bag:
    """How often each row is there. Instants count as what they are, in whichever time zone they are given."""
    return bag_of([column.to_pylist() for column in rows.columns])


def bag_of(columns: list[list[Any]]) -> Bag:
    return Counter(zip(*([_plain(value) for value in column] for column in columns), strict=True))


def _plain(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value
