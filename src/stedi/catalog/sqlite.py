"""The catalog: one SQLite file, which says where the current metadata of every table is (PyIceberg's `SqlCatalog`)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pyiceberg.catalog.sql import IcebergTables, SqlCatalog
from pyiceberg.table import Table
from sqlalchemy.exc import DatabaseError

from stedi.aws import explained
from stedi.catalog.durable import sync
from stedi.catalog.files import file_access
from stedi.catalog.published import damaged
from stedi.catalog.state import FORMAT_VERSION
from stedi.errors import StorageError
from stedi.home import DATABASE, Home
from stedi.places import Place, is_remote


class Catalog(SqlCatalog):
    """PyIceberg's, which reads a metadata file once: such files never change, and a run asks for its tables a hundred times."""

    def __init__(self, name: str, **properties: str) -> None:
        super().__init__(name, **properties)
        self._read: dict[str, Table] = {}

    def _convert_orm_to_iceberg(self, orm_table: IcebergTables) -> Table:
        name, location = orm_table.table_name, orm_table.metadata_location
        if name not in self._read or self._read[name].metadata_location != location:
            self._read[name] = super()._convert_orm_to_iceberg(orm_table)
        read = self._read[name]
        # A table of its own for each caller: its commits change it in place.
        return Table(read.name(), read.metadata, read.metadata_location, read.io, self)


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
        with explained("glue"), _os_explained(folder):
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
