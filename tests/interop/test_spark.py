"""Spark with Iceberg's runtime reads every table through the lakehouse's own catalog, and sees what DuckDB sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from interop.lakes import bag, tables_with_rows
from interop.spark_reader import session_on

import stedi

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

POLICIES = ["strict", "seed"]
#: Py4J leaves the sockets to Python's garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.parametrize("policy", POLICIES)
def test_every_table(spark: SparkSession, lakes: dict[str, stedi.Lakehouse], policy: str) -> None:
    lake = lakes[policy]
    check_every_table(session_on(spark, lake.folder), lake)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_run_by_its_snapshots_and_by_its_tag(
    spark: SparkSession, lakes: dict[str, stedi.Lakehouse], policy: str
) -> None:
    """The first run had the other policy: another shape of `machine_learning_curated`, and no sessions under `seed`."""
    lake = lakes[policy]
    session, before = session_on(spark, lake.folder), lake.as_of(1)
    compared = 0
    for info in before.tables():
        if info.snapshot is None:
            continue
        ours = before.table(info.name).to_arrow()
        for version in (str(info.snapshot), "'run-1'"):
            theirs = session.sql(f"SELECT * FROM {info.name} VERSION AS OF {version}").toArrow()
            assert theirs.column_names == ours.column_names, info.name
            assert bag(theirs) == bag(ours), (info.name, version)
            compared += 1
    assert compared >= 20


@pytest.mark.parametrize(("policy", "rows"), [("strict", 32_025), ("seed", 43_681)])
def test_the_data_of_2023(spark: SparkSession, request: pytest.FixtureRequest, policy: str, rows: int) -> None:
    """The numbers are those of the specification."""
    lake: stedi.Lakehouse = request.getfixturevalue(f"{policy}_lake")
    session = session_on(spark, lake.folder)
    assert session.table("machine_learning_curated").count() == rows
    check_every_table(session, lake)


def check_every_table(session: SparkSession, lake: stedi.Lakehouse) -> None:
    listed = {row.tableName for row in session.sql("SHOW TABLES").collect()}
    assert listed == {info.name for info in lake.tables()}
    wanted = {column.name: column.description for column in lake.contract("customer_trusted").columns}
    described = {row.col_name: row.comment for row in session.sql("DESCRIBE customer_trusted").collect()}
    assert wanted.items() <= described.items()
    for name in tables_with_rows(lake):
        ours, theirs = lake.table(name).to_arrow(), session.table(name).toArrow()
        assert theirs.column_names == ours.column_names, name
        assert bag(theirs) == bag(ours), name
