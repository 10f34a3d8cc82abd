"""Upkeep changes no row: files become fewer, old runs go, pinned ones stay, what nothing refers to is deleted, and readers never notice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.sql import SqlCatalog

import stedi
from stedi.catalog.lease import writer_lease
from stedi.catalog.snapshots import sized_files
from stedi.catalog.state import Run
from stedi.catalog.tables import Tables
from stedi.config import MaintenanceSettings
from stedi.contracts import contracts
from stedi.engines.base import Engine
from stedi.engines.start import start_engine
from stedi.runs.maintain import runs_to_expire
from stedi.runs.merge import Merge, merge, plan_merges
from stedi.simulate import SimulationOptions, simulate

#: Nobody reads while these tests run, so files need not wait.
AT_ONCE = {"min_age_s": 0, "automatic": False}


def deliver(landing: Path, number: int) -> None:
    """One more customer who consents, with one reading."""
    email = f"late{number}@example.org"
    customer = {"email": email, "lastUpdateDate": 1, "shareWithResearchAsOfDate": 1}
    reading = {"user": email, "timestamp": 1_700_000_000_000 + number, "x": 0.5, "y": 0.5, "z": 0.5}
    for feed, record in (("customer", customer), ("accelerometer", reading)):
        (landing / feed / f"late{number}.json").write_text(json.dumps(record) + "\n")


@pytest.fixture(scope="module")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "feeds"
    simulate(folder, SimulationOptions(customers=60, seed=5))
    return folder


@pytest.fixture(scope="module")
def aged(feeds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a landing area and a lakehouse of five runs, each of which added a customer; and beside it a copy, `aged.copy`."""
    folder = tmp_path_factory.mktemp("aged") / "aged"
    for path in (p for p in feeds.rglob("*") if p.is_file() and "truth" not in p.parts):
        target = folder / "landing" / path.relative_to(feeds)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, target)
    lake = stedi.open_lakehouse(folder / "lake", maintenance=AT_ONCE)
    for number in range(5):
        deliver(folder / "landing", number)
        lake.run(folder / "landing")
    shutil.copytree(folder, folder.with_suffix(".copy"))
    return folder


@pytest.fixture
def restored(aged: Path) -> Path:
    """The folder as it was made, under the same path, since metadata of Iceberg names its files by it."""
    shutil.rmtree(aged)
    shutil.copytree(aged.with_suffix(".copy"), aged)
    return aged


@pytest.fixture
def landing(restored: Path) -> Path:
    return restored / "landing"


@pytest.fixture
def lake(restored: Path) -> stedi.Lakehouse:
    return stedi.open_lakehouse(restored / "lake", maintenance=AT_ONCE)


def contents(lake: stedi.Lakehouse) -> dict[str, Counter[str]]:
    """Every row of every table, as bags; `runs` is not seen as of a run."""
    return {
        info.name: Counter(map(repr, lake.table(info.name).to_arrow().to_pylist()))
        for info in lake.tables()
        if info.name != "runs"
    }


@contextmanager
def opened(lake: stedi.Lakehouse) -> Iterator[Tables]:
    tables = Tables.open(lake.folder)
    try:
        yield tables
    finally:
        tables.close()


def data_files(lake: stedi.Lakehouse) -> dict[str, list[str]]:
    """Data files of the last run."""
    with opened(lake) as tables:
        return {name: tables.files(name, snapshot) for name, snapshot in lake.runs()[-1].snapshots.items()}


def files_on_disk(lake: stedi.Lakehouse) -> set[Path]:
    return {path for path in (lake.folder / "warehouse").rglob("*") if path.is_file()}


def snapshots(lake: stedi.Lakehouse) -> dict[str, int]:
    with opened(lake) as tables:
        return {name: len(tables.load(name).metadata.snapshots) for name in tables.names()}


def test_small_files_become_one_and_no_row_changes(lake: stedi.Lakehouse, landing: Path) -> None:
    before, runs, many = contents(lake), lake.runs(), data_files(lake)
    assert len(many["customer_landing"]) > 5
    done = lake.maintain()
    assert contents(lake) == before
    few = data_files(lake)
    assert {name: len(paths) for name, paths in few.items() if len(paths) > 1} == {}
    assert done.merged["customer_landing"].before.files == len(many["customer_landing"])
    assert done.merged["customer_landing"].after.files == 1
    assert done.expired == ()
    after = lake.runs()
    assert [(run.run, run.token, run.report, run.finished_at) for run in after] == [
        (run.run, run.token, run.report, run.finished_at) for run in runs
    ]
    assert after[:-1] == runs[:-1]
    assert lake.run(landing).run is None, "upkeep gives a run nothing to do"
    deliver(landing, 9)
    result = lake.run(landing)
    assert (result.run, result.report["mode"], result.report["added"]["customer_trusted"]) == (6, "incremental", 1)
    assert {(one.added, one.removed) for one in lake.diff(4, 5) if one.table == "customer_trusted"} == {(1, 0)}


def test_upkeep_after_upkeep_finds_nothing_to_do(lake: stedi.Lakehouse) -> None:
    assert lake.maintain().merged
    again = lake.maintain()
    assert (again.merged, again.expired, again.snapshots, again.deleted, again.waiting.files) == ({}, (), {}, {}, 0)


def test_merged_rows_lie_in_the_order_of_the_contract(lake: stedi.Lakehouse) -> None:
    lake.maintain()
    for name, contract in contracts("strict").items():
        for path in data_files(lake).get(name, []):
            if "-merged-" in path:
                rows = pq.read_table(path, columns=list(contract.sorted_by)).to_pylist()
                keys = [tuple(row.values()) for row in rows]
                assert keys == sorted(keys), name


def test_a_clustered_table_is_merged_into_files_that_share_no_person(lake: stedi.Lakehouse) -> None:
    contract = contracts("strict")["accelerometer_trusted"]
    with opened(lake) as tables:
        small = sized_files(tables.load(contract.name), lake.runs()[-1].snapshots[contract.name])
        engine = start_engine(lake.settings, "test")
        written = merge(tables, engine, contract, [Merge(contract.name, tuple(small), 3)], "test").add
        engine.close()
    people = [set(pq.read_table(path, columns=["customer"])["customer"].to_pylist()) for path in written]
    assert len(people) == 3
    assert sum(map(len, people)) == len(set.union(*people))


def test_large_files_are_left_alone(lake: stedi.Lakehouse, landing: Path) -> None:
    lake.maintain()
    merged = data_files(lake)["accelerometer_landing"]
    size = Path(merged[0]).stat().st_size
    deliver(landing, 6)
    lake.run(landing)
    deliver(landing, 7)
    lake.run(landing)
    with opened(lake) as tables:
        plans = [m for m in plan_merges(tables, lake.runs()[-1], size) if m.table == "accelerometer_landing"]
    assert [{file.path for file in plan.files} for plan in plans] == [
        set(data_files(lake)["accelerometer_landing"]) - set(merged)
    ]


def test_old_runs_go_and_pinned_ones_stay(lake: stedi.Lakehouse, landing: Path) -> None:
    pinned, last = contents(lake.as_of(2)), contents(lake)
    assert lake.pin(2, reason="trained a model").pinned == "trained a model"
    done = lake.maintain(keep_runs=2, keep_days=0)
    assert done.expired == (1, 3)
    assert [(run.run, run.readable, run.pinned) for run in lake.runs()] == [
        (1, False, None),
        (2, True, "trained a model"),
        (3, False, None),
        (4, True, None),
        (5, True, None),
    ]
    assert contents(lake.as_of(2)) == pinned
    assert contents(lake) == last
    for read in (lambda: lake.as_of(3), lambda: lake.diff(3, 5), lambda: lake.pin(3)):
        with pytest.raises(stedi.NotFoundError, match="run 3 can no longer be read") as error:
            read()
        assert "the oldest run that can be read is 2" in str(error.value.hint)
    assert lake.unpin(2).pinned is None
    assert lake.maintain(keep_runs=2, keep_days=0).expired == (2,)
    with pytest.raises(stedi.NotFoundError, match="run 2 can no longer be read"):
        lake.as_of(2)
    deliver(landing, 6)
    assert lake.run(landing).run == 6


def test_a_pin_is_a_tag_of_every_table_for_other_engines(lake: stedi.Lakehouse) -> None:
    lake.pin(5)
    lake.pin(2, reason="a model")
    lake.pin(2, reason="another model")
    lake.unpin(3)
    rows = lake.as_of(2).table("customer_trusted").to_arrow().num_rows
    lake.maintain(keep_runs=1, keep_days=0)  # the last run's files are merged: its tag follows
    with opened(lake) as tables:
        for name, snapshot in lake.runs()[-1].snapshots.items():
            tags = {tag: ref.snapshot_id for tag, ref in tables.load(name).refs().items() if tag != "main"}
            wanted = {"run-2": lake.runs()[1].snapshots[name], "run-5": snapshot}
            assert tags == {tag: number for tag, number in wanted.items() if number is not None}
        assert tables.load("customer_trusted").scan().use_ref("run-2").to_arrow().num_rows == rows
    lake.unpin(2)
    with opened(lake) as tables:
        assert "run-2" not in tables.load("customer_trusted").refs()


def test_snapshots_and_files_of_expired_runs_are_gone(lake: stedi.Lakehouse) -> None:
    assert snapshots(lake)["customer_landing"] == 5
    before = files_on_disk(lake)
    done = lake.maintain(keep_runs=1, keep_days=0)
    assert max(snapshots(lake).values()) == 1
    gone = before - files_on_disk(lake)
    assert sum(amount.files for amount in done.deleted.values()) == len(gone) > 20
    assert sum(amount.bytes for amount in done.deleted.values()) > 0
    with opened(lake) as tables:  # what is left is what the tables refer to
        for name in tables.names():
            table = tables.load(name)
            assert {str(p) for p in (lake.folder / "warehouse").glob(f"*/{name}/data/*")} == {
                row["file_path"] for row in table.inspect.all_files().to_pylist()
            }


def test_garbage_is_found_and_what_is_young_is_kept(lake: stedi.Lakehouse) -> None:
    lake = stedi.open_lakehouse(lake.folder, maintenance={"min_age_s": 3600, "automatic": False})
    folder = next((lake.folder / "warehouse").glob("*/customer_trusted"))
    old = [
        folder / "data" / "lost.parquet",
        folder / "metadata" / "lost-m0.avro",
        folder.parent / "gone" / "data" / "x",
    ]
    young = folder / "data" / "young.parquet"
    for path in (*old, young):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"garbage")
    for path in old:
        os.utime(path, (time.time() - 3700,) * 2)
    known = {path for path in files_on_disk(lake) if path.stat().st_size != 7}
    for path in known:
        os.utime(path, (time.time() - 99_999,) * 2)
    told = lake.maintain(dry_run=True)
    assert {name: amount.files for name, amount in told.deleted.items()} == {"customer_trusted": 2, "gone": 1}
    assert told.waiting.files == 1
    assert all(path.exists() for path in (*old, young))
    done = lake.maintain()
    assert done.deleted == told.deleted
    assert young.exists()
    assert not any(path.exists() for path in old)
    assert known <= files_on_disk(lake), "what was let go just now waits, however old it is"
    assert done.waiting.files > 1


def test_a_dry_run_changes_nothing_and_needs_no_lease(lake: stedi.Lakehouse) -> None:
    before, files = lake.runs(), files_on_disk(lake)
    with writer_lease(lake.folder):
        told = lake.maintain(dry_run=True, keep_runs=1, keep_days=0)
        with pytest.raises(stedi.LockedError):
            lake.maintain()
        with pytest.raises(stedi.LockedError):
            lake.pin(1)
    assert (lake.runs(), files_on_disk(lake)) == (before, files)
    done = lake.maintain(keep_runs=1, keep_days=0)
    assert told.expired == done.expired == (1, 2, 3, 4)
    assert {name: m.before for name, m in told.merged.items()} == {name: m.before for name, m in done.merged.items()}
    assert {name: m.after.files for name, m in told.merged.items()} == {
        name: m.after.files for name, m in done.merged.items()
    }


def test_a_reader_that_began_before_ends_in_the_state_it_began_in(lake: stedi.Lakehouse) -> None:
    lake = stedi.open_lakehouse(lake.folder, maintenance={"min_age_s": 60, "automatic": False})
    for path in files_on_disk(lake):
        os.utime(path, (time.time() - 99_999,) * 2)
    wanted = {run: lake.as_of(run).table("accelerometer_landing").to_arrow().num_rows for run in (1, 5)}
    with (
        lake.as_of(1).table("accelerometer_landing").reader() as first,
        lake.table("accelerometer_landing").reader() as last,
    ):
        lake.maintain(keep_runs=1, keep_days=0)
        lake.maintain(keep_runs=1, keep_days=0)
        assert (first.read_all().num_rows, last.read_all().num_rows) == (wanted[1], wanted[5])


def test_a_lakehouse_behind_a_link_keeps_its_files(lake: stedi.Lakehouse) -> None:
    before = contents(lake)
    lake.folder.symlink_to(lake.folder.rename(lake.folder.with_name("moved")))
    lake.maintain(keep_runs=1, keep_days=0)
    assert contents(lake) == before


#: Does the upkeep, and kills itself when a step is reached for the n-th time.
SUICIDE = """
import os, signal, sys, stedi
lake, step, nth = sys.argv[1], sys.argv[2], int(sys.argv[3])
seen = 0
def progress(name, done, total):
    global seen
    if name == step:
        seen += 1
        if seen == nth:
            os.kill(os.getpid(), signal.SIGKILL)
lake = stedi.open_lakehouse(lake, maintenance={"min_age_s": 0})
lake.maintain(keep_runs=1, keep_days=0, progress=progress)
"""
STEPS = [("merging", 1), ("merging", 3), ("committing", 1), ("committing", 3), ("recording", 1), ("recording", 2)]
STEPS += [("expiring", 1), ("expiring", 4), ("deleting", 1), ("deleting", 2)]


@pytest.mark.parametrize(("step", "nth"), STEPS)
def test_killed_at_a_step_it_is_done_again(lake: stedi.Lakehouse, landing: Path, step: str, nth: int) -> None:
    lake.pin(2)
    before, pinned = contents(lake), contents(lake.as_of(2))
    command = [sys.executable, "-c", SUICIDE, str(lake.folder), step, str(nth)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert contents(lake) == before
    assert contents(lake.as_of(2)) == pinned
    recorded = step in ("expiring", "deleting") or (step, nth) == ("recording", 2)
    assert [run.readable for run in lake.runs()] == [not recorded, True, not recorded, not recorded, True]
    if nth % 2:
        deliver(landing, 7)
        assert lake.run(landing).run == 6
        before = contents(lake)
    lake.maintain(keep_runs=1, keep_days=0)
    assert contents(lake) == before
    assert contents(lake.as_of(2)) == pinned
    assert list((lake.folder / "staging").iterdir()) == []
    again = lake.maintain(keep_runs=1, keep_days=0)
    assert (again.merged, again.expired, again.snapshots, again.deleted, again.waiting.files) == ({}, (), {}, {}, 0)


def test_an_exception_leaves_the_published_state_as_it_was(lake: stedi.Lakehouse) -> None:
    before, runs, files = contents(lake), lake.runs(), data_files(lake)

    def interrupt(step: str, done: int, total: int) -> None:
        if (step, done) == ("committing", 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lake.maintain(progress=interrupt)
    assert (contents(lake), lake.runs(), data_files(lake)) == (before, runs, files)
    assert not list((lake.folder / "warehouse").rglob("*-merged-*"))


def test_rows_that_a_merge_would_lose_stop_it(lake: stedi.Lakehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = start_engine(lake.settings, "test")
    real = type(engine).write_sorted
    engine.close()

    def lossy(self: Engine, select: str, *others: object) -> dict[str, int]:
        return real(self, f"SELECT * FROM ({select}) LIMIT 2", *others)  # type: ignore[arg-type]

    before, runs = contents(lake), lake.runs()
    monkeypatch.setattr(type(engine), "write_sorted", lossy)
    with pytest.raises(stedi.LakehouseError, match="do not hold the rows of the small ones: nothing was changed"):
        lake.maintain()
    assert (contents(lake), lake.runs()) == (before, runs)


def test_a_table_of_another_program_keeps_its_files_and_snapshots(lake: stedi.Lakehouse) -> None:
    with opened(lake) as tables:
        rows = tables.load("customer_trusted").scan().to_arrow()
        theirs = SqlCatalog(
            "stedi", uri=f"sqlite:///{lake.folder}/catalog.db", warehouse=str(Path(lake.folder) / "warehouse")
        )
        theirs.create_namespace("other")
        notes = theirs.create_table(("other", "notes"), rows.schema)
        for _ in range(3):
            notes.append(rows)
        lake.maintain(keep_runs=1, keep_days=0)
        notes.refresh()
        assert len(notes.metadata.snapshots) == 3
        assert notes.scan().to_arrow().num_rows == 3 * rows.num_rows


NOW = datetime(2024, 3, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("keep_runs", "keep_days", "expired"),
    [
        (1, 0, [1, 2, 3, 4, 5]),
        (3, 0, [1, 2, 3]),
        (1, 1, [1, 2, 3, 4, 5]),  # 6 is the last of today
        (1, 2, [1, 2, 3, 5]),  # 4 is the last of yesterday
        (1, 10, [1, 3, 5]),  # 2 is the last of nine days ago
        (1, 30, [1, 3, 5]),
        (9, 0, []),
    ],
)
def test_the_last_runs_and_the_last_of_each_day_are_kept(keep_runs: int, keep_days: int, expired: list[int]) -> None:
    hours_ago = [220, 218, 30, 20, 3, 1]
    runs = [_run(number, NOW - timedelta(hours=hours)) for number, hours in enumerate(hours_ago, 1)]
    policy = MaintenanceSettings(keep_runs=keep_runs, keep_days=keep_days)
    assert [run.run for run in runs_to_expire(runs, policy, NOW)] == expired


def _run(number: int, at: datetime) -> Run:
    return Run(number, "", at, at, "strict", "", {"customer_landing": number}, {})


def test_what_piles_up_is_tended_by_the_runs_themselves(
    landing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a pile of 3 instead of 32, after 12 runs: files, snapshots and readable runs are bounded, and no row is lost."""
    for module in ("merge", "maintain"):
        monkeypatch.setattr(f"stedi.runs.{module}.PILE", 3)
    tended = stedi.open_lakehouse(tmp_path / "tended", maintenance={"min_age_s": 0, "keep_runs": 2, "keep_days": 0})
    plain = stedi.open_lakehouse(
        tmp_path / "plain", maintenance={"automatic": False}, pseudonym_key=tmp_path / "tended.key"
    )
    most: Callable[[stedi.Lakehouse], int] = lambda lake: max(map(len, data_files(lake).values()))  # noqa: E731
    for number in range(10, 22):
        deliver(landing, number)
        tended.run(landing)
        plain.run(landing)
        assert most(tended) <= 1 + 3 + 2
        assert sum(run.readable for run in tended.runs()) <= 2 + 3
    assert most(plain) >= 12
    assert max(snapshots(tended).values()) <= 2 + 3 + 1
    kept, piled = (Counter(path.suffix for path in files_on_disk(one)) for one in (tended, plain))
    assert kept[".parquet"] < piled[".parquet"] / 2
    assert kept[".avro"] < piled[".avro"] / 2
    now, then = contents(tended), contents(plain)
    for name in now:
        if contracts("strict")[name].zone in ("trusted", "curated"):
            assert now[name] == then[name], name
        assert now[name].total() == then[name].total(), name
    assert len(tended.runs()) == 12


def test_what_earlier_runs_removed_is_not_listed_for_ever(lake: stedi.Lakehouse, landing: Path) -> None:
    """Every run replaces rows of `runs`: of the two manifests of its snapshot one lists what is there, one what went with it."""
    for number in range(5, 10):
        deliver(landing, number)
        lake.run(landing)
    with opened(lake) as tables:
        runs = tables.load("runs")
        current = runs.current_snapshot()
        assert current is not None
        assert len(current.manifests(runs.io)) == 2
        assert len(lake.runs()) == len(tables.rows("runs", current.snapshot_id))


def test_upkeep_that_fails_does_not_fail_the_run(
    lake: stedi.Lakehouse, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise stedi.EngineError("out of memory")

    monkeypatch.setattr("stedi.runs.merge.PILE", 1)
    monkeypatch.setattr("stedi.runs.maintain.merge", fail)
    eager = stedi.open_lakehouse(lake.folder)
    deliver(landing, 8)
    assert eager.run(landing).run == 6
    with pytest.raises(stedi.EngineError):
        eager.maintain()


def test_every_contract_says_how_its_rows_are_sorted() -> None:
    for policy in ("strict", "seed"):
        for contract in contracts(policy).values():
            assert contract.sorted_by, contract.name
            assert {*contract.sorted_by} <= {column.name for column in contract.columns}
            assert contract.clustered_by in (None, contract.sorted_by[0])
