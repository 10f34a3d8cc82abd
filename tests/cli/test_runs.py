"""`stedi runs`."""

from __future__ import annotations

from pathlib import Path

from stedi.cli.runs import FIELDS


def test_tells_what_each_run_read_and_withheld(cli, small_lake: Path) -> None:
    head, line = cli("runs", "--lakehouse", small_lake).out.splitlines()
    assert head.split() == [
        "run",
        "published",
        "(UTC)",
        "policy",
        "seconds",
        "files",
        "landed",
        "quarantined",
        "withheld",
        "readable",
    ]
    number, _, _, policy, _, *counts, readable = line.split()
    assert (number, policy, readable) == ("1", "strict", "yes")
    assert counts == [
        "3",
        "48",
        "2",
        "18",
    ]  # 1 customer, 6 phone and 11 device records have no place in a trusted table


def test_json_holds_the_complete_report(cli, undocumented, small_lake: Path) -> None:
    facts = cli("runs", "--lakehouse", small_lake, "--json").facts
    (run,) = facts["runs"]
    assert run["report"]["withheld"]["step_trainer"] == {
        "ambiguous session": 5,
        "before consent": 2,
        "unmatched session": 4,
    }
    assert set(run["snapshots"]) >= {"customer_landing", "machine_learning_curated"}
    assert [step["step"] for step in run["report"]["steps"]] == [
        "landing",
        "customer_trusted",
        "consent_history",
        "accelerometer_trusted",
        "session_evidence",
        "device_sessions",
        "customers_curated",
        "step_trainer_trusted",
        "machine_learning_curated",
        "withheld",
        "audit",
        "commit",
    ]
    assert undocumented(facts, FIELDS) == set()


def test_runs_are_listed_oldest_first(cli, small_feeds: Path) -> None:
    cli("run", "--landing", small_feeds)
    cli("run", "--landing", small_feeds, "--policy", "seed")
    assert [(run["run"], run["policy"]) for run in cli("runs", "--json").facts["runs"]] == [(1, "strict"), (2, "seed")]
