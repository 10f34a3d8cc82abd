"""A run that stops anywhere never happened; the next one does its work. One writer at a time; readers need not wait."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import stedi
from stedi.catalog.lease import writer_lease
from stedi.catalog.tables import Tables
from stedi.simulate import SimulationOptions, simulate

STEPS = (
    "reading",
    "building accelerometer_trusted",
    "building device_sessions",
    "auditing",
    "committing",
    "publishing",
)
#: Runs the lakehouse, and kills itself when a step is reached for the n-th time.
SUICIDE = """
import os, signal, sys, stedi
lake, feeds, step, nth = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
seen = 0
def progress(name, done, total):
    global seen
    if name == step:
        seen += 1
        if seen == nth:
            os.kill(os.getpid(), signal.SIGKILL)
stedi.open_lakehouse(lake).run(feeds, progress=progress)
"""


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


@pytest.fixture(scope="module")
def reference(
    feeds: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, list[str]], dict[str, list[str]]]:
    """What one and both deliveries must look like; with the key that all lakehouses of this file use."""
    folder = tmp_path_factory.mktemp("reference")
    lake = stedi.open_lakehouse(folder / "lake")
    seen = []
    for part in (0, 1):
        deliver(feeds, folder / "landing", part)
        lake.run(folder / "landing")
        seen.append(contents(lake))
    return folder / "lake.key", seen[0], seen[1]


def same(found: dict[str, list[str]], wanted: dict[str, list[str]], landing: Path, other: Path) -> bool:
    """Equal but for the folder that the landing files lie in."""
    moved = {table: sorted(row.replace(str(landing), str(other)) for row in rows) for table, rows in found.items()}
    return moved == wanted


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("nth", [1, 2])
def test_killed_at_a_step(
    feeds: Path, reference: tuple[Path, dict[str, list[str]], dict[str, list[str]]], tmp_path: Path, step: str, nth: int
) -> None:
    key, first, both = reference
    (tmp_path / "lake.key").write_bytes(key.read_bytes())
    (tmp_path / "lake.key").chmod(0o600)
    lake, landing = stedi.open_lakehouse(tmp_path / "lake"), tmp_path / "landing"
    deliver(feeds, landing, 0)
    lake.run(landing)
    deliver(feeds, landing, 1)
    done = subprocess.run(
        [sys.executable, "-c", SUICIDE, str(tmp_path / "lake"), str(landing), step, str(nth)],
        capture_output=True,
        check=False,
    )
    published = step == "publishing" and nth == 2  # this step is told again once the run is published
    if done.returncode == 0:  # some steps come once
        assert step.startswith("building") or step == "auditing"
        return
    assert done.returncode == -signal.SIGKILL, done.stderr
    where = key.parent / "landing"
    assert same(contents(lake), both if published else first, landing, where)
    again = lake.run(landing)
    assert (again.run is None) == published
    assert same(contents(lake), both, landing, where)
    assert_no_garbage(tmp_path / "lake")


def test_killed_at_random_instants(
    feeds: Path, reference: tuple[Path, dict[str, list[str]], dict[str, list[str]]], tmp_path: Path
) -> None:
    key, _, both = reference
    rng, kills = random.Random(7), 0
    (tmp_path / "lake.key").write_bytes(key.read_bytes())
    (tmp_path / "lake.key").chmod(0o600)
    lake, landing = stedi.open_lakehouse(tmp_path / "lake"), tmp_path / "landing"
    for part in (0, 1):
        deliver(feeds, landing, part)
        for _ in range(6):
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    "import stedi, sys; stedi.open_lakehouse(sys.argv[1]).run(sys.argv[2])",
                    str(tmp_path / "lake"),
                    str(landing),
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(rng.uniform(0.5, 2.0))
            process.kill()
            kills += process.wait() == -signal.SIGKILL
    lake.run(landing)
    print(f"{kills} kills")
    assert same(contents(lake), both, landing, key.parent / "landing")
    assert_no_garbage(tmp_path / "lake")


def assert_no_garbage(folder: Path) -> None:
    """No scratch is left, and every data file on disk belongs to a snapshot of its table."""
    assert list((folder / "staging").iterdir()) == []
    tables = Tables.open(folder)
    try:
        for name in tables.names():
            table = tables.load(name)
            known = {row["file_path"] for row in table.inspect.all_files().to_pylist()}
            found = {str(path) for path in (folder / "warehouse").rglob(f"{name}/data/*")}
            assert found <= known, name
    finally:
        tables.close()


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


def test_a_second_writer_is_refused_and_a_dead_one_forgotten(feeds: Path, tmp_path: Path) -> None:
    deliver(feeds, tmp_path / "landing", 0)
    lake = stedi.open_lakehouse(tmp_path / "lake")
    with writer_lease(tmp_path / "lake"), pytest.raises(stedi.LockedError, match=f"process {os.getpid()}"):
        lake.run(tmp_path / "landing")
    assert lake.run(tmp_path / "landing").run == 1


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
