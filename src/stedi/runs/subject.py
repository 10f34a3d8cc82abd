"""Find people in a lakehouse and its landing area, and hand over what is held about one (SPEC 6). Changes nothing."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stedi.config import Settings
from stedi.contracts import contracts
from stedi.errors import ConfigError
from stedi.ingest.discover import LandingFile
from stedi.ingest.raw import cut
from stedi.places import Place, place
from stedi.privacy import find
from stedi.privacy.subjects import Subjects
from stedi.runs.books import Books, open_books
from stedi.runs.stage import Progress

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Findings:
    """Where the people of a request are. Nothing in it is personal but `personal` and, perhaps, names of files.

    Attributes:
        people: how many were asked for.
        run: the last completed run, as of which the tables were searched.
        landing: the landing area that was searched.
        files: landing files that hold records of theirs, and how many; earlier versions of objects have their id in the name.
        rows: per table of the lakehouse the rows that are there because of them.
        earlier: per earlier run that can still be read, the rows of all its tables.
        pinned: those runs, the last one included, that hold rows of theirs and are pinned, with the reason.
        elsewhere: the rows of all snapshots that tags or branches of other programs keep, and no run names.
        personal: their values in personal columns, by table and column, as of the last run; empty where they were not asked for.
    """

    people: int
    run: int
    landing: str
    files: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    earlier: dict[int, int] = field(default_factory=dict)
    pinned: dict[int, str] = field(default_factory=dict)
    elsewhere: int = 0
    personal: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether anything at all is held about any of them."""
        return any(self.files.values()) or any(self.rows.values()) or any(self.earlier.values()) or self.elsewhere > 0


def find_subjects(
    settings: Settings, landing: Place | None, emails: Collection[str], progress: Progress, *, show: bool = False
) -> Findings:
    """Where people are: the tables as of the last run, earlier runs that can still be read, and the landing files.

    Of these only the ones are read that may hold records of theirs, see `Books.landing_files`.

    Args:
        settings: of the lakehouse.
        landing: the landing area; that of the last run by default.
        emails: the people; somebody nobody knows is an answer, too.
        progress: called with step, done and total.
        show: tell their personal values, too.

    Raises:
        LandingError: a landing file cannot be read.
        StediError: as `open_books`.
    """
    with open_books(settings, emails) as books:
        area = landing or place(books.run.report["landing"], settings.s3.options())
        progress("searching the tables", 0, 1)
        rows, earlier, holding = books.rows(), books.earlier(), books.holding()
        return Findings(
            people=len(books.subjects.customers),
            run=books.run.run,
            landing=str(area),
            files={path: len(records) for path, records in _records(area, books, progress)},
            rows=rows,
            earlier=earlier,
            pinned={run.run: run.pinned for run in books.readable if run.pinned and run.run in holding},
            elsewhere=books.elsewhere(),
            personal=_personal(books, rows) if show else {},
        )


def _personal(books: Books, rows: dict[str, int]) -> dict[str, dict[str, list[str]]]:
    """Their values in personal columns, each once, by table and column."""
    found: dict[str, dict[str, list[str]]] = {}
    for name in (name for name, number in rows.items() if number):
        theirs = books.select(name)
        for column in (column.name for column in contracts(books.run.policy)[name].columns if column.personal):
            values = sorted({str(value) for value in theirs[column].to_pylist() if value is not None})
            if values:
                found.setdefault(name, {})[column] = values
    return found


def export_subject(
    settings: Settings, landing: Place | None, email: str, folder: Path, progress: Progress
) -> dict[str, int]:
    """Write everything that is held about one person into an empty folder: JSON lines and Parquet, with a README.

    Returns:
        Number of rows by file.

    Raises:
        ConfigError: the folder is not empty.
        StediError: as `find_subjects`.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError("the folder for the export is not empty", where=str(folder), hint="name a new one")
    with open_books(settings, [email]) as books:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        written, told = {}, [_ABOUT]
        for name in find.conditions(books.run.policy):
            progress("writing " + name, 0, 1)
            rows = books.select(name)
            if rows.num_rows:
                _write(rows, folder / name)
                written[name] = rows.num_rows
                contract = contracts(books.run.policy)[name]
                told.append(
                    f"## {name}\n\n`{name}.json`, `{name}.parquet`: {rows.num_rows} rows. {contract.purpose}\n\n"
                    + "".join(f"- `{c.name}`: {c.description}\n" for c in contract.columns)
                )
        area = landing or place(books.run.report["landing"], settings.s3.options())
        raw = [(path, record) for path, found in _records(area, books, progress) for record in found]
        if raw:
            lines = [json.dumps({"file": path, "record": text}, ensure_ascii=False) for path, text in raw]
            _private(folder / "raw_records.json", "\n".join(lines).encode("utf-8", "backslashreplace") + b"\n")
            written["raw_records"] = len(raw)
            told.append(
                f"## raw_records\n\n`raw_records.json`: {len(raw)} records, as they lie in the landing files (`file`).\n"
            )
        _private(folder / "README.md", "\n".join(told).encode())
        return written


_ABOUT = """# Everything that the lakehouse holds about you

One file per table, as JSON lines and as Parquet; both hold the same rows. Times are in ms since 1970-01-01 (UTC) unless they say otherwise.
In tables that name several people, the others are left out.
"""


def _records(landing: Place, books: Books, progress: Progress) -> Iterator[tuple[str, list[str]]]:
    """Landing files that hold records of theirs, with their texts."""
    files = books.landing_files(landing)
    files += books.earlier_versions(landing)
    for number, file in enumerate(files):
        progress("searching the landing files", number, len(files))
        found = _theirs(file, books.subjects)
        if found:
            yield file.name, found


def _theirs(file: LandingFile, subjects: Subjects) -> list[str]:
    found: list[str] = []

    def note(text: str) -> bool:
        if subjects.own(file.feed, text):
            found.append(text)
        return False

    cut(file, note, subjects.places)
    return found


def _write(rows: pa.Table, path: Path) -> None:
    import pyarrow.parquet as pq

    lines = [json.dumps(row, ensure_ascii=False, default=str) for row in rows.to_pylist()]
    _private(path.with_suffix(".json"), "".join(line + "\n" for line in lines).encode("utf-8", "backslashreplace"))
    _private(path.with_suffix(".parquet"), b"")
    pq.write_table(rows, path.with_suffix(".parquet"), compression="zstd")


def _private(path: Path, content: bytes) -> None:
    """Write a file that its owner alone may read."""
    path.touch(0o600)
    path.write_bytes(content)
