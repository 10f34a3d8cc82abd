"""Pinned runs are Iceberg tags: `run-12` on the snapshot of every table, so that other engines find it, and keep it when they tidy up.

What `runs` says is pinned holds; the tags follow it. So a tag that a killed program set or left is put right by the next `align_tags`.
"""

from __future__ import annotations

import re

from stedi.catalog.sqlite import catalog_explained
from stedi.catalog.state import Run
from stedi.catalog.tables import Tables


def align_tags(tables: Tables, runs: list[Run]) -> None:
    """Give every table a tag for each pinned run, on its snapshot of then, and no other tag of that kind."""
    pinned = [run for run in runs if run.pinned]
    for name in tables.names():
        wanted = {f"run-{run.run}": number for run in pinned if (number := run.snapshots.get(name)) is not None}
        table = tables.load(name)
        found = {tag: ref.snapshot_id for tag, ref in table.refs().items() if re.fullmatch(r"run-\d+", tag)}
        if found == wanted:
            continue
        change = table.manage_snapshots()
        for tag in found.keys() - wanted.keys():
            change = change.remove_tag(tag)
        for tag, number in wanted.items() - found.items():
            change = change.create_tag(
                number, tag
            )  # moves one that is there: the last run's, when its files were merged
        with catalog_explained(tables.folder):
            change.commit()
