"""Which catalog knows the tables of a lakehouse: the one place where it is chosen. `sqlite` and `glue` have the same functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stedi.home import Home
from stedi.places import is_remote

if TYPE_CHECKING:
    from stedi.catalog import glue, sqlite


def load_catalog(home: Home) -> sqlite.Catalog | glue.Catalog:
    """Open the catalog of a lakehouse."""
    if is_remote(home.folder):
        from stedi.catalog import glue

        return glue.load_catalog(home)
    from stedi.catalog import sqlite

    return sqlite.load_catalog(home)


def make_catalog(home: Home) -> None:
    """Make an empty catalog, which is there when it is complete."""
    if is_remote(home.folder):
        from stedi.catalog import glue

        glue.make_catalog(home)
    else:
        from stedi.catalog import sqlite

        sqlite.make_catalog(home)


def format_version(catalog: sqlite.Catalog | glue.Catalog, home: Home) -> str | None:
    """The format of the lakehouse, as whoever made it noted it.

    Raises:
        NoSuchNamespaceError: the catalog is damaged.
    """
    from stedi.catalog.glue_pointer import marked

    if is_remote(home.folder):
        return (marked(home) or {}).get("stedi.format-version")
    return catalog.load_namespace_properties(home.database).get("stedi.format-version")
