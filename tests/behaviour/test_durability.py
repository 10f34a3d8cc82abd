"""What a commit refers to is on the disk before the commit: files, and their entries in every folder above them.

A run is watched, not changed: each `os.fsync` is written down with what the file held then; and each time SQLite is told of new metadata,
all that this metadata leads to must have been forced to the disk, as it is now.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faults.history import CHAPTERS
from pyiceberg.table import StaticTable

import stedi
from stedi.catalog.sqlite import Catalog

Count = Callable[[str, str, int], None]


class Disk:
    """What would be left after a power cut: files by size and time of change, and entries of folders, by name and inode."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._forced: dict[str, object] = {}
        self._entries: set[tuple[str, int]] = set()
        fsync = os.fsync

        def watched(handle: int) -> None:
            """What is there before the call is forced by it. Threads force the same folder: what one did, another does not undo."""
            path = Path(f"/proc/self/fd/{handle}").readlink()
            if path.is_dir():
                entries = {(entry.path, entry.inode()) for entry in os.scandir(path)}
                fsync(handle)
                self._entries |= entries
            else:
                content = _now(path)
                fsync(handle)
                self._forced[str(path)] = content

        monkeypatch.setattr(os, "fsync", watched)

    def missing(self, path: Path, top: Path) -> list[str]:
        """What a power cut would take of a file below `top`, or of the way to it."""
        lost = [] if self._forced.get(str(path)) == _now(path) else [str(path)]
        for entry in (path, *path.parents):
            if entry == top:
                return lost
            if (str(entry), entry.stat().st_ino) not in self._entries:
                lost.append(f"{entry}: its entry")
        raise ValueError(f"{path} is not below {top}")


def _now(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def referred(metadata: str) -> Iterator[Path]:
    """Every file that a metadata file of a table leads to."""
    table = StaticTable.from_metadata(metadata)
    yield Path(metadata)
    for snapshot in table.metadata.snapshots:
        yield Path(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            yield Path(manifest.manifest_path)
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
                yield Path(entry.data_file.file_path)


def test_all_that_a_commit_refers_to_is_forced_to_the_disk_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: Count
) -> None:
    disk, checked, lost = Disk(monkeypatch), [], []

    def before_statement(statement: str) -> None:
        if statement.startswith(("INSERT INTO iceberg_tables", "UPDATE iceberg_tables")):
            metadata = re.findall(r"'([^']+\.metadata\.json)'", statement)[0]
            lost.extend(what for path in referred(metadata) for what in disk.missing(path, tmp_path))
            checked.append(metadata)

    connect = sqlite3.connect

    def watched(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(before_statement)
        return connection

    monkeypatch.setattr(sqlite3, "connect", watched)
    for chapter in CHAPTERS[:4]:
        chapter.deliver(tmp_path / "landing")
        stedi.open_lakehouse(tmp_path / "new" / "lake").run(tmp_path / "landing", **chapter.options)
    assert lost == []
    assert len(checked) > 40
    assert disk.missing(tmp_path / "new" / "lake" / "catalog.db", tmp_path)[1:] == []  # SQLite forces what it holds
    assert disk.missing(tmp_path / "new" / "lake.key", tmp_path) == []
    count("commits", "found to refer to synced files only", len(checked))


def test_sqlite_forces_each_commit_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In WAL mode it does so at `synchronous = FULL` alone."""
    CHAPTERS[0].deliver(tmp_path / "landing")
    asked: list[tuple[str, int]] = []
    change = Catalog._change

    def watched(catalog: Catalog, *arguments: Any) -> int:
        found = [catalog._file.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        asked.append(tuple(found))
        return change(catalog, *arguments)

    monkeypatch.setattr(Catalog, "_change", watched)
    stedi.open_lakehouse(tmp_path / "lake").run(tmp_path / "landing")
    assert len(asked) > 10
    assert set(asked) == {("wal", 2)}
