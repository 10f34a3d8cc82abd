"""A run that stops anywhere never happened; the next one does its work.

Kills are in test_kills.py, other faults in test_faults.py, writers and readers at once in test_concurrency.py and test_readers.py.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import stedi
from stedi.catalog import runs as catalog_runs
from stedi.catalog.tables import Tables
from stedi.simulate import SimulationOptions, simulate


@pytest.fixture(scope="module")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "feeds"
    simulate(folder, SimulationOptions(customers=100, seed=6, records_per_file=2_000))
    return folder


def deliver(feeds: Path, landing: Path, part: int) -> None:
    """Link every second file into the landing area: part 0 first, part 1 later."""
    for number, path in enumerate(sorted(p for p in feeds.rglob("*") if p.is_file() and "truth" not in p.parts)):
        if number % 2 == part:
            target = landing / path.relative_to(feeds)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)


def contents(lake: stedi.Lakehouse) -> dict[str, list[str]]:
    """All that readers see, but for the times of reading."""
    seen = {}
    for info in lake.tables():
        if info.zone != "records":
            found = lake.table(info.name).to_arrow().drop_columns(["_ingested_at"] if info.zone == "landing" else [])
            seen[info.name] = sorted(map(repr, found.to_pylist()))
    return seen


def test_an_exception_in_a_run_leaves_nothing_behind(feeds: Path, tmp_path: Path) -> None:
    deliver(feeds, tmp_path / "landing", 0)
    lake = stedi.open_lakehouse(tmp_path / "lake")

    def interrupt(step: str, done: int, total: int) -> None:
        if step == "committing" and done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lake.run(tmp_path / "landing", progress=interrupt)
    assert not list((tmp_path / "lake" / "warehouse").rglob("*.parquet"))
    assert lake.run(tmp_path / "landing").run == 1


@pytest.fixture
def ctrl_c() -> Iterator[Callable[[], None]]:
    """What Ctrl-C does, also where these tests were started in the background, and Python was told to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_while_a_run_is_taken_back_waits_for_that(
    feeds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ctrl_c: Callable[[], None]
) -> None:
    deliver(feeds, tmp_path / "landing", 0)
    lake = stedi.open_lakehouse(tmp_path / "lake")
    clear = catalog_runs._clear_staging

    def interrupt(step: str, done: int, total: int) -> None:
        if step == "committing" and done == 5:
            monkeypatch.setattr(catalog_runs, "_clear_staging", cleared)
            ctrl_c()

    def cleared(*arguments: object) -> list[str]:
        ctrl_c()
        return clear(*arguments)

    with pytest.raises(KeyboardInterrupt):
        lake.run(tmp_path / "landing", progress=interrupt)
    assert list((tmp_path / "lake" / "staging").iterdir()) == []
    assert not list((tmp_path / "lake" / "warehouse").rglob("*.parquet"))


@pytest.mark.parametrize("at", ["publishing", "clearing"])
def test_ctrl_c_after_a_run_is_published_does_not_call_it_stopped(
    feeds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ctrl_c: Callable[[], None], at: str
) -> None:
    deliver(feeds, tmp_path / "landing", 0)
    lake = stedi.open_lakehouse(tmp_path / "lake")
    clear = catalog_runs._clear_staging

    def interrupt(step: str, done: int, total: int) -> None:
        if step == "publishing" and done == total:
            if at == "publishing":
                ctrl_c()
            monkeypatch.setattr(catalog_runs, "_clear_staging", cleared)

    def cleared(*arguments: object) -> list[str]:
        if at == "clearing":
            ctrl_c()
        return clear(*arguments)

    assert lake.run(tmp_path / "landing", progress=interrupt).run == 1
    assert list((tmp_path / "lake" / "staging").iterdir()) == []
    assert [run.run for run in lake.runs()] == [1]


def test_readers_see_whole_runs_while_one_is_written(feeds: Path, tmp_path: Path) -> None:
    """Every step of a second run is a chance to look: readers see the first until the second is published."""
    deliver(feeds, tmp_path / "landing", 0)
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(tmp_path / "landing")
    before = contents(lake)
    deliver(feeds, tmp_path / "landing", 1)
    looks = []

    def look(step: str, done: int, total: int) -> None:
        if step in ("auditing", "committing", "publishing") and (step, done) != ("publishing", 1):
            looks.append(contents(stedi.open_lakehouse(tmp_path / "lake")) == before)

    lake.run(tmp_path / "landing", progress=look)
    assert len(looks) > 10
    assert all(looks)
    assert contents(lake) != before


def test_a_change_by_another_program_is_not_undone(feeds: Path, tmp_path: Path) -> None:
    deliver(feeds, tmp_path / "landing", 0)
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(tmp_path / "landing")
    tables = Tables.open(tmp_path / "lake")
    table = tables.load("customer_trusted")
    table.append(table.scan().to_arrow())
    tables.close()
    deliver(feeds, tmp_path / "landing", 1)
    with pytest.raises(stedi.LakehouseError, match="another program"):
        lake.run(tmp_path / "landing")
    assert len(lake.runs()) == 1
