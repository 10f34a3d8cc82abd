"""The pages on other engines and on Athena: what they show is run, and gives what DuckDB gives."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlglot
from interop.artifacts import SPARK_ICEBERG, SQLITE_DRIVER, fetched
from interop.lakes import bag
from sqlglot import exp

import stedi

if TYPE_CHECKING:
    from interop.trino_server import Trino
    from pyspark.sql import SparkSession

GUIDES = Path(__file__).resolve().parents[2] / "docs" / "guides"
#: The one that stands in the page for any snapshot.
ANY_SNAPSHOT = "1234567890123456789"


def blocks(page: str, section: str, kind: str) -> list[str]:
    """Code blocks of a kind below a heading, up to the next of its level; all of the page where `section` is empty."""
    text = (GUIDES / page).read_text("utf-8")
    if section:
        (text,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_the_script_for_spark(spark: SparkSession, lakes: dict[str, stedi.Lakehouse]) -> None:
    """As the page has it, but for the jars, which are here already."""
    lake = lakes["strict"]
    (script,) = blocks("other-engines.md", "Spark", "python")
    assert re.findall(r'packages = "(.*)"', script) == [
        ",".join(":".join(a.coordinates.split(":")[:3]) for a in (SPARK_ICEBERG, SQLITE_DRIVER))
    ]
    jars = ",".join(str(fetched(artifact)) for artifact in (SPARK_ICEBERG, SQLITE_DRIVER))
    script = script.replace('"spark.jars.packages", packages', f'"spark.jars", "{jars}"')
    script = script.replace("/data/lakehouse", str(lake.folder))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    counts = [str(one.table("machine_learning_curated").to_arrow().num_rows) for one in (lake, lake.as_of(1))]
    assert done.stdout.split() == counts
    assert counts[0] != counts[1]


def test_the_catalog_for_trino(trino: Trino, lakes: dict[str, stedi.Lakehouse]) -> None:
    lake = lakes["strict"]
    (properties,) = blocks("other-engines.md", "Trino", "properties")
    (queries,) = blocks("other-engines.md", "Trino", "sql")
    settings = dict(line.split("=", 1) for line in properties.replace("/data/lakehouse", "{lakehouse}").splitlines())
    assert settings.pop("connector.name") == "iceberg"
    trino.add_lakehouse("lake", lake.folder, settings)
    counts = [trino.ask(query).rows[0][0] for query in queries.strip().rstrip(";").split(";\n")]
    assert counts == [one.table("machine_learning_curated").to_arrow().num_rows for one in (lake, lake.as_of(1))]


ATHENA = blocks("athena.md", "", "sql")


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> stedi.Lakehouse:
    """A lakehouse under `strict` whose first run, pinned, saw half of a file: so readings of then and now differ, and columns do not."""
    from stedi.simulate import SimulationOptions, simulate

    folder = tmp_path_factory.mktemp("past")
    simulate(folder / "feeds", SimulationOptions(customers=150, seed=9, dirty_share=0.02))
    largest = max((folder / "feeds" / "accelerometer").rglob("*.json"), key=lambda path: path.stat().st_size)
    whole = largest.read_bytes()
    largest.write_bytes(whole[: whole.index(b"\n", len(whole) // 2) + 1])
    lake = stedi.open_lakehouse(folder / "lakehouse")
    lake.run(folder / "feeds")
    lake.pin(1)
    largest.write_bytes(whole)
    lake.run(folder / "feeds")
    return lake


@pytest.mark.parametrize("sql", ATHENA, ids=[str(number) for number in range(1, len(ATHENA) + 1)])
def test_a_query_for_athena(
    trino: Trino, catalog_of: Callable[[stedi.Lakehouse], str], past: stedi.Lakehouse, sql: str
) -> None:
    snapshots = {info.name: info.snapshot for info in past.as_of(1).tables()}
    theirs = trino.ask(sql.replace(ANY_SNAPSHOT, str(snapshots["machine_learning_curated"])), catalog_of(past))
    ours = in_duckdb(past, sql)
    assert [name.lower() for name in theirs.names] == [name.lower() for name in ours.column_names]
    assert theirs.bag() == bag(ours)
    assert theirs.rows


def in_duckdb(lake: stedi.Lakehouse, sql: str):  # type: ignore[no-untyped-def]
    """The query's answer by the lakehouse's own engine: translated, with each table of then read from the first run."""
    import duckdb

    tree = sqlglot.parse_one(sql, read="trino")
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    for table in tree.find_all(exp.Table):
        version = table.args.get("version")
        name = f"{table.name}_then" if version else table.name
        con.register(name, (lake.as_of(1) if version else lake).table(table.name).to_arrow())
        table.set("version", None)
        table.set("this", exp.to_identifier(name))
    return con.sql(tree.sql("duckdb")).to_arrow_table()


def test_the_page_covers_what_it_promises() -> None:
    text = "\n".join(ATHENA)
    assert len(ATHENA) >= 14
    assert text.count("FOR VERSION AS OF") >= 3
    tables = {table.name for sql in ATHENA for table in sqlglot.parse_one(sql, read="trino").find_all(exp.Table)}
    assert tables >= {
        "machine_learning_curated",
        "quarantine",
        "device_sessions",
        "step_trainer_trusted",
        "consent_history",
    }


def test_the_checks_of_the_privacy_officer_find_nothing(
    trino: Trino, catalog_of: Callable[[stedi.Lakehouse], str], past: stedi.Lakehouse
) -> None:
    found = [sql for sql in ATHENA if "without_consent" in sql or "no_pseudonyms" in sql]
    assert [trino.ask(sql, catalog_of(past)).rows for sql in found] == [[[0, 0]], [[0]]]


def test_time_travel_shows_another_state(
    trino: Trino, catalog_of: Callable[[stedi.Lakehouse], str], past: stedi.Lakehouse
) -> None:
    (sql,) = (sql for sql in ATHENA if "AS before," in sql)
    assert trino.ask(sql, catalog_of(past)).rows
    runs = json.loads(past.table("runs").to_arrow().to_pylist()[0]["snapshots"])
    assert runs["machine_learning_curated"] is not None
