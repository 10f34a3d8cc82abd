"""Stage the landing tables and the quarantine: read files that are new or changed (SPEC 1 and 6).

Beside the tables as they will be, the engine gets to know `added_NAME`, the rows that arrive, `gone_NAME`, those that a changed landing
file brought before, and `changed_NAME`, both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import chain

from stedi.catalog.state import Run
from stedi.catalog.tables import Tables
from stedi.contracts import FEEDS
from stedi.engines.sql import listed
from stedi.ingest.discover import LandingFile
from stedi.ingest.objects import fetched
from stedi.ingest.parts import LandingPart, is_much, land_part, profile_part, shared_out
from stedi.ingest.profile import Profile
from stedi.privacy.register import Register
from stedi.runs.plan import KnownFile, Plan
from stedi.runs.stage import Progress, Stage
from stedi.runs.suppress import suppress

#: Tables that landing files bring rows to.
LANDING = (*FEEDS.values(), "quarantine")


def land(stage: Stage, plan: Plan, known: Mapping[str, KnownFile], progress: Progress) -> None:
    """Read the files of the plan. A touched file whose content did not change is only noted with its new time."""
    reading = _Reading(stage, [*plan.new, *plan.touched], known, progress)
    with closing(reading.waves()) as waves:
        for wave in waves:
            reading.read(wave)
    added, fresh_files = reading.added, reading.fresh
    stage.staged.files += [_known(p, reading.counts[p.file.path]) for p in fresh_files]
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
        added: the staged files, by table.
        counts: per landing file that was read, records landed and records quarantined.
    """

    def __init__(
        self, stage: Stage, files: Sequence[LandingFile], known: Mapping[str, KnownFile], progress: Progress
    ) -> None:
        self._stage, self._known, self._progress = stage, known, progress
        self.files = sorted(files, key=lambda file: list(FEEDS).index(file.feed))
        self.fresh: list[Profile] = []
        self.added: dict[str, list[str]] = {}
        self.counts: dict[str, tuple[int, int]] = {}
        self._total, self._done, self._checked, self._parts = sum(file.size for file in files), 0, 0, 0

    def waves(self) -> Generator[list[LandingFile]]:
        """The files, as many at a time as are fetched together; those that other machines read, they fetch for themselves."""
        if self._stage.engine.readers > 1 and is_much(self.files):
            yield self.files
        else:
            yield from fetched(self.files, self._stage.scratch / "objects")

    def read(self, wave: list[LandingFile]) -> None:
        """Read files that are here, were fetched, or are far from here and read by others."""
        fresh_files = self._look(wave)
        self._progress("reading", self._done, self._total)
        parts = list(self._parts_of(fresh_files))
        far = is_much([profile.file for profile in fresh_files])
        for part, landed in zip(
            parts, self._stage.engine.spread(land_part, parts, self._on_file, far=far), strict=True
        ):
            self.added.setdefault(FEEDS[part.feed], []).extend(landed.landing)
            self.added.setdefault("quarantine", []).extend(landed.quarantine)
            self.counts |= landed.counts
        self.fresh += fresh_files

    def _look(self, wave: list[LandingFile]) -> list[Profile]:
        """Profile files; those whose content is new are to be read."""
        fresh = []
        engine = self._stage.engine
        found = engine.spread(profile_part, shared_out(wave, engine.readers), self._on_look, far=is_much(wave))
        for profile in chain.from_iterable(found):
            before = self._known.get(profile.file.path)
            if before is not None and before.sha256 == profile.sha256:
                self._stage.staged.noted.append(_known(profile, (before.landed, before.quarantined)))
                self._done += profile.file.size
            else:
                fresh.append(profile)
        return fresh

    def _on_look(self, _path: str) -> None:
        self._progress("checking", self._checked, len(self.files))
        self._checked += 1

    def _on_file(self, size: int) -> None:
        self._done += size
        self._progress("reading", self._done, self._total)

    def _parts_of(self, fresh: list[Profile]) -> Iterator[LandingPart]:
        """What is landed at a time, feed by feed: all files of a feed, or several parts of them where several readers are at work."""
        stage = self._stage
        for feed, table in FEEDS.items():
            pair = (stage.contracts[table], stage.contracts["quarantine"])
            ids = {contract.name: stage.tables.field_ids(contract) for contract in pair}
            folders = {contract.name: stage.tables.data_folder(contract.name) for contract in pair}
            for group in shared_out([p for p in fresh if p.file.feed == feed], stage.engine.readers):
                prefixes = {name: str(folder / f"{stage.token}-{self._parts}") for name, folder in folders.items()}
                self._parts += 1
                yield LandingPart(feed, group, pair, ids, prefixes, stage.started_at.isoformat())


def _change(stage: Stage, table: str, added: list[str], gone: str | None) -> None:
    """Add files; the rows `t` for which `gone` holds are left out of the data files that hold them."""
    engine, contract = stage.engine, stage.contracts[table]
    current = stage.files_before(table)
    columns = ", ".join(f't."{c.name}"' for c in contract.columns)
    stage.before(table)
    engine.use_files(f"added_{table}", added, contract)
    victims = stage.files_of(f'SELECT t."_file" FROM before_{table} AS t WHERE {gone}') if gone else []
    engine.use_files(f"gone_{table}", [], contract)
    if victims:
        engine.use_files("victims", victims, contract, located=True)
        engine.keep(f"gone_{table}", f"SELECT {columns} FROM victims AS t WHERE {gone}")
    engine.define(f"changed_{table}", f"SELECT * FROM added_{table} UNION ALL SELECT * FROM gone_{table}")
    if added:
        stage.check(table, f"added_{table}")
    kept = stage.write(table, f"SELECT {columns} FROM victims AS t WHERE NOT ({gone})", "kept", 0) if victims else {}
    new = stage.count(f"added_{table}") if added else 0
    was, removed = stage.counts("victims", f"gone_{table}") if victims else (0, 0)
    rows = stage.rows_before(table) - was + new + sum(kept.values())
    stage.change(table, [*added, *kept], victims, current, rows=rows, added=new, removed=removed)


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
