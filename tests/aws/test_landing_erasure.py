"""An erasure reaches a landing area on S3, every version of every object included, and survives kills there (SPEC 6)."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aws.buckets import objects, traces_in, upload, versions
from faults.harness import victims
from forgotten import Forgotten, contents, customers

import stedi
from stedi.errors import ErasureError
from stedi.lakehouse import doctor
from stedi.simulate import SimulationOptions, simulate

Count = Callable[[str, str, int], None]


@pytest.fixture(scope="session")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated feeds, dirty and in part compressed, with an array; nobody in them is called as in `record`."""
    folder = tmp_path_factory.mktemp("feeds") / "feeds"
    simulate(
        folder, SimulationOptions(customers=24, seed=2, records_per_file=400, compressed_share=0.4, dirty_share=0.02)
    )
    shutil.rmtree(folder / "truth")
    records = [json.loads(record("ann")), json.loads(record("ben"))]
    (folder / "customer" / "array.json").write_text(json.dumps(records, indent=1))
    return folder


def record(name: str, registered: int = 1) -> bytes:
    fields = {"customerName": name, "email": f"{name}@here.org", "registrationDate": registered, "lastUpdateDate": 1}
    return json.dumps(fields | {"serialNumber": "none"}).encode() + b"\n"


def others(lake: stedi.Lakehouse, gone: set[str]) -> list[str]:
    return [name for name in customers(lake) if name not in gone]


def search(
    s3: Any, bucket: str, lake: stedi.Lakehouse, folder: Path, needles: set[str], longer: list[str]
) -> list[Any]:
    """Where somebody is named in any version of any object, or in any file of the lakehouse."""
    from byte_scan import traces

    return [*traces_in(s3, bucket, folder, needles, longer), *traces([lake.folder], needles, longer)]


def test_a_bucket_full_of_old_versions(tmp_path: Path, s3: Any, versioned_bucket: str, feeds: Path) -> None:
    bucket, landing = versioned_bucket, f"s3://{versioned_bucket}/in"
    upload(s3, feeds, bucket, "in/")
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(landing)
    # delivered again with more; overwritten by something else; deleted; and versions that hold nobody of the request
    array = (feeds / "customer" / "array.json").read_bytes()
    s3.put_object(Bucket=bucket, Key="in/customer/array.json", Body=array.replace(b"ben@", b"bea@"))
    s3.put_object(Bucket=bucket, Key="in/customer/gone.json.gz", Body=gzip.compress(record("ann")))
    s3.delete_object(Bucket=bucket, Key="in/customer/gone.json.gz")
    s3.put_object(Bucket=bucket, Key="in/customer/other.json", Body=record("old"))
    s3.put_object(Bucket=bucket, Key="in/customer/other.json", Body=record("new"))
    s3.put_object(Bucket=bucket, Key="in/customer/kept.json", Body=record("kept"))
    s3.delete_object(Bucket=bucket, Key="in/customer/kept.json")
    s3.put_object(Bucket=bucket, Key="in/customer/kept.json", Body=record("ann"))
    s3.delete_object(Bucket=bucket, Key="in/customer/kept.json")
    lake.run(landing)
    sharing = lake.table("customers_curated").to_arrow()["email"].to_pylist()
    people = {"ann@here.org", *(email.strip().lower() for email in sharing[:3])}
    forgotten = Forgotten(lake, people, [1, 2])
    needles, before = forgotten.needles(lake), contents(lake)
    bytes_before = versions(s3, bucket)

    found = lake.subjects.find(["ann@here.org"])
    ann = {path.split("?")[0].removeprefix(landing): number for path, number in found.files.items()}
    assert ann == {"/customer/array.json": 1, "/customer/gone.json.gz": 1, "/customer/kept.json": 1}
    # the old version of the array and the new one; of what was deleted, one version each
    assert sorted(found.files.values()) == [1, 1, 1, 1]
    assert sum("?versionId=" in path for path in found.files) == 3

    done = lake.subjects.forget(people, reason="asked")
    assert done.certificate is not None
    assert search(s3, bucket, lake, tmp_path / "scan", needles, others(lake, people)) == []
    now = versions(s3, bucket)
    keys = [key for key, _, _ in now]
    assert "in/customer/gone.json.gz" not in keys  # nothing but a marker would be left
    assert keys.count("in/customer/other.json") == 2
    assert [content for key, _, content in now if key == "in/customer/kept.json"].count(record("kept")) == 1
    kept = {(key, version) for key, version, _ in now}
    assert all((k, v) in kept for k, v, content in bytes_before if content in (record("old"), record("new")))
    assert "in/customer/kept.json" not in objects(s3, bucket)  # what was deleted stays deleted

    after = contents(lake)
    for table in ("customer_landing", "accelerometer_landing", "step_trainer_landing"):
        expected = [row for row in before[table] if not forgotten.owns(table, row)]
        assert after[table] == expected
    claim = json.loads(Path(done.certificate).read_text())["claim"]
    listed = {(f["path"], f["version"]) for f in claim["searched"]["files"] if f["path"].startswith("s3://")}
    assert listed == {(f"s3://{bucket}/{key}", version) for key, version, content in now if content is not None}
    verified = lake.subjects.verify(done.certificate, people)
    assert verified.holds
    assert not verified.changed
    assert not verified.gone

    assert lake.run(landing).plan["mode"] == "nothing"
    fresh = stedi.open_lakehouse(tmp_path / "fresh", pseudonym_key=lake.settings.key_file)
    fresh.run(landing)
    for table, rows in contents(fresh).items():
        for row in (*rows, *after[table]):
            row.pop("_ingested_at", None)
        assert sorted(rows, key=repr) == sorted(after[table], key=repr), table

    # delivered again as a new version: kept out of the tables; and out of the bucket, when asked for again
    s3.put_object(Bucket=bucket, Key="in/customer/array.json", Body=array)
    lake.run(landing)
    assert "ann@here.org" not in customers(lake)
    assert "ben@here.org" in customers(lake)
    again = lake.subjects.forget(["ann@here.org"])
    assert again.certificate is not None
    assert search(s3, bucket, lake, tmp_path / "again", {"ann@here.org"}, others(lake, set())) == []


def test_a_bucket_without_versions(tmp_path: Path, s3: Any, bucket: str, feeds: Path) -> None:
    landing = f"s3://{bucket}"
    upload(s3, feeds, bucket)
    before = objects(s3, bucket)
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(landing)
    person = lake.table("customers_curated").to_arrow()["email"].to_pylist()[0]
    gone = Forgotten(lake, {person}, [1])
    needles = gone.needles(lake)
    done = lake.subjects.forget([person])
    assert done.certificate is not None
    assert search(s3, bucket, lake, tmp_path / "scan", needles, others(lake, {person})) == []
    # an erasure of the same files on a disk leaves the same bytes, packed or not
    local, twin = tmp_path / "local", stedi.open_lakehouse(tmp_path / "twin")
    shutil.copytree(feeds, local)
    twin.run(local)
    twin.subjects.forget([person])
    assert objects(s3, bucket) == {str(p.relative_to(local)): p.read_bytes() for p in local.rglob("*") if p.is_file()}
    assert objects(s3, bucket) != before


def test_what_is_said_of_an_object_stays(tmp_path: Path, s3: Any, versioned_bucket: str) -> None:
    said = {
        "Metadata": {"source": "app", "batch": "17"},
        "ContentType": "application/x-ndjson",
        "CacheControl": "no-store",
        "ContentDisposition": "attachment",
        "StorageClass": "STANDARD_IA",
        "ServerSideEncryption": "AES256",
    }
    bucket = versioned_bucket
    s3.put_object(
        Bucket=bucket, Key="customer/x.json", Body=record("ann") + record("ben"), Tagging="team=a%20b&x=%26", **said
    )
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(f"s3://{bucket}")
    lake.subjects.forget(["ann@here.org"])
    assert objects(s3, bucket) == {"customer/x.json": b"\n" + record("ben")}
    found = s3.head_object(Bucket=bucket, Key="customer/x.json")
    assert {name: found.get(name) for name in said} == said
    tags = s3.get_object_tagging(Bucket=bucket, Key="customer/x.json")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "a b", "x": "&"}


def test_versioning_that_was_begun_or_suspended_later(tmp_path: Path, s3: Any, bucket: str) -> None:
    """The version `null` is an old one first; then it is the current one, and is replaced in place."""
    lake, landing = stedi.open_lakehouse(tmp_path / "lake"), f"s3://{bucket}"
    s3.put_object(Bucket=bucket, Key="customer/x.json", Body=record("ann") + record("ben"))
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="customer/x.json", Body=record("ann") + record("ben") + record("cy"))
    lake.run(landing)
    lake.subjects.forget(["ann@here.org"])
    assert [content for _, _, content in versions(s3, bucket)] == [b"\n" + record("ben") + record("cy")]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.put_object(Bucket=bucket, Key="customer/x.json", Body=record("ben") + record("dee"))
    lake.run(landing)
    lake.subjects.forget(["ben@here.org"])
    assert [content for _, _, content in versions(s3, bucket)] == [b"\n" + record("dee")]
    assert customers(lake) == ["dee@here.org"]


@pytest.mark.parametrize("lock", ["hold", "retention"])
def test_a_locked_version_is_told_before_anything_changes(tmp_path: Path, s3: Any, lock: str) -> None:
    bucket, landing = f"locked-{lock}", f"s3://locked-{lock}"
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    version = s3.put_object(Bucket=bucket, Key="customer/x.json", Body=record("ann"))["VersionId"]
    s3.put_object(Bucket=bucket, Key="customer/x.json", Body=record("ann") + record("ben"))
    if lock == "hold":
        where = {"Bucket": bucket, "Key": "customer/x.json", "VersionId": version}
        s3.put_object_legal_hold(**where, LegalHold={"Status": "ON"})
    else:
        until = {"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now().astimezone() + timedelta(days=2)}
        s3.put_object_retention(Bucket=bucket, Key="customer/x.json", VersionId=version, Retention=until)
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(landing)
    before = versions(s3, bucket)
    with pytest.raises(ErasureError, match="Object Lock") as raised:
        lake.subjects.forget(["ann@here.org"])
    assert raised.value.where == f"{landing}/customer/x.json?versionId={version}"
    assert versions(s3, bucket) == before
    assert customers(lake) == ["ann@here.org", "ben@here.org"]
    assert lake.run(landing).run is None


def test_without_the_permission_it_is_no_success_until_there_is(
    tmp_path: Path, s3: Any, versioned_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The role may write and delete objects, but no versions; the journal completes what was begun, once it may."""
    bucket, landing = versioned_bucket, f"s3://{versioned_bucket}"
    s3.put_object(Bucket=bucket, Key="customer/x.json", Body=record("ann") + record("ben"))
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(landing)
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:DeleteObjectVersion",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    for _ in range(2):
        with pytest.raises(ErasureError, match="cannot be deleted: AccessDenied") as raised:
            lake.subjects.forget(["ann@here.org"])
        assert raised.value.hint is not None
        assert "s3:DeleteObjectVersion" in raised.value.hint
        (check,) = (check for check in doctor(lake.folder) if check.name == "erasure")
        assert check.status == "problem"
    assert len(versions(s3, bucket)) == 2
    s3.delete_bucket_policy(Bucket=bucket)
    assert lake.run(landing).completed_erasure
    assert [content for _, _, content in versions(s3, bucket)] == [b"\n" + record("ben")]
    assert customers(lake) == ["ben@here.org"]


def test_all_landing_files_were_deleted(tmp_path: Path, s3: Any, versioned_bucket: str) -> None:
    """What is left of the person are rows, and a version that a bucket keeps of what was deleted."""
    s3.put_object(Bucket=versioned_bucket, Key="customer/x.json", Body=record("ann") + record("ben"))
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(f"s3://{versioned_bucket}")
    s3.delete_object(Bucket=versioned_bucket, Key="customer/x.json")
    done = lake.subjects.forget(["ann@here.org"])
    assert versions(s3, versioned_bucket) == []
    assert sum(done.files.values()) == 1
    assert done.certificate is not None
    assert customers(lake) == ["ben@here.org"]


def test_an_object_that_somebody_else_writes_meanwhile(tmp_path: Path, s3: Any, versioned_bucket: str) -> None:
    from stedi.aws import S3Options, cloud_client

    bucket, landing = versioned_bucket, f"s3://{versioned_bucket}"
    s3.put_object(Bucket=bucket, Key="customer/x.json", Body=record("ann") + record("ben"))
    lake, events = stedi.open_lakehouse(tmp_path / "lake"), cloud_client(S3Options()).client.meta.events
    lake.run(landing)

    def deliver(**_: Any) -> None:
        s3.put_object(Bucket=bucket, Key="customer/x.json", Body=record("ann") + record("cy"))

    events.register("before-call.s3.PutObject", deliver)
    try:
        with pytest.raises(ErasureError, match="somebody else"):
            lake.subjects.forget(["ann@here.org"])
    finally:
        events.unregister("before-call.s3.PutObject", deliver)
    assert objects(s3, bucket)["customer/x.json"] == record("ann") + record("cy")  # the delivery is not lost
    done = lake.subjects.forget(["ann@here.org"])
    assert done.certificate is not None
    assert objects(s3, bucket)["customer/x.json"] == b"\n" + record("cy")
    assert b"ann@" not in b"".join(content or b"" for _, _, content in versions(s3, bucket))
    lake.run(landing)
    assert customers(lake) == ["cy@here.org"]


KILLED = [
    ("before s3: PutObject", 1),
    ("after s3: PutObject", 1),
    ("before s3: DeleteObject", 1),
    ("after s3: DeleteObject", 1),
    ("before: commit", 2),
]


def test_killed_between_any_two_requests(
    tmp_path: Path, s3: Any, versioned_bucket: str, feeds: Path, count: Count
) -> None:
    """Killed before and after it writes an object, deletes a version, or commits; a run or another erasure completes it."""
    bucket, landing = versioned_bucket, f"s3://{versioned_bucket}/in"
    upload(s3, feeds, bucket, "in/")
    upload(s3, feeds, bucket, "in/")  # everything has an old version
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(landing)
    everybody = customers(lake)
    sharing = lake.table("customers_curated").to_arrow()["email"].to_pylist()
    waiting, gone = [email.strip().lower() for email in sharing], set[str]()
    with victims() as process:
        for number, (among, at) in enumerate(KILLED):
            person = waiting.pop()
            gone.add(person)
            order: dict[str, Any] = {"forget": [person], "among": among, "at": at, "fault": "kill"}
            outcome = process.run(lake.folder, landing, **order)  # type: ignore[arg-type] # an address will do
            assert outcome["killed"], (among, at, outcome)
            count("kills", f"of an erasure on S3, {among.split(':')[0]}", 1)
            assert (lake.folder / "erasure.jsonl").exists()
            if number % 2:
                assert lake.run(landing).completed_erasure
            else:
                lake.subjects.forget([person])
            assert not (lake.folder / "erasure.jsonl").exists()
            longer = [name for name in everybody if name not in gone]
            assert search(s3, bucket, lake, tmp_path / f"scan-{number}", gone, longer) == []
            assert lake.run(landing).run is None
            certified = lake.subjects.forget([person])  # what a run completed is proven when it is asked for again
            assert certified.certificate is not None
    assert sorted(customers(lake)) == sorted(set(everybody) - gone)
