"""`stedi run`: what it prints, as text and as JSON, and what it does when there is nothing to do."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from stedi.cli.run import FIELDS

#: SPEC section 4; one decision of each customer.
ROWS = {
    "strict": {
        "customer_landing": 956,
        "accelerometer_landing": 81_273,
        "step_trainer_landing": 28_680,
        "quarantine": 0,
        "consent_history": 956,
        "customer_trusted": 482,
        "accelerometer_trusted": 32_025,
        "device_sessions": 464,
        "customers_curated": 464,
        "step_trainer_trusted": 11_297,
        "machine_learning_curated": 32_025,
    },
    "seed": {
        "customer_landing": 956,
        "accelerometer_landing": 81_273,
        "step_trainer_landing": 28_680,
        "quarantine": 0,
        "consent_history": 956,
        "customer_trusted": 482,
        "accelerometer_trusted": 40_981,
        "device_sessions": 0,
        "customers_curated": 482,
        "step_trainer_trusted": 14_460,
        "machine_learning_curated": 43_681,
    },
}


@pytest.mark.parametrize("policy", ["strict", "seed"])
def test_the_real_feeds_come_out_as_the_specification_says(
    program, undocumented, stedi_2023: Path, policy: str
) -> None:
    said = program("run", "--landing", stedi_2023, "--policy", policy, "--json")
    assert {name: said.facts["report"]["rows"][name] for name in ROWS[policy]} == ROWS[policy]
    assert said.facts["policy"] == policy
    assert said.facts["run"] == 1
    assert said.err == ""
    assert undocumented(said.facts, FIELDS) == set()
    for feed, counts in said.facts["report"]["feeds"].items():
        kept = ROWS[policy][f"{feed}_trusted"] + sum(said.facts["report"]["withheld"][feed].values())
        assert counts["landed"] + counts["quarantined"] == counts["arrived"]
        assert counts["landed"] == kept


def test_text_tells_feeds_tables_and_what_was_withheld(cli, small_feeds: Path) -> None:
    said = cli("run", "--landing", small_feeds)
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert said.code == 0
    assert lines[0].startswith("run 1 (strict) is published after ")
    assert "customer 1 5 1" in lines
    assert "accelerometer 1 24 1" in lines
    assert "step_trainer 1 19 0" in lines
    assert "machine_learning_curated 8 8 0" in lines
    assert "customer no consent 1" in lines
    assert "step_trainer ambiguous session 5" in lines
    assert "`stedi quarantine`" in said.err
    assert "`stedi devices`" in said.err


def test_a_second_run_says_that_it_is_up_to_date(cli, undocumented, small_feeds: Path) -> None:
    assert cli("run", "--landing", small_feeds).code == 0
    again = cli("run", "--landing", small_feeds)
    assert (again.code, again.out) == (0, "up to date: 3 landing files, nothing new, nothing to do\n")
    facts = cli("run", "--landing", small_feeds, "--json").facts
    assert (facts["upToDate"], facts["run"], facts["report"]) == (True, None, None)
    assert undocumented(facts, FIELDS) == set()


def test_full_builds_anew_though_nothing_changed(cli, small_feeds: Path) -> None:
    first = cli("run", "--landing", small_feeds, "--json").facts
    second = cli("run", "--landing", small_feeds, "--full", "--json").facts
    assert (second["run"], second["report"]["rows"]) == (2, first["report"]["rows"])


def test_a_dry_run_prints_the_plan_and_changes_nothing(cli, undocumented, small_feeds: Path, tmp_path: Path) -> None:
    said = cli("run", "--landing", small_feeds, "--dry-run")
    assert said.code == 0
    assert said.out.startswith("would build every table in full: the first run, 3 new landing files\n")
    assert str(small_feeds / "customer" / "2023" / "customer.json") in said.out
    facts = cli("run", "--landing", small_feeds, "--dry-run", "--policy", "seed", "--json").facts
    assert (facts["dryRun"], facts["policy"], facts["upToDate"], len(facts["plan"]["new"])) == (True, "seed", False, 3)
    assert undocumented(facts, FIELDS) == set()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["feeds"]


def test_a_dry_run_knows_what_was_read_before(cli, small_feeds: Path) -> None:
    cli("run", "--landing", small_feeds)
    assert cli("run", "--landing", small_feeds, "--dry-run").out.startswith("up to date: nothing to do\n")
    extra = small_feeds / "step_trainer" / "late.jsonl"
    extra.write_text('{"sensorReadingTime": 1, "serialNumber": "s", "distanceFromObject": 1}\n')
    os.utime(small_feeds / "customer" / "2023" / "customer.json", ns=(1, 1))
    plan = cli("run", "--landing", small_feeds, "--dry-run", "--json").facts["plan"]
    assert [Path(path).name for path in plan["new"]] == ["late.jsonl"]
    assert [Path(path).name for path in plan["touched"]] == ["customer.json"]
    assert plan["unchanged"] == 2


def test_feeds_that_are_missing_are_told_and_what_was_looked_for(cli, small_feeds: Path) -> None:
    (small_feeds / "accelerometer" / "2023" / "accelerometer.json").unlink()
    said = cli("run", "--landing", small_feeds)
    assert said.code == 0
    assert (
        "no file of the feed accelerometer: looked for accelerometer/**/*.json, .jsonl, .ndjson, each also .gz or .zst"
        in said.err
    )
    assert "feed customer" not in said.err
    assert cli("run", "--landing", small_feeds, "--full", "--json").facts["plan"]["missingFeeds"] == ["accelerometer"]


def test_settings_name_landing_lakehouse_and_policy(cli, small_feeds: Path, tmp_path: Path) -> None:
    (tmp_path / "stedi.toml").write_text('landing = "feeds"\nlakehouse = "mine"\npolicy = "seed"\n')
    facts = cli("run", "--json").facts
    assert (facts["policy"], facts["lakehouse"]) == ("seed", str(tmp_path / "mine"))
    assert cli("run", "--policy", "strict", "--json").facts["policy"] == "strict"


def test_the_environment_names_the_lakehouse(program, small_feeds: Path, tmp_path: Path) -> None:
    (tmp_path / "stedi.toml").write_text('lakehouse = "not-this-one"\n')
    said = program("run", "--landing", small_feeds, "--json", STEDI_LAKEHOUSE=str(tmp_path / "there"))
    assert said.facts["lakehouse"] == str(tmp_path / "there")
    assert (tmp_path / "there" / "catalog.db").is_file()


def test_a_new_key_gives_new_pseudonyms(cli, small_feeds: Path) -> None:
    cli("run", "--landing", small_feeds)
    before = cli("query", "SELECT DISTINCT subjectId FROM machine_learning_curated", "--json").out
    assert cli("run", "--landing", small_feeds, "--new-key").code == 0
    after = cli("query", "SELECT DISTINCT subjectId FROM machine_learning_curated", "--json").out
    assert len(before.splitlines()) == len(after.splitlines()) == 2
    assert not {json.loads(line)["subjectId"] for line in before.splitlines()} & {
        json.loads(line)["subjectId"] for line in after.splitlines()
    }


def test_a_lakehouse_made_by_a_relative_path_is_read_from_anywhere(
    cli, small_feeds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("run", "--landing", small_feeds, "--lakehouse", "lake")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert (
        cli("query", "SELECT count(*) AS n FROM customer_trusted", "--lakehouse", "../lake", "--json").out
        == '{"n": 4}\n'
    )
    assert cli("run", "--landing", small_feeds, "--lakehouse", "../lake", "--full", "--json").facts["run"] == 2


def test_files_with_other_endings_are_told_not_ignored_silently(cli, small_feeds: Path) -> None:
    (small_feeds / "customer" / "customers.csv").write_text("email\n")
    said = cli("run", "--landing", small_feeds)
    assert said.code == 0
    assert "note: 1 file in the folders of the feeds" in said.err
    assert cli("run", "--landing", small_feeds, "--dry-run", "--json").facts["plan"]["otherFiles"] == 1
