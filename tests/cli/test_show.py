"""`stedi show`."""

from __future__ import annotations

from pathlib import Path

from stedi.cli.show import FIELDS


def test_says_in_words_what_the_table_holds(cli, small_lake: Path) -> None:
    said = cli("show", "customers_curated", "--lakehouse", small_lake)
    assert said.code == 0
    assert said.out.startswith("customers_curated (curated zone)\n")
    assert "Grain: one row per such customer. Key: customer." in said.out
    assert "shareWithResearchAsOfDate" in said.out
    assert "has_readings" in said.out


def test_masks_what_identifies_a_person(cli, undocumented, small_lake: Path) -> None:
    text = cli("show", "customer_trusted", "--lakehouse", small_lake)
    facts = cli("show", "customer_trusted", "--lakehouse", small_lake, "--json").facts
    assert "•••" in text.out
    assert "example.org" not in text.out
    assert facts["masked"] is True
    assert {row["email"] for row in facts["sample"]} == {"•••"}
    assert {row["registrationDate"] for row in facts["sample"]} == {1_699_999_999_000}
    assert undocumented(facts, FIELDS) == set()


def test_shows_it_when_asked(cli, small_lake: Path) -> None:
    facts = cli("show", "customer_trusted", "--rows", 10, "--show-personal", "--lakehouse", small_lake, "--json").facts
    assert facts["masked"] is False
    assert {row["email"] for row in facts["sample"]} == {f"{name}@example.org" for name in ("ana", "bo", "dee", "eve")}


def test_null_is_not_masked(cli, small_lake: Path) -> None:
    facts = cli("show", "device_sessions", "--rows", 10, "--lakehouse", small_lake, "--json").facts
    assert {(row["status"], row["customer"]) for row in facts["sample"]} == {("assigned", "•••"), ("ambiguous", None)}


def test_case_does_not_matter_and_rows_are_counted(cli, small_lake: Path) -> None:
    facts = cli("show", "Device_Sessions", "--rows", 1, "--lakehouse", small_lake, "--json").facts
    assert (facts["table"], len(facts["sample"])) == ("device_sessions", 1)
    assert cli("show", "device_sessions", "--rows", 0, "--lakehouse", small_lake, "--json").facts["sample"] == []


def test_an_unknown_table(cli, small_lake: Path) -> None:
    said = cli("show", "nosuch", "--lakehouse", small_lake, "--json")
    assert said.code == 6
    assert said.error["code"] == "NOT_FOUND"
    assert said.error["hint"] == "`stedi tables` lists the tables"
