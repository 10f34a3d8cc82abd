"""Let go of runs at once (SPEC 6): what an erasure took out must not be reachable by going back in time.

It is the upkeep of `runs.maintain` without its patience: pins and tags keep nothing, and files go whatever their age. A reader that is
still at work on such a run fails; that is the point. Runs that hold nothing of the people stay readable.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from stedi.catalog.garbage import Collector
from stedi.catalog.pins import align_tags
from stedi.catalog.runs import completed_runs, rewrite_runs, tell_readers, workspace
from stedi.catalog.tables import Tables
from stedi.places import Place, earlier_versions, erase_versions, is_remote
from stedi.runs.maintain import needed_snapshots, without


@dataclass(frozen=True)
class LetGo:
    """Numbers of runs that can no longer be read, and how many snapshots and files went."""

    runs: tuple[int, ...]
    snapshots: int
    files: int


def let_go(tables: Tables, numbers: Collection[int]) -> LetGo:
    """Let go of these runs but the last one, of every snapshot that no run names then, and of every file that nothing refers to.

    The writer's lease must be held. Where this stops half-way, doing it again does the rest.

    Raises:
        LakehouseError: a table cannot be read, or its files are not where they should be; no file is deleted then.
    """
    runs = completed_runs(tables)
    going = [run for run in runs[:-1] if run.readable and run.run in numbers]
    if going:
        runs = without(runs, going)
        with workspace(tables) as token:
            rewrite_runs(tables, runs, token)
    align_tags(tables, runs)
    collector, needed = Collector(tables), needed_snapshots(tables, runs)
    collector.drop_refs(needed)
    spare = collector.spare_snapshots(needed)
    for name, snapshots in spare.items():
        collector.expire(name, snapshots)
    tell_readers(tables)
    return LetGo(tuple(run.run for run in going), sum(map(len, spare.values())), delete_garbage(tables))


def delete_garbage(tables: Tables) -> int:
    """Delete every file that nothing refers to, whatever its age; returns how many. The writer's lease must be held.

    Raises:
        LakehouseError: as `let_go`.
    """
    collector = Collector(tables)
    found = collector.find()
    deleted = len(collector.delete(found, math.inf, versions=True)) if found else 0
    return deleted + sum(_erase_earlier(place) for place in (tables.home.warehouse, tables.home.folder))


def _erase_earlier(place: Place) -> int:
    """What a versioned bucket keeps of objects that were deleted or replaced may be theirs, too: no earlier version stays."""
    if not is_remote(place):
        return 0
    earlier = list(earlier_versions(place))
    erase_versions(earlier)
    return sum(not version.marker for version in earlier)
