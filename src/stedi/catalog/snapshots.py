"""What a snapshot holds and comes from, read from its manifests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pyiceberg.manifest import DataFile, ManifestContent
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot, ancestors_of

from stedi.errors import LakehouseError


def live_files(table: Table, snapshot: Snapshot) -> Iterator[DataFile]:
    """The data files of a snapshot. What a scan does with a pool of threads takes longer here than reading the few manifests.

    Raises:
        LakehouseError: another engine left delete files, which we would misread.
    """
    for manifest in snapshot.manifests(table.io):
        if manifest.content == ManifestContent.DELETES:
            raise LakehouseError(
                f"{table.name()[-1]} holds delete files of another engine, which would be misread",
                where=table.name()[-1],
                hint="rewrite the table there with copy-on-write, then try again",
            )
        yield from (entry.data_file for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True))


@dataclass(frozen=True)
class SizedFile:
    """A data file as its manifest describes it: size in bytes, number of rows."""

    path: str
    size: int
    rows: int


def sized_files(table: Table, snapshot: int | None) -> list[SizedFile]:
    """The data files of a snapshot, with their sizes."""
    found = table.snapshot_by_id(snapshot) if snapshot else None
    files = live_files(table, found) if found else ()
    return [SizedFile(file.file_path, file.file_size_in_bytes, file.record_count) for file in files]


def live_files_among(table: Table, paths: set[str]) -> Sequence[DataFile]:
    """Those data files of the current snapshot that are asked for."""
    snapshot = table.current_snapshot()
    return [file for file in live_files(table, snapshot) if file.file_path in paths] if paths and snapshot else []


def ancestors(table: Table, snapshot: int | None) -> Iterable[Snapshot]:
    """A snapshot, and those that it comes from."""
    return ancestors_of(table.snapshot_by_id(snapshot) if snapshot else None, table.metadata)
