"""What a snapshot holds and comes from, read from its manifests; and the transaction that makes one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow.parquet as pq
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat, ManifestContent, ManifestFile
from pyiceberg.table import Table, Transaction
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Snapshot, ancestors_of
from pyiceberg.table.update.snapshot import _OverwriteFiles

from stedi.errors import LakehouseError


class QuickTransaction(Transaction):
    """PyIceberg's, which works out the table's metadata anew, and copies it deeply, at each of some twenty looks in a commit.

    Here it is done once for each update, since a copy takes the longer the more snapshots a table has.
    """

    _known: tuple[object, object, TableMetadata] | None = None

    @property
    def table_metadata(self) -> TableMetadata:
        """The metadata with all updates so far."""
        base, updates = self._table.metadata, self._updates
        if not updates:
            return base
        if self._known is None or self._known[0] is not base or self._known[1] is not updates:
            self._known = (base, updates, super().table_metadata)
        return self._known[2]


class Overwrite(_OverwriteFiles):
    """PyIceberg's, which hands on for ever the manifests that say what earlier snapshots removed: each would be read again by each run."""

    def _existing_manifests(self) -> list[ManifestFile]:
        return [file for file in super()._existing_manifests() if file.has_added_files() or file.has_existing_files()]


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


def described(io: FileIO, metadata: TableMetadata, paths: Iterable[str]) -> Iterator[DataFile]:
    """Data files as manifests describe them, from their footers.

    The engine wrote them under the table's own schema. So they are not compared with it, which takes PyIceberg as long as a small commit.
    """
    schema = metadata.schema()
    plan, columns = compute_statistics_plan(schema, metadata.properties), parquet_path_to_id_mapping(schema)
    for path in paths:
        file = io.new_input(path)
        with file.open() as content:
            footer = pq.read_metadata(content)  # type: ignore[arg-type]
        found = data_file_statistics_from_parquet_metadata(footer, plan, columns)
        yield DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=path,
            file_format=FileFormat.PARQUET,
            partition=found.partition(metadata.spec(), schema),
            file_size_in_bytes=len(file),
            sort_order_id=None,
            spec_id=metadata.default_spec_id,
            equality_ids=None,
            key_metadata=None,
            **found.to_serialized_dict(),
        )


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
