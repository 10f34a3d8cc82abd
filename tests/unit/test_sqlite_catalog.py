"""The catalog file is that of PyIceberg's own `SqlCatalog`, and two programs that commit to one table do not lose each other's rows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException, NoSuchNamespaceError, NoSuchTableError
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.table.update import AssertRefSnapshotId, SetPropertiesUpdate
from pyiceberg.types import LongType, NestedField

from stedi.catalog.sqlite import Catalog, load_catalog, make_catalog
from stedi.home import home_of

NUMBERS = Schema(NestedField(1, "number", LongType(), required=False))
ROWS = pa.table({"number": pa.array([1, 2, 3], pa.int64())})


@pytest.fixture
def ours(tmp_path: Path) -> Catalog:
    make_catalog(home_of(tmp_path))
    made = load_catalog(home_of(tmp_path))
    made.create_all("stedi", {"one": (NUMBERS, {}), "two": (NUMBERS, {"comment": "the second"})})
    return made


def theirs(folder: Path) -> SqlCatalog:
    return SqlCatalog("stedi", uri=f"sqlite:///{folder}/catalog.db", warehouse=str(folder / "warehouse"))


def numbers(table: Table) -> list[int]:
    return sorted(table.scan().to_arrow()["number"].to_pylist())


def test_the_layout_is_that_of_pyiceberg(tmp_path: Path) -> None:
    make_catalog(home_of(tmp_path))
    SqlCatalog("stedi", uri=f"sqlite:///{tmp_path}/theirs.db", warehouse=str(tmp_path)).close()
    layouts = []
    for name in ("catalog.db", "theirs.db"):
        with closing(sqlite3.connect(tmp_path / name)) as file:
            tables = [row[0] for row in file.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]
            layouts.append({table: file.execute(f"PRAGMA table_info({table})").fetchall() for table in tables})
    assert layouts[0] == layouts[1]
    assert set(layouts[0]) == {"iceberg_tables", "iceberg_namespace_properties"}


def test_pyiceberg_sees_what_is_committed_and_the_other_way_round(tmp_path: Path, ours: Catalog) -> None:
    other = theirs(tmp_path)
    assert (
        sorted(ours.list_tables("stedi")) == sorted(other.list_tables("stedi")) == [("stedi", "one"), ("stedi", "two")]
    )
    assert other.load_table("stedi.two").properties["comment"] == "the second"
    ours.load_table("stedi.one").append(ROWS)
    assert numbers(other.load_table("stedi.one")) == [1, 2, 3]
    other.load_table("stedi.one").append(ROWS)
    assert numbers(ours.load_table("stedi.one")) == [1, 1, 2, 2, 3, 3]
    assert other.load_namespace_properties("stedi") == ours.load_namespace_properties("stedi")


def test_two_programs_that_append_keep_both_rows(tmp_path: Path, ours: Catalog) -> None:
    mine, their = ours.load_table("stedi.one"), theirs(tmp_path).load_table("stedi.one")
    their.append(ROWS)
    mine.append(ROWS)  # fails once, and is done again on what the other left
    assert numbers(ours.load_table("stedi.one")) == [1, 1, 2, 2, 3, 3]


def test_what_was_committed_meanwhile_is_not_overwritten(
    tmp_path: Path, ours: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other program commits between our last look and our commit."""
    write = Catalog._write_metadata

    def late(*arguments: object) -> None:
        theirs(tmp_path).load_table("stedi.one").append(ROWS)
        write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Catalog, "_write_metadata", staticmethod(late))
    table = ours.load_table("stedi.one")
    with pytest.raises(CommitFailedException, match="one"):
        ours.commit_table(table, (), (SetPropertiesUpdate(updates={"ours": "yes"}),))
    monkeypatch.undo()
    now = ours.load_table("stedi.one")
    assert (numbers(now), "ours" in now.properties) == ([1, 2, 3], False)


def test_a_requirement_that_does_not_hold_commits_nothing(ours: Catalog) -> None:
    table = ours.load_table("stedi.one")
    missing = AssertRefSnapshotId(ref="main", snapshot_id=7)
    with pytest.raises(CommitFailedException):
        ours.commit_table(table, (missing,), (SetPropertiesUpdate(updates={"ours": "yes"}),))
    assert ours.load_table("stedi.one").metadata_location == table.metadata_location


def test_tables_are_made_all_or_none(ours: Catalog) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        ours.create_all("stedi", {"three": (NUMBERS, {}), "one": (NUMBERS, {})})
    assert sorted(name for _, name in ours.list_tables("stedi")) == ["one", "two"]


def test_each_caller_has_a_table_of_their_own(ours: Catalog) -> None:
    first, second = ours.load_table("stedi.one"), ours.load_table("stedi.one")
    first.append(ROWS)
    assert (first.metadata_location == second.metadata_location, second.current_snapshot()) == (False, None)


def test_what_is_not_there(ours: Catalog) -> None:
    ours.drop_table("stedi.two")
    with pytest.raises(NoSuchTableError, match="two"):
        ours.load_table("stedi.two")
    with pytest.raises(NoSuchNamespaceError, match="other"):
        ours.load_namespace_properties("other")
    with pytest.raises(NotImplementedError, match="SqlCatalog"):
        ours.rename_table("stedi.one", "stedi.three")


def test_views_of_other_programs_are_no_tables(tmp_path: Path, ours: Catalog) -> None:
    with closing(sqlite3.connect(tmp_path / "catalog.db")) as file, file:
        file.execute("INSERT INTO iceberg_tables VALUES ('stedi', 'stedi', 'look', 'somewhere', NULL, 'VIEW')")
    assert sorted(name for _, name in ours.list_tables("stedi")) == ["one", "two"]
    with pytest.raises(NoSuchTableError, match="look"):
        ours.load_table("stedi.look")
