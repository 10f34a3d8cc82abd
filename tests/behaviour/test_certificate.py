"""The certificate of an erasure: it is issued only where nothing is left, and tells when it was changed (SPEC 6)."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import stedi
from stedi.privacy.certificate import Scan


@pytest.fixture
def lake(small_feeds: Path, tmp_path: Path) -> stedi.Lakehouse:
    made = stedi.open_lakehouse(tmp_path / "lake")
    made.run(small_feeds)
    return made


def test_it_holds_digests_and_nobody(lake: stedi.Lakehouse, tmp_path: Path) -> None:
    done = lake.subjects.forget(["Ana@example.org"], reason="asked on 1 May", certificate=tmp_path / "c.json")
    text = (tmp_path / "c.json").read_text()
    assert "ana" not in text.lower()
    claim = json.loads(text)["claim"]
    assert (claim["reason"], len(claim["subjects"])) == ("asked on 1 May", 1)
    assert claim["searched"]["for"] == {"emails": 1, "devices": 1, "pseudonyms": 3}
    searched = {entry["path"] for entry in claim["searched"]["files"]}
    there = {str(path) for name in ("lake", "feeds") for path in (tmp_path / name).rglob("*") if path.is_file()}
    assert {path for path in searched if "-wal" not in path and "-shm" not in path} == there
    assert done.searched == len(searched)
    found = lake.subjects.verify(tmp_path / "c.json", ["ana@example.org "])
    assert (found.holds, found.ours, found.changed, found.known_again, found.found) == (True, True, (), 0, ())


def test_a_changed_certificate_and_one_about_others(lake: stedi.Lakehouse, tmp_path: Path) -> None:
    lake.subjects.forget(["ana@example.org"], certificate=tmp_path / "c.json")
    with pytest.raises(stedi.ErasureError, match="not about these people"):
        lake.subjects.verify(tmp_path / "c.json", ["bo@example.org"])
    text = (tmp_path / "c.json").read_text()
    (tmp_path / "c.json").write_text(text.replace('"customer_landing": 1', '"customer_landing": 2'))
    with pytest.raises(stedi.ErasureError, match="changed since it was signed"):
        lake.subjects.verify(tmp_path / "c.json")
    (tmp_path / "c.json").write_text("{}")
    with pytest.raises(stedi.ConfigError, match="no certificate"):
        lake.subjects.verify(tmp_path / "c.json")


def test_what_is_left_elsewhere_is_told_and_nothing_is_certified(
    lake: stedi.Lakehouse, small_feeds: Path, tmp_path: Path
) -> None:
    (small_feeds / "notes.txt").write_text("call ANA@example.org back")
    with pytest.raises(stedi.ErasureError, match=r"1 files still name somebody of this request: .*notes\.txt"):
        lake.subjects.forget(["ana@example.org"], certificate=tmp_path / "c.json")
    assert not (tmp_path / "c.json").exists()
    assert not lake.subjects.find(["ana@example.org"]).known
    (small_feeds / "notes.txt").unlink()
    done = lake.subjects.forget(["ana@example.org"], certificate=tmp_path / "c.json")
    assert (done.known, done.run, done.certificate) == (False, None, str(tmp_path / "c.json"))
    (small_feeds / "notes.txt").write_text("ana@example.org called")
    assert lake.subjects.verify(tmp_path / "c.json").holds
    found = lake.subjects.verify(tmp_path / "c.json", ["ana@example.org"])
    assert (found.holds, found.found) == (False, (str(small_feeds / "notes.txt"),))


def test_a_reason_must_not_name_the_person(lake: stedi.Lakehouse) -> None:
    with pytest.raises(stedi.ConfigError, match="reason names"):
        lake.subjects.forget(["ana@example.org"], reason="Ana@Example.org wrote to us")
    with pytest.raises(stedi.ConfigError, match="must not name"):
        lake.subjects.hold("ana@example.org", "ana@example.org sues")


def test_a_legal_hold(lake: stedi.Lakehouse, tmp_path: Path) -> None:
    lake.subjects.hold(" ANA@example.org", "court order 17")
    assert not any(b"ana@" in path.read_bytes().lower() for path in tmp_path.glob("lake.key*"))
    with pytest.raises(stedi.ErasureError, match=r"1 person of this request must not be erased.*court order 17"):
        lake.subjects.forget(["bo@example.org", "ana@example.org"])
    assert len(lake.runs()) == 1
    assert lake.subjects.find(["bo@example.org"]).known
    assert lake.subjects.release("ana@example.org")
    assert not lake.subjects.release("ana@example.org")
    assert lake.subjects.forget(["ana@example.org"]).known


@pytest.mark.parametrize("form", ["raw", "escaped", "gzip", "zstd", "parquet", "cut"])
def test_a_scan_finds_what_was_planted(tmp_path: Path, form: str) -> None:
    """A detector that finds nothing proves nothing."""
    text = b'{"user": "Ann@Test.com"}'
    content = {
        "raw": text,
        "escaped": rb'{"user": "\u0041nn\u0040test.com"}',
        "cut": b"x" * ((32 << 20) - 15) + text,  # over the edge of what is read at a time
    }.get(form)
    path = tmp_path / "file"
    if form == "parquet":
        pq.write_table(pa.table({"user": ["ANN@test.com"] * 3}), path, compression="zstd")
    else:
        path.write_bytes(content or _packed(text, form))
    (found,) = Scan(["ann@test.com"]).search([tmp_path], lambda *_: None)
    assert found.found > 0
    (found,) = Scan(["nn@test.com"], ["ann@test.com"]).search([tmp_path], lambda *_: None)
    assert found.found == 0


def _packed(text: bytes, packing: str) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, packing) as packed:
        packed.write(text)
    found: bytes = sink.getvalue().to_pybytes()
    return found
