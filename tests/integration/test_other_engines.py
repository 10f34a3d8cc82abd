"""Other engines read every table without us, and see the same rows."""

from __future__ import annotations

import importlib.util
import math
import re
from pathlib import Path

import duckdb
import polars
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import StaticTable

import stedi
from stedi.simulate import SimulationOptions, simulate

Rows = list[tuple[object, ...]]


@pytest.fixture(scope="module", params=["strict", "seed"])
def lake(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> stedi.Lakehouse:
    """A lakehouse with history: two runs, so that files were replaced."""
    folder = tmp_path_factory.mktemp("lake")
    simulate(folder / "feeds", SimulationOptions(customers=150, seed=9, dirty_share=0.02))
    lake = stedi.open_lakehouse(folder / "lake", policy=request.param)
    lake.run(folder / "feeds", policy="seed" if request.param == "strict" else "strict")
    lake.run(folder / "feeds")
    return lake


def ours(lake: stedi.Lakehouse, name: str) -> Rows:
    return in_order([tuple(row.values()) for row in lake.table(name).to_arrow().to_pylist()])


def in_order(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: [(value is not None, str(value)) for value in row])


def catalog(lake: stedi.Lakehouse) -> SqlCatalog:
    """What any PyIceberg user would write."""
    return SqlCatalog("stedi", uri=f"sqlite:///{lake.folder}/catalog.db", warehouse=str(lake.folder / "warehouse"))


def names(lake: stedi.Lakehouse) -> list[str]:
    found = [info.name for info in lake.tables() if info.snapshot is not None]
    assert len(found) >= 10
    return found


def test_pyiceberg_alone(lake: stedi.Lakehouse) -> None:
    tables = catalog(lake)
    for name in names(lake):
        table = tables.load_table(("stedi", name)).scan().to_arrow()
        assert in_order([tuple(row.values()) for row in table.to_pylist()]) == ours(lake, name), name
    tables.close()


def test_polars(lake: stedi.Lakehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLARS_ICEBERG_PLANNER", "pyiceberg")
    tables = catalog(lake)
    for name in names(lake):
        location = tables.load_table(("stedi", name)).metadata_location
        frame = polars.scan_iceberg(StaticTable.from_metadata(location)).collect()
        assert in_order(frame.rows()) == ours(lake, name), name
    tables.close()


def test_duckdb_with_its_iceberg_extension(lake: stedi.Lakehouse) -> None:
    extensions = [_extension(name) for name in ("avro", "iceberg")]
    if None in extensions:
        pytest.skip("the Iceberg extension has wheels for DuckDB 1.5.5 only: `make test` runs this there")
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    for path in extensions:
        con.execute(f"LOAD '{path}'")
    tables = catalog(lake)
    for name in names(lake):
        location = tables.load_table(("stedi", name)).metadata_location
        rows = con.execute(f"SELECT * FROM iceberg_scan('{location}')").to_arrow_table().to_pylist()
        assert in_order([tuple(row.values()) for row in rows]) == ours(lake, name), name
    tables.close()
    con.close()


def test_the_scripts_of_the_page_for_duckdb(lake: stedi.Lakehouse, capsys: pytest.CaptureFixture[str]) -> None:
    """As `docs/guides/other-engines.md` has them, but for where the extension comes from."""
    extensions = [_extension(name) for name in ("avro", "iceberg")]
    if None in extensions:
        pytest.skip("the Iceberg extension has wheels for DuckDB 1.5.5 only: `make test` runs this there")
    page = Path(__file__).resolve().parents[2] / "docs" / "guides" / "other-engines.md"
    (section,) = re.findall(r"^## DuckDB\n(.*?)^## ", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    (sql,) = re.findall(r"^```sql\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    (script,) = re.findall(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    load = [f"LOAD '{path}'" for path in extensions]
    rows = lake.table("machine_learning_curated").to_arrow().num_rows
    script = script.replace('connection.execute("INSTALL iceberg")', f"connection.execute({load[0]!r})")
    script = script.replace('connection.execute("LOAD iceberg")', f"connection.execute({load[1]!r})")
    exec(script.replace("/data/lakehouse", str(lake.folder)), {})
    assert capsys.readouterr().out == f"({rows},)\n"
    tables = catalog(lake)
    newest = tables.load_table(("stedi", "machine_learning_curated")).metadata_location
    tables.close()
    named = re.sub(r"'/data/lakehouse/[^']*<newest>[^']*'", f"'{newest}'", sql.partition("LOAD iceberg;")[2])
    con = duckdb.connect()
    for command in load:
        con.execute(command)
    assert con.execute(named).fetchall() == [(rows,)]
    con.close()


def test_columns_carry_their_meaning(lake: stedi.Lakehouse) -> None:
    tables = catalog(lake)
    for info in lake.tables():
        table = tables.load_table(("stedi", info.name))
        assert table.format_version == 2
        contract = lake.contract(info.name)
        assert {field.name: field.doc for field in table.schema().fields} == {
            c.name: c.description for c in contract.columns
        }
        assert table.properties["comment"] == contract.purpose
    tables.close()


def _extension(name: str) -> Path | None:
    found = importlib.util.find_spec(f"duckdb_extension_{name}")
    if found is None or found.origin is None:
        return None
    return next(Path(found.origin).parent.rglob(f"{name}.duckdb_extension"))


def test_rows_have_the_columns_of_the_contract(lake: stedi.Lakehouse) -> None:
    types = {"varchar": "string", "bigint": "int64", "double": "double", "boolean": "bool"}
    for info in lake.tables():
        with lake.query(f"FROM {info.name}").reader() as rows:
            found = [(field.name, str(field.type)) for field in rows.schema]
        wanted = [(c.name, types.get(c.type, "timestamp[us, tz=UTC]")) for c in lake.contract(info.name).columns]
        assert found == wanted, info.name


def test_readers_of_python(lake: stedi.Lakehouse) -> None:
    rows = lake.table("accelerometer_trusted")
    arrow = rows.to_arrow()
    assert rows.to_polars().height == arrow.num_rows == len(rows.to_pandas())
    batches = list(rows.scan(100))
    assert len(batches) >= math.ceil(arrow.num_rows / 100)
    assert sum(batch.num_rows for batch in batches) == arrow.num_rows
    assert max(batch.num_rows for batch in batches) <= 100
