"""Consent that changes: what is in and out after each run, and what is remembered of it (SPEC 2, 3 and 6)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from oracle import Settings, expected
from product import differences, tables_of

import stedi


@pytest.fixture
def feeds(tmp_path: Path) -> Path:
    """Ann's phone was read at 10, 20 and 30, whatever she decides."""
    for feed in ("customer", "accelerometer", "step_trainer"):
        (tmp_path / "feeds" / feed).mkdir(parents=True)
    readings = [{"user": "ann@test.com", "timestamp": at, "x": 0.0, "y": 0.0, "z": 0.0} for at in (10, 20, 30)]
    write(tmp_path / "feeds/accelerometer/a.json", *readings)
    return tmp_path / "feeds"


def write(path: Path, *records: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def ann(updated: int, since: int | None = None, **more: object) -> dict[str, object]:
    record = {"email": "ann@test.com", "registrationDate": 1, "lastUpdateDate": updated, **more}
    return record if since is None else record | {"shareWithResearchAsOfDate": since}


def history(lake: stedi.Lakehouse) -> list[tuple[object, ...]]:
    """Decision, instant, decided when, number of the run, file and line; oldest first."""
    runs = {run.started_at: run.run for run in lake.runs()}
    rows = lake.table("consent_history").to_arrow().sort_by("_ingested_at").to_pylist()
    return [
        (
            row["decision"],
            row["shareWithResearchAsOfDate"],
            row["lastUpdateDate"],
            runs[row["_ingested_at"]],
            Path(row["_source_file"]).name,
            row["_source_line"],
        )
        for row in rows
    ]


def usable(lake: stedi.Lakehouse) -> list[int]:
    return sorted(row["timestamp"] for row in lake.table("accelerometer_trusted").to_arrow().to_pylist())


def test_given_withdrawn_and_given_again(feeds: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    seen = []
    for number, record in enumerate((ann(1), ann(2, 20), ann(3), ann(4, 30), ann(5, 10)), 1):
        write(feeds / f"customer/{number}.json", record)
        lake.run(feeds)
        seen.append(usable(lake))
    assert seen == [[], [20, 30], [], [30], [10, 20, 30]]
    told = [
        ("not given", None, 1, 1, "1.json", 1),
        ("consented", 20, 2, 2, "2.json", 1),
        ("withdrew", None, 3, 3, "3.json", 1),
        ("consented", 30, 4, 4, "4.json", 1),
        ("instant changed", 10, 5, 5, "5.json", 1),
    ]
    assert history(lake) == told
    assert [history(lake.as_of(run)) for run in range(1, 6)] == [told[:run] for run in range(1, 6)]


def test_a_late_older_record_decides_nothing(feeds: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    write(feeds / "customer/withdrawal.json", ann(5))
    lake.run(feeds)
    write(feeds / "customer/late.json", ann(4, 10))
    lake.run(feeds)
    assert usable(lake) == []
    assert history(lake) == [("not given", None, 5, 1, "withdrawal.json", 1)]


def test_the_same_decision_said_again_is_no_new_one(feeds: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    for number, record in enumerate((ann(1, 20), ann(2, 20, phone="5"), ann(3, 20, email=" ANN@test.com")), 1):
        write(feeds / f"customer/{number}.json", record)
        lake.run(feeds)
    assert history(lake) == [("consented", 20, 1, 1, "1.json", 1)]


def test_of_two_records_in_one_run_the_later_decides(feeds: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    write(feeds / "customer/1.json", ann(1, 10))
    lake.run(feeds)
    write(feeds / "customer/2.json", ann(3, 30), ann(2))
    lake.run(feeds)
    assert history(lake) == [("consented", 10, 1, 1, "1.json", 1), ("instant changed", 30, 3, 2, "2.json", 1)]


def test_what_a_changed_landing_file_said_before_is_forgotten(feeds: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    file = write(feeds / "customer/1.json", ann(1, 10))
    lake.run(feeds)
    write(file, ann(2), ann(1, 10))
    lake.run(feeds)
    assert history(lake) == [("not given", None, 2, 2, "1.json", 1)]
    assert history(lake.as_of(1)) == [("consented", 10, 1, 1, "1.json", 1)]


@pytest.mark.parametrize("policy", ["strict", "seed"])
def test_every_step_is_what_the_oracle_says_and_what_a_rebuild_gives(feeds: Path, tmp_path: Path, policy: str) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake", policy=policy)
    first = [(path.parent.name, path) for path in feeds.rglob("*.json")]
    ben = {"email": "Ben@test.com", "lastUpdateDate": 1, "shareWithResearchAsOfDate": 10}
    deliveries = [first]
    for number, records in enumerate(([ann(1, 10), ben], [ann(3)], [ann(2, 5), ben], [ann(4, 20), ann(3, 30)]), 1):
        deliveries.append([("customer", write(feeds / f"customer/{number}.json", *records))])
        lake.run(feeds)
        wanted = expected(deliveries, Settings(policy=policy))
        assert differences(tables_of(lake, policy), wanted) == {}
    lake.run(feeds, full=True)
    assert differences(tables_of(lake, policy), wanted) == {}
