"""What may go: snapshots that no run names any more, and files that nothing refers to.

A reader may still be at work on files that were reachable when it began. So the files of a snapshot are touched when it is let go, and
a file is deleted only when it is unreachable and has not been touched for a while: its time tells since when it can be unreachable.
Objects cannot be touched: those that were let go are noted in `released.json`, in the folder of the lakehouse.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from stedi.catalog.sqlite import catalog_explained
from stedi.catalog.tables import Tables
from stedi.errors import LakehouseError
from stedi.places import erase, is_remote, is_uri, listing, read_whole, remove, write_whole


@dataclass(frozen=True)
class Garbage:
    """A file of a table that nothing refers to.

    Attributes:
        table: name of the table in whose folder it lies; the table itself may be gone.
        path: the file, links resolved.
        size: in bytes.
        touched_at: seconds since the epoch.
    """

    table: str
    path: str
    size: int
    touched_at: float


class Collector:
    """Finds and removes what may go, of one lakehouse. The writer's lease must be held while it removes."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._root = tables.home.tables
        self._notes = tables.folder / "released.json"
        self._manifests: dict[str, frozenset[str]] = {}  # data files by manifest, which never changes

    def spare_snapshots(self, needed: Mapping[str, set[int]]) -> dict[str, list[int]]:
        """Snapshots of these tables that are not needed; the current one is, and those that a branch or a tag of any program names."""
        found = {}
        for name, snapshots in needed.items():
            table = self._tables.load(name)
            named = snapshots | {ref.snapshot_id for ref in table.metadata.refs.values()}
            found[name] = [s.snapshot_id for s in table.metadata.snapshots if s.snapshot_id not in named]
        return {name: spare for name, spare in found.items() if spare}

    def drop_refs(self, needed: Mapping[str, set[int]]) -> None:
        """Remove tags and branches of any program from snapshots of these tables that are not needed; the current one is."""
        for name, snapshots in needed.items():
            table = self._tables.load(name)
            for ref, about in table.metadata.refs.items():
                if about.snapshot_id in snapshots | {table.metadata.current_snapshot_id}:
                    continue
                table = self._tables.load(name)
                change = table.manage_snapshots()
                with catalog_explained(self._tables.folder):
                    (change.remove_tag(ref) if about.snapshot_ref_type == "tag" else change.remove_branch(ref)).commit()

    def expire(self, name: str, spare: list[int]) -> None:
        """Let go of snapshots of a table, in one commit. Their files stay until `delete` finds them old enough."""
        table = self._tables.load(name)
        self._touch(self._released(table, set(spare)))
        with catalog_explained(self._tables.folder):
            table.maintenance.expire_snapshots().by_ids(spare).commit()

    def find(self) -> list[Garbage]:
        """Files in the folders of the tables that nothing refers to.

        Files are listed first, then what is reachable: so one that is committed in between is no garbage.

        Raises:
            LakehouseError: a table cannot be read, or its files are not where they should be.
        """
        listed = {file.path: file for file in self._files()}
        reachable: set[str] = set()
        for name in self._tables.names():
            table = self._tables.load(name)
            if _real(table.metadata_location) not in listed:
                raise LakehouseError(
                    f"the files of {name} are not in its folder: nothing is deleted",
                    where=str(self._root),
                    hint="`stedi doctor` checks the lakehouse",
                )
            reachable |= self._reachable(table)
        return [file for path, file in sorted(listed.items()) if path not in reachable]

    def delete(self, found: Iterable[Garbage], before: float, *, versions: bool = False) -> list[Garbage]:
        """Delete what was found, where it is still garbage and was not touched since `before`; returns what was deleted.

        With `versions` every version of an object goes, too, where a bucket keeps them.
        """
        still = {file.path: file for file in self.find() if file.touched_at < before}
        deleted = [still[file.path] for file in found if file.path in still]
        places = [self._tables.home.located(file.path) for file in deleted]
        if versions:
            erase(places)
        else:
            remove(places)
        self._forget({file.path for file in deleted})
        return deleted

    def _touch(self, paths: Iterable[str]) -> None:
        if not is_remote(self._root):
            for path in paths:
                with suppress(FileNotFoundError):
                    os.utime(path)
            return
        notes = self._noted() | dict.fromkeys(paths, time.time())
        write_whole(self._notes, json.dumps(notes).encode())

    def _noted(self) -> dict[str, float]:
        """Since when objects can be unreachable, in seconds since the epoch."""
        notes: dict[str, float] = json.loads(read_whole(self._notes) or b"{}") if is_remote(self._root) else {}
        return notes

    def _forget(self, paths: set[str]) -> None:
        notes = self._noted()
        if not paths.isdisjoint(notes):
            left = {path: since for path, since in notes.items() if path not in paths}
            write_whole(self._notes, json.dumps(left).encode())

    def _files(self) -> Iterator[Garbage]:
        if is_remote(self._root):
            noted, folder = self._noted(), f"{self._root}/"
            for object_ in listing(self._root):
                location = str(object_.place)
                touched = max(object_.modified_ns / 1e9, noted.get(location, 0))
                yield Garbage(location.removeprefix(folder).split("/")[0], location, object_.size, touched)
            return
        root = os.path.realpath(self._root)
        for folder, _, names in os.walk(root):
            for name in names:
                path = Path(folder, name)
                with suppress(FileNotFoundError):
                    about = path.stat()
                    table = path.relative_to(root).parts[0]
                    yield Garbage(table, os.path.realpath(path), about.st_size, about.st_mtime)

    def _reachable(self, table: Table) -> set[str]:
        metadata = table.metadata
        found = {table.metadata_location, *(entry.metadata_file for entry in metadata.metadata_log)}
        found |= {file.statistics_path for file in (*metadata.statistics, *metadata.partition_statistics)}
        return {_real(path) for path in found}.union(*(self._of(table, s) for s in metadata.snapshots))

    def _released(self, table: Table, spare: set[int]) -> set[str]:
        """Files that only these snapshots refer to."""
        going: set[str] = set()
        staying: set[str] = set()
        for snapshot in table.metadata.snapshots:
            (going if snapshot.snapshot_id in spare else staying).update(self._of(table, snapshot))
        return going - staying

    def _of(self, table: Table, snapshot: Snapshot) -> set[str]:
        """All files of a snapshot: its manifest list, its manifests, data files and delete files."""
        found = {_real(snapshot.manifest_list)}
        for manifest in snapshot.manifests(table.io):
            path = manifest.manifest_path
            if path not in self._manifests:
                entries = manifest.fetch_manifest_entry(table.io, discard_deleted=True)
                self._manifests[path] = frozenset({_real(path), *(_real(e.data_file.file_path) for e in entries)})
            found |= self._manifests[path]
        return found


def _real(location: str) -> str:
    """A path in Iceberg's metadata, as the file system knows it: the lakehouse may be reached through a link."""
    if is_uri(location):
        return location
    parsed = urlparse(location)
    return os.path.realpath(unquote(parsed.path) if parsed.scheme == "file" else location)
