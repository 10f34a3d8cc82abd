"""The books: what the tables of the completed runs hold of the people of one request, and from which landing files (SPEC 6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from stedi.catalog.runs import completed_runs
from stedi.catalog.state import Run
from stedi.catalog.tables import Tables
from stedi.config import Settings
from stedi.contracts import Policy, contracts
from stedi.engines.base import Engine
from stedi.engines.start import start_reader
from stedi.errors import NotFoundError
from stedi.ingest.discover import LandingFile, discover
from stedi.ingest.objects import current_file
from stedi.ingest.salvage import KEPT
from stedi.ingest.versions import earlier_versions
from stedi.places import Place, is_remote, is_uri, place
from stedi.privacy import find
from stedi.privacy.pseudonyms import check_key
from stedi.privacy.register import Register
from stedi.privacy.subjects import Subjects
from stedi.runs.landing import LANDING, known_files
from stedi.runs.plan import KnownFile

if TYPE_CHECKING:
    import pyarrow as pa

#: Columns that may name somebody else beside the person, and are handed over only where they name the person.
_OTHERS = {"device_sessions": ("customer", "candidate", "rival")}


class Books:
    """The tables of the completed runs, and what in them is about the people of one request.

    A data file is looked at once, however many runs it belongs to.
    """

    def __init__(self, tables: Tables, engine: Engine, settings: Settings, emails: Collection[str]) -> None:
        self._tables = tables
        self._settings = settings
        self.engine = engine
        self.runs = completed_runs(tables)
        if not self.runs:
            raise NotFoundError("nothing was published here yet", hint="`stedi run --landing DIR` makes the first run")
        self.run = self.runs[-1]
        self.readable = [run for run in self.runs if run.readable]
        self._counted: dict[tuple[Policy, str, str], Counter[str]] = {}
        asked = Subjects(emails)
        find.use_subjects(engine, asked.customers, check_key(settings.key_file, self.run.report["keyId"]))
        for name in find.conditions(self.run.policy):
            engine.use_files(name, self._files(self.run, name), contracts(self.run.policy)[name], located=True)
        find.use_sessions(engine, self._files(self.run, "device_sessions"), self.sessions_ever(), self.run.policy)
        self.windows = find.windows(engine, "subject_windows")
        others = find.windows(engine, "other_windows")
        self.subjects = Subjects(emails, self.windows, others, find.devices(engine))
        find.use_devices(engine, self.subjects.devices)
        find.use_quarantine(engine, self.subjects, self._ever("quarantine"), self.run.policy)

    def rows(self) -> dict[str, int]:
        """Per table the rows that are there because of them, as of the last run."""
        return self._rows(self.run)

    def earlier(self) -> dict[int, int]:
        """The rows of all tables, per earlier run that can still be read."""
        return {run.run: sum(self._rows(run).values()) for run in self.readable if run.run != self.run.run}

    def holding(self) -> list[int]:
        """Numbers of the runs that can be read and hold something of them, the last one included."""
        found = {**self.earlier(), self.run.run: sum(self.rows().values())}
        return [number for number, rows in found.items() if rows]

    def elsewhere(self) -> int:
        """The rows of all snapshots that no run names, and that are kept by tags or branches of other programs."""
        return sum(
            self._rows_of(self.run.policy, name, files)
            for name in find.conditions(self.run.policy)
            for files in self._named_elsewhere(name)
        )

    def by_landing_file(self) -> Counter[str]:
        """Rows of theirs in the landing tables and the quarantine as of the last run, by landing file."""
        found = Counter[str]()
        for name in LANDING:
            files = self._files(self.run, name)
            self._rows_of(self.run.policy, name, files)
            for file in files:
                found.update(self._counted[self.run.policy, name, file])
        return found

    def select(self, table: str) -> pa.Table:
        """Their rows of a table, as of the last run. Whoever else a row names is left out."""
        hidden = _OTHERS.get(table, ())
        shown = [
            f'CASE WHEN EXISTS (SELECT 1 FROM subjects AS s WHERE s."customer" = t."{c.name}") THEN t."{c.name}" END AS "{c.name}"'
            if c.name in hidden
            else f't."{c.name}"'
            for c in contracts(self.run.policy)[table].columns
        ]
        condition = find.conditions(self.run.policy)[table]
        return self.engine.query(f"SELECT {', '.join(shown)} FROM {table} AS t WHERE {condition}")

    def landing_files(self, landing: Place) -> list[LandingFile]:
        """The landing files that may hold records of theirs; all others need not be read.

        These are files that rows of theirs came from, in any run that can still be read, wherever the files lie; files that were never
        read, or changed since; and files with a broken record that the quarantine keeps but the beginning of. Records of people who were
        erased before are kept out of the tables: for them every file is named.
        """
        if not self.subjects.customers:
            return []
        files = {file.path: file for file in discover(landing, may_be_empty=True).files}
        known = known_files(self._tables, self.run)
        register = Register.load(self._settings.key_file)
        if any(register.erased_at(name) is not None for name in self.subjects.customers):
            return list(files.values())
        named = self._sources_ever() | self._cut_short()
        elsewhere = [path for path in sorted(named - files.keys()) if path in known]
        options = self._settings.s3.options()
        found = [current_file(known[path].feed, path, options) for path in elsewhere]
        files |= {file.path: file for file in found if file is not None}
        return [file for path, file in files.items() if path in named or not as_read(file, known.get(path))]

    def earlier_versions(self, landing: Place) -> list[LandingFile]:
        """Every version of landing objects that is not the current one, in the landing area, and in those of earlier runs.

        No table tells what they hold, so all of them are to be looked at.
        """
        if not self.subjects.customers:
            return []
        options = self._settings.s3.options()
        named = {run.report["landing"] for run in self.runs if is_uri(run.report["landing"])} - {str(landing)}
        earlier = [
            found for name in sorted(named) for found in earlier_versions(place(name, options), may_be_gone=True)
        ]
        here = earlier_versions(landing) if is_remote(landing) else []
        return list({file.name: file for file in [*here, *earlier]}.values())

    def sessions_ever(self) -> list[str]:
        """Data files of `device_sessions` of all runs that can still be read."""
        return self._ever("device_sessions")

    def _sources_ever(self) -> set[str]:
        for count in (self.rows, self.earlier, self.elsewhere):
            count()
        return {path for (_, name, _file), counts in self._counted.items() if name in LANDING for path in counts}

    def _cut_short(self) -> set[str]:
        found = self.engine.query(
            f'SELECT DISTINCT "_source_file" AS p FROM quarantine_texts WHERE length("raw") >= {KEPT}'
        )
        return {str(path) for path in found["p"].to_pylist()}

    def _rows(self, run: Run) -> dict[str, int]:
        counted = {}
        for name in find.conditions(run.policy):
            counted[name] = self._rows_of(run.policy, name, self._files(run, name))
        return counted

    def _rows_of(self, policy: Policy, name: str, files: Sequence[str]) -> int:
        """Their rows in data files of a table. They are counted by landing file, where there is one."""
        fresh = [file for file in files if (policy, name, file) not in self._counted]
        if fresh:
            self.engine.use_files("searched", fresh, contracts(policy)[name], located=True)
            source = '"_source_file"' if name in LANDING else "''"
            self._counted |= {(policy, name, file): Counter() for file in fresh}
            for row in self.engine.query(
                f'SELECT "_file" AS "file", {source} AS "source", count(*) AS "rows" FROM searched AS t'
                f" WHERE {find.conditions(policy)[name]} GROUP BY 1, 2"
            ).to_pylist():
                self._counted[policy, name, row["file"]][row["source"]] = row["rows"]
        return sum(self._counted[policy, name, file].total() for file in files)

    def _ever(self, name: str) -> list[str]:
        """Data files of a table in all snapshots that can still be read."""
        found = {file for run in self.readable for file in self._files(run, name)}
        return sorted(found.union(*self._named_elsewhere(name)))

    def _named_elsewhere(self, name: str) -> list[list[str]]:
        """The data files of every snapshot that a tag or branch keeps and no run names."""
        named = self._tables.named_snapshots(name) - {run.snapshots.get(name) for run in self.readable}
        return [self._tables.files(name, snapshot) for snapshot in sorted(named)]

    def _files(self, run: Run, name: str) -> Sequence[str]:
        return self._tables.files(name, run.snapshots.get(name))


def as_read(file: LandingFile, book: KnownFile | None) -> bool:
    """Whether a landing file is as it was read, by size and time."""
    return book is not None and (book.size, book.modified_ns) == (file.size, file.modified_ns)


@contextmanager
def open_books(settings: Settings, emails: Collection[str]) -> Iterator[Books]:
    """The books of a lakehouse, opened for reading.

    Raises:
        LakehouseError: there is no lakehouse, or it is damaged.
        NotFoundError: nothing was published yet.
        PseudonymKeyError: the key is missing or another one.
    """
    tables = Tables.open(settings.home)
    try:
        with TemporaryDirectory(prefix="stedi-") as scratch:
            engine = start_reader(settings, Path(scratch))
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
