"""`stedi consent`."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from stedi.cli.consent import FIELDS_OF_EXPLAIN, FIELDS_OF_IMPACT


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_why_somebody_is_in(cli, small_lake: Path) -> None:
    said = cli("consent", "explain", "bo@example.org", "--lakehouse", small_lake)
    assert said.code == 0
    assert lines(said.out)[0] == (
        "in: this person shares since 2023-11-14 23:13:22 UTC, with 3 usable readings as of run 1 (strict)"
    )
    assert "accelerometer 5 3 2 before consent" in lines(said.out)
    assert "••• 2023-11-14 23:13:20 2023-11-14 23:13:24 assigned evidence" in lines(said.out)
    assert "machine_learning_curated 3" in lines(said.out)
    assert said.err == ""


@pytest.mark.parametrize(
    ("email", "verdict"),
    [
        ("cleo@example.org", "out: this person was never known to share with research as of run 1 (strict)"),
        ("fay@example.org", "out: no customer record of this person could be read as of run 1 (strict)"),
        ("nobody@example.org", "unknown: nothing is known of this person as of run 1 (strict)"),
    ],
)
def test_why_somebody_is_out(cli, small_lake: Path, email: str, verdict: str) -> None:
    said = cli("consent", "explain", email, "--lakehouse", small_lake)
    assert (said.code, lines(said.out)[0]) == (0, verdict)
    assert ("1 record in the quarantine" in said.err) == email.startswith("fay")


def test_a_withdrawal_and_the_run_before(cli, small_feeds: Path) -> None:
    cli("run", "--landing", small_feeds)
    (small_feeds / "customer/later.json").write_text('{"email": "ana@example.org", "lastUpdateDate": 1700000000000}\n')
    cli("run", "--landing", small_feeds)
    said = cli("consent", "explain", "ana@example.org")
    assert lines(said.out)[0] == "out: this person withdrew on 2023-11-14 22:13:20 UTC as of run 2 (strict)"
    before = cli("consent", "explain", "ana@example.org", "--as-of", 1)
    assert lines(before.out)[0].startswith("in: this person shares since 2023-11-14 22:13:19 UTC, with 5 usable")


def test_json(cli, undocumented, small_lake: Path) -> None:
    facts = cli("consent", "explain", "DEE@example.org ", "--lakehouse", small_lake, "--json").facts
    assert undocumented(facts, FIELDS_OF_EXPLAIN) == set()
    assert (facts["known"], facts["consents"], facts["run"], facts["devices"]) == (True, True, 1, 0)
    assert facts["feeds"]["step_trainer"] == {"landed": 5, "kept": 0, "withheld": {"ambiguous session": 5}}
    assert facts["sessions"][0]["device"] == "•••"
    shown = cli("consent", "explain", "dee@example.org", "--lakehouse", small_lake, "--json", "--show-personal").facts
    assert shown["sessions"][0]["device"] == "device-d"
    unknown = cli("consent", "explain", "nobody@example.org", "--lakehouse", small_lake, "--json").facts
    assert (unknown["known"], unknown["decisions"]) == (False, [])
    assert undocumented(unknown, FIELDS_OF_EXPLAIN) == set()


def test_the_email_may_come_from_standard_input(cli, small_lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("ana@example.org\n"))
    facts = cli("consent", "explain", "-", "--lakehouse", small_lake, "--json").facts
    assert facts["rows"]["accelerometer_trusted"] == 5


@pytest.mark.parametrize(("email", "typed"), [(" ", ""), ("-", ""), ("-", "\n")])
def test_no_email(cli, small_lake: Path, monkeypatch: pytest.MonkeyPatch, email: str, typed: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    said = cli("consent", "explain", email, "--lakehouse", small_lake, "--json")
    assert (said.code, said.error["code"]) == (2, "USAGE")


def test_no_lakehouse_and_no_such_run(cli, small_lake: Path) -> None:
    assert cli("consent", "explain", "ana@example.org").code == 4
    assert cli("consent", "explain", "ana@example.org", "--lakehouse", small_lake, "--as-of", 9).code == 6


def test_impact_of_a_withdrawal(cli, small_feeds: Path) -> None:
    """Ana has 5 readings, 5 steps and one session."""
    cli("run", "--landing", small_feeds)
    (small_feeds / "customer/later.json").write_text('{"email": "ana@example.org", "lastUpdateDate": 1700000000000}\n')
    said = cli("consent", "impact", "--landing", small_feeds)
    assert said.code == 0
    shown = lines(said.out)
    assert shown[0] == "the next run (incremental) would change this; why: 1 new landing file"
    assert "withdraw 1" in shown
    assert "accelerometer_trusted 18 0 5 13" in shown
    assert "quarantine 2 0 0 2" in shown
    assert said.err == ""


def test_impact_of_another_policy_is_not_counted_where_the_shape_differs(cli, small_feeds: Path) -> None:
    cli("run", "--landing", small_feeds)
    said = cli("consent", "impact", "--landing", small_feeds, "--policy", "seed")
    assert [line for line in lines(said.out) if line.startswith("machine_learning_curated 8 rebuilt rebuilt ")]


def test_impact_of_nothing(cli, undocumented, small_feeds: Path) -> None:
    cli("run", "--landing", small_feeds)
    assert cli("consent", "impact", "--landing", small_feeds).out == "up to date: the next run would change nothing\n"
    facts = cli("consent", "impact", "--landing", small_feeds, "--json").facts
    assert undocumented(facts, FIELDS_OF_IMPACT) == set()
    assert (facts["mode"], facts["tables"]) == ("nothing", {})


def test_impact_of_a_first_run_has_nothing_to_compare_with(cli, small_feeds: Path) -> None:
    said = cli("consent", "impact", "--landing", small_feeds)
    assert said.code != 0
    assert "there is no lakehouse" in said.err
