"""Stage the landing tables and the quarantine: read files that are new or changed (SPEC 1 and 6).

Beside the tables as they will be, the engine gets to know `added_NAME`, the rows that arrive, `gone_NAME`, those that a changed landing
file brought before, and `changed_NAME`, both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace

from stedi.catalog.state import Run
from stedi.catalog.tables import Tables
from stedi.contracts import FEEDS
from stedi.engines.sql import listed
from stedi.ingest.discover import LandingFile
from stedi.ingest.land import Lander
from stedi.ingest.objects import fetched
from stedi.ingest.profile import Profile, profiles
from stedi.privacy.register import Register
from stedi.runs.plan import KnownFile, Plan
from stedi.runs.stage import Progress, Stage
from stedi.runs.suppress import suppress

#: Tables that landing files bring rows to.
LANDING = (*FEEDS.values(), "quarantine")


def land(stage: Stage, plan: Plan, known: Mapping[str, KnownFile], progress: Progress) -> None:
    """Read the files of the plan. A touched file whose content did not change is only noted with its new time."""
    reading = _Reading(stage, [*plan.new, *plan.touched], known, progress)
    with closing(fetched(reading.files, stage.scratch / "objects")) as waves:
        for wave in waves:
            reading.read(wave)
    added, fresh_files = reading.added(), reading.fresh
    stage.staged.files += [_known(p, reading.landers[p.file.feed].landed.counts[p.file.path]) for p in fresh_files]
    register = Register.load(stage.settings.key_file)
    if not register.empty:
        added, suppressed = suppress(stage, added, register)
        stage.staged.files = [_without(file, suppressed) for file in stage.staged.files]
        stage.staged.suppressed = _by_feed(fresh_files, suppressed)
    replaced = [file.path for file in stage.staged.files if file.path in known]
    gone = f't."_source_file" IN ({listed(replaced)})' if replaced else None
    for table in LANDING:
        _change(stage, table, added.get(table, []), gone)


def take_away(stage: Stage, conditions: Mapping[str, str]) -> None:
    """Take rows out of the landing tables; by table the condition that a row `t` is to go."""
    for table in LANDING:
        _change(stage, table, [], conditions[table])


def known_files(tables: Tables, run: Run | None) -> dict[str, KnownFile]:
    """What the lakehouse knows of each landing file as of a run: the latest row of its path."""
    if run is None:
        return {}
    rows = tables.rows("landed_files", run.snapshots["landed_files"]).sort_by("run").to_pylist()
    return {
        row["path"]: KnownFile(
            row["path"], row["feed"], row["size"], row["modifiedNs"], row["sha256"], row["landed"], row["quarantined"]
        )
        for row in rows
    }


class _Reading:
    """Landing files on their way into staged files, wave by wave.

    Attributes:
        files: all that are to be looked at.
        fresh: those of them, so far, whose content is new, and which were read.
        landers: by feed.
    """

    def __init__(
        self, stage: Stage, files: Sequence[LandingFile], known: Mapping[str, KnownFile], progress: Progress
    ) -> None:
        self._stage, self._known, self._progress = stage, known, progress
        self.files = sorted(files, key=lambda file: list(FEEDS).index(file.feed))
        self.fresh: list[Profile] = []
        self.landers: dict[str, Lander] = {}
        self._total, self._done, self._checked = sum(file.size for file in files), 0, 0

    def read(self, wave: list[LandingFile]) -> None:
        """Read files of this machine, or that were fetched to it."""
        fresh_files = self._look(wave)
        self._progress("reading", self._done, self._total)
        for feed in FEEDS:
            if fresh := [profile for profile in fresh_files if profile.file.feed == feed]:
                if feed not in self.landers:
                    self.landers[feed] = self._lander(feed)
                self.landers[feed].land(fresh)
        self.fresh += fresh_files

    def added(self) -> dict[str, list[str]]:
        """The staged files, by table."""
        added = {FEEDS[feed]: lander.landed.landing for feed, lander in self.landers.items()}
        return added | {"quarantine": [path for lander in self.landers.values() for path in lander.landed.quarantine]}

    def _look(self, wave: list[LandingFile]) -> list[Profile]:
        """Profile files; those whose content is new are to be read."""
        fresh = []
        for profile in profiles(wave):
            self._progress("checking", self._checked, len(self.files))
            self._checked += 1
            before = self._known.get(profile.file.path)
            if before is not None and before.sha256 == profile.sha256:
                self._stage.staged.noted.append(_known(profile, (before.landed, before.quarantined)))
                self._done += profile.file.size
            else:
                fresh.append(profile)
        return fresh

    def _on_file(self, profile: Profile) -> None:
        self._done += profile.file.size
        self._progress("reading", self._done, self._total)

    def _lander(self, feed: str) -> Lander:
        stage = self._stage
        pair = (stage.contracts[FEEDS[feed]], stage.contracts["quarantine"])
        return Lander(
            stage.engine,
            feed,
            pair,
            {contract.name: stage.tables.field_ids(contract) for contract in pair},
            {contract.name: str(stage.tables.data_folder(contract.name) / stage.token) for contract in pair},
            stage.scratch,
            stage.started_at.isoformat(),
            self._on_file,
        )


def _change(stage: Stage, table: str, added: list[str], gone: str | None) -> None:
    """Add files; the rows `t` for which `gone` holds are left out of the data files that hold them."""
    engine, contract = stage.engine, stage.contracts[table]
    current = stage.files_before(table)
    columns = ", ".join(f't."{c.name}"' for c in contract.columns)
    stage.before(table)
    engine.use_files(f"added_{table}", added, contract)
    victims = stage.files_of(f'SELECT t."_file" FROM before_{table} AS t WHERE {gone}') if gone else []
    engine.use_files("victims", victims, contract, located=True)
    engine.keep(f"gone_{table}", f"SELECT {columns} FROM victims AS t WHERE {gone or 'FALSE'}")
    engine.define(f"changed_{table}", f"SELECT * FROM added_{table} UNION ALL SELECT * FROM gone_{table}")
    stage.check(table, f"added_{table}")
    kept = stage.write(table, f"SELECT {columns} FROM victims AS t WHERE NOT ({gone})", "kept", 0) if victims else []
    stage.staged.added[table], stage.staged.removed[table] = stage.count(f"added_{table}"), stage.count(f"gone_{table}")
    stage.change(table, [*added, *kept], victims, current)


def _without(file: KnownFile, suppressed: Mapping[str, int]) -> KnownFile:
    landed = file.landed - suppressed[f"{FEEDS[file.feed]} {file.path}"]
    return replace(file, landed=landed, quarantined=file.quarantined - suppressed[f"quarantine {file.path}"])


def _by_feed(files: list[Profile], suppressed: Mapping[str, int]) -> dict[str, int]:
    counts = Counter[str]()
    for file in (profile.file for profile in files):
        counts[file.feed] += suppressed[f"{FEEDS[file.feed]} {file.path}"] + suppressed[f"quarantine {file.path}"]
    return {feed: records for feed, records in counts.items() if records}


def _known(profile: Profile, counts: tuple[int, int]) -> KnownFile:
    file = profile.file
    return KnownFile(file.path, file.feed, file.size, file.modified_ns, profile.sha256, *counts)
