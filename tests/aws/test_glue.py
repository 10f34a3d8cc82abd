"""The Glue Data Catalog: what it says of the tables, and commits at the same time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws.homes import digests, opened, settings_of
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import CommitFailedException

import stedi
from stedi.catalog.tables import Tables
from stedi.contracts import contracts
from stedi.places import erase, listing, place


@pytest.fixture
def settings(versioned_bucket: str, tmp_path: Path) -> dict[str, Any]:
    return settings_of("glue", versioned_bucket, tmp_path)


@pytest.fixture
def glue(aws_environment: dict[str, str]) -> Any:
    return boto3.client("glue")


def test_glue_describes_the_tables(settings: dict[str, Any], small_feeds: Path, glue: Any) -> None:
    opened(settings).run(small_feeds)
    database = settings["glue_database"]
    names = {table["Name"] for table in glue.get_tables(DatabaseName=database)["TableList"]}
    assert names == set(contracts("strict"))
    for name, contract in contracts("strict").items():
        table = glue.get_table(DatabaseName=database, Name=name)["Table"]
        assert table["Description"] == contract.purpose[:2048]
        assert table["Parameters"]["table_type"] == "ICEBERG"
        found = {c["Name"]: (c["Comment"], c["Parameters"]["pii"]) for c in table["StorageDescriptor"]["Columns"]}
        assert found == {c.name: (c.description[:255], str(c.personal).lower()) for c in contract.columns}
        assert table["StorageDescriptor"]["Location"] == f"{settings['lakehouse']}/warehouse/stedi/{name}"


def test_a_database_that_is_there_is_not_made_again(
    settings: dict[str, Any], small_feeds: Path, glue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deployment makes the database, and gives runs no right to make any: AWS would refuse before it looks whether there is one."""
    glue.create_database(DatabaseInput={"Name": settings["glue_database"]})
    monkeypatch.delattr(GlueCatalog, "create_namespace")
    assert opened(settings).run(small_feeds).run == 1


def test_of_two_commits_on_the_same_state_one_fails(settings: dict[str, Any], small_feeds: Path, glue: Any) -> None:
    """Glue's own lock: an update names the version that it was made from."""
    lake = opened(settings)
    lake.run(small_feeds)
    with closing(Tables.open(lake.settings.home)) as tables:
        table = glue.get_table(DatabaseName=settings["glue_database"], Name="quarantine")["Table"]
        kept = ("Name", "Parameters", "StorageDescriptor", "TableType")
        told = {name: table[name] for name in kept}
        tables._catalog._update_glue_table(settings["glue_database"], "quarantine", told, table["VersionId"])
        with pytest.raises(CommitFailedException):
            tables._catalog._update_glue_table(settings["glue_database"], "quarantine", told, table["VersionId"])


def test_two_writers_at_once_lose_nothing(settings: dict[str, Any], small_feeds: Path) -> None:
    """PyIceberg on two stale handles: one commit is made again on top of the other."""
    lake = opened(settings)
    lake.run(small_feeds)
    with closing(Tables.open(lake.settings.home)) as one, closing(Tables.open(lake.settings.home)) as two:
        handles = [one.load("quarantine"), two.load("quarantine")]
        rows = handles[0].scan().to_arrow()
        for handle in handles:
            handle.append(rows)
        assert one.load("quarantine").scan().to_arrow().num_rows == 3 * rows.num_rows


def test_another_database_is_refused(settings: dict[str, Any], small_feeds: Path) -> None:
    opened(settings).run(small_feeds)
    with pytest.raises(stedi.LakehouseError, match="are in the Glue database"):
        opened(settings | {"glue_database": "other"}).tables()


def test_tables_without_their_marker_are_left_alone(settings: dict[str, Any], small_feeds: Path) -> None:
    lake = opened(settings)
    lake.run(small_feeds)
    erase([place(f"{settings['lakehouse']}/lakehouse.json")])
    with pytest.raises(stedi.LakehouseError, match="there are tables"):
        lake.run(small_feeds)


def test_a_killed_run_is_undone_by_the_next(settings: dict[str, Any], small_feeds: Path, tmp_path: Path) -> None:
    lake = opened(settings)
    lake.run(small_feeds)
    before, home = digests(lake), lake.settings.home
    code = (
        "import os, sys, json, signal, stedi; from pathlib import Path; from stedi.catalog import remote_lease;"
        "remote_lease.TTL_S = 4.0; settings = json.loads(sys.argv[1]);"
        "kill = lambda step, done, total: step == 'committing' and done == 6 and os.kill(os.getpid(), signal.SIGKILL);"
        "lake = stedi.open_lakehouse(settings.pop('lakehouse'), **settings);"
        "lake.run(sys.argv[2], full=True, progress=kill)"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}

    killed = subprocess.run(
        [sys.executable, "-c", code, json.dumps(settings), str(small_feeds)], check=False, env=environment
    )
    assert killed.returncode == -signal.SIGKILL
    (marker,) = listing(home.markers)
    token = marker.place.name
    assert [f for f in listing(home.warehouse) if f.place.name.startswith(token)]
    assert digests(lake) == before  # readers see the last completed run
    assert lake.run(small_feeds, full=True, wait_s=30).run == 2
    assert not list(listing(home.markers))
    assert not [f for f in listing(home.warehouse) if f.place.name.startswith(token)]
    assert {n: d for n, d in digests(lake).items() if n != "runs"} == {n: d for n, d in before.items() if n != "runs"}
