"""`stedi simulate`."""

from __future__ import annotations

import inspect
import json
import shutil
from dataclasses import fields
from pathlib import Path

from stedi.cli import simulate as command
from stedi.simulate import SimulationOptions


def test_what_it_writes_is_what_a_run_finds(cli, undocumented, tmp_path: Path) -> None:
    truth = cli("simulate", "feeds", "--customers", 60, "--seed", 3, "--dirty-share", 0.02, "--json").facts
    assert undocumented(truth, command.FIELDS) == set()
    assert (truth["options"]["customers"], truth["options"]["dirtyShare"]) == (60, 0.02)
    report = cli("run", "--landing", "feeds", "--json").facts["report"]
    assert {feed: counts["arrived"] for feed, counts in report["feeds"].items()} == truth["arrived"]
    wanted = truth["expected"]["strict"]
    assert {name: report["rows"][name] for name in wanted} == wanted


def test_late_files_are_delivered_by_a_copy(cli, tmp_path: Path) -> None:
    """Four files in ten come later; the tables are then those that the truth tells of all files."""
    asked = ("--customers", 60, "--seed", 3, "--records-per-file", 400, "--late-share", 0.4)
    said = cli("simulate", "feeds", *asked)
    assert "\nlater: cp -r feeds/late/. feeds/, and run again\n" in said.err
    present, late = (
        [p for feed in ("customer", "accelerometer", "step_trainer") for p in (root / feed).rglob("*") if p.is_file()]
        for root in (tmp_path / "feeds", tmp_path / "feeds" / "late")
    )
    assert len(late) == int(0.4 * (len(present) + len(late))) > 4
    truth = json.loads((tmp_path / "feeds" / "truth" / "truth.json").read_text())
    before = cli("run", "--landing", "feeds", "--json").facts["report"]
    assert sum(counts["files"] for counts in before["feeds"].values()) == len(present)
    shutil.copytree(tmp_path / "feeds" / "late", tmp_path / "feeds", dirs_exist_ok=True)
    after = cli("run", "--landing", "feeds", "--json").facts["report"]
    assert after["mode"] == "incremental"
    assert sum(counts["files"] for counts in after["feeds"].values()) == len(late)
    wanted = truth["expected"]["strict"]
    assert {name: after["rows"][name] for name in wanted} == wanted


def test_text_says_what_was_written_and_what_comes_next(cli) -> None:
    said = cli("simulate", "feeds", "--customers", 5)
    assert said.out.startswith("feeds holds the feeds of 5 simulated customers; feeds/truth the truth about them\n")
    assert said.err == "next: stedi run --landing feeds\n"


def test_every_option_is_there_with_its_default() -> None:
    parameters = inspect.signature(command.simulate).parameters
    for field in fields(SimulationOptions):
        assert parameters[field.name].default == field.default, field.name


def test_the_same_options_give_the_same_bytes(cli, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        cli("simulate", folder, "--customers", 20, "--seed", 5)
    one, two = (
        {p.relative_to(tmp_path / folder): p.read_bytes() for p in (tmp_path / folder).rglob("*") if p.is_file()}
        for folder in ("one", "two")
    )
    assert one == two


def test_bad_options_and_full_folders_are_refused(cli, small_feeds: Path) -> None:
    said = cli("simulate", "x", "--dirty-share", 0.9)
    assert (said.code, said.err) == (
        2,
        "error CONFIG: dirty_share must be a number from 0 to 0.5\n  next: stedi simulate --help\n",
    )
    taken = cli("simulate", small_feeds, "--json")
    assert taken.code == 2
    assert json.loads(taken.err)["error"]["message"] == "the folder exists and is not empty"
