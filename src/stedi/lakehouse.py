"""The public door: a lakehouse as users hold it. The command line goes through here, as any other user."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stedi.config import Settings, load_settings, with_policy
from stedi.contracts import FEEDS, Contract, Policy, contracts
from stedi.errors import ConfigError, NotFoundError
from stedi.rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa

    from stedi.catalog.published import Published
    from stedi.catalog.state import Run
    from stedi.engines.duckdb import DuckDBEngine
    from stedi.privacy.consent import ConsentExplanation
    from stedi.runs.doctor import Check
    from stedi.runs.plan import Plan
    from stedi.runs.requests import Subjects

#: Called with the name of a step, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TableInfo:
    """A table as of a run. `rows` and `snapshot` are those that the run published; `published_at` is in UTC."""

    name: str
    zone: str
    rows: int
    snapshot: int | None
    run: int
    published_at: datetime


@dataclass(frozen=True)
class RunResult:
    """What a run did.

    Attributes:
        plan: what was to be done, and why.
        run: number of the run; None where the lakehouse was up to date.
        report: counts and durations; see docs/reference/json.md. Empty where the lakehouse was up to date.
        seconds: from start to publication.
    """

    plan: dict[str, Any]
    run: int | None
    policy: Policy
    report: dict[str, Any]
    seconds: float


class Lakehouse:
    """A lakehouse folder. Reads see the last completed run, or the one given to `as_of`; only `run` writes."""

    def __init__(self, settings: Settings, as_of: int | None = None) -> None:
        self._settings = settings
        self._as_of = as_of

    @property
    def folder(self) -> Path:
        """Where the lakehouse is."""
        return self._settings.lakehouse

    @property
    def settings(self) -> Settings:
        """The settings that hold for it."""
        return self._settings

    def as_of(self, run: int) -> Lakehouse:
        """The same lakehouse as readers saw it after an earlier run.

        Raises:
            NotFoundError: there is no such run.
        """
        _found(self._published().runs, run)
        return Lakehouse(self._settings, run)

    def run(
        self,
        landing: str | Path | None = None,
        *,
        policy: Policy | None = None,
        full: bool = False,
        new_key: bool = False,
        progress: Progress | None = None,
    ) -> RunResult:
        """Read what is new in the landing area, build every table, audit, and publish (SPEC 1 to 6).

        Args:
            landing: folder that holds the folders of the feeds; `landing` of the settings by default.
            policy: `strict` or `seed`; that of the settings by default.
            full: build the derived tables even if nothing changed.
            new_key: make a new pseudonym key, and with it new pseudonyms for everybody.
            progress: called with step, done and total.

        Raises:
            StediError: nothing was published.
        """
        from stedi import clock
        from stedi.runs.forget import finish_erasure
        from stedi.runs.run import execute_run

        settings = with_policy(self._settings, policy)
        start = clock.stopwatch_s()
        finish_erasure(self._settings, self._landing(landing), progress or (lambda *_: None))
        plan, run = execute_run(
            settings, self._landing(landing), progress or (lambda *_: None), full=full, new_key=new_key
        )
        seconds = round(clock.stopwatch_s() - start, 3)
        return RunResult(plan.as_dict(), run.run if run else None, settings.policy, run.report if run else {}, seconds)

    def plan(self, landing: str | Path | None = None, *, policy: Policy | None = None, full: bool = False) -> Plan:
        """What `run` would do now, and why. Changes nothing."""
        from stedi.runs.run import plan_run

        return plan_run(with_policy(self._settings, policy), self._landing(landing), full=full)

    def tables(self) -> list[TableInfo]:
        """Every table as of the run, landing zone first."""
        runs = self._published().runs
        run = _found(runs, self._as_of)
        rows = {**run.report["rows"], "landed_files": run.report["landedFiles"], "runs": len(runs)}
        return [
            TableInfo(c.name, c.zone, rows.get(c.name, 0), run.snapshots.get(c.name), run.run, run.finished_at)
            for c in contracts(run.policy).values()
        ]

    def contract(self, name: str) -> Contract:
        """The contract of a table, under the policy of the run.

        Raises:
            NotFoundError: there is no such table.
        """
        return _contract(name, _found(self._published().runs, self._as_of).policy)

    def table(self, name: str) -> Rows:
        """The rows of a table as of the run.

        Raises:
            NotFoundError: there is no such table.
        """
        contract = self.contract(name)
        columns = ", ".join(f'"{c.name}"' for c in contract.columns)
        return self.query(f"SELECT {columns} FROM {contract.name}")

    def query(self, sql: str) -> Rows:
        """The rows of one SELECT over the tables as of the run, in DuckDB's dialect. It can read nothing else, and write nothing.

        Raises (when the rows are read):
            QueryError: it does not parse, is not a SELECT, or reaches for anything but the tables.
        """
        return Rows(lambda: self._reader(sql))

    def explain_consent(self, email: str) -> ConsentExplanation:
        """Why a person's data is in or out, as of the run: their decisions, and what became of their records (SPEC 2 to 5).

        Args:
            email: of the person; compared trimmed and without case. Somebody nobody knows is an answer, too: `known` is false.
        """
        from stedi.privacy.consent import TABLES, explain

        with self._engine(TABLES) as (engine, run, _):
            return explain(engine, email, run, self.runs())

    @property
    def subjects(self) -> Subjects:
        """The people in it: find them, hand over what is held about them, forget them."""
        from stedi.runs.requests import Subjects

        return Subjects(self._settings)

    def runs(self) -> list[Run]:
        """All completed runs, oldest first."""
        return self._published().runs

    @contextmanager
    def _reader(self, sql: str) -> Iterator[pa.RecordBatchReader]:
        asked = [name for name in contracts(self._settings.policy) if name in sql.lower()]
        with self._engine(asked) as (engine, _, files):
            yield engine.query_untrusted(sql, files)

    @contextmanager
    def _engine(self, names: Collection[str]) -> Iterator[tuple[DuckDBEngine, Run, list[str]]]:
        """An engine that has these tables as of the run; with it the run, and the files that it may read."""
        from stedi.engines.duckdb import DuckDBEngine

        state = self._published()
        run = _found(state.runs, self._as_of)
        files = state.files if run is state.runs[-1] else self._planned_files(run, names)
        with tempfile.TemporaryDirectory(prefix="stedi-") as scratch:
            engine = DuckDBEngine(Path(scratch), self._settings.memory_limit, self._settings.threads)
            try:
                for name in names:  # a run of an older program knows fewer tables
                    engine.use_files(name, files.get(name, []), contracts(run.policy)[name])
                yield engine, run, [path for name in names for path in files.get(name, [])]
            finally:
                engine.close()

    def _published(self) -> Published:
        """The published state; the catalog is loaded only where it alone knows."""
        from stedi.catalog.published import read_published

        folder = self._settings.lakehouse
        if state := read_published(folder):
            return state
        from stedi.catalog.runs import published_state
        from stedi.catalog.tables import Tables

        tables = Tables.open(folder)
        try:
            return published_state(tables)
        finally:
            tables.close()

    def _planned_files(self, run: Run, names: Collection[str]) -> dict[str, list[str]]:
        """Data files of an earlier run, as the catalog plans them. The runs themselves are those known today."""
        from stedi.catalog.tables import Tables

        tables = Tables.open(self._settings.lakehouse)
        try:
            snapshots = {**run.snapshots, "runs": tables.head("runs")}
            return {name: tables.files(name, snapshots.get(name)) for name in names}
        finally:
            tables.close()

    def _landing(self, landing: str | Path | None) -> Path:
        chosen = landing or self._settings.landing
        if chosen is None:
            raise ConfigError("no landing folder was given", hint="pass --landing DIR, or set `landing` in stedi.toml")
        folder = Path(chosen)
        for feed in FEEDS:
            if self.folder.resolve().is_relative_to((folder / feed).resolve()):
                raise ConfigError(
                    "the lakehouse would lie in the folder of a feed, and its own files would be read as records",
                    where=str(self.folder),
                    hint="put it somewhere else, with --lakehouse DIR or `lakehouse` in stedi.toml",
                )
        return folder


def open_lakehouse(path: str | Path | None = None, **overrides: Any) -> Lakehouse:
    """A lakehouse, which need not exist yet: the first run makes it.

    Args:
        path: its folder; by default what `STEDI_LAKEHOUSE` or `stedi.toml` says, else `./lakehouse`.
        overrides: settings by name, such as `policy="seed"` or `memory_limit="1GB"`.

    Raises:
        ConfigError: a setting is wrong.
    """
    return Lakehouse(load_settings({"lakehouse": path, **overrides}))


def doctor(path: str | Path | None = None) -> list[Check]:
    """Examine the installation, the settings and a lakehouse, which need not exist. Changes nothing; raises nothing of ours.

    Args:
        path: folder of the lakehouse, as for `open_lakehouse`.
    """
    from stedi.runs.doctor import examine

    return examine(Path(path) if path is not None else None)


def interrupt() -> None:
    """Make the engines of this process give up what they run; it ends in an error there. To be called from any thread."""
    engines = sys.modules.get("stedi.engines.duckdb")
    if engines is not None:
        engines.interrupt_all()


def _found(runs: list[Run], number: int | None) -> Run:
    from stedi.catalog.state import find_run

    run = find_run(runs, number)
    if run is None:
        raise NotFoundError("nothing was published here yet", hint="`stedi run --landing DIR` makes the first run")
    return run


def _contract(name: str, policy: Policy) -> Contract:
    by_name = {known.lower(): contract for known, contract in contracts(policy).items()}
    if name.lower() not in by_name:
        raise NotFoundError(f"there is no table {name}", where=name, hint="`stedi tables` lists the tables")
    return by_name[name.lower()]
