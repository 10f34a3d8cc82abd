"""Find people in a lakehouse and its landing area, and hand over what is held about one (SPEC 6). Changes nothing."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stedi.catalog.runs import completed_runs
from stedi.catalog.state import Run
from stedi.catalog.tables import Tables
from stedi.config import Settings
from stedi.contracts import contracts
from stedi.engines.duckdb import DuckDBEngine
from stedi.errors import ConfigError, LakehouseError, NotFoundError
from stedi.ingest.discover import LandingFile, discover
from stedi.ingest.raw import cut
from stedi.privacy import find
from stedi.privacy.pseudonyms import check_key
from stedi.privacy.subjects import Subjects
from stedi.runs.stage import Progress

if TYPE_CHECKING:
    import pyarrow as pa

#: Columns that may name somebody else beside the person, and are handed over only where they name the person.
_OTHERS = {"device_sessions": ("customer", "candidate", "rival")}


@dataclass(frozen=True)
class Findings:
    """Where the people of a request are. Nothing in it is personal but, perhaps, names of files.

    Attributes:
        people: how many were asked for.
        run: the last completed run, as of which the tables were searched.
        landing: the landing area that was searched.
        files: landing files that hold records of theirs, and how many.
        rows: per table of the lakehouse the rows that are there because of them.
        earlier: per earlier run that can still be read, the rows of all its tables.
    """

    people: int
    run: int
    landing: str
    files: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    earlier: dict[int, int] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether anything at all is held about any of them."""
        return any(self.files.values()) or any(self.rows.values()) or any(self.earlier.values())


class Books:
    """The tables of the completed runs, and what in them is about the people of one request."""

    def __init__(self, tables: Tables, engine: DuckDBEngine, settings: Settings, emails: Collection[str]) -> None:
        self._tables = tables
        self.engine = engine
        self.runs = completed_runs(tables)
        if not self.runs:
            raise NotFoundError("nothing was published here yet", hint="`stedi run --landing DIR` makes the first run")
        self.run = self.runs[-1]
        asked = Subjects(emails)
        find.use_subjects(engine, asked.customers, check_key(settings.key_file, self.run.report["keyId"]))
        self._use(self.run)
        find.use_sessions(engine, self._files(self.run, "device_sessions"), self.sessions_ever(), self.run.policy)
        self.windows = find.windows(engine, "subject_windows")
        others = find.windows(engine, "other_windows")
        self.subjects = Subjects(emails, self.windows, others, find.devices(engine))
        self._use_quarantine(self.run)

    def rows(self) -> dict[str, int]:
        """Per table the rows that are there because of them, as of the last run."""
        return self._count(self.run, {})

    def earlier(self) -> dict[int, int]:
        """The rows of all tables, per earlier run that can still be read."""
        found, known = {}, dict[tuple[str, tuple[str, ...]], int]()
        for run in reversed(self.runs[:-1]):
            try:
                self._use(run)
            except LakehouseError:  # its snapshots are gone
                continue
            self._use_quarantine(run)
            found[run.run] = sum(self._count(run, known).values())
        self._use(self.run)
        self._use_quarantine(self.run)
        return dict(sorted(found.items()))

    def select(self, table: str) -> pa.Table:
        """Their rows of a table, as of the last run. Whoever else a row names is left out."""
        columns = [c.name for c in contracts(self.run.policy)[table].columns]
        hidden = _OTHERS.get(table, ())
        shown = [
            f'CASE WHEN EXISTS (SELECT 1 FROM subjects AS s WHERE s."customer" = t."{name}") THEN t."{name}" END AS "{name}"'
            if name in hidden
            else f't."{name}"'
            for name in columns
        ]
        condition = find.conditions(self.run.policy)[table]
        return self.engine.query(f"SELECT {', '.join(shown)} FROM {table} AS t WHERE {condition}")

    def _count(self, run: Run, known: dict[tuple[str, tuple[str, ...]], int]) -> dict[str, int]:
        found = {}
        for name, condition in find.conditions(run.policy).items():
            mark = name, tuple(self._files(run, name))
            if mark not in known:
                counted = self.engine.query(f"SELECT count(*) AS n FROM {name} AS t WHERE {condition}")
                known[mark] = counted["n"][0].as_py()
            found[name] = known[mark]
        return found

    def _use(self, run: Run) -> None:
        for name in find.conditions(run.policy):
            contract = contracts(run.policy)[name]
            self.engine.use_files(name, self._files(run, name), contract, located=name == "quarantine")

    def _use_quarantine(self, run: Run) -> None:
        find.use_quarantine(self.engine, self.subjects, self._files(run, "quarantine"), run.policy)

    def _files(self, run: Run, name: str) -> list[str]:
        return self._tables.files(name, run.snapshots.get(name))

    def sessions_ever(self) -> Sequence[str]:
        """Data files of `device_sessions` of all runs that can still be read."""
        found = set()
        for run in self.runs:
            try:
                found.update(self._files(run, "device_sessions"))
            except LakehouseError:  # its snapshots are gone
                continue
        return sorted(found)


@contextmanager
def open_books(settings: Settings, emails: Collection[str]) -> Iterator[Books]:
    """The books of a lakehouse, opened for reading.

    Raises:
        LakehouseError: there is no lakehouse, or it is damaged.
        NotFoundError: nothing was published yet.
        PseudonymKeyError: the key is missing or another one.
    """
    tables = Tables.open(settings.lakehouse)
    try:
        with tempfile.TemporaryDirectory(prefix="stedi-") as scratch:
            engine = DuckDBEngine(Path(scratch), settings.memory_limit, settings.threads)
            try:
                yield Books(tables, engine, settings, emails)
            finally:
                engine.close()
    finally:
        tables.close()


def other_customers(settings: Settings) -> list[str]:
    """Every customer whom a landing table knows."""
    with open_books(settings, []) as books:
        found = books.engine.query(
            'SELECT "_customer" AS "customer" FROM customer_landing UNION SELECT "_customer" FROM accelerometer_landing'
        )
        return [str(name) for name in found["customer"].to_pylist()]


def find_subjects(settings: Settings, landing: Path | None, emails: Collection[str], progress: Progress) -> Findings:
    """Where people are: the landing files, the tables as of the last run, and earlier runs that can still be read.

    Args:
        settings: of the lakehouse.
        landing: the landing area; that of the last run by default.
        emails: the people; somebody nobody knows is an answer, too.
        progress: called with step, done and total.

    Raises:
        LandingError: a landing file cannot be read.
        StediError: as `open_books`.
    """
    with open_books(settings, emails) as books:
        area = landing or Path(books.run.report["landing"])
        progress("searching the tables", 0, 1)
        rows, earlier = books.rows(), books.earlier()
        files = {path: len(records) for path, records in _records(area, books.subjects, progress)}
        return Findings(len(books.subjects.customers), books.run.run, str(area), files, rows, earlier)


def export_subject(
    settings: Settings, landing: Path | None, email: str, folder: Path, progress: Progress
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
        area = landing or Path(books.run.report["landing"])
        raw = [(path, record) for path, found in _records(area, books.subjects, progress) for record in found]
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


def _records(landing: Path, subjects: Subjects, progress: Progress) -> Iterator[tuple[str, list[str]]]:
    """Landing files that hold records of theirs, with their texts."""
    files = discover(landing).files
    for number, file in enumerate(files):
        progress("searching the landing files", number, len(files))
        found = _theirs(file, subjects)
        if found:
            yield file.path, found


def _theirs(file: LandingFile, subjects: Subjects) -> list[str]:
    found: list[str] = []

    def note(text: str) -> bool:
        if subjects.own(file.feed, text):
            found.append(text)
        return False

    cut(file, note, subjects.hits)
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
