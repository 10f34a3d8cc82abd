"""What the next run would change is said before it is run, exactly, and saying it changes nothing (SPEC 6)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import stedi

LATER_MS = 1_900_000_000_000


@pytest.fixture
def lake(tmp_path: Path, small_feeds: Path) -> stedi.Lakehouse:
    lake = stedi.open_lakehouse(tmp_path / "lake", landing=small_feeds)
    lake.run()
    return lake


def decide(feeds: Path, name: str, **decision: Any) -> None:
    record = {"email": f"{name}@example.org", "lastUpdateDate": LATER_MS, **decision}
    (feeds / "customer" / f"{name}-later.json").write_text(json.dumps(record))


def changes(lake: stedi.Lakehouse) -> dict[str, tuple[int | None, int | None]]:
    found = lake.consent_impact().tables
    return {
        name: (table.added, table.removed) for name, table in found.items() if (table.added, table.removed) != (0, 0)
    }


def test_a_withdrawal(lake: stedi.Lakehouse, small_feeds: Path) -> None:
    """Ana has 5 readings, 5 steps and one session, and is in every table; see `write_small_feeds`."""
    decide(small_feeds, "ana")
    assert lake.consent_impact().customers == {"consent": 0, "withdraw": 1, "changeInstant": 0, "notGiven": 0}
    assert changes(lake) == {
        "customer_landing": (1, 0),
        "consent_history": (1, 0),
        "customer_trusted": (0, 1),
        "accelerometer_trusted": (0, 5),
        "session_evidence": (0, 1),
        "device_sessions": (0, 1),
        "customers_curated": (0, 1),
        "step_trainer_trusted": (0, 5),
        "machine_learning_curated": (0, 5),
    }


def test_a_new_consent_lets_in_what_landed_long_ago(lake: stedi.Lakehouse, small_feeds: Path) -> None:
    """Cleo has 4 readings and 4 steps of one session."""
    decide(small_feeds, "cleo", shareWithResearchAsOfDate=1)
    assert lake.consent_impact().customers == {"consent": 1, "withdraw": 0, "changeInstant": 0, "notGiven": 0}
    assert changes(lake) == {
        "customer_landing": (1, 0),
        "consent_history": (1, 0),
        "customer_trusted": (1, 0),
        "accelerometer_trusted": (4, 0),
        "session_evidence": (1, 0),
        "device_sessions": (1, 0),
        "customers_curated": (1, 0),
        "step_trainer_trusted": (4, 0),
        "machine_learning_curated": (4, 0),
    }


def test_an_earlier_instant_and_somebody_new(lake: stedi.Lakehouse, small_feeds: Path) -> None:
    """Bo consented at the third of five instants: an earlier consent lets the first two in."""
    decide(small_feeds, "bo", shareWithResearchAsOfDate=1)
    decide(small_feeds, "gus")
    assert lake.consent_impact().customers == {"consent": 0, "withdraw": 0, "changeInstant": 1, "notGiven": 1}
    found = changes(lake)
    assert found["accelerometer_trusted"] == (2, 0)
    assert found["machine_learning_curated"] == (2, 0)


def test_it_is_what_the_run_then_does_and_leaves_no_trace(lake: stedi.Lakehouse, small_feeds: Path) -> None:
    decide(small_feeds, "ana")
    decide(small_feeds, "cleo", shareWithResearchAsOfDate=1)
    before = {path: path.stat().st_size for path in lake.folder.rglob("*.parquet")}
    told = lake.consent_impact()
    assert {path: path.stat().st_size for path in lake.folder.rglob("*.parquet")} == before
    assert (len(lake.runs()), told.mode) == (1, "incremental")
    report = lake.run().report
    for kind in ("added", "removed"):
        assert {name: getattr(table, kind) for name, table in told.tables.items()} == report[kind]
    assert {name: table.after for name, table in told.tables.items()} == report["rows"]
    assert told.withheld_after == report["withheld"]


def test_nothing_to_do_and_no_lakehouse(lake: stedi.Lakehouse, tmp_path: Path, small_feeds: Path) -> None:
    assert (lake.consent_impact().mode, lake.consent_impact().tables) == ("nothing", {})
    with pytest.raises(stedi.LakehouseError, match="there is no lakehouse"):
        stedi.open_lakehouse(tmp_path / "other").consent_impact(small_feeds)


def test_a_rebuild_counts_what_really_differs(lake: stedi.Lakehouse, small_feeds: Path) -> None:
    """Another threshold means a full rebuild; with 6 matches asked for nobody is assigned a session."""
    decide(small_feeds, "ana")
    strict = stedi.open_lakehouse(lake.folder, landing=small_feeds, devices={"min_matches": 6})
    found = strict.consent_impact()
    assert found.mode == "full"
    assert (found.tables["accelerometer_trusted"].added, found.tables["accelerometer_trusted"].removed) == (0, 5)
    assert found.tables["device_sessions"].after == 0
    seed = lake.consent_impact(policy="seed").tables["machine_learning_curated"]
    assert (seed.added, seed.removed) == (None, None)
