"""`stedi maintain`, `stedi pin`, `stedi unpin`, and what `stedi runs` and `--as-of` make of it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from stedi.cli import maintain, pin, unpin


@pytest.fixture
def lake(cli, small_feeds: Path) -> Path:
    """A lakehouse of four runs in the working folder, whose files need not wait to be deleted."""
    Path("stedi.toml").write_text('landing = "feeds"\n\n[maintenance]\nmin_age_s = 0\nkeep_days = 0\n')
    for number in range(4):
        record = {"email": f"late{number}@example.org", "lastUpdateDate": 1}
        (small_feeds / "customer" / f"late{number}.json").write_text(json.dumps(record))
        assert cli("run").code == 0
    return Path("lakehouse")


def test_tells_what_it_would_do_and_what_it_did(cli, undocumented, lake: Path) -> None:
    told = cli("maintain", "--keep-runs", 2, "--dry-run", "--json").facts
    assert (told["dryRun"], told["expiredRuns"]) == (True, [1, 2])
    (landing,) = [table for table in told["tables"] if table["name"] == "customer_landing"]
    assert (landing["merged"], landing["into"], landing["intoBytes"], landing["deletedFiles"]) == (5, 1, None, 0)
    done = cli("maintain", "--keep-runs", 2, "--json").facts
    assert (done["dryRun"], done["expiredRuns"]) == (False, [1, 2])
    (landing,) = [table for table in done["tables"] if table["name"] == "customer_landing"]
    assert (landing["merged"], landing["into"], landing["expiredSnapshots"]) == (
        5,
        1,
        3,
    )  # runs 1 and 2, and 4 as it was
    assert 0 < landing["intoBytes"] < landing["mergedBytes"]
    assert landing["deletedFiles"] > 0
    assert landing["deletedBytes"] > 0
    assert undocumented(told, maintain.FIELDS) == undocumented(done, maintain.FIELDS) == set()
    assert cli("maintain", "--keep-runs", 2).out == "nothing to do\n"


def test_text_is_a_line_per_table(cli, lake: Path) -> None:
    would, _, title, head, *lines = cli("maintain", "--keep-runs", 3, "--dry-run").out.splitlines()
    assert (would, title) == ("runs that would expire: 1", "What would be done now")
    assert head.split() == ["table", "merged", "into", "expired", "snapshots", "deleted", "files", "deleted", "bytes"]
    assert ["customer_landing", "5", "1", "1", "0", "0"] in [line.split() for line in lines]
    first, _, title, *_ = cli("maintain", "--keep-runs", 3).out.splitlines()
    assert (first, title) == ("runs that expired: 1", "What was done")


def test_files_wait_until_they_are_old_enough(cli, lake: Path) -> None:
    Path("stedi.toml").write_text("[maintenance]\nmin_age_s = 600\nkeep_days = 0\n")
    said = cli("maintain", "--keep-runs", 1)
    assert "that nothing refers to must wait: somebody may still be reading them\n" in said.err
    for path in lake.rglob("*.*"):
        os.utime(path, (time.time() - 700,) * 2)
    facts = cli("maintain", "--keep-runs", 1, "--json").facts
    assert facts["waitingFiles"] == 0
    assert sum(table["deletedFiles"] for table in facts["tables"]) > 0


def test_a_pinned_run_is_kept_and_others_are_told_to_be_gone(cli, undocumented, lake: Path) -> None:
    assert cli("pin", 2, "--reason", "model 7").out == "run 2 is pinned: model 7\n"
    cli("maintain", "--keep-runs", 1)
    last_columns = [line.split("  ")[-1].strip() for line in cli("runs").out.splitlines()]
    assert last_columns == ["readable", "no", "pinned: model 7", "no", "yes"]
    runs = cli("runs", "--json").facts["runs"]
    assert [(run["readable"], run["pinned"]) for run in runs] == [
        (False, None),
        (True, "model 7"),
        (False, None),
        (True, None),
    ]
    for command in ("tables", "show customer_trusted", "devices", "quarantine", "quarantine show", "query SELECT"):
        said = cli(*command.split(), "--as-of", 3, "--json")
        assert (said.code, said.error["message"]) == (6, "run 3 can no longer be read: it was expired")
        assert str(said.error["hint"]).startswith("the oldest run that can be read is 2;")
    assert cli("query", "SELECT count(*) AS n FROM customer_landing", "--as-of", 2, "--json").out == '{"n": 7}\n'
    assert undocumented(cli("pin", 2, "--json").facts, pin.FIELDS) == set()
    assert cli("runs", "--json").facts["runs"][1]["pinned"] == "no reason given"
    assert cli("unpin", 2).out == "run 2 is not pinned\n"
    assert undocumented(cli("unpin", 2, "--json").facts, unpin.FIELDS) == set()
    assert cli("maintain", "--keep-runs", 1, "--json").facts["expiredRuns"] == [2]


def test_what_cannot_be_done_is_said(cli, lake: Path) -> None:
    assert (cli("pin", 9).code, cli("unpin", 9).code) == (6, 6)
    assert cli("maintain", "--keep-runs", 0).code == 2
    for command in ("maintain", "maintain --dry-run", "pin 1"):
        said = cli(*command.split(), "--lakehouse", "nowhere", "--json")
        assert (said.code, said.error["message"]) == (4, "there is no lakehouse here")
        assert not Path("nowhere").exists()
    Path("stedi.toml").write_text("[maintenance]\nkeep_runs = 0\n")
    assert cli("maintain", "--json").error["code"] == "CONFIG"


def test_the_quarantine_is_seen_as_of_a_run(cli, lake: Path, small_feeds: Path) -> None:
    (small_feeds / "customer" / "broken.json").write_text("{\n")
    cli("run")
    for command in ("quarantine", "quarantine list", "quarantine show"):
        assert cli(*command.split(), "--as-of", 1, "--json").facts["records"] == 2
        assert cli(*command.split(), "--json").facts["records"] == 3
