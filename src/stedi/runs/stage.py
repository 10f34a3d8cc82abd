"""Stage a run: write every new data file, commit none.

Data files are written where they will stay, under names that begin with the run's token; until a commit refers to them they are garbage
that `catalog.runs.recover` collects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from pathlib import Path

from stedi.catalog.tables import Commit, Tables
from stedi.config import Settings
from stedi.contracts import FEEDS, Contract, contracts, model
from stedi.devices.matching import match_instants
from stedi.engines.base import Engine
from stedi.engines.sql import listed
from stedi.ingest.discover import LandingFile
from stedi.ingest.land import Lander
from stedi.ingest.profile import Profile, profiles
from stedi.privacy.policy import reach_rows, settings_row
from stedi.privacy.pseudonyms import key_row
from stedi.runs.plan import KnownFile, Plan

#: Derived tables in the order in which they are built.
DERIVED = (
    "customer_trusted",
    "accelerometer_trusted",
    "device_sessions",
    "customers_curated",
    "step_trainer_trusted",
    "machine_learning_curated",
)
#: What is computed on the way before a derived table, and kept for this run alone. `instant_matches` follows from `instant_pairs`.
BEFORE: Mapping[str, Sequence[str]] = {
    "customer_trusted": ("customer_holding",),
    "device_sessions": (
        "phone_instants",
        "device_instants",
        "session_instants",
        "sessions",
        "instant_pairs",
        "session_pairs",
        "pair_hours",
        "pair_evidence",
    ),
}

#: Called with the name of a step, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


@dataclass
class Staged:
    """What a run is about to commit.

    Attributes:
        changes: per table, files to add and files that they replace.
        files: landing files read in this run, with what came of each.
        noted: landing files that were touched but hold what they held; only their time is new.
        rows: number of rows of every table after the commit.
    """

    changes: dict[str, Commit] = field(default_factory=dict)
    files: list[KnownFile] = field(default_factory=list)
    noted: list[KnownFile] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)


class Stager:
    """Stages one run, on one engine."""

    def __init__(
        self,
        tables: Tables,
        engine: Engine,
        settings: Settings,
        token: str,
        started_at: datetime,
        published: Mapping[str, int | None],
    ) -> None:
        self._tables = tables
        self._engine = engine
        self._settings = settings
        self._token = token
        self._started_at = started_at
        self._published = published
        self._contracts = contracts(settings.policy)
        self._scratch = tables.folder / "staging" / token
        self.staged = Staged()

    def land(self, plan: Plan, known: Mapping[str, KnownFile], progress: Progress) -> None:
        """Read the files of the plan. A touched file whose content did not change is only noted with its new time."""
        files = [*plan.new, *plan.touched]
        total, done = sum(file.size for file in files), 0
        added: dict[str, list[str]] = {}

        def on_file(profile: Profile) -> None:
            nonlocal done
            done += profile.file.size
            progress("reading", done, total)

        fresh_files = self._fresh(files, known, progress)
        progress("reading", 0, total)
        for feed, table in FEEDS.items():
            fresh = [profile for profile in fresh_files if profile.file.feed == feed]
            if fresh:
                landed = self._lander(feed, on_file).land(fresh)
                added.setdefault(table, []).extend(landed.landing)
                added.setdefault("quarantine", []).extend(landed.quarantine)
                self.staged.files += [_known(p, landed.counts[p.file.path]) for p in fresh]
        replaced = [file.path for file in self.staged.files if file.path in known]
        for table in (*FEEDS.values(), "quarantine"):
            self._change_landing(table, added.get(table, []), replaced)

    def _fresh(self, files: list[LandingFile], known: Mapping[str, KnownFile], progress: Progress) -> list[Profile]:
        """Profile files; those whose content is new are to be read."""
        fresh = []
        for number, profile in enumerate(profiles(files)):
            progress("checking", number, len(files))
            before = known.get(profile.file.path)
            if before is not None and before.sha256 == profile.sha256:
                self.staged.noted.append(_known(profile, (before.landed, before.quarantined)))
            else:
                fresh.append(profile)
        return fresh

    def _lander(self, feed: str, on_file: Callable[[Profile], None]) -> Lander:
        pair = (self._contracts[FEEDS[feed]], self._contracts["quarantine"])
        return Lander(
            self._engine,
            feed,
            pair,
            {contract.name: self._tables.field_ids(contract) for contract in pair},
            {contract.name: str(self._tables.data_folder(contract.name) / self._token) for contract in pair},
            self._scratch,
            self._started_at.isoformat(),
            on_file,
        )

    def _change_landing(self, table: str, added: list[str], replaced: list[str]) -> None:
        """Add files; what a changed landing file brought before is left out of the data files that hold it."""
        contract = self._contracts[table]
        current = self._tables.files(table, self._published.get(table))
        removed: list[str] = []
        if replaced and current:
            removed = self._files_with(current, contract, replaced)
        if removed:
            path = self._path(contract, "kept")
            self._engine.use_files("with_replaced", removed, contract)
            if self._write(
                f'SELECT * FROM with_replaced WHERE "_source_file" NOT IN ({listed(replaced)})', path, contract
            ):
                added.append(path)
        self.staged.changes[table] = Commit(tuple(added), tuple(removed))
        self._show(contract, [path for path in current if path not in removed] + added)

    def _files_with(self, files: list[str], contract: Contract, landing_files: list[str]) -> list[str]:
        found = []
        for path in files:
            self._engine.use_files("one_file", [path], contract)
            if self._engine.query(
                f'SELECT 1 FROM one_file WHERE "_source_file" IN ({listed(landing_files)}) LIMIT 1'
            ).num_rows:
                found.append(path)
        return found

    def derive(self, key: bytes, progress: Progress) -> None:
        """Build every derived table from the landing relations, by its model."""
        self._engine.use_rows("settings", settings_row(self._settings))
        self._engine.use_rows("reach", reach_rows(self._settings))
        self._engine.use_rows("pseudonym_key", key_row(key))
        for number, name in enumerate(DERIVED):
            progress("building " + name, number, len(DERIVED))
            if name != "device_sessions" or self._settings.policy == "strict":
                self._compute_before(name)
            self._derive(self._contracts[name])
        progress("building", len(DERIVED), len(DERIVED))

    def _compute_before(self, name: str) -> None:
        for step in BEFORE.get(name, ()):
            self._engine.keep(step, model(step, self._settings.policy))
            if step == "instant_pairs":
                match_instants(self._engine, self._settings.devices.clock_tolerance_ms)

    def _derive(self, contract: Contract) -> None:
        path = self._path(contract, "all")
        rows = self._write(model(contract.name, self._settings.policy), path, contract)
        current = self._tables.files(contract.name, self._published.get(contract.name))
        added = [path] if rows else []
        self.staged.changes[contract.name] = Commit(tuple(added), tuple(current))
        self._show(contract, added)

    def withheld(self) -> dict[str, dict[str, int]]:
        """Landing records that are in no trusted table, by feed and reason; a duplicate counts as one, too."""
        found = {}
        for feed in FEEDS:
            rows = self._engine.query(model(f"withheld_{feed}", self._settings.policy)).to_pylist()
            found[feed] = {
                row["reason"]: row["records"] for row in sorted(rows, key=itemgetter("reason")) if row["records"]
            }
        return found

    def _show(self, contract: Contract, files: list[str]) -> None:
        self._engine.use_files(contract.name, files, contract)
        self.staged.rows[contract.name] = self._engine.query(f"SELECT count(*) AS n FROM {contract.name}")["n"][
            0
        ].as_py()

    def _write(self, select: str, path: str, contract: Contract) -> int:
        """Write one data file; returns its number of rows, and leaves no file where there are none."""
        self._engine.write(select, path, contract, self._tables.field_ids(contract))
        self._engine.use_files("written", [path], contract)
        rows: int = self._engine.query("SELECT count(*) AS n FROM written")["n"][0].as_py()
        if not rows:
            Path(path).unlink()
        return rows

    def _path(self, contract: Contract, part: str) -> str:
        return str(self._tables.data_folder(contract.name) / f"{self._token}-{part}.parquet")


def _known(profile: Profile, counts: tuple[int, int]) -> KnownFile:
    file = profile.file
    return KnownFile(file.path, file.feed, file.size, file.modified_ns, profile.sha256, *counts)
