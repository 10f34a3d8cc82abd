"""Erase people (SPEC 6): from the landing files, every table, and every earlier state. It can be killed at any instant, and done again.

1. Take the writer's lease; undo what a killed run left behind; refuse who is under a legal hold.
2. Find: what the tables hold of them (`runs.books`), and what the landing files hold that these rows came from, or that were never read.
   A file that holds less than the tables have from it stops all.
3. Register: from here on their records are kept out (`runs.suppress`). The journal says that an erasure is in progress.
4. Landing files: each that holds records of theirs is replaced by one without them, in one step, and the journal knows it beforehand;
   versions of objects that hold some are deleted (`runs.rewriting`).
5. Tables: a run takes their rows out of the landing tables, and brings the derived ones up to date as any run does; it is published.
6. Let go: every run and every snapshot that holds them, and every file that is not needed any more (`runs.expire`).
7. Look again: the tables and those landing files hold nothing of them, or it is an error.
8. Prove: every byte that is left is searched; the certificate says what was, and is signed (`runs.prove`).

After a kill the next run, or the next erasure, recognises the people by their keyed hashes in the tables, which lose them last.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from stedi.catalog.runs import completed_runs, workspace, written_to
from stedi.catalog.state import Run
from stedi.catalog.tables import Tables
from stedi.config import Settings, with_policy
from stedi.contracts import FEEDS, contracts
from stedi.engines.base import Engine
from stedi.engines.start import start_reader
from stedi.errors import ConfigError, ErasureError
from stedi.ingest.discover import discover
from stedi.places import Place, is_remote, place
from stedi.privacy import find
from stedi.privacy.policy import fingerprint
from stedi.privacy.pseudonyms import check_key, key_id
from stedi.privacy.register import Register
from stedi.privacy.subjects import Subjects, customer, words
from stedi.runs.books import Books, open_books
from stedi.runs.expire import delete_garbage, let_go
from stedi.runs.journal import Journal
from stedi.runs.landing import LANDING, known_files, take_away
from stedi.runs.plan import Before, KnownFile, Plan, make_plan
from stedi.runs.prove import Erasure, prove
from stedi.runs.rewriting import LandingFiles
from stedi.runs.run import Execution, left_by
from stedi.runs.stage import Progress, Stage


def forget_subjects(
    settings: Settings,
    landing: Place | None,
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
    with written_to(settings.home) as tables:
        waiting = Journal(settings.lakehouse)
        if waiting.open and landing and waiting.landing != str(landing.absolute()):
            _Forgetting(tables, settings, None, [], progress).run()
        forgetting = _Forgetting(tables, settings, landing, emails, progress)
        forgetting.check_reason(reason)
        done, subjects = forgetting.run()
    if subjects is None:
        return done
    return prove(settings, forgetting.searched, done, subjects, progress, reason, certificate)


def finish_erasure(settings: Settings, progress: Progress, wait_s: float = 0) -> bool:
    """Complete an erasure that was killed; whether there was one. Nothing is proven: that takes the emails."""
    if not Journal(settings.lakehouse).open:
        return False

    def waiting(seconds: float) -> None:
        progress("waiting for another run", int(seconds), int(wait_s))

    with written_to(settings.home, wait_s, waiting) as tables:
        waits = Journal(settings.lakehouse).open  # else whoever was at work completed it
        if waits:
            _Forgetting(tables, settings, None, [], progress).run()
        return waits


class _Forgetting:
    """One erasure, under the lease."""

    def __init__(
        self, tables: Tables, settings: Settings, landing: Place | None, emails: Collection[str], progress: Progress
    ) -> None:
        runs = completed_runs(tables)
        self._tables, self._progress = tables, progress
        self._settings = with_policy(settings, runs[-1].policy if runs else None)
        self._register = Register.load(settings.key_file)
        self._journal = Journal(settings.lakehouse)
        self._asked = {customer(email) for email in emails} - {""}
        self._customers = self._asked | self._half_done(runs)
        last = self._journal.landing or (runs[-1].report["landing"] if runs else ".")
        self._landing = landing or place(last, settings.s3.options())
        self._files = LandingFiles(self._landing, self._journal, settings.s3.options(), progress)
        #: What is to be searched for a proof: the lakehouse, the landing area, and landing files that lie elsewhere.
        self.searched = [settings.lakehouse.absolute(), self._landing.absolute()]
        if settings.home.remote and not is_remote(settings.lakehouse):
            self.searched.append(settings.home.warehouse)

    def check_reason(self, reason: str | None) -> None:
        """Raises `ConfigError` where it names somebody of the request."""
        if reason and Subjects(self._customers).named_in(reason):
            raise ConfigError("the reason names somebody of the request", hint="say why, not who")

    def run(self) -> tuple[Erasure, Subjects | None]:
        """Steps 1 to 7. Returns with it whom there is something to prove about."""
        self._register.require_no_hold(self._customers)
        with workspace(self._tables) as token, closing(self._engine(token)) as engine:
            self._progress("searching the tables", 0, 1)
            books = Books(self._tables, engine, self._settings, self._customers)
            rows, holding, elsewhere = books.rows(), books.holding(), books.elsewhere()
            files, expected = books.landing_files(self._landing), books.by_landing_file()
            earlier, known = books.earlier_versions(self._landing), known_files(self._tables, books.run)
        self.searched += self._files.elsewhere([*files, *earlier])
        found = self._files.search(files, earlier, books.subjects, known, expected)
        if not (holding or elsewhere or found.files or found.earlier or self._journal.open):
            erased = any(self._register.erased_at(name) for name in self._customers)
            deleted = delete_garbage(self._tables)  # what no run knows any more may have been theirs
            return Erasure(len(self._asked), deleted=deleted), books.subjects if erased else None
        self._register.add(self._customers, books.windows, books.subjects.devices, time.time_ns() // 1_000_000)
        marks = [self._register.mark("subject", name) for name in sorted(self._customers)]
        self._journal.begin(str(self._landing.absolute()), marks, rows, holding)
        self._files.rewrite(found, books.subjects)
        run = self._take_away(books, rows)
        pinned = {run.run: run.pinned for run in books.runs if run.pinned}
        self._progress("letting go of earlier runs", 0, 1)
        gone = let_go(self._tables, self._journal.runs)
        self._look_again(books.subjects)
        done = Erasure(
            people=len(self._customers),
            rows=self._journal.rows,
            files=self._files.removed(),
            run=run.run if run else None,
            let_go=gone.runs,
            unpinned={number: reason for number in gone.runs if (reason := pinned.get(number))},
            expired=gone.snapshots,
            deleted=gone.files,
        )
        self._journal.close()
        return done, books.subjects if self._customers else None

    def _engine(self, token: str) -> Engine:
        """An engine that spills where the next run cleans up, should this one be killed."""
        return start_reader(self._settings, self._tables.home.scratch(token))

    def _half_done(self, runs: Sequence[Run]) -> set[str]:
        """The people of an erasure that was killed, as far as the landing tables still know them."""
        if not self._journal.open or not runs:
            return set()
        last, names = runs[-1], set[Any]()
        with workspace(self._tables) as token, closing(self._engine(token)) as engine:
            for table in ("customer_landing", "accelerometer_landing", "quarantine"):
                engine.use_files(
                    table, self._tables.files(table, last.snapshots.get(table)), contracts(last.policy)[table]
                )
                column = "raw" if table == "quarantine" else "_customer"
                found = engine.query(f'SELECT DISTINCT "{column}" FROM {table}')[column].to_pylist()
                names |= {word for text in found for word in words(text or "")} if column == "raw" else set(found)
        marks = set(self._journal.marks)
        return {name for name in names if name is not None and self._register.mark("subject", name) in marks}

    def _take_away(self, books: Books, rows: Mapping[str, int]) -> Run | None:
        """The run that takes the rows out, and notes what the landing files are now."""
        last = completed_runs(self._tables)[-1]
        known = known_files(self._tables, last)
        noted = [file for path in self._journal.rewritten if (file := self._files.noted(path, known)) is not None]
        if not any(rows.values()) and not noted:
            return None
        key = check_key(self._settings.key_file, last.report["keyId"])
        mark = fingerprint(self._settings, key_id(key))

        def remove(stage: Stage, _plan: Plan, _known: Mapping[str, KnownFile], _progress: Progress) -> None:
            find.use_subjects(stage.engine, self._customers, key)
            find.use_devices(stage.engine, books.subjects.devices)
            now = self._tables.files("device_sessions", last.snapshots.get("device_sessions"))
            find.use_sessions(stage.engine, now, books.sessions_ever(), last.policy)
            quarantine = self._tables.files("quarantine", last.snapshots.get("quarantine"))
            find.use_quarantine(stage.engine, books.subjects, quarantine, last.policy)
            conditions = find.conditions(last.policy)
            take_away(stage, {name: conditions[name] for name in LANDING})
            stage.staged.noted += [_less(file, *_gone(stage, file)) for file in noted]

        with workspace(self._tables) as token:
            execution = Execution(self._tables, self._settings, self._landing, token, last, remove)
            return execution.run(self._plan(last, known, mark), known, key, mark, self._progress)

    def _plan(self, last: Run, known: Mapping[str, KnownFile], mark: str) -> Plan:
        now = Before(self._settings.policy, mark)
        plan = make_plan(discover(self._landing, may_be_empty=True), known, left_by(last), now, full=False)
        who = "1 person was" if len(self._customers) == 1 else f"{len(self._customers)} people were"
        return replace(plan, new=(), touched=(), reasons=(f"{who} erased",))

    def _look_again(self, subjects: Subjects) -> None:
        """Nothing of theirs may be left in the tables, in any run, and in the landing files that were rewritten.

        Raises:
            ErasureError: something is.
        """
        with open_books(self._settings, self._customers) as books:
            left = [name for name, number in books.rows().items() if number]
            left += [f"run {number}" for number in books.holding() if number != books.run.run]
            left += ["snapshots of other programs"] * bool(books.elsewhere())
        left += self._files.left(subjects)
        if left:
            raise ErasureError(
                f"something of theirs is left in: {', '.join(left)}",
                where=str(self._settings.lakehouse),
                hint="do it again; if that does not help, report this",
            )


def _gone(stage: Stage, file: KnownFile) -> tuple[int, int]:
    counts = []
    for table in (FEEDS[file.feed], "quarantine"):
        found = stage.engine.query(f'SELECT "_source_file" AS "path", count(*) AS "rows" FROM gone_{table} GROUP BY 1')
        counts.append({row["path"]: row["rows"] for row in found.to_pylist()}.get(file.path, 0))
    return counts[0], counts[1]


def _less(file: KnownFile, landed: int, quarantined: int) -> KnownFile:
    return replace(file, landed=file.landed - landed, quarantined=file.quarantined - quarantined)
