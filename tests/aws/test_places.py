"""Places on S3: what is atomic, what is deleted, what is said when it fails."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from stedi.aws import S3Options
from stedi.errors import StorageError
from stedi.places import (
    about,
    download,
    earlier_versions,
    erase,
    erase_versions,
    is_remote,
    listing,
    open_stream,
    place,
    read_whole,
    read_with_etag,
    remove,
    upload,
    write_if_absent,
    write_if_unchanged,
    write_whole,
)


def test_what_is_written_is_read(bucket: str) -> None:
    where = place(f"s3://{bucket}/a/b.json")
    assert is_remote(where) and str(where) == f"s3://{bucket}/a/b.json"
    assert read_whole(where) is None and about(where) is None
    write_whole(where, b"one")
    write_whole(where, b"two!")
    assert read_whole(where) == b"two!"
    assert open_stream(where).read() == b"two!"
    assert (about(where).size, [found.place for found in listing(where.parent)]) == (4, [where])  # type: ignore[union-attr]
    assert list(listing(place(f"s3://{bucket}/a/b"))) == []  # a prefix is a folder, not the beginning of a name


def test_of_two_writers_one_succeeds(bucket: str) -> None:
    where = place(f"s3://{bucket}/lease")
    assert is_remote(where)
    first = write_if_absent(where, b"one")
    assert first and write_if_absent(where, b"two") is None
    second = write_if_unchanged(where, b"three", first)
    assert second and write_if_unchanged(where, b"four", first) is None
    assert read_with_etag(where) == (b"three", second)
    remove([where])
    assert write_if_unchanged(where, b"five", second) is None
    assert read_whole(where) is None


def test_a_large_object_travels_in_parts(bucket: str, tmp_path: Path) -> None:
    source, where = tmp_path / "in", place(f"s3://{bucket}/large")
    source.write_bytes(os.urandom(1 << 20) * 40)
    assert is_remote(where)
    upload(source, where)
    found = about(where)
    assert found and found.size == 40 << 20 and found.etag.strip('"').endswith("-3")  # of 16 MiB
    download(where, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == source.read_bytes()


def test_deleting_keeps_versions_and_erasing_does_not(versioned_bucket: str, s3: Any) -> None:
    one, other = place(f"s3://{versioned_bucket}/a/x"), place(f"s3://{versioned_bucket}/a/xy")
    for text in (b"1", b"2"):
        write_whole(one, text)
        write_whole(other, text)
    remove([one])
    folder = one.parent
    assert is_remote(folder)
    assert sorted((v.place.key, v.marker) for v in earlier_versions(folder)) == [
        ("a/x", False),
        ("a/x", False),
        ("a/x", True),
        ("a/xy", False),
    ]
    assert erase([one]) == 3
    assert [v.place.key for v in earlier_versions(folder)] == ["a/xy"]
    erase_versions(earlier_versions(folder))
    left = s3.list_object_versions(Bucket=versioned_bucket)
    assert [v["Key"] for v in left["Versions"]] == ["a/xy"] and read_whole(other) == b"2"


def test_more_objects_than_one_request_names(bucket: str) -> None:
    many = [place(f"s3://{bucket}/many/{number}") for number in range(1005)]
    write_whole(many[0], b"")
    write_whole(many[-1], b"")
    remove(many)
    assert list(listing(many[0].parent)) == []


def test_encryption_is_asked_for(bucket: str, s3: Any) -> None:
    where = place(f"s3://{bucket}/secret", S3Options(encryption="AES256"))
    write_whole(where, b"x")
    assert s3.head_object(Bucket=bucket, Key="secret")["ServerSideEncryption"] == "AES256"


def test_what_s3_refuses_is_told_without_values(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageError, match="NoSuchBucket") as raised:
        list(listing(place("s3://no-such-bucket-here/x")))
    assert raised.value.hint == "make the bucket, or correct its name"
    with pytest.raises(StorageError, match="cannot be reached"):
        read_whole(place(f"s3://{bucket}/x", S3Options(endpoint="http://127.0.0.1:9")))


def test_no_copy_is_left_in_a_cache(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    where = place(f"s3://{bucket}/x", S3Options(region="eu-central-1"))
    write_whole(where, b"somebody")
    assert read_whole(where) == b"somebody" and open_stream(where).read() == b"somebody"
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
