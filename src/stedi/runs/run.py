"""One run, start to finish.

1. Take the writer's lease; undo what a killed run left behind.
2. Plan: which landing files are new or changed, and whether the derived tables must be built.
3. Stage: write new data files for every table: read landing files, then update the derived tables, or rebuild them.
4. Audit: the staged rows against their contracts, and the books: kept + withheld = landed.
5. Commit: one atomic snapshot per table.
6. Publish: append the run to `runs`. From here on readers see it; a run that stops before never happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from stedi import clock
from stedi.catalog.lease import writer_lease
from stedi.catalog.published import lakehouse_exists
from stedi.catalog.runs import completed_runs, publish, published_as, recover, workspace
from stedi.catalog.sqlite import catalog_explained
from stedi.catalog.state import Run
from stedi.catalog.tables import Commit, Tables
from stedi.config import Settings
from stedi.contracts import FEEDS, contracts
from stedi.engines.start import start_engine
from stedi.errors import ConfigError
from stedi.ingest.discover import discover
from stedi.places import is_remote
from stedi.privacy.policy import fingerprint, reach_rows, settings_row
from stedi.privacy.pseudonyms import adopt_new_key, check_key, key_id, key_row, load_key, prepare_new_key
from stedi.runs.audit import check_accounting, require
from stedi.runs.journal import Journal
from stedi.runs.landing import LANDING, known_files, land
from stedi.runs.maintain import tend
from stedi.runs.plan import Before, KnownFile, Plan, make_plan
from stedi.runs.rebuild import DERIVED, rebuild
from stedi.runs.stage import Progress, Stage
from stedi.runs.update import update

#: Landing records that were withheld, by feed and reason.
Withheld = dict[str, dict[str, int]]
#: What step 3 does to the landing tables.
Landing = Callable[[Stage, Plan, Mapping[str, KnownFile], Progress], None]
T = TypeVar("T")

_TRUSTED = {
    "customer": ("customer_landing", "customer_trusted"),
    "accelerometer": ("accelerometer_landing", "accelerometer_trusted"),
    "step_trainer": ("step_trainer_landing", "step_trainer_trusted"),
}


def plan_run(settings: Settings, landing: Path, *, full: bool = False) -> Plan:
    """What a run would do now. Changes nothing, and needs no lease.

    Raises:
        LandingError: the landing area is missing or empty.
        LakehouseError: the lakehouse is damaged or of a newer version.
    """
    found = discover(landing)
    if not lakehouse_exists(settings.home):
        return make_plan(found, {}, None, Before(settings.policy, ""), full=full)
    tables = Tables.open(settings.home)
    try:
        runs = completed_runs(tables)
        last = runs[-1] if runs else None
        known_key = known_key_id(runs)
        key = (
            ""
            if known_key is None and not settings.key_file.exists()
            else key_id(check_key(settings.key_file, known_key))
        )
        now = Before(settings.policy, fingerprint(settings, key))
        plan = make_plan(found, known_files(tables, last), left_by(last), now, full=full)
        return replace(plan, erasure_waits=Journal(settings.lakehouse).open)
    finally:
        tables.close()


def execute_run(
    settings: Settings,
    landing: Path,
    progress: Progress,
    *,
    full: bool = False,
    new_key: bool = False,
    wait_s: float = 0,
) -> tuple[Plan, Run | None]:
    """Run the lakehouse once. Returns the plan, and the run, which is None where nothing was to be done.

    While another run is at work, this one waits for up to `wait_s` seconds.

    Raises:
        StediError: see `stedi.errors`; nothing was published then, and nothing is left behind.
    """
    found = discover(landing)
    _check_key_place(settings)

    def waiting(seconds: float) -> None:
        progress("waiting for another run", int(seconds), int(wait_s))

    with catalog_explained(settings.lakehouse), writer_lease(settings.lakehouse, wait_s, waiting):
        if wait_s:  # files may have come, and gone, since
            found = discover(landing)
        tables = Tables.create(settings.home)
        try:
            runs = completed_runs(tables)
            recover(tables, runs)
            last = runs[-1] if runs else None
            key = prepare_new_key(settings.key_file) if new_key else load_key(settings.key_file, known_key_id(runs))
            mark = fingerprint(settings, key_id(key))
            known = known_files(tables, last)
            plan = make_plan(found, known, left_by(last), Before(settings.policy, mark), full=full)
            if plan.nothing_to_do:
                return plan, None
            runs = tend(tables, settings, runs, progress)
            last = runs[-1] if runs else None
            token = ""
            try:
                with workspace(tables) as token:
                    run = Execution(tables, settings, landing, token, last).run(plan, known, key, mark, progress)
            except KeyboardInterrupt:
                if (done := published_as(tables, token)) is None:
                    raise
                run = done
            if new_key:
                adopt_new_key(settings.key_file)
            return plan, run
        finally:
            tables.close()


def rehearse_run(
    settings: Settings, landing: Path, progress: Progress, read: Callable[[Stage, Withheld], T]
) -> tuple[Plan, T | None]:
    """Stage and audit what a run would do now, let `read` look at it, and throw it away.

    Returns the plan, and what `read` returned, which is None where nothing is to be done.

    Raises:
        LakehouseError: there is no lakehouse.
        StediError: what a run would raise.
    """
    found = discover(landing)
    with catalog_explained(settings.lakehouse), writer_lease(settings.lakehouse):
        tables = Tables.open(settings.home)
        try:
            runs = completed_runs(tables)
            recover(tables, runs)
            last = runs[-1] if runs else None
            key = load_key(settings.key_file, known_key_id(runs))
            known = known_files(tables, last)
            now = Before(settings.policy, fingerprint(settings, key_id(key)))
            plan = make_plan(found, known, left_by(last), now, full=False)
            if plan.nothing_to_do:
                return plan, None
            with workspace(tables) as token:
                execution = Execution(tables, settings, landing, token, last)
                with execution.staged(plan, known, key, progress) as (stage, withheld):
                    return plan, read(stage, withheld)
        finally:
            tables.close()


class Execution:
    """Steps 3 to 6 of a run."""

    def __init__(
        self, tables: Tables, settings: Settings, landing: Path, token: str, last: Run | None, land: Landing = land
    ) -> None:
        self._tables = tables
        self._settings = settings
        self._landing = landing
        self._token = token
        self._last = last
        self._started_at = _after(last)
        self._contracts = contracts(settings.policy)
        self._land = land

    @contextmanager
    def staged(
        self, plan: Plan, known: dict[str, KnownFile], key: bytes, progress: Progress
    ) -> Iterator[tuple[Stage, Withheld]]:
        """Steps 3 and 4; the engine knows the staged tables until the block ends."""
        self._tables.ensure(*self._contracts.values())
        engine = start_engine(self._settings, self._token)
        try:
            stage = Stage(self._tables, engine, self._settings, self._token, self._started_at, self._last)
            withheld = self._stage(stage, plan, known, key, progress)
            with stage.timed("audit"):
                require(stage.staged.violations + check_accounting(stage.staged.rows, withheld, _TRUSTED))
            yield stage, withheld
        finally:
            engine.close()

    def run(self, plan: Plan, known: dict[str, KnownFile], key: bytes, mark: str, progress: Progress) -> Run:
        """Steps 3 to 6."""
        with self.staged(plan, known, key, progress) as (stage, withheld):
            pass  # the engine's memory is not needed any more
        with stage.timed("commit"):
            snapshots = self._commit(stage, progress)
        progress("publishing", 0, 1)
        run = Run(
            run=self._last.run + 1 if self._last else 1,
            token=self._token,
            started_at=self._started_at,
            finished_at=clock.now(),
            policy=self._settings.policy,
            fingerprint=mark,
            snapshots=snapshots,
            report=self._report(plan, stage, withheld, key_id(key)),
        )
        publish(self._tables, run)
        progress("publishing", 1, 1)
        return run

    def _stage(self, stage: Stage, plan: Plan, known: dict[str, KnownFile], key: bytes, progress: Progress) -> Withheld:
        """Stage every table. Returns the landing records that were withheld, by feed and reason."""
        stage.engine.use_rows("settings", settings_row(self._settings))
        stage.engine.use_rows("reach", reach_rows(self._settings))
        stage.engine.use_rows("pseudonym_key", key_row(key))
        with stage.timed("landing"):
            self._land(stage, plan, known, progress)
        if self._last is None or plan.full_because:
            return rebuild(stage, progress)
        return update(stage, self._last.report["withheld"], progress)

    def _commit(self, stage: Stage, progress: Progress) -> dict[str, int | None]:
        changes = stage.staged.changes
        files = [
            {"run": self._last.run + 1 if self._last else 1, **_camel(asdict(file))}
            for file in [*stage.staged.files, *stage.staged.noted]
        ]
        if files:
            path = str(self._tables.data_folder("landed_files") / f"{self._token}-files.parquet")
            self._tables.write_rows("landed_files", pa.Table.from_pylist(files), path)
            changes["landed_files"] = Commit(add=(path,))
        snapshots = {}
        for number, (name, contract) in enumerate(self._contracts.items()):
            if name != "runs":
                progress("committing", number, len(self._contracts))
                snapshots[name] = self._tables.commit(contract, changes.get(name, Commit()), self._token)
        return snapshots

    def _report(self, plan: Plan, stage: Stage, withheld: Withheld, mark: str) -> dict[str, Any]:
        files = stage.staged.files
        earlier = self._last.report["landedFiles"] if self._last else 0
        feeds = {
            feed: {
                "files": len(mine := [f for f in files if f.feed == feed]),
                "landed": (landed := sum(f.landed for f in mine)),
                "quarantined": (quarantined := sum(f.quarantined for f in mine)),
                "arrived": landed + quarantined + stage.staged.suppressed.get(feed, 0),
            }
            for feed in FEEDS
        }
        return {
            "landing": str(self._landing.absolute()),
            "mode": plan.mode,
            "reasons": list(plan.reasons),
            "fullBecause": list(plan.full_because),
            "unchangedFiles": plan.unchanged,
            "vanishedFiles": plan.vanished,
            "otherFiles": plan.others,
            "missingFeeds": list(plan.missing_feeds),
            "feeds": feeds,
            "suppressed": stage.staged.suppressed,
            "landedFiles": earlier + len(files) + len(stage.staged.noted),
            **{
                kind: {name: getattr(stage.staged, kind)[name] for name in (*LANDING, *DERIVED)}
                for kind in ("rows", "added", "removed")
            },
            "withheld": withheld,
            "steps": stage.steps,
            "keyId": mark,
        }


def left_by(run: Run | None) -> Before | None:
    """What a run left, as far as a plan depends on it."""
    return Before(run.policy, run.fingerprint) if run else None


def _after(last: Run | None) -> datetime:
    """The start of a run: now, but later than the last one's whatever the clock says, since it orders what was landed."""
    now = clock.now()
    return now if last is None else max(now, last.started_at + timedelta(microseconds=1))


def _check_key_place(settings: Settings) -> None:
    """Who hands on a copy of the lakehouse must not hand on the key with it."""
    if (
        isinstance(settings.key_file, Path)
        and not is_remote(settings.lakehouse)
        and settings.key_file.absolute().is_relative_to(settings.lakehouse.absolute())
    ):
        raise ConfigError(
            "the pseudonym key lies inside the lakehouse",
            where=str(settings.key_file),
            hint="set pseudonym_key to a file outside of it",
        )


def known_key_id(runs: list[Run]) -> str | None:
    """Mark of the pseudonym key that the lakehouse uses; None where it has used none."""
    return runs[-1].report["keyId"] if runs else None


def _camel(row: dict[str, object]) -> dict[str, object]:
    return {"modifiedNs" if name == "modified_ns" else name: value for name, value in row.items()}
