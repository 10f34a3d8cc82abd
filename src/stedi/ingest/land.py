"""Bring landing files into staged Parquet files: the fast read where it is proven exact, salvage elsewhere (SPEC 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stedi.contracts import Contract
from stedi.engines.base import Engine
from stedi.errors import AuditError, DataError, EngineError, LandingError
from stedi.ingest import read, salvage
from stedi.ingest.profile import Profile

#: Files read by one statement.
BATCH = 64


@dataclass
class Landed:
    """What came of the files of one feed. Parquet files are staged, not committed.

    Attributes:
        landing: staged files with landing rows.
        quarantine: staged files with quarantine rows.
        counts: per landing file, records landed and records quarantined; together they are what arrived.
    """

    landing: list[str] = field(default_factory=list)
    quarantine: list[str] = field(default_factory=list)
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)


class Lander:
    """Lands the files of one feed.

    Args:
        engine: runs the statements.
        contracts: the contract of the feed's landing table, and the quarantine's.
        field_ids: Iceberg ids of the columns of both, by table name.
        targets: path prefix of the data files of both tables, by table name.
        scratch: folder for pieces on their way.
        ingested_at: start of the run, ISO 8601 with offset.
        on_file: called with each file that is done.
    """

    def __init__(
        self,
        engine: Engine,
        feed: str,
        contracts: tuple[Contract, Contract],
        field_ids: dict[str, dict[str, int]],
        targets: dict[str, str],
        scratch: Path,
        ingested_at: str,
        on_file: Callable[[Profile], None],
    ) -> None:
        self._engine = engine
        self._feed = feed
        self._landing, self._quarantine = contracts
        self._ids = field_ids
        self._targets = targets
        self._scratch = scratch
        self._ingested_at = ingested_at
        self._on_file = on_file
        self._number = 0
        self.landed = Landed()

    def land(self, profiles: Sequence[Profile]) -> Landed:
        """Land files: every record ends up in one of the staged files, or the run fails."""
        clean = [p for p in profiles if p.lines and _suits_fast_read(p)]
        dirty = [p for p in profiles if p.lines and not _suits_fast_read(p)]
        self.landed.counts.update({p.file.path: (0, 0) for p in profiles if not p.lines})
        for batch in _batches(clean):
            dirty += self._read_fast(batch)
        self._salvage_all(dirty)
        return self.landed

    def _read_fast(self, batch: list[Profile]) -> list[Profile]:
        """Read files at full speed; returns those that need salvage."""
        path = self._next_path(self._landing)
        try:
            self._write(read.fast_select(batch, self._landing, self._ingested_at), path, self._landing)
        except DataError:
            if len(batch) == 1:
                return batch
            middle = len(batch) // 2
            return self._read_fast(batch[:middle]) + self._read_fast(batch[middle:])
        except EngineError:
            _require_present(batch)
            raise
        records = self._proven(batch, path)
        exact = [p for p in batch if p.file.path in records]
        if len(exact) < len(batch):
            self._engine.discard(path)
            dirty = [p for p in batch if p not in exact]
            return (self._read_fast(exact) if exact else []) + dirty
        self.landed.landing.append(path)
        for profile in exact:
            self.landed.counts[profile.file.path] = (records[profile.file.path], 0)
            self._on_file(profile)
        return []

    def _proven(self, batch: list[Profile], path: str) -> dict[str, int]:
        """The files of a fast read that are proven to be read exactly, with their numbers of records."""
        rows = self._engine.query(read.proof_select(path, self._landing)).to_pylist()
        records = {p.file.path: 0 for p in batch} | {row["path"]: row["records"] for row in rows}  # 0: an empty array
        if read.are_exact(batch, records, rows):
            return records
        rows = self._engine.query(read.accounting_select(path, self._landing)).to_pylist()
        nothing = {"records": 0, "quotes": 0, "missing": 0}
        facts = {p.file.path: nothing for p in batch} | {row.pop("path"): row for row in rows}
        return {p.file.path: records[p.file.path] for p in batch if read.is_exact(p, **facts[p.file.path])}

    def _salvage_all(self, dirty: list[Profile]) -> None:
        good, bad = [], []
        for profile in dirty:
            piece = self._salvage(profile)
            landed, quarantined = self.landed.counts[profile.file.path]
            good += [piece[0]] if landed else []
            bad += [piece[1]] if quarantined else []
            self._on_file(profile)
        for pieces, contract, staged in (
            (good, self._landing, self.landed.landing),
            (bad, self._quarantine, self.landed.quarantine),
        ):
            if pieces:
                path = self._next_path(contract)
                self._engine.use_files("salvaged", pieces, contract)
                self._write("SELECT * FROM salvaged", path, contract)
                staged.append(path)

    def _salvage(self, profile: Profile) -> tuple[str, str]:
        path = profile.file.path
        try:
            salvage.salvage(self._engine, profile, self._landing)
        except EngineError:
            _require_present([profile])
            raise
        lost = self._engine.query(salvage.lost_lines_select())["lines"][0].as_py()
        if lost:
            raise AuditError(
                f"{lost} lines were neither landed nor quarantined", where=path, hint="this is a bug: report it"
            )
        row = self._engine.query(salvage.counts_select()).to_pylist()[0]
        self.landed.counts[path] = (row["landed"], row["quarantined"])
        good, bad = (
            str(self._scratch / f"{self._feed}-{len(self.landed.counts)}-{kind}.parquet") for kind in ("good", "bad")
        )
        self._write(salvage.salvaged_select(self._landing, path, self._ingested_at), good, self._landing)
        self._write(salvage.quarantine_select(self._feed, path, self._ingested_at), bad, self._quarantine)
        salvage.forget(self._engine)
        return good, bad

    def _write(self, select: str, path: str, contract: Contract) -> None:
        self._engine.write(select, path, contract, self._ids[contract.name])

    def _next_path(self, contract: Contract) -> str:
        self._number += 1
        return f"{self._targets[contract.name]}-{self._feed}-{self._number}.parquet"


def _require_present(profiles: Sequence[Profile]) -> None:
    for profile in profiles:
        if not Path(profile.file.readable).is_file():
            raise LandingError(
                "a landing file vanished while it was read",
                where=profile.file.path,
                hint="run again when the delivery is complete; nothing was changed",
            )


def _suits_fast_read(profile: Profile) -> bool:
    """Whether a fast read may succeed: a name with a wildcard would be taken for a pattern."""
    return profile.plain and not set("*?[") & set(profile.file.readable)


def _batches(profiles: Sequence[Profile]) -> Iterator[list[Profile]]:
    for start in range(0, len(profiles), BATCH):
        yield list(profiles[start : start + BATCH])
