"""The DDL for other engines follows from the contracts, and tells analysts nothing about persons. Trino runs it in `tests/interop`."""

from __future__ import annotations

import re
from itertools import product
from typing import get_args

import pytest
import sqlglot
from sqlglot import exp

from stedi.contracts import FEEDS, Policy, contracts
from stedi.ddl import Dialect, Statement, statements
from stedi.errors import ConfigError

BOTH = list(product(get_args(Dialect), get_args(Policy)))


def by_name(found: list[Statement]) -> dict[str, Statement]:
    assert len({one.name for one in found}) == len(found)
    return {one.name: one for one in found}


@pytest.mark.parametrize(("dialect", "policy"), BOTH)
def test_views_leave_personal_columns_out(dialect: Dialect, policy: Policy) -> None:
    found = by_name(statements(dialect, policy, location="s3://bucket/landing"))
    zones = [c for c in contracts(policy).values() if c.zone in ("trusted", "curated")]
    assert {name for name in found if name.startswith("raw_")} == {f"raw_{feed}" for feed in FEEDS}
    assert {f"analyst_{c.name}" for c in zones} <= found.keys()
    for contract in zones:
        view = sqlglot.parse_one(found[f"analyst_{contract.name}"].sql, read="trino")
        read = {column.name for column in view.find_all(exp.Column)}
        assert read == {c.name for c in contract.columns if not c.personal}


@pytest.mark.parametrize("policy", get_args(Policy))
def test_raw_tables_have_the_columns_of_their_feed(policy: Policy) -> None:
    found = by_name(statements("athena", policy, location="s3://bucket/landing/"))
    for feed, table in FEEDS.items():
        sql = found[f"raw_{feed}"].sql
        named = re.findall(r"^  `(\w+)` (\w+) COMMENT '", sql, re.MULTILINE)
        types = {"varchar": "string", "bigint": "bigint", "double": "double"}
        assert named == [(c.name.lower(), types[c.type]) for c in contracts(policy)[table].source_columns]
        assert f"LOCATION 's3://bucket/landing/{feed}/'" in sql
        assert "'org.openx.data.jsonserde.JsonSerDe'" in sql
        assert sqlglot.parse_one(sql, read="athena").find(exp.RowFormatSerdeProperty)


@pytest.mark.parametrize(("dialect", "policy"), BOTH)
def test_a_script_can_be_cut_at_its_semicolons(dialect: Dialect, policy: Policy) -> None:
    for one in statements(dialect, policy, location="s3://bucket/landing"):
        assert ";" not in one.sql


def test_the_instants_of_the_training_rows() -> None:
    view = by_name(statements("athena", "strict"))["analyst_machine_learning_curated"].sql
    assert re.findall(r'AS "(\w+)",? --', view) == [
        "subjectId", "deviceId", "sessionId", "sensorReadingTime", "sensorReadingTimeUtc", "distanceFromObject", "x", "y", "z",
    ]  # fmt: skip


def test_names_and_places() -> None:
    found = statements("trino", "strict", database="lake.stedi", into="hive.raw", location="s3://bucket/landing")
    assert 'CREATE TABLE IF NOT EXISTS "hive"."raw".raw_customer (' in found[0].sql
    assert 'CREATE OR REPLACE VIEW "hive"."raw".' in found[-1].sql
    assert 'FROM "lake"."stedi".' in found[-1].sql
    assert not [one for one in statements("athena", "strict") if one.kind == "table"]


@pytest.mark.parametrize(
    "wrong", [{"database": 'a"; DROP'}, {"into": "a.b.c"}, {"location": "x' OR '"}, {"location": "bucket"}]
)
def test_what_is_no_name_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        statements("athena", "strict", **wrong)
