"""A landing area on S3 gives the same lakehouse as a folder; only what changed is fetched, and no copy stays behind (SPEC 1, 6)."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aws.buckets import objects, upload
from forgotten import contents

import stedi
from stedi.aws import S3Options, cloud_client
from stedi.errors import LandingError
from stedi.simulate import SimulationOptions, simulate

CUSTOMER = b'{"customerName":"A","email":"%s@test.com","serialNumber":"s","registrationDate":1,"lastUpdateDate":1}\n'


@contextmanager
def requests(operation: str) -> Iterator[list[str]]:
    """The keys that the product asks S3 about with an operation, while the block lasts."""
    asked: list[str] = []
    events = cloud_client(S3Options()).client.meta.events

    def note(params: dict[str, Any], **_: Any) -> None:
        asked.append(params["url_path"].lstrip("/").split("?")[0])

    events.register(f"before-call.s3.{operation}", note)
    try:
        yield asked
    finally:
        events.unregister(f"before-call.s3.{operation}", note)


@pytest.fixture(scope="session")
def dirty_feeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated feeds with every defect, a third of them compressed, and one file that is a JSON array."""
    folder = tmp_path_factory.mktemp("dirty") / "feeds"
    options = SimulationOptions(customers=120, seed=4, records_per_file=300, compressed_share=0.4, dirty_share=0.02)
    simulate(folder, options)
    shutil.rmtree(folder / "truth")
    lines = [CUSTOMER.strip() % name for name in (b"ann", b"ben")]
    (folder / "customer" / "array.json").write_bytes(b"[" + b",\n".join(lines) + b"]")
    (folder / "customer" / "empty.json").write_bytes(b"")
    (folder / "customer" / "notes.txt").write_bytes(b"no landing file")
    (folder / "customer" / "_hidden").mkdir()
    (folder / "customer" / "_hidden" / "x.json").write_bytes(CUSTOMER % b"hidden")
    return folder


def everything(lake: stedi.Lakehouse, landing: str) -> dict[str, list[Any]]:
    """All rows of a lakehouse but for when they were read, with the names of landing files below the landing area."""
    found: dict[str, list[Any]] = {}
    for name, rows in contents(lake).items():
        for row in rows:
            row.pop("_ingested_at", None)
            if "_source_file" in row:
                assert row["_source_file"].startswith(landing)
                row["_source_file"] = row["_source_file"].removeprefix(landing)
        found[name] = sorted(rows, key=repr)
    return found


def twins(tmp_path: Path) -> tuple[stedi.Lakehouse, stedi.Lakehouse]:
    """Two lakehouses with the same key, so that they give the same pseudonyms."""
    there, here = (stedi.open_lakehouse(tmp_path / name, pseudonym_key=tmp_path / "key") for name in ("there", "here"))
    return there, here


def test_dirty_and_packed_objects_give_what_files_give(tmp_path: Path, s3: Any, bucket: str, dirty_feeds: Path) -> None:
    upload(s3, dirty_feeds, bucket, "in/")
    there, here = twins(tmp_path)
    report, local = there.run(f"s3://{bucket}/in").report, here.run(dirty_feeds).report
    assert report["feeds"] == local["feeds"]
    assert report["otherFiles"] == local["otherFiles"] == 1
    assert report["rows"]["quarantine"] > 0
    assert everything(there, f"s3://{bucket}/in") == everything(here, str(dirty_feeds))


def test_only_what_changed_is_fetched(tmp_path: Path, s3: Any, bucket: str, dirty_feeds: Path) -> None:
    upload(s3, dirty_feeds, bucket)
    lake = stedi.open_lakehouse(tmp_path / "lake")
    landing = f"s3://{bucket}"
    lake.run(landing)
    with requests("GetObject") as asked:
        assert lake.run(landing).plan["mode"] == "nothing"
        assert asked == []
        s3.put_object(Bucket=bucket, Key="customer/deep/er/new.json", Body=CUSTOMER % b"new")
        same = objects(s3, bucket)["customer/array.json"]
        s3.put_object(Bucket=bucket, Key="customer/array.json", Body=same)  # delivered again, as it was
        plan = lake.run(landing).plan
    assert plan["new"] == [f"{landing}/customer/deep/er/new.json"]
    assert sorted(asked) in (["customer/array.json", "customer/deep/er/new.json"], ["customer/deep/er/new.json"])
    # of the same size, in the same second
    s3.put_object(Bucket=bucket, Key="customer/deep/er/new.json", Body=CUSTOMER % b"old")
    result = lake.run(landing)
    assert result.plan["touched"] == [f"{landing}/customer/deep/er/new.json"]
    assert result.report["added"]["customer_landing"] == result.report["removed"]["customer_landing"] == 1
    assert lake.run(landing).plan["mode"] == "nothing"


def test_incremental_is_as_from_scratch(tmp_path: Path, s3: Any, bucket: str, dirty_feeds: Path) -> None:
    landing = f"s3://{bucket}/a/b"
    files = sorted(path for path in dirty_feeds.rglob("*") if path.is_file())
    there, here = twins(tmp_path)
    for part in (files[::2], files[1::2]):
        for path in part:
            s3.put_object(Bucket=bucket, Key=f"a/b/{path.relative_to(dirty_feeds)}", Body=path.read_bytes())
        there.run(landing)
    here.run(landing)
    assert everything(there, landing) == everything(here, landing)


def test_one_that_changes_while_it_is_read(tmp_path: Path, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="customer/x.json", Body=CUSTOMER % b"ann")
    lake, events = stedi.open_lakehouse(tmp_path / "lake"), cloud_client(S3Options()).client.meta.events

    def change(**_: Any) -> None:
        s3.put_object(Bucket=bucket, Key="customer/x.json", Body=CUSTOMER % b"ben")

    def vanish(**_: Any) -> None:
        s3.delete_object(Bucket=bucket, Key="customer/x.json")

    for happens, told in ((change, "changed while it was read"), (vanish, "vanished while it was read")):
        events.register("before-call.s3.GetObject", happens)
        try:
            with pytest.raises(LandingError, match=told) as raised:
                lake.run(f"s3://{bucket}")
        finally:
            events.unregister("before-call.s3.GetObject", happens)
        assert raised.value.where == f"s3://{bucket}/customer/x.json"
        assert [path for path in (tmp_path / "lake" / "staging").rglob("*") if path.is_file()] == []
        s3.put_object(Bucket=bucket, Key="customer/x.json", Body=CUSTOMER % b"ann")
    assert lake.run(f"s3://{bucket}").report["rows"]["customer_landing"] == 1


def test_a_bucket_that_is_not_there_or_empty(tmp_path: Path, bucket: str) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    with pytest.raises(LandingError, match="NoSuchBucket"):
        lake.run("s3://no-such-bucket-here/in")
    with pytest.raises(LandingError, match="no landing files"):
        lake.run(f"s3://{bucket}/nothing")


def test_a_damaged_object_is_named(tmp_path: Path, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="customer/x.json.gz", Body=b"\x1f\x8bno gzip")
    with pytest.raises(LandingError, match="decompressed") as raised:
        stedi.open_lakehouse(tmp_path / "lake").run(f"s3://{bucket}")
    assert raised.value.where == f"s3://{bucket}/customer/x.json.gz"


def test_the_settings_file_names_the_landing_area(tmp_path: Path, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="in/customer/odd ?[x]*'é.json", Body=CUSTOMER % b"ann")
    (tmp_path / "stedi.toml").write_text(f'landing = "s3://{bucket}/in/"\n')
    run = [Path(sys.executable).with_name("stedi"), "run", "--json"]
    subprocess.run(run, cwd=tmp_path, check=True, capture_output=True)
    rows = stedi.open_lakehouse(tmp_path / "lakehouse").table("customer_landing").to_arrow().to_pylist()
    assert [row["_source_file"] for row in rows] == [f"s3://{bucket}/in/customer/odd ?[x]*'é.json"]


def test_a_kill_leaves_no_copy_behind_for_longer_than_until_the_next_run(
    tmp_path: Path, s3: Any, bucket: str, dirty_feeds: Path
) -> None:
    upload(s3, dirty_feeds, bucket)
    lake = tmp_path / "lake"
    command = [Path(sys.executable).with_name("stedi"), "run", "--landing", f"s3://{bucket}", "--lakehouse", lake]
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()

    def copies() -> list[Path]:
        return [path for path in (lake / "staging").rglob("object-*") if path.stat().st_size]

    for how in (signal.SIGINT, signal.SIGKILL):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and not copies():
            time.sleep(0.001)
        process.send_signal(how)
        process.wait()
        assert process.returncode != 0
        if how == signal.SIGINT:
            assert copies() == []
    assert [path for path in (tmp_path / "tmp").rglob("*") if path.is_file()] == []
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert list((lake / "staging").iterdir()) == []
    assert [path for path in (tmp_path / "tmp").rglob("*") if path.is_file()] == []
