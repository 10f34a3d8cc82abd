"""Where a lakehouse is at home: its folder, its tables, and the catalog that knows them."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stedi.aws import S3Options
from stedi.places import Place, is_remote, is_uri, options_of, place

#: Folder of the tables in the warehouse, and their namespace in a catalog of the lakehouse's own.
DATABASE = "stedi"
#: Object that says that there is a lakehouse on S3, of which format, and in which database of Glue its tables are.
MARKER = "lakehouse.json"
CatalogKind = Literal["sqlite", "glue"]


@dataclass(frozen=True)
class Home:
    """One lakehouse.

    Attributes:
        folder: catalog, scratch and books; with `glue` a prefix on S3, and scratch is on this machine.
        warehouse: the tables, below the folder or on S3.
        catalog: who knows where the metadata of every table is.
        database: name of the tables' database in that catalog.
    """

    folder: Place
    warehouse: Place
    catalog: CatalogKind = "sqlite"
    database: str = DATABASE

    @property
    def tables(self) -> Place:
        """Folder that holds a folder per table."""
        return self.warehouse / DATABASE

    @property
    def remote(self) -> bool:
        """Whether the tables are on S3."""
        return is_remote(self.warehouse)

    @property
    def options(self) -> S3Options:
        """How its places on S3 are reached."""
        return options_of(self.warehouse)

    @property
    def markers(self) -> Place:
        """Folder that has an entry for each piece of work in progress, or abandoned; named after its token."""
        return self.folder / "staging"

    def scratch(self, token: str) -> Path:
        """Folder of this machine for what a piece of work does not hold in memory: its own entry, where the lakehouse is local."""
        if not is_remote(self.folder):
            return self.folder / "staging" / token
        mark = hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]
        return Path(tempfile.gettempdir()) / f"stedi-{mark}-{token}"

    def spool(self, token: str) -> Place:
        """Folder that every machine at work sees, for files that are not complete yet: with the tables, where these are on S3."""
        return self.warehouse / "staging" / token if self.remote else self.scratch(token)

    def located(self, location: str) -> Place:
        """The place of a file of the tables, as Iceberg's metadata names it."""
        if is_uri(location) and is_remote(self.warehouse):
            found: Place = self.warehouse.client.CloudPath(location)
            return found
        return Path(location) if not is_uri(location) else place(location)


def home_of(where: Home | Place) -> Home:
    """The home of a lakehouse that is a folder of this machine, as they all are by default."""
    return where if isinstance(where, Home) else Home(where, where / "warehouse")
