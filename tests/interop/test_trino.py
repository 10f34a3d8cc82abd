"""Trino, the engine of Athena, reads every table through the lakehouse's own catalog, and sees what DuckDB sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from interop.lakes import bag, tables_with_rows

import stedi

if TYPE_CHECKING:
    from interop.trino_server import Trino

POLICIES = ["strict", "seed"]
CatalogOf = Callable[[stedi.Lakehouse], str]
TYPES = {
    "varchar": "varchar",
    "bigint": "bigint",
    "double": "double",
    "boolean": "boolean",
    "timestamptz": "timestamp(6) with time zone",
}


@pytest.mark.parametrize("policy", POLICIES)
def test_every_table(trino: Trino, catalog_of: CatalogOf, lakes: dict[str, stedi.Lakehouse], policy: str) -> None:
    check_every_table(trino, catalog_of(lakes[policy]), lakes[policy])


@pytest.mark.parametrize("policy", POLICIES)
def test_a_run_by_its_snapshots_and_by_its_tag(
    trino: Trino, catalog_of: CatalogOf, lakes: dict[str, stedi.Lakehouse], policy: str
) -> None:
    """The first run had the other policy: another shape of `machine_learning_curated`, and no sessions under `seed`."""
    lake = lakes[policy]
    catalog, before = catalog_of(lake), lake.as_of(1)
    compared = 0
    for info in before.tables():
        if info.snapshot is None:
            continue
        ours = before.table(info.name).to_arrow()
        for version in (str(info.snapshot), "'run-1'"):
            theirs = trino.ask(f"SELECT * FROM {info.name} FOR VERSION AS OF {version}", catalog)
            assert theirs.names == [name.lower() for name in ours.column_names], info.name
            assert theirs.bag() == bag(ours), (info.name, version)
            compared += 1
    assert compared >= 20


@pytest.mark.parametrize(("policy", "rows"), [("strict", 32_025), ("seed", 43_681)])
def test_the_data_of_2023(
    trino: Trino, catalog_of: CatalogOf, request: pytest.FixtureRequest, policy: str, rows: int
) -> None:
    """The numbers are those of the specification."""
    lake: stedi.Lakehouse = request.getfixturevalue(f"{policy}_lake")
    assert trino.ask("SELECT count(*) FROM machine_learning_curated", catalog_of(lake)).rows == [[rows]]
    check_every_table(trino, catalog_of(lake), lake)


def check_every_table(trino: Trino, catalog: str, lake: stedi.Lakehouse) -> None:
    """Trino writes the names of columns in lower case, and compares them so: see docs/guides/other-engines.md."""
    assert {name for (name,) in trino.ask("SHOW TABLES", catalog).rows} == {info.name for info in lake.tables()}
    for name in tables_with_rows(lake):
        ours, theirs = lake.table(name).to_arrow(), trino.ask(f"SELECT * FROM {name}", catalog)
        columns = lake.contract(name).columns
        assert theirs.names == [column.name.lower() for column in columns]
        assert theirs.types == [TYPES[column.type] for column in columns]
        assert theirs.bag() == bag(ours), name
        comments = {row[0]: row[3] for row in trino.ask(f"DESCRIBE {name}", catalog).rows}
        assert comments == {column.name.lower(): column.description for column in columns}
