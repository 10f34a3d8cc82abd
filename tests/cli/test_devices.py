"""`stedi devices`."""

from __future__ import annotations

from pathlib import Path

import pytest

from stedi.cli.devices import FIELDS
from stedi.simulate import SimulationOptions, simulate

DAY = "2023-11-15"


def test_lists_what_a_person_must_look_at(cli, small_lake: Path) -> None:
    said = cli("devices", "--lakehouse", small_lake)
    head, line = said.out.splitlines()
    assert head.split() == ["device", "start", "(UTC)", "end", "(UTC)", "reason", "M", "D", "A", "J"]
    assert line.split() == ["•••", DAY, "01:13:20", DAY, "01:13:24", "tie", "5", "5", "5", "1.000"]
    assert said.err.startswith("1 ambiguous session, 2 assigned (0 by registration)\n")


def test_json_holds_the_evidence_masked(cli, undocumented, small_lake: Path) -> None:
    facts = cli("devices", "--lakehouse", small_lake, "--json").facts
    (session,) = facts["sessions"]
    assert (facts["ambiguous"], facts["assigned"], facts["registered"], facts["masked"]) == (1, 2, 0, True)
    assert (session["serialNumber"], session["candidate"], session["rival"], session["customer"]) == (
        "•••",
        "•••",
        "•••",
        None,
    )
    assert session["sessionStartUtc"] == f"{DAY}T01:13:20.000Z"
    assert (session["matches"], session["deviceReadings"], session["customerReadings"], session["jaccard"]) == (
        5,
        5,
        5,
        1.0,
    )
    assert undocumented(facts, FIELDS) == set()


def test_shows_the_people_when_asked(cli, small_lake: Path) -> None:
    said = cli("devices", "--show-personal", "--lakehouse", small_lake)
    assert {"device-d", "dee@example.org", "eve@example.org"} <= set(said.out.split())


def test_all_lists_the_assigned_ones_too(cli, small_lake: Path) -> None:
    facts = cli("devices", "--all", "--show-personal", "--lakehouse", small_lake, "--json").facts
    assert [(s["serialNumber"], s["status"], s["customer"], s["registered"]) for s in facts["sessions"]] == [
        ("device-d", "ambiguous", None, False),
        ("device-a", "assigned", "ana@example.org", False),
        ("device-b", "assigned", "bo@example.org", False),
    ]
    said = cli("devices", "--all", "--limit", 2, "--lakehouse", small_lake)
    assert "registered" in said.out.splitlines()[0]
    assert "the first 2 are shown" in said.err


def test_nothing_to_look_at(cli, strict_lake) -> None:
    said = cli("devices", "--lakehouse", strict_lake.folder)
    assert (said.code, said.out, said.err) == (0, "", "0 ambiguous sessions, 464 assigned (0 by registration)\n")


def test_instants_that_no_calendar_has(cli, small_feeds: Path) -> None:
    (small_feeds / "accelerometer" / "odd.json").write_text(
        "".join(
            f'{{"user": "ana@example.org", "timestamp": {9 * 10**18 + i}, "x": 1, "y": 1, "z": 1}}\n' for i in range(4)
        )
    )
    (small_feeds / "step_trainer" / "odd.json").write_text(
        "".join(
            f'{{"sensorReadingTime": {9 * 10**18 + i}, "serialNumber": "odd", "distanceFromObject": 1}}\n'
            for i in range(4)
        )
    )
    assert cli("run", "--landing", small_feeds).code == 0
    said = cli("devices", "--all")
    assert said.code == 0
    assert f"{9 * 10**18} ms" in said.out


@pytest.mark.parametrize(
    ("lost", "rule", "told"), [(0.1, "jaccard", True), (0.1, "likelihood", False), (0.0, "jaccard", False)]
)
def test_says_where_the_rule_does_not_fit_the_feeds(cli, tmp_path: Path, lost: float, rule: str, told: bool) -> None:
    """A phone has up to three readings of an instant: with 10 % lost it is mostly the device that misses one, and J is about 0.9."""
    simulate(tmp_path / "feeds", SimulationOptions(customers=200, seed=5, drop_rate=lost))
    (tmp_path / "stedi.toml").write_text(f'[devices]\nidentity_rule = "{rule}"\n')
    assert cli("run", "--landing", "feeds").code == 0
    mean = cli("devices", "--json").facts["meanJaccard"]
    assert mean == 1 if not lost else 0.85 < mean < 0.95
    assert ('identity_rule = "likelihood" is made for that' in cli("devices").err) == told
