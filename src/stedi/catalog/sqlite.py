"""The catalog: one SQLite file, which says where the current metadata of every table is.

Its tables are those of Iceberg's JDBC catalog, which PyIceberg's `SqlCatalog` reads and writes, too. It is asked without SQLAlchemy: to
import that takes as long as a tenth of a small run.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from pyiceberg.catalog import MetastoreCatalog
from pyiceberg.exceptions import CommitFailedException, NoSuchNamespaceError, NoSuchTableError
from pyiceberg.schema import Schema
from pyiceberg.serializers import FromInputFile
from pyiceberg.table import CommitTableResponse, Table
from pyiceberg.table.update import TableRequirement, TableUpdate
from pyiceberg.typedef import EMPTY_DICT, Identifier, Properties

from stedi.aws import explained
from stedi.catalog.durable import sync
from stedi.catalog.files import file_access
from stedi.catalog.published import damaged
from stedi.catalog.state import FORMAT_VERSION
from stedi.errors import StorageError
from stedi.home import DATABASE, Home
from stedi.places import Place, is_remote

_LAYOUT = """
CREATE TABLE iceberg_tables (
    catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL, table_name VARCHAR(255) NOT NULL,
    metadata_location VARCHAR(1000), previous_metadata_location VARCHAR(1000), iceberg_type VARCHAR(5),
    PRIMARY KEY (catalog_name, table_namespace, table_name)
);
CREATE TABLE iceberg_namespace_properties (
    catalog_name VARCHAR(255) NOT NULL, namespace VARCHAR(255) NOT NULL, property_key VARCHAR(255) NOT NULL,
    property_value VARCHAR(1000) NOT NULL,
    PRIMARY KEY (catalog_name, namespace, property_key)
);
"""
#: Tables of a namespace; views of other programs may stand beside them.
_THESE = "catalog_name = ? AND table_namespace = ? AND coalesce(iceberg_type, 'TABLE') = 'TABLE'"
_THIS = f"{_THESE} AND table_name = ?"


class Catalog(MetastoreCatalog):
    """What a lakehouse needs of a catalog in a SQLite file; whatever else one does with it, `SqlCatalog` can.

    A metadata file is read once: such files never change, and a run asks for its tables a hundred times. Where a table is now is asked of
    SQLite each time.
    """

    def __init__(self, name: str, file: Path, **properties: str) -> None:
        super().__init__(name, **properties)
        self._file = sqlite3.connect(
            f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=30, isolation_level=None, check_same_thread=False
        )
        self._alone = Lock()  # threads may ask at the same time
        self._read: dict[str, Table] = {}

    def load_table(self, identifier: str | Identifier) -> Table:
        """The table as SQLite has it now, in a handle of the caller's own: its commits change it in place."""
        key = self._key(identifier)
        found = self._ask(f"SELECT metadata_location FROM iceberg_tables WHERE {_THIS}", key)
        if not found:
            raise NoSuchTableError(f"Table does not exist: {key[-1]}")
        ((location,),) = found
        known = self._read.get(key[-1])
        if known is None or known.metadata_location != location:
            metadata = FromInputFile.table_metadata(self._load_file_io(location=location).new_input(location))
            io = self._load_file_io(metadata.properties, location)
            known = self._read[key[-1]] = Table(key[1:], metadata, location, io, self)
        return Table(known.name(), known.metadata, known.metadata_location, known.io, self)

    def list_tables(self, namespace: str | Identifier) -> list[Identifier]:
        """Identifiers of the tables of a namespace."""
        where = (self.name, self.namespace_to_string(namespace))
        return self._ask(f"SELECT table_namespace, table_name FROM iceberg_tables WHERE {_THESE}", where)

    def create_all(self, namespace: str, tables: Mapping[str, tuple[Schema, Properties]]) -> None:
        """Create tables in one transaction; their first metadata files are forced to the disk together."""
        staged = [
            self._create_staged_table((namespace, name), schema, properties=more)
            for name, (schema, more) in tables.items()
        ]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda a: self._write_metadata(a.metadata, a.io, a.metadata_location), staged))
        rows = [(*self._key(one.name()), one.metadata_location, None, "TABLE") for one in staged]
        self._change("INSERT INTO iceberg_tables VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._read |= {one.name()[-1]: one for one in staged}

    def drop_table(self, identifier: str | Identifier) -> None:
        """Forget a table; its files stay."""
        self._change(f"DELETE FROM iceberg_tables WHERE {_THIS}", [self._key(identifier)])

    def commit_table(
        self, table: Table, requirements: tuple[TableRequirement, ...], updates: tuple[TableUpdate, ...]
    ) -> CommitTableResponse:
        """Commit; what was committed need not be read again.

        Raises:
            CommitFailedException: somebody else committed to the table meanwhile.
        """
        now = self.load_table(table.name())
        made = self._update_and_stage_table(now, table.name(), requirements, updates)
        if made.metadata != now.metadata:
            self._write_metadata(made.metadata, made.io, made.metadata_location)
            change = "metadata_location = ?, previous_metadata_location = ?"
            row = (made.metadata_location, now.metadata_location, *self._key(table.name()), now.metadata_location)
            if not self._change(f"UPDATE iceberg_tables SET {change} WHERE {_THIS} AND metadata_location = ?", [row]):
                raise CommitFailedException(f"Table has been updated by another process: {table.name()[-1]}")
            now = self._read[table.name()[-1]] = made
        return CommitTableResponse(metadata=now.metadata, metadata_location=now.metadata_location)

    def create_namespace(self, namespace: str | Identifier, properties: Properties = EMPTY_DICT) -> None:
        """Make a namespace, which is what is known of it."""
        name = self.namespace_to_string(namespace)
        rows = [(self.name, name, key, value) for key, value in properties.items()]
        self._change("INSERT INTO iceberg_namespace_properties VALUES (?, ?, ?, ?)", rows)

    def load_namespace_properties(self, namespace: str | Identifier) -> Properties:
        """What is known of a namespace.

        Raises:
            NoSuchNamespaceError: nothing is.
        """
        found = self._ask(
            "SELECT property_key, property_value FROM iceberg_namespace_properties WHERE catalog_name = ? AND namespace = ?",
            (self.name, self.namespace_to_string(namespace)),
        )
        if not found:
            raise NoSuchNamespaceError(f"Namespace does not exist: {namespace}")
        return dict(found)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _key(self, identifier: str | Identifier) -> tuple[str, str, str]:
        namespace = self.namespace_to_string(self.namespace_from(identifier))
        return self.name, namespace, self.table_name_from(identifier)

    def _ask(self, sql: str, values: Iterable[str]) -> list[Any]:
        with self._alone:
            return self._file.execute(sql, tuple(values)).fetchall()

    def _change(self, sql: str, rows: Iterable[tuple[str | None, ...]]) -> int:
        """Change rows in one transaction; returns how many."""
        with self._alone, self._file:  # commits, or rolls back
            self._file.execute("BEGIN IMMEDIATE")
            return self._file.executemany(sql, rows).rowcount

    def _left_out(self, *_: object, **__: object) -> Any:
        raise NotImplementedError("PyIceberg's SqlCatalog opens the same file, and can do this")

    create_table = register_table = rename_table = _left_out
    drop_namespace = list_namespaces = update_namespace_properties = _left_out
    list_views = load_view = view_exists = register_view = drop_view = _left_out


def load_catalog(home: Home) -> Catalog:
    """Open the catalog of a lakehouse."""
    return _load(home, home.folder / "catalog.db")


def make_catalog(home: Home) -> None:
    """Make an empty catalog. It gets its name when it is complete: readers, and a run after a kill, find it whole or not at all."""
    folder = home.folder
    draft = folder / "catalog.db.draft"
    for left in folder.glob(f"{draft.name}*"):
        left.unlink()
    with closing(sqlite3.connect(draft)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_LAYOUT)
    catalog = _load(home, draft)
    catalog.create_namespace(DATABASE, {"stedi.format-version": str(FORMAT_VERSION)})
    catalog.close()
    draft.replace(folder / "catalog.db")
    sync(folder / "catalog.db")


def _load(home: Home, file: Path) -> Catalog:
    # Iceberg keeps where the tables are: it must not depend on the working folder.
    warehouse = str(home.warehouse) if home.remote else str(home.warehouse.absolute())
    return Catalog(DATABASE, file, warehouse=warehouse, **file_access(home))


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
    except sqlite3.DatabaseError as error:
        if any(words in str(error) for words in ("full", "readonly", "disk I/O error", "unable to open")):
            raise StorageError(
                "the catalog cannot be written",
                where=str(folder / "catalog.db"),
                hint="check the free space and the permissions, then run again; readers see the last completed run",
            ) from None
        raise damaged(folder, type(error).__name__) from None


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
