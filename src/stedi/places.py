"""Where things lie: a `Path` of this machine, or an object or prefix of an S3 bucket (`cloudpathlib.S3Path`).

A place on S3 knows the client it is reached by (`stedi.aws`).

What is read and written here goes straight between memory (or a file that the caller names) and the bucket. Reading through `S3Path.open`
or `S3Path.read_bytes` would leave a copy in cloudpathlib's cache, so nobody does: personal data must not outlive the process there.

An object appears whole or not at all, and lasts once it is written; a local file is written beside its place, forced to the disk and
renamed.
"""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from stedi.aws import HINTS, RETRY, S3Options, cloud_client, explained
from stedi.errors import ConfigError, StorageError

#: For types a place is a `Path`, whose methods `S3Path` has, too.
Place: TypeAlias = Path

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    class S3Path(Path):
        """What `cloudpathlib.S3Path` has beyond a `Path`."""

        bucket: str
        key: str
        client: Any


_SCHEME = "s3://"
_DELETED_AT_ONCE = 1000  # what one request may name
_MISSING = ("404", "NoSuchKey", "NotFound", "NoSuchVersion")
_TAKEN = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


@dataclass(frozen=True)
class Listed:
    """One file or object: `etag` changes with an object's content and is empty for a local file; `modified_ns` is since the epoch."""

    place: Place
    size: int
    etag: str
    modified_ns: int


@dataclass(frozen=True)
class Version:
    """A version of an object, or a marker that it was deleted."""

    place: S3Path
    id: str
    marker: bool


def place(text: str | Place, options: S3Options | None = None) -> Place:
    """The place that a setting or an argument names: `s3://bucket/prefix`, or a path of this machine.

    Raises:
        ConfigError: it names no bucket; or the extra `aws` is not installed, or AWS's own settings are wrong.
    """
    if is_remote(text):
        return text
    if not is_uri(text):
        return Path(text)
    key = str(text).removeprefix(_SCHEME).rstrip("/")
    if not key.split("/")[0]:
        raise ConfigError("this names no bucket", where=str(text), hint="write s3://bucket/prefix")
    found: S3Path = cloud_client(options or S3Options()).CloudPath(_SCHEME + key)
    return found


def options_of(where: Place) -> S3Options:
    """What the client of a place on S3 was made from."""
    found: S3Options = where.client.stedi_options if is_remote(where) else S3Options()
    return found


def is_uri(text: object) -> bool:
    """Whether this text names a place on S3."""
    return isinstance(text, str) and text.startswith(_SCHEME)


def is_remote(where: object) -> TypeIs[S3Path]:
    """Whether a place is on S3. Imports nothing."""
    return not isinstance(where, str | Path) and getattr(where, "cloud_prefix", None) == _SCHEME


def read_whole(where: Place) -> bytes | None:
    """All that a file or object holds; None where there is none."""
    if not is_remote(where):
        return where.read_bytes() if where.is_file() else None
    found = read_with_etag(where)
    return found[0] if found else None


def read_with_etag(where: S3Path) -> tuple[bytes, str] | None:
    """All that an object holds, and its etag; None where there is none."""
    with explained(where):
        try:
            answer = _s3(where).get_object(Bucket=where.bucket, Key=where.key)
            return answer["Body"].read(), answer["ETag"]
        except _client_error() as error:
            if _code(error) in _MISSING:
                return None
            raise


def open_stream(where: Place) -> BinaryIO:
    """A file or object, to be read once from its beginning, without a copy of it anywhere."""
    if not is_remote(where):
        return where.open("rb")
    with explained(where):
        body = _s3(where).get_object(Bucket=where.bucket, Key=where.key)["Body"]
    return io.BufferedReader(body, 1 << 20)


def download(where: S3Path, to: Path) -> None:
    """Copy an object into a local file, in parts side by side where it is large."""
    with explained(where):
        _s3(where).download_file(where.bucket, where.key, str(to), Config=where.client.boto3_transfer_config)


def upload(source: Path, where: S3Path) -> None:
    """Copy a local file to an object, in parts where it is large; it appears when it is complete."""
    with explained(where):
        options = where.client.boto3_ul_extra_args
        _s3(where).upload_file(
            str(source), where.bucket, where.key, ExtraArgs=options, Config=where.client.boto3_transfer_config
        )


def write_whole(where: Place, content: bytes) -> None:
    """Write a small file or object, in one step; it lasts when this returns. A local file is readable by its owner alone."""
    if is_remote(where):
        with explained(where):
            _put(where, content)
        return
    draft = where.with_name(f".{where.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(where)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(where.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_if_absent(where: S3Path, content: bytes) -> str | None:
    """Write an object where there is none; its etag, or None where there is one. Of two that try at once one succeeds."""
    return _put_if(where, content, IfNoneMatch="*")


def write_if_unchanged(where: S3Path, content: bytes, etag: str) -> str | None:
    """Replace an object that still has this etag; its new one, or None where it changed or went."""
    return _put_if(where, content, IfMatch=etag)


def about(where: Place) -> Listed | None:
    """Size, etag and time of a file or object; None where there is none."""
    if not is_remote(where):
        if not where.is_file():
            return None
        status = where.stat()
        return Listed(where, status.st_size, "", status.st_mtime_ns)
    with explained(where):
        try:
            head = _s3(where).head_object(Bucket=where.bucket, Key=where.key)
        except _client_error() as error:
            if _code(error) in _MISSING:
                return None
            raise
    return Listed(where, head["ContentLength"], head["ETag"], _ns(head["LastModified"]))


def listing(where: Place) -> Iterator[Listed]:
    """Every file or object below a folder or prefix, at any depth, in no order; nothing where there is no such folder."""
    if not is_remote(where):
        for path in where.rglob("*"):
            if found := about(path):
                yield found
        return
    with explained(where):
        for page in _s3(where).get_paginator("list_objects_v2").paginate(Bucket=where.bucket, Prefix=_prefix(where)):
            for found in page.get("Contents", []):
                if not found["Key"].endswith("/"):  # what consoles make to show a folder
                    yield Listed(_beside(where, found["Key"]), found["Size"], found["ETag"], _ns(found["LastModified"]))


def remove(places: Iterable[Place]) -> None:
    """Delete files and objects; those that are gone are no error. In a versioned bucket earlier versions stay: see `erase`."""
    by_bucket: dict[tuple[Any, str], list[dict[str, str]]] = {}
    for where in places:
        if is_remote(where):
            by_bucket.setdefault((where.client, where.bucket), []).append({"Key": where.key})
        else:
            where.unlink(missing_ok=True)
    for (client, bucket), objects in by_bucket.items():
        _delete(client.client, bucket, objects)


def erase(places: Iterable[Place]) -> int:
    """Delete files and objects with every version of them and every delete marker; returns how many versions went.

    Raises:
        StorageError: one may not be deleted, for example by a lock on it.
    """
    erased = 0
    for where in places:
        if is_remote(where):
            found = [version for version in _versions(where, where.key) if version["Key"] == where.key]
            _delete(_s3(where), where.bucket, [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in found])
            erased += len(found)
        elif where.exists():
            where.unlink(missing_ok=True)
            erased += 1
    return erased


def earlier_versions(where: S3Path) -> Iterator[Version]:
    """Versions below a prefix that are not the current one, and delete markers; none in a bucket that keeps no versions."""
    for version in _versions(where, _prefix(where)):
        marker = "Size" not in version
        if marker or not version["IsLatest"]:
            yield Version(_beside(where, version["Key"]), version["VersionId"], marker)


def erase_versions(versions: Iterable[Version]) -> None:
    """Delete these versions.

    Raises:
        StorageError: one may not be deleted, for example by a lock on it.
    """
    by_bucket: dict[tuple[Any, str], list[dict[str, str]]] = {}
    for version in versions:
        where = version.place
        by_bucket.setdefault((where.client, where.bucket), []).append({"Key": where.key, "VersionId": version.id})
    for (client, bucket), objects in by_bucket.items():
        _delete(client.client, bucket, objects)


def _versions(where: S3Path, prefix: str) -> Iterator[dict[str, Any]]:
    with explained(where):
        for page in _s3(where).get_paginator("list_object_versions").paginate(Bucket=where.bucket, Prefix=prefix):
            yield from page.get("Versions", [])
            yield from page.get("DeleteMarkers", [])


def _delete(client: Any, bucket: str, objects: list[dict[str, str]]) -> None:
    for start in range(0, len(objects), _DELETED_AT_ONCE):
        part = objects[start : start + _DELETED_AT_ONCE]
        with explained(f"{_SCHEME}{bucket}"):
            answer = client.delete_objects(Bucket=bucket, Delete={"Objects": part, "Quiet": True})
        if refused := [error for error in answer.get("Errors", []) if error.get("Code") not in _MISSING]:
            code = refused[0].get("Code", "unknown")
            where = f"{_SCHEME}{bucket}/{refused[0].get('Key', '')}"
            raise StorageError(
                f"S3 does not delete {len(refused)} objects: {code}", where=where, hint=HINTS.get(code, RETRY)
            )


def _put(where: S3Path, content: bytes, **conditions: str) -> str:
    options = where.client.boto3_ul_extra_args
    answer = _s3(where).put_object(Bucket=where.bucket, Key=where.key, Body=content, **options, **conditions)
    return str(answer["ETag"])


def _put_if(where: S3Path, content: bytes, **conditions: str) -> str | None:
    with explained(where):
        try:
            return _put(where, content, **conditions)
        except _client_error() as error:
            if _code(error) in (*_TAKEN, *_MISSING):
                return None
            raise


def _s3(where: S3Path) -> Any:
    return where.client.client


def _beside(where: S3Path, key: str) -> S3Path:
    found: S3Path = where.client.CloudPath(f"{_SCHEME}{where.bucket}/{key}")
    return found


def _prefix(where: S3Path) -> str:
    return where.key.rstrip("/") + "/" if where.key else ""


def _client_error() -> Any:
    from botocore.exceptions import ClientError

    return ClientError


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _ns(moment: Any) -> int:
    return int(moment.timestamp() * 1_000) * 1_000_000
