"""The published state as readers need it, without loading a catalog: it takes milliseconds where PyIceberg takes most of a second.

Beside the catalog lies `published/`, one JSON file per version of the table `runs`: the completed runs, and the data files of the last one.
It is named after the metadata file of that version, which is written once and never changed; so a file that is there is never stale, and
where it is missing (a run was killed between publishing and writing it) the catalog itself is asked. SQLite still says which version holds.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from stedi.catalog.state import FORMAT_VERSION, Run
from stedi.errors import LakehouseError
from stedi.home import DATABASE, MARKER, Home, home_of
from stedi.places import Place, about, erase, is_remote, listing, read_whole, write_whole


@dataclass(frozen=True)
class Published:
    """Completed runs, oldest first, and the data files of the last one (and of `runs` itself), by table."""

    runs: list[Run]
    files: dict[str, list[str]]


def read_published(where: Home | Path) -> Published | None:
    """The published state; None where only the catalog knows it.

    Raises:
        LakehouseError: there is no lakehouse, it is damaged or was moved, or a newer version wrote it.
    """
    home = home_of(where)
    folder = home.folder
    if not lakehouse_exists(home):
        raise LakehouseError(
            "there is no lakehouse here",
            where=str(folder),
            hint="`stedi run --landing DIR` makes one; --lakehouse names another",
        )
    try:
        location = runs_location(home)
    except sqlite3.DatabaseError as error:
        raise damaged(folder, type(error).__name__) from None
    path = _path(folder, location) if location else None
    try:
        content = read_whole(path) if path is not None else None
        if content is None:
            return None
        found = json.loads(content.decode())
        return Published([_run(row) for row in found["runs"]], found["files"])
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
    ):  # damaged, or written by an older program: the catalog knows, too
        return None


def write_published(folder: Path, location: str, state: Published) -> None:
    """Keep the published state ready for readers; `location` is the metadata file of `runs`. Older ones but the last are removed."""
    path = _path(folder, location)
    if is_remote(path):
        _write_object(path, state)
        return
    text = json.dumps({"runs": [asdict(run) for run in state.runs], "files": state.files}, default=datetime.isoformat)
    temporary = path.with_suffix(".tmp")
    try:
        path.parent.mkdir(exist_ok=True)
        temporary.write_text(text, "utf-8")
        temporary.replace(path)
    except OSError:  # no room: the run is published all the same, and readers ask the catalog
        temporary.unlink(missing_ok=True)
        return
    for old in sorted(path.parent.glob("*.json"), key=os.path.getmtime)[:-2]:
        old.unlink(missing_ok=True)


def _write_object(path: Place, state: Published) -> None:
    told = {"runs": [asdict(run) for run in state.runs], "files": state.files}
    write_whole(path, json.dumps(told, default=datetime.isoformat).encode())
    found = sorted(listing(path.parent), key=lambda file: file.modified_ns)
    erase(file.place for file in found[:-2] if file.place != path)


def lakehouse_exists(home: Home) -> bool:
    """Whether there is a lakehouse."""
    if is_remote(home.folder):
        return about(home.folder / MARKER) is not None
    return (home.folder / "catalog.db").is_file()


def check_version(version: str | None, folder: Path) -> None:
    """Refuse a lakehouse that a program of another format wrote.

    Raises:
        LakehouseError: it is newer, or older.
    """
    if version is not None and int(version) > FORMAT_VERSION:
        raise LakehouseError(
            f"this lakehouse has format {version}, this program knows up to {FORMAT_VERSION}",
            where=str(folder),
            hint="upgrade stedi-lakehouse",
        )
    if version is not None and int(version) < FORMAT_VERSION:
        raise LakehouseError(
            f"this lakehouse has format {version}, which this program reads no more",
            where=str(folder),
            hint="make a new one from the landing files with `stedi run --lakehouse`, under the same pseudonym key",
        )


def check_place(location: str, home: Home) -> None:
    """Refuse a lakehouse that was moved or copied: Iceberg keeps absolute paths, so a copy would read and write the original.

    Raises:
        LakehouseError: its tables lie elsewhere.
    """
    if is_remote(home.warehouse):
        inside = location.startswith(f"{home.warehouse}/")
    else:
        inside = Path(location).resolve().is_relative_to(home.warehouse.resolve())
    if not inside:
        raise LakehouseError(
            "this lakehouse was moved or copied: its tables lie elsewhere",
            where=location,
            hint="move it back to its place, or make a new one there from the landing files with `stedi run`",
        )


def damaged(folder: Path, kind: str) -> LakehouseError:
    """The error for a catalog that SQLite cannot read."""
    return LakehouseError(
        f"the catalog cannot be read ({kind})",
        where=str(folder / "catalog.db"),
        hint="restore catalog.db from a backup, or move the lakehouse away and run again from the landing files",
    )


def runs_location(home: Home) -> str | None:
    """Where the metadata of `runs` is now, after a look at version and place; None where nothing was ever published.

    Raises:
        LakehouseError: a newer version wrote the lakehouse, or it was moved.
        sqlite3.DatabaseError: the catalog is damaged.
    """
    folder = home.folder
    if is_remote(folder):
        return _glue_location(home)
    with closing(
        sqlite3.connect(f"{(folder / 'catalog.db').absolute().as_uri()}?mode=ro", uri=True, timeout=30)
    ) as catalog:
        known = {name for (name,) in catalog.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"iceberg_tables", "iceberg_namespace_properties"} <= known:
            return None
        versions = catalog.execute(
            "SELECT property_value FROM iceberg_namespace_properties WHERE namespace = ? AND property_key = ?",
            (DATABASE, "stedi.format-version"),
        ).fetchall()
        check_version(versions[0][0] if versions else None, folder)
        rows = catalog.execute(
            "SELECT metadata_location FROM iceberg_tables WHERE table_namespace = ? AND table_name = 'runs'",
            (DATABASE,),
        ).fetchall()
        if not rows:
            return None
        check_place(str(rows[0][0]), home)
        return str(rows[0][0])


def _glue_location(home: Home) -> str | None:
    from stedi.catalog.glue_pointer import marked, pointer

    check_version((marked(home) or {}).get("stedi.format-version"), home.folder)
    location = pointer(home)
    if location is not None:
        check_place(location, home)
    return location


def _path(folder: Place, location: str) -> Place:
    return folder / "published" / (Path(location).name.removesuffix(".metadata.json") + ".json")


def _run(row: dict[str, object]) -> Run:
    run = Run(**row)  # type: ignore[arg-type]
    return replace(
        run,
        started_at=datetime.fromisoformat(str(run.started_at)),
        finished_at=datetime.fromisoformat(str(run.finished_at)),
    )
