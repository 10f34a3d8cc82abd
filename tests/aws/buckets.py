"""Feeds in buckets, and what lies in buckets: every version of every object, byte by byte. Shares no code with the product."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from byte_scan import traces


def upload(s3: Any, folder: Path, bucket: str, prefix: str = "") -> None:
    """Put every file of a folder below a prefix."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        s3.put_object(Bucket=bucket, Key=f"{prefix}{path.relative_to(folder)}", Body=path.read_bytes())


def objects(s3: Any, bucket: str) -> dict[str, bytes]:
    """The current content of every object."""
    found = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for entry in page.get("Contents", []):
            found[entry["Key"]] = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
    return found


def versions(s3: Any, bucket: str) -> list[tuple[str, str, bytes | None]]:
    """Key, version and content of every version; of a delete marker the content is None."""
    found: list[tuple[str, str, bytes | None]] = []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for entry in page.get("Versions", []):
            answer = s3.get_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])
            found.append((entry["Key"], entry["VersionId"], answer["Body"].read()))
        found += [(entry["Key"], entry["VersionId"], None) for entry in page.get("DeleteMarkers", [])]
    return found


def traces_in(s3: Any, bucket: str, folder: Path, needles: Iterable[str], others: Iterable[str] = ()) -> list[Any]:
    """Where needles stand in any version of any object; the versions are written into a folder for that."""
    for number, (key, version, content) in enumerate(versions(s3, bucket)):
        if content is not None:
            at = folder / f"{number}-{version}" / key
            at.parent.mkdir(parents=True)
            at.write_bytes(content)
    return traces([folder], needles, others)
