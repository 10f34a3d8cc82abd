"""The public door: a lakehouse as users hold it. The command line goes through here, as any other user."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stedi.catalog.state import Run, readable_run
from stedi.config import EngineName, Settings, load_settings, override_maintenance, with_engine, with_policy
from stedi.contracts import FEEDS, Contract, Policy, contracts
from stedi.errors import ConfigError, NotFoundError
from stedi.places import is_remote, place
from stedi.results import Rows, RunResult, TableInfo

if TYPE_CHECKING:
    from stedi.catalog.published import Published
    from stedi.engines.duckdb import DuckDBEngine
    from stedi.privacy.consent import ConsentExplanation
    from stedi.runs.diff import TableDiff
    from stedi.runs.doctor import Check
    from stedi.runs.impact import ConsentImpact
    from stedi.runs.maintain import Upkeep
    from stedi.runs.plan import Plan
    from stedi.runs.requests import Subjects

#: Called with the name of a step, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


class Lakehouse:
    """A lakehouse folder. Reads see the last completed run, or that given to `as_of`; `run`, `maintain`, `pin` and `unpin` write."""

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
        readable_run(self._published().runs, run)
        return Lakehouse(self._settings, run)

    def run(
        self,
        landing: str | Path | None = None,
        *,
        policy: Policy | None = None,
        engine: EngineName | None = None,
        full: bool = False,
        new_key: bool = False,
        wait_s: float = 0,
        progress: Progress | None = None,
    ) -> RunResult:
        """Read what is new in the landing area, build every table, audit, and publish (SPEC 1 to 6).

        Args:
            landing: folder that holds the folders of the feeds; `landing` of the settings by default.
            policy: `strict` or `seed`; that of the settings by default.
            engine: `duckdb` or `spark`; that of the settings by default.
            full: build the derived tables even if nothing changed.
            new_key: make a new pseudonym key, and with it new pseudonyms for everybody.
            wait_s: how long to wait for another run that is at work, in seconds; 0: not at all.
            progress: called with step, done and total.

        Raises:
            StediError: nothing was published.
        """
        from stedi import clock
        from stedi.runs.forget import finish_erasure
        from stedi.runs.run import execute_run

        chosen = with_engine(self._settings, engine)
        settings = with_policy(chosen, policy)
        start = clock.stopwatch_s()
        completed = finish_erasure(chosen, progress or (lambda *_: None), wait_s)
        plan, run = execute_run(
            settings,
            self._landing(landing),
            progress or (lambda *_: None),
            full=full,
            new_key=new_key,
            wait_s=wait_s,
        )
        seconds = round(clock.stopwatch_s() - start, 3)
        number, report = (run.run, run.report) if run else (None, {})
        return RunResult(plan.as_dict(), number, settings.policy, report, seconds, completed)

    def plan(self, landing: str | Path | None = None, *, policy: Policy | None = None, full: bool = False) -> Plan:
        """What `run` would do now, and why. Changes nothing."""
        from stedi.runs.run import plan_run

        return plan_run(with_policy(self._settings, policy), self._landing(landing), full=full)

    def tables(self) -> list[TableInfo]:
        """Every table as of the run, landing zone first."""
        runs = self._published().runs
        run = readable_run(runs, self._as_of)
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
        return _contract(name, readable_run(self._published().runs, self._as_of).policy)

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
        from stedi.runs.reading import copied, streamed

        asked = (self._settings, self._as_of, sql)
        return Rows(lambda: streamed(*asked), lambda path: copied(*asked, path))

    def explain_consent(self, email: str) -> ConsentExplanation:
        """Why a person's data is in or out, as of the run: their decisions, and what became of their records (SPEC 2 to 5).

        Args:
            email: of the person; compared trimmed and without case. Somebody nobody knows is an answer, too: `known` is false.
        """
        from stedi.privacy.consent import TABLES, explain

        with self._engine(TABLES) as (engine, run, _):
            return explain(engine, email, run, self.runs())

    def consent_impact(
        self, landing: str | Path | None = None, *, policy: Policy | None = None, progress: Progress | None = None
    ) -> ConsentImpact:
        """What the next run would change, and for how many customers. Rehearses that run, and leaves everything as it was.

        Args:
            landing: as for `run`.
            policy: as for `run`.
            progress: called with step, done and total.

        Raises:
            StediError: what the run would raise.
        """
        from stedi.runs.impact import consent_impact

        settings = with_policy(self._settings, policy)
        return consent_impact(settings, self._landing(landing), progress or (lambda *_: None))

    @property
    def subjects(self) -> Subjects:
        """The people in it: find them, hand over what is held about them, forget them."""
        from stedi.runs.requests import Subjects

        return Subjects(self._settings)

    def runs(self) -> list[Run]:
        """All completed runs, oldest first."""
        return self._published().runs

    def diff(self, first: int, second: int, *, table: str | None = None) -> list[TableDiff]:
        """Rows that every table gained and lost from one run to another; a row that a table holds twice counts twice.

        Args:
            first: number of the run to start from.
            second: number of the run to compare it with.
            table: only this one; by default all but `runs`, which is the same as of every run.

        Raises:
            NotFoundError: there is no such run or table, or the run can no longer be read.
        """
        from stedi.runs.diff import diff_runs

        return diff_runs(self._settings, first, second, table)

    def maintain(
        self,
        *,
        keep_runs: int | None = None,
        keep_days: int | None = None,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> Upkeep:
        """Merge small files, let go of old runs, and delete what nothing refers to, by the settings of `[maintenance]`.

        Rows stay as they are. Readers need not wait.

        Args:
            keep_runs: the last so many runs stay readable; that of the settings by default.
            keep_days: besides, the last run of each of the last so many days; that of the settings by default.
            dry_run: say what would be done now, and change nothing.
            progress: called with step, done and total.

        Raises:
            LakehouseError: there is no lakehouse, it is damaged, or somebody else is writing to it.
            NotFoundError: nothing was published yet.
        """
        from stedi.runs.maintain import maintain

        settings = override_maintenance(self._settings, keep_runs=keep_runs, keep_days=keep_days)
        return maintain(settings, progress or (lambda *_: None), dry_run=dry_run)

    def pin(self, run: int, *, reason: str | None = None) -> Run:
        """Keep a run readable whatever its age. Every table gets the Iceberg tag `run-N`, which other engines can read by.

        Args:
            run: its number.
            reason: why, for whoever reads `stedi runs`; no personal data.

        Raises:
            NotFoundError: there is no such run, or it can no longer be read.
        """
        from stedi.runs.pins import pin_run

        return pin_run(self._settings, run, reason)

    def unpin(self, run: int) -> Run:
        """Let a run go when its time comes; no error where it is not pinned. Raises what `pin` raises."""
        from stedi.runs.pins import unpin_run

        return unpin_run(self._settings, run)

    def _engine(self, names: Collection[str]) -> AbstractContextManager[tuple[DuckDBEngine, Run, list[str]]]:
        from stedi.runs.reading import open_engine

        return open_engine(self._settings, self._as_of, names)

    def _published(self) -> Published:
        from stedi.runs.reading import published

        return published(self._settings.home)

    def _landing(self, landing: str | Path | None) -> Path:
        chosen = landing or self._settings.landing
        if chosen is None:
            raise ConfigError("no landing folder was given", hint="pass --landing DIR, or set `landing` in stedi.toml")
        folder = place(chosen, self._settings.s3.options())
        for feed in FEEDS if is_remote(folder) == is_remote(self.folder) else ():
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

    return examine(path)


def interrupt() -> None:
    """Make the engines of this process give up what they run; it ends in an error there. To be called from any thread."""
    for name in ("duckdb", "spark"):
        engines = sys.modules.get(f"stedi.engines.{name}")
        if engines is not None:
            engines.interrupt_all()


def _contract(name: str, policy: Policy) -> Contract:
    by_name = {known.lower(): contract for known, contract in contracts(policy).items()}
    if name.lower() not in by_name:
        raise NotFoundError(f"there is no table {name}", where=name, hint="`stedi tables` lists the tables")
    return by_name[name.lower()]
