"""What the tests need of the S3 server and of moto's, as AWS promises it."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError


def _code(raised: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    answer = raised.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_an_object_is_written_only_where_there_is_none(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a/x", Body=b"one", IfNoneMatch="*")
    with pytest.raises(ClientError) as raised:
        s3.put_object(Bucket=bucket, Key="a/x", Body=b"two", IfNoneMatch="*")
    assert _code(raised) == ("PreconditionFailed", 412)
    assert s3.get_object(Bucket=bucket, Key="a/x")["Body"].read() == b"one"


def test_an_object_is_replaced_only_where_it_is_the_known_one(s3: Any, bucket: str) -> None:
    tag = s3.put_object(Bucket=bucket, Key="x", Body=b"one")["ETag"]
    s3.put_object(Bucket=bucket, Key="x", Body=b"two", IfMatch=tag)
    with pytest.raises(ClientError) as raised:
        s3.put_object(Bucket=bucket, Key="x", Body=b"three", IfMatch=tag)
    assert _code(raised) == ("PreconditionFailed", 412)
    with pytest.raises(ClientError) as raised:
        s3.get_object(Bucket=bucket, Key="x", IfMatch=tag)
    assert _code(raised) == ("PreconditionFailed", 412)
    assert s3.get_object(Bucket=bucket, Key="x")["Body"].read() == b"two"


def test_every_version_is_kept_and_can_be_deleted(s3: Any, versioned_bucket: str) -> None:
    first = s3.put_object(Bucket=versioned_bucket, Key="x", Body=b"one")["VersionId"]
    second = s3.put_object(Bucket=versioned_bucket, Key="x", Body=b"two")["VersionId"]
    marker = s3.delete_object(Bucket=versioned_bucket, Key="x")["VersionId"]
    listed = s3.list_object_versions(Bucket=versioned_bucket)
    assert [v["VersionId"] for v in listed["Versions"]] == [second, first]
    assert [m["VersionId"] for m in listed["DeleteMarkers"]] == [marker]
    assert s3.get_object(Bucket=versioned_bucket, Key="x", VersionId=first)["Body"].read() == b"one"
    s3.delete_objects(
        Bucket=versioned_bucket,
        Delete={"Objects": [{"Key": "x", "VersionId": version} for version in (first, marker)]},
    )
    assert s3.get_object(Bucket=versioned_bucket, Key="x")["Body"].read() == b"two"


def test_a_version_under_a_legal_hold_stays(s3: Any) -> None:
    s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    version = s3.put_object(Bucket="locked", Key="x", Body=b"one")["VersionId"]
    s3.put_object_legal_hold(Bucket="locked", Key="x", VersionId=version, LegalHold={"Status": "ON"})
    with pytest.raises(ClientError) as raised:
        s3.delete_object(Bucket="locked", Key="x", VersionId=version)
    assert _code(raised) == ("AccessDenied", 403)


def test_an_object_keeps_what_is_said_of_it(s3: Any, bucket: str) -> None:
    said = {"Metadata": {"source": "app"}, "ContentType": "application/x-ndjson", "ServerSideEncryption": "AES256"}
    s3.put_object(Bucket=bucket, Key="x", Body=b"one", Tagging="team=research", **said)
    found = s3.head_object(Bucket=bucket, Key="x")
    assert {name: found[name] for name in said} == said
    assert s3.get_object_tagging(Bucket=bucket, Key="x")["TagSet"] == [{"Key": "team", "Value": "research"}]


def test_glue_and_secrets_answer(aws_environment: dict[str, str]) -> None:
    glue, keys = boto3.client("glue"), boto3.client("secretsmanager")
    glue.create_database(DatabaseInput={"Name": "checked"})
    assert [found["Name"] for found in glue.get_databases()["DatabaseList"] if found["Name"] == "checked"] == [
        "checked"
    ]
    keys.create_secret(Name="checked", SecretString="one")
    assert keys.get_secret_value(SecretId="checked")["SecretString"] == "one"
