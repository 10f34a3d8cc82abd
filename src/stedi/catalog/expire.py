"""Let go of everything but what is published, at once: what an erasure took out must not be reachable by going back in time.

Readers that are still at work on older files fail; that is the point.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import unquote, urlparse

from pyiceberg.table import Table

from stedi.catalog.published import write_published
from stedi.catalog.runs import published_state
from stedi.catalog.state import DATABASE
from stedi.catalog.tables import Tables, catalog_explained
from stedi.errors import LakehouseError


def expire_all_but_published(tables: Tables) -> int:
    """Expire every snapshot that is not current, also where other programs named it; returns how many. The lease must be held."""
    expired = 0
    with catalog_explained(tables.folder):
        for name in tables.names():
            table = tables.load(name)
            for ref in [ref for ref in table.metadata.refs if ref != "main"]:
                is_tag = table.metadata.refs[ref].snapshot_ref_type == "tag"
                change = table.manage_snapshots()
                (change.remove_tag(ref) if is_tag else change.remove_branch(ref)).commit()
                table = tables.load(name)
            current = table.metadata.current_snapshot_id
            spare = [s.snapshot_id for s in table.metadata.snapshots if s.snapshot_id != current]
            if spare:
                table.maintenance.expire_snapshots().by_ids(spare).commit()
            expired += len(spare)
    return expired


def delete_unreachable(tables: Tables) -> int:
    """Delete every file that the current state of the tables does not need, whatever its age; returns how many. The lease must be held."""
    root = Path(os.path.realpath(tables.folder / "warehouse" / DATABASE))
    reachable: set[str] = set()
    for name in tables.names():
        table = tables.load(name)
        if not Path(_real(table.metadata_location)).is_relative_to(root):
            raise LakehouseError(f"the files of {name} are not in its folder: nothing is deleted", where=str(root))
        reachable |= _reachable(table)
    deleted = 0
    for path in [Path(folder, name) for folder, _, names in os.walk(root) for name in names]:
        if os.path.realpath(path) not in reachable:
            path.unlink(missing_ok=True)
            deleted += 1
    return deleted + _tidy_catalog(tables)


def _tidy_catalog(tables: Tables) -> int:
    """Tell readers anew what is published, and leave no free page behind in the catalog."""
    published = tables.folder / "published"
    old = list(published.glob("*"))
    for path in old:
        path.unlink(missing_ok=True)
    with suppress(OSError):  # without it readers ask the catalog
        write_published(tables.folder, tables.load("runs").metadata_location, published_state(tables))
    with closing(sqlite3.connect(tables.folder / "catalog.db", timeout=30, isolation_level=None)) as catalog:
        for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
            catalog.execute(statement).fetchall()
    return len(old)


def _reachable(table: Table) -> set[str]:
    metadata = table.metadata
    found = {_real(table.metadata_location), *(_real(entry.metadata_file) for entry in metadata.metadata_log)}
    found |= {_real(file.statistics_path) for file in (*metadata.statistics, *metadata.partition_statistics)}
    for snapshot in metadata.snapshots:
        found.add(_real(snapshot.manifest_list))
        for manifest in snapshot.manifests(table.io):
            found.add(_real(manifest.manifest_path))
            entries = manifest.fetch_manifest_entry(table.io, discard_deleted=True)
            found |= {_real(entry.data_file.file_path) for entry in entries}
    return found


def _real(location: str) -> str:
    parsed = urlparse(location)
    return os.path.realpath(unquote(parsed.path) if parsed.scheme == "file" else location)
