"""`stedi diff`, and the comparison behind it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import stedi
from stedi.cli.diff import FIELDS
from stedi.contracts import contracts
from stedi.engines.duckdb import DuckDBEngine
from stedi.runs.diff import count_differing

#: ana withdraws: her record and her decision arrive, and what was hers leaves: 5 readings of phone and device, 1 session of 4.
WITHDRAWAL = {
    "customer_landing": (1, 0),
    "accelerometer_landing": (0, 0),
    "step_trainer_landing": (0, 0),
    "quarantine": (0, 0),
    "consent_history": (1, 0),
    "customer_trusted": (0, 1),
    "accelerometer_trusted": (0, 5),
    "session_evidence": (0, 1),
    "step_trainer_trusted": (0, 5),
    "device_sessions": (0, 1),
    "customers_curated": (0, 1),
    "machine_learning_curated": (0, 5),
    "landed_files": (1, 0),
}


@pytest.fixture
def withdrawn(small_feeds: Path, tmp_path: Path) -> stedi.Lakehouse:
    """A lakehouse of the small feeds in which ana withdraws in the second run."""
    lake = stedi.open_lakehouse(tmp_path / "lakehouse")
    lake.run(small_feeds)
    record = {"email": "ana@example.org", "lastUpdateDate": 4_102_444_800_000}
    (small_feeds / "customer" / "withdrawal.json").write_text(json.dumps(record))
    lake.run(small_feeds)
    return lake


def test_counts_what_each_table_gained_and_lost(cli, undocumented, withdrawn: stedi.Lakehouse) -> None:
    facts = cli("diff", 1, 2, "--json").facts
    assert {t["name"]: (t["added"], t["removed"]) for t in facts["tables"]} == WITHDRAWAL
    assert undocumented(facts, FIELDS) == set()
    back = cli("diff", 2, 1, "--json").facts
    assert {t["name"]: (t["removed"], t["added"]) for t in back["tables"]} == WITHDRAWAL
    same = cli("diff", 2, 2, "--json").facts
    assert {(t["added"], t["removed"]) for t in same["tables"]} == {(0, 0)}


def test_text_is_a_line_per_table(cli, withdrawn: stedi.Lakehouse) -> None:
    head, *lines = cli("diff", 1, 2).out.splitlines()
    assert head.split() == ["zone", "table", "added", "removed"]
    listed = [t.name for t in withdrawn.tables() if t.name != "runs"]
    assert [line.split()[1] for line in lines] == listed
    only = cli("diff", 1, 2, "--table", "Customer_Trusted").out.splitlines()
    assert [line.split() for line in only[1:]] == [["trusted", "customer_trusted", "0", "1"]]


def test_a_rebuild_that_writes_all_files_anew_changes_nothing(
    cli, small_feeds: Path, withdrawn: stedi.Lakehouse
) -> None:
    withdrawn.run(small_feeds, full=True)
    assert {(t["added"], t["removed"]) for t in cli("diff", 2, 3, "--json").facts["tables"]} == {(0, 0)}


def test_another_policy_is_told_not_failed(cli, small_feeds: Path, withdrawn: stedi.Lakehouse) -> None:
    withdrawn.run(small_feeds, policy="seed")
    said = cli("diff", 2, 3)
    told = "note: machine_learning_curated cannot be compared: other columns under strict than under seed\n"
    assert (said.code, told in said.err) == (0, True)
    found = {t["name"]: t for t in cli("diff", 2, 3, "--json").facts["tables"]}
    assert found["machine_learning_curated"]["added"] is None
    assert (found["accelerometer_trusted"]["added"], found["accelerometer_trusted"]["removed"]) == (2, 0)  # bo's first


def test_what_cannot_be_found_is_said(cli, withdrawn: stedi.Lakehouse) -> None:
    assert cli("diff", 1, 9, "--json").error["message"] == "there is no run 9"
    for name in ("nosuch", "runs"):
        said = cli("diff", 1, 2, "--table", name, "--json")
        assert (said.code, said.error["message"]) == (6, f"there is no table {name} to compare")


def test_it_agrees_with_a_comparison_of_all_rows(small_feeds: Path, withdrawn: stedi.Lakehouse) -> None:
    (small_feeds / "accelerometer" / "again.json").write_text(
        (small_feeds / "accelerometer" / "2023" / "accelerometer.json").read_text()
    )
    withdrawn.run(small_feeds)
    for one in withdrawn.diff(1, 3):
        old, new = (Counter(map(repr, withdrawn.as_of(run).table(one.table).to_arrow().to_pylist())) for run in (1, 3))
        assert (one.added, one.removed) == ((new - old).total(), (old - new).total()), one.table


def test_rows_are_a_bag_and_null_equals_null(tmp_path: Path) -> None:
    contract = contracts("strict")["accelerometer_trusted"]
    row = {"customer": "a", "user": "a", "timestamp": 1, "x": None, "y": float("nan"), "z": 0.5}
    other = row | {"timestamp": 2}
    bags = {"old": [row, row, row, other], "new": [row, other, other, other, other]}
    for name, rows in bags.items():
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"{name}.parquet")
    engine = DuckDBEngine(tmp_path)
    try:
        paths = [[str(tmp_path / f"{name}.parquet")] for name in ("old", "new")]
        assert count_differing(engine, contract, *paths) == (3, 2)
    finally:
        engine.close()
