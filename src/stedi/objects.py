"""Objects on S3 as they were listed: the current ones, and every earlier version of them; read exactly, or not at all.

An object is read with the ETag that it had when it was listed: if it changed since, or is gone, that is an error and not half of each.
What breaks off is taken up where it broke off. What is read here lies in memory, or in a file without a name, of which nothing is left
whatever happens to the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from stedi.aws import RETRY, S3Options, cloud_client, explained
from stedi.errors import StediError, StorageError
from stedi.places import options_of

if TYPE_CHECKING:
    from stedi.places import S3Path

_SCHEME = "s3://"
_IN_MEMORY = 32 << 20
_CHUNK = 1 << 20
_ATTEMPTS = 5
_CHANGED = ("PreconditionFailed", "412")
_GONE = ("NoSuchKey", "NoSuchVersion", "404", "NotFound", "MethodNotAllowed", "405")


@dataclass(frozen=True)
class S3Object:
    """An object, or one version of it, as it was listed.

    Attributes:
        path: `s3://bucket/key`.
        etag: changes with the content.
        size: in bytes.
        modified_s: when it was written, in seconds since the epoch, which is all that S3 tells.
        options: how S3 is reached.
        version: its id, where one version is meant; empty where the current object is.
        latest: whether it is the current one.
    """

    path: str
    etag: str
    size: int
    modified_s: int
    options: S3Options
    version: str = ""
    latest: bool = True

    @property
    def name(self) -> str:
        """What it is called where versions are told apart."""
        told = self.version and not (self.latest and self.version == "null")  # as where the bucket keeps none
        return f"{self.path}?versionId={self.version}" if told else self.path

    @property
    def address(self) -> dict[str, str]:
        """Bucket, key and version, as boto3 takes them."""
        return address_of(self.path) | ({"VersionId": self.version} if self.version else {})

    @property
    def client(self) -> Any:
        """Boto3's client that reaches it."""
        return cloud_client(self.options).client


def address_of(path: str) -> dict[str, str]:
    """Bucket and key of `s3://bucket/key`, as boto3 takes them."""
    bucket, _, key = path.removeprefix(_SCHEME).partition("/")
    return {"Bucket": bucket, "Key": key}


def objects_below(prefix: S3Path, kind: type[StediError] = StorageError) -> Iterator[S3Object]:
    """The current objects below a prefix, at any depth, in the order of their keys; `kind` is the class of errors."""
    for page in _pages(prefix, "list_objects_v2", _below(prefix), kind):
        for entry in page.get("Contents", []):
            yield _listed(prefix.bucket, entry, options_of(prefix))


def versions_below(prefix: S3Path, kind: type[StediError] = StorageError) -> Iterator[S3Object]:
    """Every version of every object below a prefix, the current ones included, deleted ones too; no delete markers."""
    for page in _pages(prefix, "list_object_versions", _below(prefix), kind):
        for entry in page.get("Versions", []):
            yield _listed(prefix.bucket, entry, options_of(prefix))


def versions_of(where: S3Path, kind: type[StediError] = StorageError) -> tuple[list[S3Object], list[str]]:
    """Every version of one object, and the ids of its delete markers."""
    versions, markers = [], []
    for page in _pages(where, "list_object_versions", where.key, kind):
        versions += [entry for entry in page.get("Versions", []) if entry["Key"] == where.key]
        markers += [entry["VersionId"] for entry in page.get("DeleteMarkers", []) if entry["Key"] == where.key]
    return [_listed(where.bucket, entry, options_of(where)) for entry in versions], markers


def bucket_exists(where: S3Path) -> bool:
    """Whether there is the bucket of a place; one that may not be looked at is there."""
    from botocore.exceptions import ClientError

    with explained(where):
        try:
            where.client.client.head_bucket(Bucket=where.bucket)
        except ClientError as error:
            return _code(error) not in ("404", "NoSuchBucket")
    return True


def current_object(
    path: str, options: S3Options, kind: type[StediError] = StorageError, version: str = ""
) -> S3Object | None:
    """An object, or a version of one, as it is now; None where there is none."""
    found = head_of(path, options, kind, version)
    if found is None:
        return None
    return S3Object(path, found["ETag"], found["ContentLength"], _seconds(found["LastModified"]), options, version)


def head_of(
    path: str, options: S3Options, kind: type[StediError] = StorageError, version: str = ""
) -> dict[str, Any] | None:
    """What S3 says of an object or a version; None where there is none."""
    from botocore.exceptions import ClientError

    asked = address_of(path) | ({"VersionId": version} if version else {})
    with explained(path, kind):
        try:
            found: dict[str, Any] = cloud_client(options).client.head_object(**asked)
            return found
        except ClientError as error:
            if _code(error) in _GONE:
                return None
            raise


@contextmanager
def opened_object(found: S3Object, kind: type[StediError] = StorageError) -> Iterator[BinaryIO]:
    """The bytes of an object, to be read from the beginning.

    Raises:
        StediError: of the class `kind`: it changed since it was listed, or is gone, or cannot be read.
    """
    with SpooledTemporaryFile(_IN_MEMORY) as content:
        copy_object(found, cast(BinaryIO, content), kind)
        content.seek(0)
        yield cast(BinaryIO, content)


def copy_object(found: S3Object, to: BinaryIO, kind: type[StediError] = StorageError) -> None:
    """Write the bytes of an object to a file. Raises as `opened_object`."""
    from botocore.exceptions import HTTPClientError, IncompleteReadError, ResponseStreamingError
    from urllib3.exceptions import HTTPError

    done = 0
    for attempt in range(_ATTEMPTS):
        try:
            for chunk in _body(found, done, kind):
                to.write(chunk)
                done += len(chunk)
        except (HTTPClientError, IncompleteReadError, ResponseStreamingError, HTTPError):
            if attempt + 1 == _ATTEMPTS:
                raise kind("reading an object breaks off again and again", where=found.name, hint=RETRY) from None
        if done >= found.size:
            return
    raise kind("an object is shorter than it was listed", where=found.name, hint=RETRY)


def _body(found: S3Object, start: int, kind: type[StediError]) -> Iterator[bytes]:
    """The bytes of an object from `start` on."""
    from botocore.exceptions import ClientError

    if start >= found.size:
        return
    part = {"Range": f"bytes={start}-"} if start else {}
    with explained(found.name, kind):
        try:
            answer = found.client.get_object(**found.address, **part, IfMatch=found.etag)
        except ClientError as error:
            told = _WHY.get(next((codes for codes in _WHY if _code(error) in codes), ()))
            if told is None:
                raise
            raise kind(told[0], where=found.name, hint=told[1]) from None
    yield from answer["Body"].iter_chunks(_CHUNK)


_WHY: dict[tuple[str, ...], tuple[str, str]] = {
    _CHANGED: ("an object changed while it was read", "run again; nothing was changed"),
    _GONE: ("an object vanished while it was read", "run again when the delivery is complete; nothing was changed"),
    ("InvalidObjectState",): (
        "an object is archived",
        "restore it from Glacier first, or move it out of there; nothing was changed",
    ),
}


def _listed(bucket: str, entry: dict[str, Any], options: S3Options) -> S3Object:
    path = f"{_SCHEME}{bucket}/{entry['Key']}"
    moment, version = _seconds(entry["LastModified"]), entry.get("VersionId", "")
    return S3Object(path, entry["ETag"], entry["Size"], moment, options, version, entry.get("IsLatest", True))


def _pages(where: S3Path, operation: str, prefix: str, kind: type[StediError]) -> Iterator[dict[str, Any]]:
    with explained(where, kind):
        yield from where.client.client.get_paginator(operation).paginate(Bucket=where.bucket, Prefix=prefix)


def _below(prefix: S3Path) -> str:
    return prefix.key.rstrip("/") + "/" if prefix.key else ""


def _seconds(moment: Any) -> int:
    return int(moment.timestamp())


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
