"""Nobody is named in the training table, and only who has the key can lead a pseudonym back (SPEC 4)."""

from __future__ import annotations

import hashlib
import hmac
import shutil
from pathlib import Path

import pytest

import stedi
from stedi.catalog.tables import Tables
from stedi.simulate import SimulationOptions, simulate


@pytest.fixture(scope="module")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "feeds"
    simulate(folder, SimulationOptions(customers=60, seed=8))
    return folder


def test_a_pseudonym_is_the_hmac_of_the_person(feeds: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(feeds)
    key = bytes.fromhex((tmp_path / "lake.key").read_text().strip())
    assert (tmp_path / "lake.key").stat().st_mode & 0o777 == 0o600
    people = {
        row["customer"]
        for row in lake.query("SELECT DISTINCT customer FROM step_trainer_trusted").to_arrow().to_pylist()
    }
    wanted = {hmac.new(key, f"subject:{person}".encode(), hashlib.sha256).hexdigest() for person in people}
    found = {row["subjectId"] for row in lake.table("machine_learning_curated").to_arrow().to_pylist()}
    assert found == wanted
    assert people


def test_the_key_lies_outside_the_lakehouse_and_is_not_written_into_it(feeds: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(feeds)
    text = (tmp_path / "lake.key").read_text().strip()
    for path in (tmp_path / "lake").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert text.encode() not in content
            assert bytes.fromhex(text) not in content


def test_the_same_key_gives_the_same_pseudonyms_in_another_lakehouse(feeds: Path, tmp_path: Path) -> None:
    found = []
    for name in ("one", "other"):
        lake = stedi.open_lakehouse(tmp_path / name, pseudonym_key=tmp_path / "a.key")
        lake.run(feeds)
        found.append({row["sessionId"] for row in lake.table("machine_learning_curated").to_arrow().to_pylist()})
    assert found[0] == found[1]


def test_a_lost_key_stops_the_run_until_new_pseudonyms_are_accepted(feeds: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(feeds)
    before = {row["subjectId"] for row in lake.table("machine_learning_curated").to_arrow().to_pylist()}
    (tmp_path / "lake.key").unlink()
    with pytest.raises(stedi.PseudonymKeyError, match="missing"):
        lake.run(feeds, full=True)
    (tmp_path / "lake.key").write_text("22" * 32)
    (tmp_path / "lake.key").chmod(0o600)
    with pytest.raises(stedi.PseudonymKeyError, match="not the key"):
        lake.run(feeds, full=True)
    lake.run(feeds, new_key=True)
    after = {row["subjectId"] for row in lake.table("machine_learning_curated").to_arrow().to_pylist()}
    assert before.isdisjoint(after)
    assert len(before) == len(after)


def test_a_new_key_takes_its_place_only_when_a_run_with_it_is_published(feeds: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(feeds)
    old = (tmp_path / "lake.key").read_text()

    def stop(step: str, done: int, total: int) -> None:
        if step == "publishing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lake.run(feeds, new_key=True, progress=stop)
    assert (tmp_path / "lake.key").read_text() == old
    assert lake.run(feeds).run is None
    for _ in range(2):
        lake.run(feeds, new_key=True)
    kept = {path.read_text() for path in tmp_path.glob("lake.key*")}
    assert old in kept
    assert len(kept) == 3


def test_a_key_inside_the_lakehouse_is_refused(feeds: Path, tmp_path: Path) -> None:
    with pytest.raises(stedi.ConfigError, match="inside the lakehouse"):
        stedi.open_lakehouse(tmp_path / "lake", pseudonym_key=tmp_path / "lake" / "a.key").run(feeds)


def test_a_key_that_others_can_read_or_that_is_damaged_is_refused(feeds: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    (tmp_path / "lake.key").write_text("33" * 32)
    (tmp_path / "lake.key").chmod(0o644)
    with pytest.raises(stedi.PseudonymKeyError, match="read by others"):
        lake.run(feeds)
    (tmp_path / "lake.key").chmod(0o600)
    (tmp_path / "lake.key").write_text("no key")
    with pytest.raises(stedi.PseudonymKeyError, match="damaged"):
        lake.run(feeds)
    shutil.rmtree(tmp_path / "lake", ignore_errors=True)


def test_personal_columns_keep_no_bounds_in_manifests(feeds: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(feeds)
    tables = Tables.open(tmp_path / "lake")
    checked = 0
    for info in lake.tables():
        table = tables.load(info.name)
        personal = {table.schema().find_field(c.name).field_id for c in lake.contract(info.name).columns if c.personal}
        for task in table.scan().plan_files():
            assert personal.isdisjoint(task.file.lower_bounds)
            assert personal.isdisjoint(task.file.upper_bounds)
            checked += len(personal)
    tables.close()
    assert checked > 20
