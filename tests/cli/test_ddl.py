"""`stedi ddl`."""

from __future__ import annotations

import json
from pathlib import Path

from stedi.cli.ddl import FIELDS


def test_text_and_json_tell_the_same(cli, undocumented) -> None:
    facts = cli("ddl", "--location", "s3://bucket/landing", "--json").facts
    assert undocumented(facts, FIELDS) == set()
    assert (facts["dialect"], facts["policy"]) == ("athena", "strict")
    assert [one["name"] for one in facts["statements"][:4]] == [
        "raw_customer",
        "raw_accelerometer",
        "raw_step_trainer",
        "analyst_accelerometer_trusted",
    ]
    text = cli("ddl", "--location", "s3://bucket/landing").out
    assert [part.split("\n", 1)[1] for part in text.rstrip(";\n").split(";\n\n")] == [
        one["sql"] for one in facts["statements"]
    ]


def test_without_a_location_there_are_views_only(cli) -> None:
    said = cli("ddl")
    assert said.code == 0
    assert "EXTERNAL TABLE" not in said.out
    assert "CREATE OR REPLACE VIEW" in said.out
    assert "--location" in said.err


def test_the_policy_is_that_of_the_settings(cli) -> None:
    Path("stedi.toml").write_text('policy = "seed"\n')
    assert cli("ddl", "--json").facts["policy"] == "seed"
    assert cli("ddl", "--policy", "strict", "--json").facts["policy"] == "strict"


def test_into_a_file(cli) -> None:
    said = cli("ddl", "--dialect", "trino", "--output", "views.sql")
    assert said.out == ""
    assert "written to views.sql" in said.err
    assert Path("views.sql").read_text() == cli("ddl", "--dialect", "trino").out
    cli("ddl", "--json", "--output", "views.json")
    assert json.loads(Path("views.json").read_text())["statements"]


def test_a_wrong_address_is_told(cli) -> None:
    said = cli("ddl", "--location", "bucket/landing", "--json")
    assert said.code == 2
    assert said.error["code"] == "CONFIG"
    assert "s3://" in (said.error["hint"] or "")
