"""Places of this machine, and what a name on S3 needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stedi.errors import ConfigError
from stedi.places import about, erase, is_remote, listing, place, read_whole, remove, write_whole


def test_a_path_stays_a_path() -> None:
    assert place("some/folder") == Path("some/folder")
    assert place(Path("some/folder")) == Path("some/folder")
    assert not is_remote(place("some/folder"))


def test_no_bucket_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="no bucket"):
        place("s3://")


def test_a_file_is_written_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    write_whole(file, b"one")
    write_whole(file, b"three")
    assert read_whole(file) == b"three"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [found.place for found in listing(tmp_path)] == [file]
    found = about(file)
    assert found is not None and (found.size, found.modified_ns) == (5, file.stat().st_mtime_ns)


def test_what_is_gone_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"x")
    remove([file, file])
    assert read_whole(file) is None and about(file) is None
    assert erase([file]) == 0
    assert list(listing(tmp_path / "nowhere")) == []


def test_nothing_of_aws_is_imported_for_a_path() -> None:
    code = (
        "import sys; from stedi.places import *; from stedi import open_lakehouse; open_lakehouse('x');"
        "sys.exit(any(name in sys.modules for name in ('boto3', 'botocore', 'cloudpathlib')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from stedi.aws import S3Options

    monkeypatch.setitem(sys.modules, "cloudpathlib", None)
    monkeypatch.setitem(sys.modules, "boto3.s3.transfer", None)
    with pytest.raises(ConfigError) as raised:
        place("s3://bucket/x", S3Options(region="nowhere-1"))
    assert "stedi-lakehouse[aws]" in (raised.value.hint or "")
