"""The Iceberg tables of one lakehouse: open, create, evolve, commit, roll back.

Layout of a lakehouse folder:

    catalog.db      SQLite: where the current metadata of every table is (in the form of PyIceberg's SqlCatalog)
    warehouse/      the tables, plain Apache Iceberg (format v2)
    published/      what readers need of the last run, kept ready (`catalog.published`)
    staging/        scratch space of the run in progress, one folder per run token
    writer.lock     held while a run writes
    erasure.jsonl   there while an erasure is half done (`runs.journal`)
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation

from stedi.catalog.backend import format_version, load_catalog, make_catalog
from stedi.catalog.durable import make_folder, sync
from stedi.catalog.published import check_version, damaged, lakehouse_exists, runs_location
from stedi.catalog.remote_lease import require_lease
from stedi.catalog.schema import evolve, properties_of, schema_of
from stedi.catalog.snapshots import Overwrite, QuickTransaction, ancestors, described, live_files, live_files_among
from stedi.catalog.sqlite import catalog_explained, storage_error
from stedi.contracts import Contract
from stedi.errors import LakehouseError, NotFoundError
from stedi.home import MARKER, Home, home_of
from stedi.places import Place, is_remote, listing, remove

if TYPE_CHECKING:
    from stedi.catalog.glue import Catalog as GlueCatalog
    from stedi.catalog.sqlite import Catalog as SqliteCatalog

#: Snapshot property that says which run wrote it.
TOKEN = "stedi.token"  # noqa: S105 - a mark, not a secret


@dataclass(frozen=True)
class Commit:
    """What one commit changes in a table: files to add, and the files that they replace."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class Tables:
    """The tables of the lakehouse in `folder`. `open` reads an existing one, `create` makes one where there is none."""

    def __init__(self, home: Home, catalog: SqliteCatalog | GlueCatalog) -> None:
        self.home = home
        self.folder = home.folder
        self._catalog = catalog
        self._planned: dict[tuple[str, int], list[str]] = {}  # a snapshot never changes

    @classmethod
    def open(cls, where: Home | Path) -> Tables:
        """Open an existing lakehouse.

        Raises:
            LakehouseError: there is none, it is damaged or was moved, or a newer version wrote it.
        """
        home = home_of(where)
        folder = home.folder
        if not lakehouse_exists(home):
            raise LakehouseError(
                "there is no lakehouse here",
                where=str(folder),
                hint="`stedi run --landing DIR` makes one; --lakehouse names another",
            )
        with catalog_explained(folder):
            tables = cls(home, load_catalog(home))
            tables._check_version()
            runs_location(home)
        return tables

    @classmethod
    def create(cls, where: Home | Path) -> Tables:
        """Open a lakehouse, making an empty one where there is none.

        Raises:
            LakehouseError: it is damaged or was moved, a newer version wrote it, or tables lie here that no catalog knows.
        """
        home = home_of(where)
        folder = home.folder
        if not lakehouse_exists(home):
            if _has_tables(home.warehouse):  # a new catalog would leave them, and who is in them, behind
                file = MARKER if is_remote(folder) else "catalog.db"
                raise LakehouseError(
                    "the catalog is missing, but there are tables",
                    where=str(folder / file),
                    hint=f"restore {file} from a backup, or move the lakehouse away and run again from the landing files",
                )
            if not is_remote(folder):  # the tables' own folder, too: else threads race to make it
                make_folder(folder if home.remote else home.warehouse / home.database)
            with catalog_explained(folder):
                make_catalog(home)
        return cls.open(home)

    def _check_version(self) -> None:
        try:
            version = format_version(self._catalog, self.home)
        except NoSuchNamespaceError as error:
            raise damaged(self.folder, type(error).__name__) from None
        check_version(version, self.folder)

    def close(self) -> None:
        """Let go of the catalog."""
        self._catalog.close()

    def names(self) -> list[str]:
        """Names of all tables, sorted."""
        return sorted(name for _, name in self._catalog.list_tables(self.home.database))

    def load(self, name: str) -> Table:
        """One table as the catalog has it now.

        Raises:
            NotFoundError: there is no such table.
            LakehouseError: its metadata is missing or damaged.
            StorageError: its metadata cannot be read now.
        """
        try:
            return self._catalog.load_table((self.home.database, name))
        except NoSuchTableError:
            raise NotFoundError(f"there is no table {name}", where=name, hint="`stedi tables` lists them") from None
        except (FileNotFoundError, ValueError) as error:
            raise LakehouseError(
                f"the metadata of {name} cannot be read ({type(error).__name__})",
                where=str(self.folder),
                hint="restore the folder `warehouse` from a backup",
            ) from None
        except OSError as error:
            raise storage_error(self.folder, error) from None

    def ensure(self, *contracts: Contract) -> None:
        """Create the tables of contracts where they are missing. Columns that identify a person keep no bounds in manifests."""
        known = set(self.names())
        missing = {
            contract.name: (schema_of(contract), properties_of(contract))
            for contract in contracts
            if contract.name not in known
        }
        if missing:
            self._catalog.create_all(self.home.database, missing)

    def evolve(self, contract: Contract) -> None:
        """Give a table the columns of its contract, where it has others."""
        with QuickTransaction(self.load(contract.name)) as transaction:
            evolve(transaction, contract)

    def field_ids(self, contract: Contract) -> dict[str, int]:
        """Iceberg id of every column, as the next commit under this contract will have them."""
        transaction = QuickTransaction(self.load(contract.name))
        evolve(transaction, contract)
        return {f.name: f.field_id for f in transaction.table_metadata.schema().fields}

    def data_folder(self, name: str) -> Place:
        """Where data files of a table are written."""
        folder = self.home.located(self.load(name).location()) / "data"
        if not is_remote(folder):
            make_folder(folder)
        return folder

    def head(self, name: str) -> int | None:
        """The snapshot that other engines see now; None where nothing was ever committed."""
        snapshot = self.load(name).current_snapshot()
        return snapshot.snapshot_id if snapshot else None

    def named_snapshots(self, name: str) -> set[int]:
        """Snapshots that a tag or a branch beside `main` names, of any program; none where there is no such table."""
        refs = self.load(name).metadata.refs if name in self.names() else {}
        return {about.snapshot_id for ref, about in refs.items() if ref != "main"}

    def token(self, name: str) -> str | None:
        """Token of the work that made the snapshot that other engines see now; None where it was not ours."""
        snapshot = self.load(name).current_snapshot() if name in self.names() else None
        return snapshot.summary[TOKEN] if snapshot and snapshot.summary else None

    def files(self, name: str, snapshot: int | None) -> list[str]:
        """Data files of a snapshot, sorted.

        Raises:
            LakehouseError: another engine left delete files, which we would misread; or the snapshot is gone.
        """
        if snapshot is None:
            return []
        if (name, snapshot) not in self._planned:
            self._planned[name, snapshot] = self._plan(name, snapshot)
        return self._planned[name, snapshot]

    def remember(self, name: str, snapshot: int, files: Iterable[str]) -> None:
        """Take it from the caller which data files a snapshot has: it spares a look into its manifests."""
        self._planned[name, snapshot] = sorted(files)

    def _plan(self, name: str, number: int) -> list[str]:
        table = self.load(name)
        snapshot = table.snapshot_by_id(number)
        if snapshot is None:
            raise LakehouseError(
                f"snapshot {number} of {name} is gone",
                where=name,
                hint="it may have been expired; `stedi runs` lists the runs",
            )
        return sorted(file.file_path for file in live_files(table, snapshot))

    def commit(self, contract: Contract, change: Commit, token: str) -> int | None:
        """Apply a change to a table in one atomic snapshot; without a change the head stays. Returns the head.

        The files must be complete; they are synced here, before the catalog refers to them.
        """
        if not change.add and not change.remove:
            return self.head(contract.name)
        if not self.home.remote:
            sync(*map(Path, change.add))
        require_lease(self.folder)
        table = self.load(contract.name)
        head = table.current_snapshot()
        before = head.snapshot_id if head else None
        with catalog_explained(self.folder), QuickTransaction(table) as transaction:
            evolve(transaction, contract)
            properties = {TOKEN: token}
            with (
                Overwrite(Operation.OVERWRITE, transaction, table.io, snapshot_properties=properties)
                if change.remove
                else transaction.update_snapshot(snapshot_properties=properties).fast_append()
            ) as update:
                for file in live_files_among(table, set(change.remove)):
                    update.delete_data_file(file)
                for file in described(table.io, transaction.table_metadata, change.add):
                    update.append_data_file(file)
        snapshot = table.current_snapshot()  # as committed; to ask the catalog again could fail, and it is done
        known = self._planned.get((contract.name, before)) if before is not None else []
        if snapshot and known is not None:
            self.remember(contract.name, snapshot.snapshot_id, (set(known) - set(change.remove)) | set(change.add))
        return snapshot.snapshot_id if snapshot else None

    def write_rows(self, name: str, rows: pa.Table, path: str) -> None:
        """Write rows in memory as one data file of a table, not yet committed."""
        import pyarrow.parquet as pq
        from pyiceberg.io.pyarrow import schema_to_pyarrow

        table = self.load(name)
        shaped = rows.cast(schema_to_pyarrow(table.schema()))
        if not self.home.remote:
            pq.write_table(shaped, path, compression="zstd")
            return
        with table.io.new_output(path).create() as out:
            pq.write_table(shaped, out, compression="zstd")  # type: ignore[arg-type] # it is one

    def rows(self, name: str, snapshot: int | None) -> pa.Table:
        """All rows of a small table of the lakehouse's own."""
        table = self.load(name)
        return table.scan(snapshot_id=snapshot).to_arrow() if snapshot else table.schema().as_arrow().empty_table()

    def roll_back(self, name: str, snapshot: int | None, published_tokens: set[str | None]) -> None:
        """Undo commits of a run that was never published, so that the table stands at `snapshot` again.

        Raises:
            LakehouseError: another program committed to the table; nothing is undone then.
        """
        table = self.load(name)
        known = {s.snapshot_id for s in ancestors(table, snapshot)}
        unpublished = [s for s in ancestors(table, self.head(name)) if s.snapshot_id not in known]
        for s in unpublished:
            token = s.summary[TOKEN] if s.summary is not None else None
            if token is None or token in published_tokens:
                raise LakehouseError(
                    f"{name} was changed by another program since the last run",
                    where=name,
                    hint="undo that change, then run again",
                )
        if snapshot is None:
            self._catalog.drop_table((self.home.database, name))
            self.remove_folder(table.location())
            return
        table.manage_snapshots().set_current_snapshot(snapshot_id=snapshot).commit()
        table.refresh().maintenance.expire_snapshots().by_ids([s.snapshot_id for s in unpublished]).commit()

    def remove_files_of(self, token: str) -> None:
        """Delete the data files that an abandoned run left behind."""
        if self.home.remote:
            files = (found.place for found in listing(self.home.warehouse))
            remove(file for file in files if file.parent.name == "data" and file.name.startswith(f"{token}-"))
            return
        for path in self.home.warehouse.glob(f"**/data/{token}-*"):
            path.unlink(missing_ok=True)

    def remove_folder(self, location: str) -> None:
        """Delete all files of a table that is in no catalog any more."""
        folder = self.home.located(location)
        if is_remote(folder):
            remove(found.place for found in listing(folder))
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _has_tables(warehouse: Place) -> bool:
    if is_remote(warehouse):
        return any(found.place.match("*/metadata/*.json") for found in listing(warehouse))
    return any(warehouse.glob("*/*/metadata/*.json"))
