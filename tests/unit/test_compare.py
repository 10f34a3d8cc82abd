"""The comparison compares like with like: its arithmetic, and that everybody answers the same question."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import stedi
from bench import report, steps
from bench.__main__ import Figure
from bench.compare import check_rows, rows_of_files, rows_of_lakehouse
from bench.rivals import floor, plain, with_pandas, with_polars
from bench.rivals.job import CHAIN, FIELDS
from stedi.config import Settings
from stedi.contracts import FEEDS, contracts
from stedi.privacy.policy import reach_rows, settings_row
from stedi.runs import rebuild

CUSTOMERS = [
    {"email": "ann@test.com", "lastUpdateDate": 1, "shareWithResearchAsOfDate": 0},
    {"email": "ann@test.com", "lastUpdateDate": 2, "shareWithResearchAsOfDate": 1_000},  # the newest: consents
    {"email": "ben@test.com", "lastUpdateDate": 1, "shareWithResearchAsOfDate": 1_000},
    {"email": "ben@test.com", "lastUpdateDate": 2},  # the newest: withdraws
    {"email": "cy@test.com", "lastUpdateDate": 1, "shareWithResearchAsOfDate": 9_000},  # reads nothing after it
    {"email": "dee@test.com", "lastUpdateDate": 1, "shareWithResearchAsOfDate": 1_002},
    {"email": "eve@test.com", "lastUpdateDate": 1, "shareWithResearchAsOfDate": 0},
]
#: Usable are ann's 4 and the last 2 of dee; at 1,002 both read.
READINGS = [("ann@test.com", at) for at in (999, 1_000, 1_001, 1_002, 1_003)]
READINGS += [("dee@test.com", at) for at in (1_001, 1_002, 1_050)]
READINGS += [("ben@test.com", 1_004), ("cy@test.com", 1_000), ("eve@test.com", 1_000), ("nobody@test.com", 1_000)]
#: Usable are those of 1,000 to 1,003; nobody who consents reads at 999 or 1,004.
STEPS = [("d1", at) for at in (999, 1_000, 1_001, 1_002, 1_003, 1_004)]
COUNTED = {
    "customer_landing": 7,
    "accelerometer_landing": 12,
    "step_trainer_landing": 6,
    "customer_trusted": 3,  # ann, cy, dee
    "accelerometer_trusted": 6,
    "customers_curated": 2,  # ann, dee
    "step_trainer_trusted": 4,
    "machine_learning_curated": 5,  # two of them at 1,002
}


@pytest.fixture
def feeds(tmp_path: Path) -> Path:
    records: dict[str, list[dict[str, Any]]] = {
        "customer": [{"customerName": "n", "serialNumber": "s", "registrationDate": 1} | one for one in CUSTOMERS],
        "accelerometer": [{"user": who, "timestamp": at, "x": 0.5, "y": 0.0, "z": 1} for who, at in READINGS],
        "step_trainer": [
            {"sensorReadingTime": at, "serialNumber": device, "distanceFromObject": 3} for device, at in STEPS
        ],
    }
    for feed, mine in records.items():
        (tmp_path / "feeds" / feed / "2023").mkdir(parents=True)
        for half in range(2):
            lines = "".join(json.dumps(record) + "\n" for record in mine[half::2])
            (tmp_path / "feeds" / feed / "2023" / f"{half}.json").write_text(lines)
    return tmp_path / "feeds"


@pytest.mark.parametrize("rival", [plain, with_polars, with_pandas], ids=lambda rival: rival.__name__.split(".")[-1])
def test_the_usual_chain_gives_the_rows_counted_by_hand(rival: Any, feeds: Path, tmp_path: Path) -> None:
    rival.run(feeds, tmp_path / "out", "1GB")
    assert rows_of_files(tmp_path / "out") == COUNTED
    assert set(COUNTED) == set(CHAIN)


def test_the_floor_writes_what_a_run_writes(feeds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor, "STEPS_PER_PART", 2)  # so that the last table is written in parts
    stedi.open_lakehouse(tmp_path / "lake").run(landing=feeds)
    floor.run(feeds, tmp_path / "out", "1GB")
    rows = rows_of_lakehouse(tmp_path / "lake")
    assert rows_of_files(tmp_path / "out") == rows
    assert rows["machine_learning_curated"] == 4  # ann's session, and nobody else's movement


def test_the_floor_takes_the_steps_of_a_rebuild() -> None:
    assert tuple(floor.DERIVED) == rebuild.DERIVED
    assert {name: before for name, before in floor.DERIVED.items() if before} == dict(rebuild._BEFORE)
    assert dict(rebuild._SPENT) == floor.SPENT
    assert rebuild.STEPS_PER_PART == floor.STEPS_PER_PART


def test_the_floor_has_the_default_settings() -> None:
    import duckdb

    connection = duckdb.connect()
    found = {name: connection.sql(select).to_arrow_table().to_pylist() for name, select in floor.SETTINGS.items()}
    assert found["settings"] == settings_row(Settings()).to_pylist()
    assert found["reach"] == reach_rows(Settings()).to_pylist()
    assert [len(pad) for pad in found["pseudonym_key"][0].values()] == [64, 64]


def test_the_fields_are_those_of_the_contracts() -> None:
    for feed, table in FEEDS.items():
        assert FIELDS[feed] == {column.name: column.type for column in contracts("strict")[table].source_columns}


def test_a_ratio_is_taken_within_a_round() -> None:
    """The machine was three times slower in the second round; in the third, one of them did not finish."""
    walls = [{"a": 2.0, "b": 1.0}, {"a": 6.6, "b": 3.0}, {"a": 2.0}]
    found = [{"measured": {name: {"wall_s": wall} for name, wall in one.items()}} for one in walls]
    found[2]["measured"]["b"] = {"failed": True}  # type: ignore[dict-item]
    assert report.ratio(found, "a", "b") == Figure(2.0, 2.1, 2.2)
    assert report.ratio(found, "c", "a") is None
    assert report.figure(found, "a", "wall_s") == Figure(2.0, 2.0, 6.6)


def test_other_numbers_of_rows_stop_the_bench() -> None:
    check_rows({"a": {"t": 1}, "b": {"t": 1}, "b2": {"t": 2}, "c": {"t": 2}, "d": {"t": 2}})
    with pytest.raises(SystemExit, match="a and b differ in numbers of rows: t 1 and 2"):
        check_rows({"a": {"t": 1}, "b": {"t": 2}})
    with pytest.raises(SystemExit, match="b2 and d differ in numbers of rows: u None and 3"):
        check_rows({"b2": {"t": 1}, "c": {"t": 1}, "d": {"t": 1, "u": 3}})


def test_the_readme_is_written_between_its_markers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "OUT", tmp_path)
    monkeypatch.setattr(report, "KEPT", tmp_path / "compare.json")
    monkeypatch.setattr(report, "PLOT", tmp_path / "compare.png")
    monkeypatch.setattr(report, "IMAGE", tmp_path / "images" / "compare.png")
    (tmp_path / "compare.png").write_bytes(b"")
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    one = {"wall_s": 2.0, "processor_s": 3.0, "peak_mb": 1234.5, "written_mb": 5.25}
    for size, customers in (("10000", 10_000), ("stedi-2023", 956)):
        machine = {"cores": 2, "python": "3.11.1", "duckdb": "2.0.0"}
        measured = {"a": one, "b": one | {"wall_s": 1.6}, "d": {"failed": True}}
        report.add(
            {"size": size, "customers": customers, "memoryLimit": "4GB", "machine": machine, "measured": measured}
        )
    report.write_readme(readme)
    report.write_readme(readme)  # once more changes nothing
    text = readme.read_text()
    assert text.startswith("before\n") and text.endswith(f"{report.END}\nafter\n") and "old" not in text
    assert "| 10,000 | `stedi run` | 2.00 (2.00 to 2.00) | 3.00 | 1,234.5 | 5.2 |" in text
    assert "| 10,000 | usual chain, Polars | did not finish | | | |" in text
    assert "| `stedi run` / the floor | at most 1.3 | 1.25 (1.25 to 1.25) | 1.25 (1.25 to 1.25) |" in text
    report.forget(["10000"])
    assert [kept["size"] for kept in report.rounds()] == ["stedi-2023"]


def test_steps_stand_beside_those_of_the_usual_chain_and_identity_is_a_share_of_all() -> None:
    run = [("reading", 6.0, 10.0), ("session_evidence", 1.0, 3.0), ("device_sessions", 1.0, 1.0), ("commit", 2.0, 6.0)]
    shown = steps.table(run, [("reading", 3.0, 5.0)])
    assert "| 6.00 | 10.00 | 50 % | 3.00 | 5.00 |" in shown
    assert "| **all** | 10.00 | 20.00 | 100 % | 3.00 | 5.00 |" in shown
    assert "Identity takes 20 % of the wall time, 20 % of the processor's." in shown
