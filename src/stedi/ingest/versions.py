"""Landing files on S3 as an erasure changes them (SPEC 6): an object is replaced in one step, and versions that hold somebody are deleted.

A bucket may keep every version of an object, and what was deleted, too. The current object gets a new version without the person's
records. An earlier version that holds some is deleted as a whole: nobody reads it as a landing file, and versions cannot be changed.
Versions that hold nothing of theirs stay. An object of which delete markers alone would be left goes with them.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from stedi import clock
from stedi.aws import S3Options, cloud_client, explained
from stedi.contracts import FEEDS
from stedi.errors import ErasureError
from stedi.ingest.discover import LandingFile, is_data
from stedi.ingest.objects import is_visible, landing_object
from stedi.ingest.raw import Cut, write
from stedi.objects import S3Object, address_of, bucket_exists, head_of, versions_below, versions_of
from stedi.places import Place, is_remote, place

if TYPE_CHECKING:
    from stedi.places import S3Path

#: What is said of an object, and of the one that takes its place.
_KEPT = (
    *("Metadata", "ContentType", "ContentEncoding", "ContentDisposition", "ContentLanguage", "CacheControl", "Expires"),
    *("StorageClass", "ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled", "WebsiteRedirectLocation"),
)
_LARGEST = 5 << 30  # what one request may write, and only one request can demand that nobody else wrote meanwhile
_TAKEN = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412", "409", "404")
_PERMISSION = (
    "the role needs s3:DeleteObjectVersion, and no retention, legal hold or MFA delete may protect the version;"
    " then do it again, or run `stedi run`"
)


@dataclass(frozen=True)
class Replacement:
    """A landing object without somebody's records, not yet in its place.

    Attributes:
        made: what was cut.
        content: the new bytes.
        kept: what is said of the object, as boto3 takes it.
        version: id of the version that is replaced; empty where the bucket keeps none.
    """

    made: Cut
    content: memoryview
    kept: dict[str, Any]
    version: str


def earlier_versions(landing: Place, *, may_be_gone: bool = False) -> list[LandingFile]:
    """Every version of the landing files below a landing area that is not the current one, by feed.

    Raises:
        ErasureError: they may not be listed; or the bucket is gone, and must not be.
    """
    if not is_remote(landing) or (may_be_gone and not bucket_exists(landing)):
        return []
    listed = ((feed, found) for feed in FEEDS for found in versions_below(landing / feed, ErasureError))
    return [
        landing_object(feed, found)
        for feed, found in listed
        if not found.latest and is_visible(landing, found.path) and is_data(found.path)
    ]


def earlier_versions_of(feed: str, path: str, options: S3Options) -> list[LandingFile]:
    """Every version of one landing object that is not the current one."""
    found, _ = versions_of(_place(path, options), ErasureError)
    return [landing_object(feed, version) for version in found if not version.latest]


def require_deletable(files: Iterable[LandingFile]) -> None:
    """Look whether versions may be deleted, before anything is changed.

    Raises:
        ErasureError: one is under a legal hold or a retention (Object Lock).
    """
    for found in (file.object for file in files if file.object is not None):
        said = head_of(found.path, found.options, ErasureError, found.version) or {}
        until = said.get("ObjectLockRetainUntilDate")
        retained = until is not None and until.astimezone(UTC) > clock.now()
        if retained or said.get("ObjectLockLegalHoldStatus") == "ON":
            told = f"is to be kept until {until:%Y-%m-%d}" if retained else "is under a legal hold"
            raise ErasureError(
                f"a version of a landing object {told} (Object Lock): it cannot be deleted",
                where=found.name,
                hint="have the lock lifted, or forget them when it ends; nothing was changed",
            )


def prepare_object(made: Cut) -> Replacement:
    """The new content of an object, and all that is said of the old one.

    Raises:
        ErasureError: the object is gone or too large, or what is said of it may not be read.
    """
    found = _object(made.file)
    said = head_of(found.path, found.options, ErasureError)
    if said is None or said["ETag"] != found.etag:
        raise _changed(found)
    content = io.BytesIO()
    write(made, content)
    if content.tell() > _LARGEST:
        raise ErasureError("a landing object is larger than 5 GB", where=found.path, hint="deliver it in parts")
    kept = {name: said[name] for name in _KEPT if said.get(name)}
    with explained(found.path, ErasureError):
        tags = found.client.get_object_tagging(**address_of(found.path))["TagSet"]
    if tags:
        kept["Tagging"] = urlencode({tag["Key"]: tag["Value"] for tag in tags})
    return Replacement(made, content.getbuffer(), kept, said.get("VersionId", ""))


def put_object(new: Replacement) -> None:
    """Let the new content take the place of the object, if that is still the one that was cut.

    Raises:
        ErasureError: somebody else wrote or deleted it meanwhile.
    """
    from botocore.exceptions import ClientError

    found = _object(new.made.file)
    with explained(found.path, ErasureError):
        try:
            found.client.put_object(
                **address_of(found.path), Body=io.BytesIO(new.content), IfMatch=found.etag, **new.kept
            )
        except ClientError as error:
            if str(error.response.get("Error", {}).get("Code", "")) not in _TAKEN:
                raise
            raise _changed(found) from None


def delete_versions(path: str, ids: Collection[str], options: S3Options) -> int:
    """Delete versions of an object, but never the current one; returns how many went. What is gone already is no error.

    Raises:
        ErasureError: one may not be deleted.
    """
    where = _place(path, options)
    versions, _ = versions_of(where, ErasureError)
    going = [version.version for version in versions if version.version in ids and not version.latest]
    _delete(where, going)
    left, markers = versions_of(where, ErasureError)
    if going and not left:
        _delete(where, markers)
    if still := [version for version in left if version.version in going]:
        raise ErasureError("S3 did not delete a version of an object", where=still[0].name, hint=_PERMISSION)
    return len(going)


def _delete(where: S3Path, ids: Sequence[str]) -> None:
    from botocore.exceptions import ClientError

    client = cloud_client(where.client.stedi_options).client
    for version in ids:
        name = f"{where}?versionId={version}"
        with explained(name, ErasureError):
            try:
                client.delete_object(Bucket=where.bucket, Key=where.key, VersionId=version)
            except ClientError as error:
                code = str(error.response.get("Error", {}).get("Code", ""))
                if code not in ("AccessDenied", "403", "MethodNotAllowed", "InvalidRequest"):
                    raise
                told = f"a version of a landing object that holds somebody cannot be deleted: {code}"
                raise ErasureError(told, where=name, hint=_PERMISSION) from None


def _object(file: LandingFile) -> S3Object:
    if file.object is None:
        raise TypeError("a landing file of this machine is no object")
    return file.object


def _changed(found: S3Object) -> ErasureError:
    return ErasureError(
        "a landing object was written or deleted by somebody else meanwhile", where=found.path, hint="do it again"
    )


def _place(path: str, options: S3Options) -> S3Path:
    return cast("S3Path", place(path, options))
