"""`stedi doctor`: finds what is wrong, and says what to do."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import stedi
from stedi.cli.doctor import FIELDS
from stedi.runs import doctor


def by_name(facts: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {check["name"]: (check["status"], check["message"]) for check in facts["checks"]}


@pytest.fixture
def lake(tmp_path: Path, small_feeds: Path) -> Path:
    stedi.open_lakehouse(tmp_path / "lake").run(small_feeds)
    return tmp_path / "lake"


def test_all_is_well(cli, undocumented, small_lake: Path) -> None:
    said = cli("doctor", "--lakehouse", small_lake, "--json")
    assert said.code == 0
    assert {check["status"] for check in said.facts["checks"]} == {"ok"}
    assert {"python", "duckdb", "pyarrow", "pyiceberg", "settings", "tables", "pseudonym key", "disk"} <= set(
        by_name(said.facts)
    )
    assert undocumented(said.facts, FIELDS) == set()
    text = cli("doctor", "--lakehouse", small_lake)
    assert text.err == "0 problems, 0 warnings\n"


def test_no_lakehouse_yet_is_no_problem(cli) -> None:
    said = cli("doctor")
    assert said.code == 0
    assert "lakehouse: `stedi run --landing DIR` makes one" in said.err


def test_a_bad_settings_file(cli, tmp_path: Path) -> None:
    (tmp_path / "stedi.toml").write_text("polici = 'strict'\n")
    said = cli("doctor", "--json")
    assert said.code == 1
    assert by_name(said.facts)["settings"][0] == "problem"
    assert by_name(said.facts)["python"][0] == "ok"


def test_a_data_file_that_is_gone(cli, lake: Path) -> None:
    next((lake / "warehouse").glob("**/customer_trusted/data/*.parquet")).unlink()
    said = cli("doctor", "--lakehouse", lake, "--json")
    assert said.code == 1
    status, message = by_name(said.facts)["table customer_trusted"]
    assert (status, message.startswith("a data file is missing")) == ("problem", True)


def test_a_data_file_that_is_damaged(cli, lake: Path) -> None:
    next((lake / "warehouse").glob("**/customer_trusted/data/*.parquet")).write_bytes(b"PAR1 nonsense PAR1")
    said = cli("doctor", "--lakehouse", lake)
    assert said.code == 1
    assert "table customer_trusted" in said.out
    assert "table customer_trusted: restore it from a backup" in said.err


def test_metadata_that_is_gone(cli, lake: Path) -> None:
    shutil.rmtree(next((lake / "warehouse").glob("**/customer_trusted/metadata")))
    said = cli("doctor", "--lakehouse", lake, "--json")
    assert said.code == 1
    assert by_name(said.facts)["table customer_trusted"][0] == "problem"


def test_what_a_killed_run_left(cli, lake: Path) -> None:
    (lake / "staging" / "deadbeef").mkdir()
    said = cli("doctor", "--lakehouse", lake, "--json")
    assert said.code == 0
    assert by_name(said.facts)["runs"][0] == "warning"


def test_a_run_in_progress_is_no_leftover(cli, lake: Path) -> None:
    (lake / "staging" / "deadbeef").mkdir()
    with (lake / "writer.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert by_name(cli("doctor", "--lakehouse", lake, "--json").facts)["runs"] == ("ok", "a run is in progress")


@pytest.mark.parametrize("harm", ["open to others", "missing", "another one", "damaged"])
def test_the_key(cli, lake: Path, harm: str) -> None:
    key = lake.with_name("lake.key")
    {
        "open to others": lambda: key.chmod(0o644),
        "missing": key.unlink,
        "another one": lambda: key.write_text("ab" * 32),
        "damaged": lambda: key.write_text("ab"),
    }[harm]()
    before = sorted(lake.parent.iterdir())
    said = cli("doctor", "--lakehouse", lake, "--json")
    assert said.code == 1
    assert by_name(said.facts)["pseudonym key"][0] == "problem"
    assert sorted(lake.parent.iterdir()) == before


def test_a_key_inside_the_lakehouse(cli, lake: Path, tmp_path: Path) -> None:
    shutil.copy(lake.with_name("lake.key"), lake / "the.key")
    (tmp_path / "stedi.toml").write_text('lakehouse = "lake"\npseudonym_key = "lake/the.key"\n')
    assert by_name(cli("doctor", "--json").facts)["pseudonym key"][0] == "problem"


def test_a_list_for_readers_that_is_gone_or_wrong(cli, lake: Path) -> None:
    (listing,) = (lake / "published").glob("*.json")
    found = json.loads(listing.read_text())
    found["files"]["customer_trusted"] = []
    listing.write_text(json.dumps(found))
    said = cli("doctor", "--lakehouse", lake, "--json")
    assert (said.code, by_name(said.facts)["listing"][0]) == (1, "problem")
    listing.write_text("nonsense")
    said = cli("doctor", "--lakehouse", lake, "--json")
    assert (said.code, by_name(said.facts)["listing"][0]) == (0, "warning")
    assert cli("tables", "--lakehouse", lake).code == 0


def test_commits_after_the_last_run(cli, lake: Path) -> None:
    from pyiceberg.catalog.sql import SqlCatalog

    catalog = SqlCatalog("stedi", uri=f"sqlite:///{lake / 'catalog.db'}", warehouse=str(lake / "warehouse"))
    table = catalog.load_table("stedi.customer_trusted")
    table.append(table.scan().to_arrow().slice(0, 1))
    catalog.close()
    said = cli("doctor", "--lakehouse", lake, "--json")
    assert by_name(said.facts)["commits"] == ("warning", "changed since the last run: customer_trusted")


def test_a_damaged_catalog(cli, lake: Path) -> None:
    (lake / "catalog.db").write_bytes(os.urandom(4096))
    said = cli("doctor", "--lakehouse", lake, "--json")
    assert (said.code, by_name(said.facts)["lakehouse"][0]) == (1, "problem")


def test_an_older_program(cli, lake: Path) -> None:
    catalog = sqlite3.connect(lake / "catalog.db")
    catalog.execute(
        "UPDATE iceberg_namespace_properties SET property_value = '99' WHERE property_key = 'stedi.format-version'"
    )
    catalog.commit()
    catalog.close()
    status, message = by_name(cli("doctor", "--lakehouse", lake, "--json").facts)["lakehouse"]
    assert (status, "format 99" in message) == ("problem", True)


@pytest.mark.parametrize(
    ("found", "needed", "status"),
    [
        ("1.5.5", ">=1.5.5,<3", "ok"),
        ("1.5.4", ">=1.5.5,<3", "problem"),
        ("2.0.0.dev12", ">=1.5.5,<3", "ok"),
        ("3.0", "<3,>=1.5.5", "problem"),
        ("26.0.1", ">=24", "ok"),
    ],
)
def test_versions_are_compared_by_their_numbers(found: str, needed: str, status: str) -> None:
    assert doctor._check_version("x", found, needed, "hint").status == status


def test_little_space(cli, small_lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, status, code in ((10 << 30, "ok", 0), (1 << 30, "warning", 0), (1 << 20, "problem", 1)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: shutil._ntuple_diskusage(free, 0, free))
        said = cli("doctor", "--lakehouse", small_lake, "--json")
        assert (said.code, by_name(said.facts)["disk"][0]) == (code, status)
