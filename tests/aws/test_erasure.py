"""Erasures where the tables are on S3: every version of every object goes, and the proof looks at all that is left (SPEC 6)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws.homes import digests, opened, settings_of
from byte_scan import traces

import stedi
from stedi.places import listing, place, read_whole

ANA = "ana@example.org"


@pytest.mark.parametrize("kind", ["warehouse", "glue"])
def test_nothing_is_left_in_any_version(
    kind: str, versioned_bucket: str, s3: Any, small_feeds: Path, tmp_path: Path
) -> None:
    settings = settings_of(kind, versioned_bucket, tmp_path)
    lake = opened(settings)
    lake.run(small_feeds)
    lake.run(small_feeds, full=True)  # the first run's files are only reached through its snapshots
    lake.maintain(keep_runs=1, keep_days=0)
    assert s3.list_object_versions(Bucket=versioned_bucket).get("DeleteMarkers")
    assert ANA in "".join(lake.query("SELECT email FROM customer_landing").to_arrow()["email"].to_pylist())
    erased = lake.subjects.forget([ANA])
    assert erased.rows["customer_landing"] == 1 and erased.certificate
    claim = json.loads(Path(erased.certificate).read_text())["claim"]
    searched = {file["path"] for file in claim["searched"]["files"]}
    listed = s3.list_object_versions(Bucket=versioned_bucket)
    assert not listed.get("DeleteMarkers") and not listed["IsTruncated"]
    assert all(version["IsLatest"] for version in listed["Versions"] if not version["Key"].endswith("writer.lease"))
    tables = {f"s3://{versioned_bucket}/{v['Key']}" for v in listed["Versions"] if v["Key"].endswith(".parquet")}
    assert tables and tables <= searched
    for number, version in enumerate(listed["Versions"]):
        copy = tmp_path / "copies" / f"{number}-{Path(version['Key']).name}"
        copy.parent.mkdir(exist_ok=True)
        s3.download_file(versioned_bucket, version["Key"], str(copy), ExtraArgs={"VersionId": version["VersionId"]})
    assert traces([tmp_path / "copies", small_feeds], [ANA]) == []
    assert lake.subjects.verify(Path(erased.certificate), [ANA]).holds


def test_the_key_may_be_a_secret(
    versioned_bucket: str, aws_environment: dict[str, str], small_feeds: Path, tmp_path: Path
) -> None:
    """Pseudonyms are those of the same key in a file; the register lies under a prefix of its own, and keeps people out."""
    key = "5a" * 32
    boto3.client("secretsmanager").create_secret(Name=versioned_bucket, SecretString=key)
    (tmp_path / "pseudonym.key").write_text(key + "\n")
    (tmp_path / "pseudonym.key").chmod(0o600)
    register = f"s3://{versioned_bucket}/register"
    secret = {"pseudonym_key": f"secretsmanager:{versioned_bucket}", "erasure_register": register}
    settings = settings_of("glue", versioned_bucket, tmp_path)
    lake, other = (
        opened(settings | secret),
        opened({"lakehouse": str(tmp_path / "local")}, pseudonym_key=tmp_path / "pseudonym.key"),
    )
    lake.run(small_feeds)
    other.run(small_feeds)
    assert digests(lake) == digests(other)
    delivered = (small_feeds / "customer" / "2023" / "customer.json").read_bytes()
    assert lake.subjects.forget([ANA]).known
    names = {str(found.place).removeprefix(f"{register}/") for found in listing(place(register))}
    assert {"pseudonyms.erasures.json", "pseudonyms.erasures.key", "pseudonyms.certificates.key"} <= names
    assert all(ANA.encode() not in (read_whole(found.place) or b"") for found in listing(place(register)))
    (small_feeds / "customer" / "again.json").write_bytes(delivered)
    lake.run(small_feeds)
    assert ANA not in lake.query("SELECT email FROM customer_landing").to_arrow()["email"].to_pylist()
    with pytest.raises(stedi.PseudonymKeyError):
        opened(settings | secret | {"pseudonym_key": "secretsmanager:nothing"}).run(small_feeds, full=True)


def test_a_new_key_is_a_new_version_of_the_secret(
    bucket: str, aws_environment: dict[str, str], small_feeds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It becomes the current one once a run with it is published, also where that run was killed right after."""
    secrets = boto3.client("secretsmanager")
    secrets.create_secret(Name=bucket, SecretString="5a" * 32)
    secret = {"pseudonym_key": f"secretsmanager:{bucket}", "erasure_register": f"s3://{bucket}/register"}
    lake = opened(settings_of("warehouse", bucket, tmp_path) | secret)
    lake.run(small_feeds)
    people = "SELECT DISTINCT subjectId FROM machine_learning_curated"
    before = set(lake.query(people).to_arrow()["subjectId"].to_pylist())
    with monkeypatch.context() as patch:
        patch.setattr("stedi.runs.run.adopt_new_key", lambda file: None)
        lake.run(small_feeds, new_key=True)
    assert secrets.get_secret_value(SecretId=bucket)["SecretString"] == "5a" * 32
    after = set(lake.query(people).to_arrow()["subjectId"].to_pylist())
    assert len(after) == len(before) and not after & before
    assert lake.run(small_feeds).run is None
    assert secrets.get_secret_value(SecretId=bucket)["SecretString"] != "5a" * 32
    lake.run(small_feeds, full=True)
    assert set(lake.query(people).to_arrow()["subjectId"].to_pylist()) == after
