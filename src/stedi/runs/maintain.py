"""Upkeep: merge small files, let go of old runs, delete what nothing refers to.

1. Take the writer's lease; undo what a killed run or upkeep left behind.
2. Plan: which files are too small, and which runs may go.
3. Merge: write the rows of small files into few large ones; one commit per table (`runs.merge`).
4. Publish: the last run gets the snapshots of the merged tables, runs that may go lose theirs. It is the same run: its number, its report
   and its rows stay. Upkeep that stops before never happened.
5. Tidy: bring Iceberg in line with what is published: expire snapshots that no run names, and delete files that nothing refers to and
   nobody can still be reading. Where this stops half-way, the next upkeep does the rest.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from stedi import clock
from stedi.catalog.garbage import Collector, Garbage
from stedi.catalog.pins import align_tags
from stedi.catalog.runs import completed_runs, rewrite_runs, tell_readers, workspace, written_to
from stedi.catalog.state import Run
from stedi.catalog.tables import Tables
from stedi.config import MaintenanceSettings, Settings
from stedi.contracts import contracts
from stedi.engines.start import start_engine
from stedi.errors import NotFoundError, StediError
from stedi.places import about
from stedi.runs.merge import PILE, Merge, merge, plan_light_merges, plan_merges
from stedi.runs.stage import Progress


@dataclass(frozen=True)
class Amount:
    """Files, and the bytes that they take."""

    files: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Merged:
    """Small files, and the files that hold their rows now; with `dry_run` their number alone."""

    before: Amount
    after: Amount


@dataclass(frozen=True)
class Upkeep:
    """What upkeep did, or with `dry_run` what it would do now.

    Attributes:
        merged: small files that were merged, and what they became, by table.
        expired: runs that can no longer be read.
        snapshots: snapshots that were expired, by table.
        deleted: files that were deleted, by table.
        waiting: files that nothing refers to, and that are kept because somebody may still be reading them.
    """

    dry_run: bool
    merged: dict[str, Merged]
    expired: tuple[int, ...]
    snapshots: dict[str, int] = field(default_factory=dict)
    deleted: dict[str, Amount] = field(default_factory=dict)
    waiting: Amount = Amount()


def maintain(settings: Settings, progress: Progress, *, dry_run: bool = False) -> Upkeep:
    """Do the upkeep of a lakehouse, by the settings of `[maintenance]`.

    Raises:
        LakehouseError: there is no lakehouse, it is damaged, or somebody else is writing to it.
        NotFoundError: nothing was published yet.
    """
    if dry_run:
        with closing(Tables.open(settings.home)) as tables:
            return _foretell(tables, _published(tables), settings.maintenance)
    with written_to(settings.home) as tables:
        runs = _published(tables)
        merges = plan_merges(tables, runs[-1], settings.maintenance.target_file_mb << 20)
        return _apply(tables, settings, runs, merges, progress)


def tend(tables: Tables, settings: Settings, runs: list[Run], progress: Progress) -> list[Run]:
    """Light upkeep before a run, where files or old runs have piled up; returns the runs as they are published then.

    The writer's lease is held by the caller. What fails here does not fail the run: the next one tries again, and `stedi maintain` tells.
    """
    if not runs or not settings.maintenance.automatic:
        return runs
    with suppress(StediError, OSError):
        merges = plan_light_merges(tables, runs[-1])
        if not merges and len(runs_to_expire(runs, settings.maintenance, clock.now())) < PILE:
            return runs
        _apply(tables, settings, runs, merges, progress)
    return completed_runs(tables)


def runs_to_expire(runs: list[Run], policy: MaintenanceSettings, now: datetime) -> list[Run]:
    """Readable runs that may go: neither among the last ones, nor the last of one of the last days, nor pinned."""
    last_of_day = {run.finished_at.astimezone(UTC).date(): run.run for run in runs}
    oldest = (now - timedelta(days=policy.keep_days)).astimezone(UTC).date()
    kept = {run.run for run in runs[-policy.keep_runs :]} | {
        number for day, number in last_of_day.items() if day > oldest
    }
    return [run for run in runs if run.readable and not run.pinned and run.run not in kept]


def _published(tables: Tables) -> list[Run]:
    runs = completed_runs(tables)
    if not runs:
        raise NotFoundError("nothing was published here yet", hint="`stedi run --landing DIR` makes the first run")
    return runs


def _foretell(tables: Tables, runs: list[Run], policy: MaintenanceSettings) -> Upkeep:
    merges = plan_merges(tables, runs[-1], policy.target_file_mb << 20)
    expired = runs_to_expire(runs, policy, clock.now())
    collector = Collector(tables)
    spare = collector.spare_snapshots(needed_snapshots(tables, without(runs, expired)))
    old, young = _by_age(collector.find(), policy)
    merged = {
        name: Merged(_sizes(group), Amount(sum(merge.into for merge in group)))
        for name, group in _by_table(merges).items()
    }
    return Upkeep(True, merged, _numbers(expired), _lengths(spare), _amounts(old), _amount(young))


def _apply(tables: Tables, settings: Settings, runs: list[Run], merges: Sequence[Merge], progress: Progress) -> Upkeep:
    expired = runs_to_expire(runs, settings.maintenance, clock.now())
    merged: dict[str, Merged] = {}
    if merges or expired:
        with workspace(tables) as token:
            merged, snapshots = _merge(tables, settings, runs[-1], merges, token, progress)
            last = replace(runs[-1], snapshots={**runs[-1].snapshots, **snapshots})
            runs = without([*runs[:-1], last], expired)
            progress("recording", 0, 1)
            rewrite_runs(tables, runs, token)
            progress("recording", 1, 1)
    return _tidy(tables, runs, Upkeep(False, merged, _numbers(expired)), settings.maintenance, progress)


def _merge(
    tables: Tables, settings: Settings, run: Run, merges: Sequence[Merge], token: str, progress: Progress
) -> tuple[dict[str, Merged], dict[str, int | None]]:
    """Merge the small files of every table. Returns what became of them, and the snapshots of those tables."""
    by_table = _by_table(merges)
    merged, commits = {}, {}
    with closing(start_engine(settings, token)) as engine:
        for number, (name, group) in enumerate(by_table.items()):
            progress("merging", number, len(by_table))
            commits[name] = merge(tables, engine, contracts(run.policy)[name], group, token)
            written = [about(tables.home.located(path)) for path in commits[name].add]
            sizes = [file.size for file in written if file]
            merged[name] = Merged(_sizes(group), Amount(len(sizes), sum(sizes)))
    snapshots = {}
    for number, (name, commit) in enumerate(commits.items()):
        progress("committing", number, len(commits))
        snapshots[name] = tables.commit(contracts(run.policy)[name], commit, token)
    return merged, snapshots


def _tidy(tables: Tables, runs: list[Run], done: Upkeep, policy: MaintenanceSettings, progress: Progress) -> Upkeep:
    align_tags(tables, runs)
    collector = Collector(tables)
    spare = collector.spare_snapshots(needed_snapshots(tables, runs))
    for number, (name, snapshots) in enumerate(spare.items()):
        progress("expiring", number, len(spare))
        collector.expire(name, snapshots)
    tell_readers(tables)
    progress("deleting", 0, 1)
    old, young = _by_age(collector.find(), policy)
    deleted = collector.delete(old, time.time() - policy.min_age_s) if old else []
    progress("deleting", 1, 1)
    return replace(done, snapshots=_lengths(spare), deleted=_amounts(deleted), waiting=_amount(young))


def without(runs: list[Run], expired: list[Run]) -> list[Run]:
    """The runs as they are published once some of them have lost their snapshots, and with them their pins."""
    gone = {run.run for run in expired}
    return [replace(run, snapshots={}, pinned=None) if run.run in gone else run for run in runs]


def needed_snapshots(tables: Tables, runs: list[Run]) -> dict[str, set[int]]:
    """Snapshots that some run names, by table; of `runs`, none but the current one, which is always kept."""
    names = {"runs"}.union(*(run.snapshots for run in runs)) & set(tables.names())
    return {name: {s for run in runs if (s := run.snapshots.get(name)) is not None} for name in sorted(names)}


def _by_age(found: list[Garbage], policy: MaintenanceSettings) -> tuple[list[Garbage], list[Garbage]]:
    before = time.time() - policy.min_age_s
    return [f for f in found if f.touched_at < before], [f for f in found if f.touched_at >= before]


def _numbers(runs: list[Run]) -> tuple[int, ...]:
    return tuple(run.run for run in runs)


def _lengths(spare: Mapping[str, list[int]]) -> dict[str, int]:
    return {name: len(snapshots) for name, snapshots in spare.items()}


def _amount(files: list[Garbage]) -> Amount:
    return Amount(len(files), sum(file.size for file in files))


def _amounts(files: list[Garbage]) -> dict[str, Amount]:
    names = dict.fromkeys(sorted(file.table for file in files))
    return {name: _amount([file for file in files if file.table == name]) for name in names}


def _by_table(merges: Sequence[Merge]) -> dict[str, list[Merge]]:
    found: dict[str, list[Merge]] = {}
    for one in merges:
        found.setdefault(one.table, []).append(one)
    return found


def _sizes(group: Sequence[Merge]) -> Amount:
    return Amount(sum(len(one.files) for one in group), sum(one.size for one in group))
