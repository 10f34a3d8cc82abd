"""The catalog as the AWS Glue Data Catalog has it (PyIceberg's `GlueCatalog`), for a lakehouse all of which is on S3.

What is more than PyIceberg tells Glue, in the same request and under the same optimistic lock (`VersionId`): the description of every
table, and which columns identify a person, as the column parameter `pii`. Comments of columns are those of the contracts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import NamespaceAlreadyExistsError, NoSuchNamespaceError
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.typedef import Properties

from stedi.catalog.files import file_access
from stedi.catalog.glue_pointer import glue_client
from stedi.catalog.state import FORMAT_VERSION
from stedi.home import MARKER, Home
from stedi.places import write_whole

#: What Glue takes of a comment, and of a description, in characters.
_COMMENT, _DESCRIPTION = 255, 2048
_COUNTED = "write.metadata.metrics.column."


class Catalog(GlueCatalog):
    """PyIceberg's, which describes its tables, and reads a metadata file once: such files never change."""

    def __init__(self, name: str, home: Home) -> None:
        super().__init__(name, client=glue_client(home), warehouse=str(home.warehouse), **file_access(home))
        self._home = home
        self._read: dict[str, Table] = {}

    def _convert_glue_to_iceberg(self, glue_table: Any) -> Table:
        name, location = glue_table.get("Name", ""), glue_table.get("Parameters", {}).get("metadata_location")
        if location is None or name not in self._read or self._read[name].metadata_location != location:
            self._read[name] = super()._convert_glue_to_iceberg(glue_table)
        read = self._read[name]
        # A table of its own for each caller: its commits change it in place.
        return Table(read.name(), read.metadata, read.metadata_location, read.io, self)

    def _resolve_table_location(self, location: str | None, database_name: str, table_name: str) -> str:  # noqa: ARG002
        return location or str(self._home.tables / table_name)

    def _create_glue_table(self, database_name: str, table_name: str, table_input: Any) -> None:
        super()._create_glue_table(database_name, table_name, described(table_input))

    def _update_glue_table(self, database_name: str, table_name: str, table_input: Any, version_id: str) -> None:
        super()._update_glue_table(database_name, table_name, described(table_input), version_id)

    def create_all(self, namespace: str, tables: Mapping[str, tuple[Schema, Properties]]) -> None:
        """Create tables, one after another: Glue knows no other way."""
        for name, (schema, properties) in tables.items():
            self.create_table((namespace, name), schema, properties=properties)

    def close(self) -> None:
        """Nothing is held open."""


def described(table_input: Any) -> Any:
    """A table for Glue, with the words of its contract and the class of its columns. Both stand in the table's properties."""
    properties = table_input["Parameters"]
    if comment := properties.get("comment"):
        table_input["Description"] = comment[:_DESCRIPTION]
    for column in table_input["StorageDescriptor"]["Columns"]:
        if "Comment" in column:
            column["Comment"] = column["Comment"][:_COMMENT]
        personal = properties.get(_COUNTED + column["Name"]) == "counts"
        column["Parameters"]["pii"] = str(personal).lower()
    return table_input


def load_catalog(home: Home) -> Catalog:
    """Open the catalog of a lakehouse."""
    return Catalog(home.database, home)


def make_catalog(home: Home) -> None:
    """Make the database, where it is missing, and say last that there is a lakehouse: after a kill it is done again."""
    catalog = Catalog(home.database, home)
    try:  # where a template has made it, a run needs no right to
        catalog.load_namespace_properties(home.database)
    except NoSuchNamespaceError:
        with suppress(NamespaceAlreadyExistsError):
            about = {"Description": "The STEDI lakehouse", "location": str(home.tables)}
            catalog.create_namespace(home.database, about)
    told = {"stedi.format-version": str(FORMAT_VERSION), "database": home.database}
    write_whole(home.folder / MARKER, json.dumps(told).encode())
