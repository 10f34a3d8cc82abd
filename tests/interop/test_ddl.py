"""The DDL of `stedi ddl` makes what it says: run by Trino, on the feeds and tables of real lakehouses; Spark reads Athena's dialect."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from interop.lakes import bag, bag_of

import stedi
from stedi.contracts import FEEDS, contracts
from stedi.ddl import statements
from stedi.simulate import SimulationOptions, simulate

if TYPE_CHECKING:
    from interop.trino_server import Trino
    from pyspark.sql import SparkSession

POLICIES = ["strict", "seed"]


@pytest.mark.parametrize("policy", POLICIES)
def test_views_show_the_tables_without_persons(
    trino: Trino, catalog_of: Callable[[stedi.Lakehouse], str], lakes: dict[str, stedi.Lakehouse], policy: str
) -> None:
    lake = lakes[policy]
    trino.ask("CREATE CATALOG IF NOT EXISTS views USING memory")
    trino.ask(f"CREATE SCHEMA views.{policy}")
    found = statements("trino", lake.settings.policy, database=f"{catalog_of(lake)}.stedi", into=f"views.{policy}")
    for one in found:
        trino.ask(one.sql)
        theirs = trino.ask(f"SELECT * FROM views.{policy}.{one.name}")
        table = one.name.removeprefix("analyst_").removesuffix("_per_day")
        ours = lake.table(table).to_arrow()
        if one.name.endswith("_per_day"):
            assert sum(count for _, count in theirs.rows) == ours.num_rows, one.name
            continue
        kept = [c.name for c in lake.contract(table).columns if not c.personal]
        by_name = {name.lower(): [row[i] for row in theirs.rows] for i, name in enumerate(theirs.names)}
        assert bag_of([by_name[name.lower()] for name in kept]) == bag(ours.select(kept)), one.name
        for name in (name.lower() for name in kept if f"{name}utc".lower() in by_name):
            for number, instant in zip(by_name[name], by_name[f"{name}utc"], strict=True):
                assert instant == as_instant(number), (one.name, name)


def as_instant(ms: int | None) -> datetime | None:
    """The instant that the view must show: naive, in UTC. Under `seed`, `usableSince` lies before every calendar."""
    if ms is None or ms < -62_135_596_800_000:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).replace(tzinfo=None)


def test_days_are_counted_as_duckdb_counts_them(
    trino: Trino, catalog_of: Callable[[stedi.Lakehouse], str], lakes: dict[str, stedi.Lakehouse]
) -> None:
    lake = lakes["strict"]
    trino.ask("CREATE CATALOG IF NOT EXISTS views USING memory")
    trino.ask("CREATE SCHEMA views.days")
    found = statements("trino", "strict", database=f"{catalog_of(lake)}.stedi", into="views.days")
    for table, instant in (("machine_learning_curated", "sensorReadingTime"), ("customer_trusted", "lastUpdateDate")):
        (one,) = (one for one in found if one.name == f"analyst_{table}_per_day")
        trino.ask(one.sql)
        ours = lake.query(f"SELECT CAST(epoch_ms({instant}) AS DATE), count(*) FROM {table} GROUP BY 1").to_arrow()
        assert ours.num_rows > (1 if table == "customer_trusted" else 0)
        assert trino.ask(f"SELECT * FROM views.days.{one.name}").bag() == bag(ours)


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gz"])
def test_raw_tables_read_the_landing_area(trino: Trino, tmp_path: Path, compress: bool) -> None:
    """Clean feeds: what dirty ones need is salvage, which no SerDe does. A key in another case is found."""
    feeds = tmp_path / "feeds"
    simulate(feeds, SimulationOptions(customers=40, seed=3, dirty_share=0))
    (feeds / "accelerometer" / "other-case.json").write_text(
        '{"USER": "a@example.org", "timeStamp": 1700000000000, "x": 1.5, "y": 0.0, "z": -1.0}\n'
    )
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(feeds)
    if compress:
        zip_all(feeds)
    catalog = f"raw_{'gz' if compress else 'plain'}"
    settings = {
        "hive.metastore": "file",
        "hive.metastore.catalog.dir": str(tmp_path / "metastore"),
        "hive.recursive-directories": "true",
        "hive.non-managed-table-writes-enabled": "true",
        "fs.hadoop.enabled": "true",
    }
    told = ", ".join(f"\"{key}\" = '{value}'" for key, value in settings.items())
    trino.ask(f"CREATE CATALOG {catalog} USING hive WITH ({told})")
    trino.ask(f"CREATE SCHEMA {catalog}.raw")
    for one in statements("trino", "strict", into=f"{catalog}.raw", location=f"file://{feeds}"):
        if one.kind == "table":
            trino.ask(one.sql)
    for feed, table in FEEDS.items():
        names = [column.name for column in contracts("strict")[table].source_columns]
        theirs = trino.ask(f"SELECT * FROM {catalog}.raw.raw_{feed}")
        assert theirs.names == [name.lower() for name in names]
        assert theirs.bag() == bag(lake.table(table).to_arrow().select(names)), feed


def zip_all(feeds: Path) -> None:
    import gzip

    for feed, path in itertools.product(FEEDS, list(feeds.rglob("*.json*"))):
        if path.is_relative_to(feeds / feed) and path.suffix not in (".gz", ".zst"):
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("policy", POLICIES)
def test_spark_parses_the_raw_tables_of_athena(spark: SparkSession, policy: str) -> None:
    """Athena takes Hive's DDL, as Spark does; whether Athena runs it, only Athena can say."""
    parser = spark._jsparkSession.sessionState().sqlParser()
    found = [one for one in statements("athena", policy, location="s3://bucket/landing") if one.kind == "table"]
    assert len(found) == 3
    for one in found:
        assert "JsonSerDe" in parser.parsePlan(one.sql).toString()
