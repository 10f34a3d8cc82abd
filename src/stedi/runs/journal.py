"""The erasure in progress, as the lakehouse remembers it: who, by keyed hash, and what was done to which landing file.

It is a file of JSON lines in the lakehouse folder, there as long as an erasure is not complete. A line is on the disk before what it tells
of happens; so after a kill it is known which landing files the lakehouse itself has rewritten, and they are not taken for changed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stedi.places import about, erase, is_remote, read_whole, write_whole
from stedi.privacy.register import write_durably

_NAME = "erasure.jsonl"


@dataclass(frozen=True)
class Rewritten:
    """A landing file that was, or was about to be, replaced by one without somebody's records.

    `version` is that of an object which is replaced, where its bucket keeps versions: it is to be deleted.
    """

    path: str
    feed: str
    before: str
    after: str
    size: int
    modified_ns: int
    records: int
    version: str = ""


class Journal:
    """The journal of one lakehouse."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME
        self._read()

    def _read(self) -> None:
        self.marks: list[str] = []
        self.rewritten: dict[str, list[Rewritten]] = {}
        self.rows: dict[str, int] = {}
        self.runs: set[int] = set()
        self.landing: str | None = None
        self.versions: dict[str, dict[str, int]] = {}
        for line in self._lines():
            if "marks" in line:
                self.marks += line["marks"]
                self.runs.update(line["runs"])
                self.landing = line["landing"]
            elif "rows" in line:
                self.rows = {name: max(n, self.rows.get(name, 0)) for name, n in line["rows"].items()}
            elif "versions" in line:
                self._note_versions(line["versions"])
            else:
                self._note(Rewritten(**line))

    @property
    def open(self) -> bool:
        """Whether an erasure is not complete."""
        return about(self._path) is not None

    def begin(self, landing: str, marks: list[str], rows: dict[str, int], runs: Collection[int]) -> None:
        """Begin an erasure in a landing area, or go on with one; `rows` are those that are to go, by table, `runs` those that hold them."""
        if not self.open:
            write_whole(self._path, b"") if is_remote(self._path) else write_durably(self._path, b"")
        self._append({"landing": landing, "marks": marks, "runs": sorted(runs)})
        self._append({"rows": rows})
        self._read()

    def note(self, file: Rewritten) -> None:
        """Tell that a landing file is about to be replaced."""
        self._append(asdict(file))
        self._note(file)

    def note_versions(self, versions: Sequence[tuple[str, str, int]]) -> None:
        """Tell that earlier versions of objects are about to be deleted: path and id of each, and the records of theirs in it."""
        self._append({"versions": versions})
        self._note_versions(versions)

    def _note(self, file: Rewritten) -> None:
        self.rewritten.setdefault(file.path, []).append(file)
        if file.version:  # its records were taken out of the file, and are counted there
            self._note_versions([(file.path, file.version, 0)])

    def _note_versions(self, versions: Sequence[Sequence[Any]]) -> None:
        for path, version, records in versions:
            known = self.versions.setdefault(path, {})
            known[version] = max(records, known.get(version, 0))

    def close(self) -> None:
        """The erasure is complete."""
        erase([self._path])

    def _append(self, line: dict[str, object]) -> None:
        if is_remote(self._path):
            write_whole(self._path, (read_whole(self._path) or b"") + b"\n" + json.dumps(line).encode())
            return
        with self._path.open("ab") as out:
            out.write(b"\n" + json.dumps(line).encode())
            out.flush()
            os.fsync(out.fileno())

    def _lines(self) -> list[dict[str, Any]]:
        found = []
        for line in (read_whole(self._path) or b"").decode().split("\n"):
            try:
                found.append(json.loads(line))
            except ValueError:  # empty, or cut by a kill: what it tells of has not happened
                continue
        return found
