"""Records are taken out of landing files; every other byte stays."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from stedi.ingest.discover import LandingFile
from stedi.ingest.raw import cut, prepare, put, remove_temporary
from stedi.privacy.subjects import Subjects

ANN = Subjects(["Ann@test.com"], [("d1", 5, 6)])


def without(path: Path, feed: str, content: bytes, subjects: Subjects = ANN) -> tuple[bytes, int]:
    path.write_bytes(content)
    made = cut(LandingFile(feed, str(path), len(content), 0), lambda text: subjects.own(feed, text), subjects.places)
    return b"".join(made.parts), made.records


@pytest.mark.parametrize(
    ("content", "left", "records"),
    [
        (b'{"user":"ann@test.com"}\n{"user":"bo@test.com"}\n', b'\n{"user":"bo@test.com"}\n', 1),
        (b'{"user":"bo@test.com"}\r\n{"USER":" ANN@test.com "},\r\n', b'{"user":"bo@test.com"}\r\n\n', 1),
        (b'{"user":"a\\u006e\\u006E@test.com"}', b"", 1),
        (b'{"user":"bo"}{"user":"ann@test.com"}{"user":"cy"}\n', b'{"user":"bo"}{"user":"cy"}\n', 1),
        (b'{"user":"ann@test.com"}, {"user":"bo"}\n', b' {"user":"bo"}\n', 1),
        (b'{"user":"joann@test.com"}\n{"user":"ann@test.com.au"}\n', None, 0),
        (b'{"user":"bo","coach":"ann@test.com"}\n', None, 0),
        (b'{"user":"bo"}{"user":"ann@test.com", "tim', b'{"user":"bo"}', 1),
        (b'\xff\xfe broken "ann@test.com"\n{"user":"bo"}\n', b'\n{"user":"bo"}\n', 1),
        (b'{"user":"\xff\xfeAnn@test.com"}\n{"user":"bo"}\n', b'\n{"user":"bo"}\n', 1),
        (b'{\n "user": "ann@test.com",\n "x": 1\n}\n{"user":"bo"}\n', b'\n\n\n\n{"user":"bo"}\n', 1),
        (b'{\n "user": "bo",\n "x": 1\n}\n{"user":"ann@test.com"}', b'{\n "user": "bo",\n "x": 1\n}\n', 1),
        (b'[{"user":"ann@test.com"},\n{"user":"bo"}]', b'[null,\n{"user":"bo"}]', 1),
        (b'\xef\xbb\xbf[ {"user":"bo"},{"user":\n"ann@test.com"} ]\n', b'\xef\xbb\xbf[ {"user":"bo"},null\n ]\n', 1),
        (b"[]", None, 0),
        (b"", None, 0),
    ],
)
def test_what_is_left(tmp_path: Path, content: bytes, left: bytes | None, records: int) -> None:
    assert without(tmp_path / "a.json", "accelerometer", content) == (content if left is None else left, records)


def test_readings_of_a_device_by_serial_number_and_instant(tmp_path: Path) -> None:
    reading = b'{"sensorReadingTime": %s, "serialNumber": "%s", "distanceFromObject": 1}\n'
    lines = [(b"5", b"d1"), (b"7", b"d1"), (b'"6"', b"d1"), (b"5", b"d2")]
    content = b"".join(reading % line for line in lines)
    left, records = without(tmp_path / "s.json", "step_trainer", content)
    assert (left, records) == (b"\n" + reading % lines[1] + b"\n" + reading % lines[3], 2)


@pytest.mark.parametrize(("ending", "packing"), [("", None), (".gz", "gzip"), (".zst", "zstd")])
def test_a_file_is_replaced_packed_as_it_was(tmp_path: Path, ending: str, packing: str | None) -> None:
    path, kept = tmp_path / f"a.json{ending}", b'{"user":"bo"}\n'
    content = b'{"user":"ann@test.com"}\n' + kept
    packed = gzip.compress(content) if packing == "gzip" else pa.compress(content, packing or "zstd", asbytes=True)
    path.write_bytes(packed if packing else content)
    path.chmod(0o640)
    link = tmp_path / f"link.json{ending}"
    link.symlink_to(path)
    file = LandingFile("accelerometer", str(link), 0, 0)
    made = cut(file, lambda text: ANN.own("accelerometer", text), ANN.places)
    prepared = prepare(made, "token")
    assert path.read_bytes() != b"\n" + kept
    put(prepared, str(link))
    assert link.is_symlink()
    with pa.OSFile(str(path)) as raw:
        assert (pa.CompressedInputStream(raw, packing) if packing else raw).read() == b"\n" + kept
    assert path.stat().st_mode & 0o777 == 0o640
    prepare(made, "token")
    remove_temporary([tmp_path])
    assert sorted(tmp_path.iterdir()) == sorted([path, link])
