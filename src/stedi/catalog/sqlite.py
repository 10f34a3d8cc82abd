"""The catalog: one SQLite file, which says where the current metadata of every table is (PyIceberg's `SqlCatalog`)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

from pyiceberg.catalog.sql import IcebergTables, SqlCatalog
from pyiceberg.schema import Schema
from pyiceberg.table import CommitTableResponse, Table
from pyiceberg.table.update import TableRequirement, TableUpdate
from pyiceberg.typedef import Identifier, Properties
from sqlalchemy import insert
from sqlalchemy.exc import DatabaseError

from stedi.aws import explained
from stedi.catalog.durable import sync
from stedi.catalog.files import file_access
from stedi.catalog.published import damaged
from stedi.catalog.state import FORMAT_VERSION
from stedi.errors import StorageError
from stedi.home import DATABASE, Home
from stedi.places import Place, is_remote

_LOCATION = (
    "SELECT metadata_location FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?"
)


class Catalog(SqlCatalog):
    """PyIceberg's, which reads a metadata file once: such files never change, and a run asks for its tables a hundred times.

    Where a table is now is asked of SQLite each time, but without building the question anew.
    """

    def __init__(self, name: str, **properties: str) -> None:
        super().__init__(name, **properties)
        self._read: dict[str, Table] = {}
        self._namespaces: set[str | Identifier] = set()

    def load_table(self, identifier: str | Identifier) -> Table:
        """The table as SQLite has it now."""
        known = self._read.get(self.table_name_from(identifier))
        if known is None or self._location(identifier) != known.metadata_location:
            return super().load_table(identifier)
        return self._handle(known)

    def table_exists(self, identifier: str | Identifier) -> bool:
        """Whether there is such a table."""
        return self._location(identifier) is not None

    def namespace_exists(self, identifier: str | Identifier) -> bool:
        """Whether there is such a namespace; none is ever dropped."""
        if identifier not in self._namespaces and super().namespace_exists(identifier):
            self._namespaces.add(identifier)
        return identifier in self._namespaces

    def create_all(self, namespace: str, tables: Mapping[str, tuple[Schema, Properties]]) -> None:
        """Create tables in one transaction; their first metadata files are forced to the disk together."""
        staged = {
            name: self._create_staged_table((namespace, name), schema, properties=more)
            for name, (schema, more) in tables.items()
        }
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda a: self._write_metadata(a.metadata, a.io, a.metadata_location), staged.values()))
        rows = [self._create_table_row(namespace, name, one.metadata_location) for name, one in staged.items()]
        with self.engine.begin() as connection:
            connection.execute(insert(IcebergTables), rows)
        self._read |= {name: self._handle(one) for name, one in staged.items()}

    def commit_table(
        self, table: Table, requirements: tuple[TableRequirement, ...], updates: tuple[TableUpdate, ...]
    ) -> CommitTableResponse:
        """Commit; what was committed need not be read again."""
        made = super().commit_table(table, requirements, updates)
        self._read[table.name()[-1]] = Table(table.name(), made.metadata, made.metadata_location, table.io, self)
        return made

    def _location(self, identifier: str | Identifier) -> str | None:
        namespace = self.namespace_to_string(self.namespace_from(identifier))
        with self.engine.connect() as connection:
            where = (self.name, namespace, self.table_name_from(identifier))
            found: str | None = connection.exec_driver_sql(_LOCATION, where).scalar()
        return found

    def _handle(self, read: Table) -> Table:
        """A table of its own for each caller: its commits change it in place."""
        return Table(read.name(), read.metadata, read.metadata_location, read.io, self)

    def _convert_orm_to_iceberg(self, orm_table: IcebergTables) -> Table:
        name, location = orm_table.table_name, orm_table.metadata_location
        if name not in self._read or self._read[name].metadata_location != location:
            self._read[name] = super()._convert_orm_to_iceberg(orm_table)
        return self._handle(self._read[name])


def load_catalog(home: Home) -> Catalog:
    """Open the catalog of a lakehouse."""
    return _load(home, home.folder / "catalog.db", create=False)


def make_catalog(home: Home) -> None:
    """Make an empty catalog. It gets its name when it is complete: readers, and a run after a kill, find it whole or not at all."""
    folder = home.folder
    draft = folder / "catalog.db.draft"
    for left in folder.glob(f"{draft.name}*"):
        left.unlink()
    with closing(sqlite3.connect(draft)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    catalog = _load(home, draft, create=True)
    catalog.create_namespace(DATABASE, {"stedi.format-version": str(FORMAT_VERSION)})
    catalog.close()
    draft.replace(folder / "catalog.db")
    sync(folder / "catalog.db")


def _load(home: Home, file: Path, *, create: bool) -> Catalog:
    # Iceberg keeps where the tables are: it must not depend on the working folder.
    warehouse = str(home.warehouse) if home.remote else str(home.warehouse.absolute())
    return Catalog(
        DATABASE,
        uri=f"sqlite:///{file}",
        warehouse=warehouse,
        init_catalog_tables=str(create).lower(),
        **file_access(home),
    )


@contextmanager
def catalog_explained(folder: Path) -> Iterator[None]:
    """Raise our errors for those of the file system, and for SQLite's, which says whether it could not write or not make sense of it."""
    if is_remote(folder):
        with explained("glue", service="Glue"), _os_explained(folder):
            yield
        return
    try:
        yield
    except OSError as error:
        raise storage_error(folder, error) from None
    except (DatabaseError, sqlite3.DatabaseError) as error:
        cause = error.orig if isinstance(error, DatabaseError) and error.orig else error
        if any(words in str(cause) for words in ("full", "readonly", "disk I/O error", "unable to open")):
            raise StorageError(
                "the catalog cannot be written",
                where=str(folder / "catalog.db"),
                hint="check the free space and the permissions, then run again; readers see the last completed run",
            ) from None
        raise damaged(folder, type(cause).__name__) from None


@contextmanager
def _os_explained(folder: Place) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # of PyArrow, as it reads
        raise storage_error(folder, error) from None


def storage_error(folder: Path, error: OSError) -> StorageError:
    """The error for a file system that cannot be read or written."""
    return StorageError(
        f"the lakehouse cannot be read or written ({error.strerror or type(error).__name__})",
        where=str(folder),
        hint="check the free space and the permissions, then run again; readers see the last completed run",
    )
