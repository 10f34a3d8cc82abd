"""Erase people (SPEC 6): from the landing files, every table, and every earlier state. It can be killed at any instant, and done again.

1. Take the writer's lease; undo what a killed run left behind; refuse who is under a legal hold.
2. Find: what the tables hold of them, and what the landing files hold. A file that holds less than the tables have from it stops all.
3. Register: from here on their records are kept out (`runs.suppress`). The journal says that an erasure is in progress.
4. Landing files: each that holds records of theirs is replaced by one without them, in one step, and the journal knows it beforehand.
5. Tables: a run takes their rows out of the landing tables, and brings the derived ones up to date as any run does; it is published.
6. Expire: every snapshot but the published one, and every file that is not needed any more.
7. Look again: the tables and the landing files hold nothing of them, or it is an error.
8. Prove: every byte that is left is searched; the certificate says what was, and is signed (`privacy.certificate`).

After a kill the next run, or the next erasure, recognises the people by their keyed hashes in the tables, which lose them last.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stedi.catalog.expire import delete_unreachable, expire_all_but_published
from stedi.catalog.lease import writer_lease
from stedi.catalog.runs import completed_runs, recover
from stedi.catalog.state import Run
from stedi.catalog.tables import Tables, catalog_explained
from stedi.config import Settings, with_policy
from stedi.contracts import FEEDS, contracts
from stedi.engines.duckdb import DuckDBEngine
from stedi.errors import ConfigError, ErasureError
from stedi.ingest import raw
from stedi.ingest.discover import LandingFile, discover
from stedi.privacy import find
from stedi.privacy.policy import fingerprint
from stedi.privacy.pseudonyms import check_key, key_id
from stedi.privacy.register import Register
from stedi.privacy.subjects import Subjects, customer, words
from stedi.runs.journal import Journal, Rewritten
from stedi.runs.landing import LANDING, take_away
from stedi.runs.plan import Before, KnownFile, Plan, make_plan
from stedi.runs.prove import Erasure, prove
from stedi.runs.run import Execution, cleaned_up, known_files, left_by
from stedi.runs.stage import Progress, Stage
from stedi.runs.subject import Books, open_books


def forget_subjects(
    settings: Settings,
    landing: Path | None,
    emails: Collection[str],
    progress: Progress,
    reason: str | None = None,
    certificate: Path | None = None,
) -> Erasure:
    """Erase people.

    Args:
        settings: of the lakehouse.
        landing: the landing area; that of the last run by default.
        emails: of the people.
        progress: called with step, done and total.
        reason: stands in the certificate; it must not name them.
        certificate: file for the certificate; beside the pseudonym key by default.

    Raises:
        ConfigError: the reason names somebody of the request.
        ErasureError: somebody is under a legal hold; or the books and the files do not agree; or somebody is not gone.
        StediError: as a run.
    """
    Tables.open(settings.lakehouse).close()  # else the lease would make the folder
    with writer_lease(settings.lakehouse), catalog_explained(settings.lakehouse):
        tables = Tables.open(settings.lakehouse)
        try:
            recover(tables, completed_runs(tables))
            done, subjects = (forgetting := _Forgetting(tables, settings, landing, emails, progress, reason)).run()
        finally:
            tables.close()
        if subjects is None:
            return done
        return prove(settings, forgetting.landing, done, subjects, progress, reason, certificate)


def finish_erasure(settings: Settings, landing: Path | None, progress: Progress) -> Erasure | None:
    """Complete an erasure that was killed; None where there is none."""
    if not Journal(settings.lakehouse).open:
        return None
    return forget_subjects(settings, landing, [], progress)


class _Forgetting:
    """One erasure, under the lease."""

    def __init__(
        self,
        tables: Tables,
        settings: Settings,
        landing: Path | None,
        emails: Collection[str],
        progress: Progress,
        reason: str | None,
    ) -> None:
        runs = completed_runs(tables)
        self._tables, self._progress = tables, progress
        self._settings = with_policy(settings, runs[-1].policy if runs else None)
        self._register = Register.load(settings.key_file)
        self._journal = Journal(settings.lakehouse)
        self._asked = {customer(email) for email in emails} - {""}
        self._customers = self._asked | self._half_done(runs)
        self.landing = landing or Path(runs[-1].report["landing"] if runs else ".")
        if reason and Subjects(self._customers).named_in(reason):
            raise ConfigError("the reason names somebody of the request", hint="say why, not who")

    def run(self) -> tuple[Erasure, Subjects | None]:
        """Steps 1 to 7. Returns with it whom there is something to prove about."""
        self._register.require_no_hold(self._customers)
        with tempfile.TemporaryDirectory(prefix="stedi-") as scratch:
            engine = DuckDBEngine(Path(scratch), self._settings.memory_limit, self._settings.threads)
            try:
                books = Books(self._tables, engine, self._settings, self._customers)
                rows, expected = books.rows(), _by_file(engine, self._settings)
            finally:
                engine.close()
        found = self._search(books.subjects, expected)
        if not (any(rows.values()) or found or self._journal.open):
            erased = all(self._register.erased_at(name) for name in self._customers)
            return Erasure(len(self._asked)), books.subjects if erased else None
        self._register.add(self._customers, books.windows, books.subjects.devices, time.time_ns() // 1_000_000)
        self._journal.begin([self._register.mark("subject", name) for name in sorted(self._customers)], rows)
        self._rewrite(found, books.subjects)
        run = self._take_away(books, rows)
        self._progress("expiring", 0, 1)
        expired = expire_all_but_published(self._tables)
        deleted = delete_unreachable(self._tables)
        self._look_again(books.subjects)
        files = {path: sum(file.records for file in done) for path, done in self._journal.rewritten.items()}
        self._journal.close()
        done = Erasure(len(self._customers), self._journal.rows, files, run.run if run else None, expired, deleted)
        return done, books.subjects if self._customers else None

    def _half_done(self, runs: Sequence[Run]) -> set[str]:
        """The people of an erasure that was killed, as far as the landing tables still know them."""
        if not self._journal.open or not runs:
            return set()
        marks, names = set(self._journal.marks), set[Any]()
        with tempfile.TemporaryDirectory(prefix="stedi-") as scratch:
            engine = DuckDBEngine(Path(scratch))
            try:
                for table in ("customer_landing", "accelerometer_landing"):
                    files = self._tables.files(table, runs[-1].snapshots.get(table))
                    engine.use_files("landed", files, contracts(runs[-1].policy)[table])
                    names |= set(engine.query('SELECT DISTINCT "_customer" FROM landed')["_customer"].to_pylist())
                files = self._tables.files("quarantine", runs[-1].snapshots.get("quarantine"))
                engine.use_files("landed", files, contracts(runs[-1].policy)["quarantine"])
                names |= {
                    word
                    for raw in engine.query('SELECT "raw" FROM landed')["raw"].to_pylist()
                    for word in words(raw or "")
                }
            finally:
                engine.close()
        return {name for name in names if self._register.mark("subject", name) in marks}

    def _search(self, subjects: Subjects, expected: Mapping[str, int]) -> list[LandingFile]:
        """Landing files that hold records of theirs; none may hold less than the tables have from it."""
        raw.remove_temporary(self.landing)
        files, found = discover(self.landing).files, []
        known = known_files(self._tables, completed_runs(self._tables)[-1])
        for number, file in enumerate(files):
            self._progress("searching", number, len(files))
            records = self._cut(file, subjects).records
            book = known.get(file.path)
            unchanged = book is not None and (book.size, book.modified_ns) == (file.size, file.modified_ns)
            if unchanged and records < expected.get(file.path, 0):
                raise ErasureError(
                    f"the tables hold {expected[file.path]} records of theirs from a landing file in which {records} were found",
                    where=file.path,
                    hint="nothing was changed; report this",
                )
            found += [file] if records else []
        return found

    def _cut(self, file: LandingFile, subjects: Subjects) -> raw.Cut:
        return raw.cut(file, lambda text: subjects.own(file.feed, text), subjects.hits)

    def _rewrite(self, files: Sequence[LandingFile], subjects: Subjects) -> None:
        for number, file in enumerate(files):
            self._progress("rewriting landing files", number, len(files))
            made = self._cut(file, subjects)
            prepared = raw.prepare(made, "erasure")
            status = prepared.stat()
            digest = _sha256(prepared)
            self._journal.note(
                Rewritten(file.path, made.sha256, digest, status.st_size, status.st_mtime_ns, made.records)
            )
            raw.put(prepared, file.path)

    def _take_away(self, books: Books, rows: Mapping[str, int]) -> Run | None:
        """The run that takes the rows out, and notes what the landing files are now."""
        last = completed_runs(self._tables)[-1]
        known = known_files(self._tables, last)
        noted = [file for path in self._journal.rewritten if (file := self._noted(path, known)) is not None]
        if not any(rows.values()) and not noted:
            return None
        key = check_key(self._settings.key_file, last.report["keyId"])
        mark = fingerprint(self._settings, key_id(key))

        def remove(stage: Stage, _plan: Plan, _known: Mapping[str, KnownFile], _progress: Progress) -> None:
            find.use_subjects(stage.engine, self._customers, key)
            now = self._tables.files("device_sessions", last.snapshots.get("device_sessions"))
            find.use_sessions(stage.engine, now, books.sessions_ever(), last.policy)
            quarantine = self._tables.files("quarantine", last.snapshots.get("quarantine"))
            find.use_quarantine(stage.engine, books.subjects, quarantine, last.policy)
            conditions = find.conditions(last.policy)
            take_away(stage, {name: conditions[name] for name in LANDING})
            stage.staged.noted += [_less(file, *_gone(stage, file)) for file in noted]

        with cleaned_up(self._tables) as token:
            execution = Execution(self._tables, self._settings, self.landing, token, last)
            execution.land = remove
            return execution.run(self._plan(last, known, mark), known, key, mark, self._progress)

    def _plan(self, last: Run, known: Mapping[str, KnownFile], mark: str) -> Plan:
        plan = make_plan(discover(self.landing), known, left_by(last), Before(self._settings.policy, mark), full=False)
        who = "1 person was" if len(self._customers) == 1 else f"{len(self._customers)} people were"
        return replace(plan, new=(), touched=(), reasons=(f"{who} erased",))

    def _noted(self, path: str, known: Mapping[str, KnownFile]) -> KnownFile | None:
        """What the books are to say of a landing file that was rewritten; None where they say so, or somebody else changed it."""
        book, file = known.get(path), Path(path)
        if book is None or not file.exists():
            return None
        digest = _sha256(file)
        steps = self._journal.rewritten[path]
        ours = any(step.before == book.sha256 for step in steps) and any(step.after == digest for step in steps)
        if not ours or digest == book.sha256:
            return None
        status = file.stat()
        return replace(book, size=status.st_size, modified_ns=status.st_mtime_ns, sha256=digest)

    def _look_again(self, subjects: Subjects) -> None:
        """Nothing of theirs may be left.

        Raises:
            ErasureError: something is.
        """
        with open_books(self._settings, self._customers) as books:
            rows = books.rows()
        left = [name for name, number in rows.items() if number]
        left += [file.path for file in discover(self.landing).files if self._cut(file, subjects).records]
        if left:
            raise ErasureError(
                f"something of theirs is left in: {', '.join(left)}",
                where=str(self._settings.lakehouse),
                hint="do it again; if that does not help, report this",
            )


def _by_file(engine: DuckDBEngine, settings: Settings) -> Counter[str]:
    """Rows of theirs in the landing tables and the quarantine, by landing file."""
    conditions, counts = find.conditions(settings.policy), Counter[str]()
    for table in LANDING:
        found = engine.query(
            f'SELECT "_source_file" AS "path", count(*) AS "rows" FROM {table} AS t WHERE {conditions[table]} GROUP BY 1'
        )
        counts.update({row["path"]: row["rows"] for row in found.to_pylist()})
    return counts


def _gone(stage: Stage, file: KnownFile) -> tuple[int, int]:
    counts = []
    for table in (FEEDS[file.feed], "quarantine"):
        found = stage.engine.query(f'SELECT "_source_file" AS "path", count(*) AS "rows" FROM gone_{table} GROUP BY 1')
        counts.append({row["path"]: row["rows"] for row in found.to_pylist()}.get(file.path, 0))
    return counts[0], counts[1]


def _less(file: KnownFile, landed: int, quarantined: int) -> KnownFile:
    return replace(file, landed=file.landed - landed, quarantined=file.quarantined - quarantined)


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
