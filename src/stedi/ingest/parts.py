"""Parts of a delivery, each for one reader: an embedded engine, here or in a task of Spark (docs/decisions/0003)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from stedi.contracts import Contract
from stedi.engines.base import Engine, Tell
from stedi.ingest.discover import LandingFile
from stedi.ingest.land import Landed, Lander
from stedi.ingest.objects import fetched
from stedi.ingest.profile import Profile, profiles

#: What a reader should have to do, in bytes, before another one is called: to start one takes as long.
ENOUGH = 16 << 20
File = TypeVar("File", LandingFile, Profile)


@dataclass(frozen=True)
class LandingPart:
    """Files of one feed that one reader lands, and all that it must know; see `Lander`."""

    feed: str
    profiles: list[Profile]
    contracts: tuple[Contract, Contract]
    field_ids: dict[str, dict[str, int]]
    targets: dict[str, str]
    ingested_at: str


def land_part(engine: Engine, scratch: Path, part: LandingPart, tell: Tell) -> Landed:
    """Land the files of a part; tells the size of each that is done. Objects that are still far are fetched wave by wave."""
    lander = Lander(
        engine,
        part.feed,
        part.contracts,
        part.field_ids,
        part.targets,
        scratch,
        part.ingested_at,
        lambda profile: tell(profile.file.size),
    )
    of = {profile.file.path: profile for profile in part.profiles}
    with closing(fetched([profile.file for profile in part.profiles], scratch / "objects")) as waves:
        for wave in waves:
            lander.land([replace(of[file.path], file=file) for file in wave])
    return lander.landed


def profile_part(_engine: Engine, _scratch: Path, files: list[LandingFile], tell: Tell) -> list[Profile]:
    """Profile files; tells the path of each that is done. Objects that are far are read as a stream."""
    found = []
    for profile in profiles(files):
        tell(profile.file.path)
        found.append(profile)
    return found


def is_much(files: Sequence[LandingFile]) -> bool:
    """Whether it is worth to call other machines."""
    return sum(map(_size, files)) > ENOUGH


def shared_out(files: Sequence[File], readers: int) -> list[list[File]]:
    """Files in runs of about the same size: one for a single reader, else enough to keep all at work, but none of a few bytes alone."""
    total = sum(map(_size, files))
    wanted = 1 if readers == 1 else max(1, min(4 * readers, total // ENOUGH))
    parts: list[list[File]] = [[]]
    filled = 0
    for file in files:
        if filled >= total * len(parts) / wanted and parts[-1]:
            parts.append([])
        parts[-1].append(file)
        filled += _size(file)
    return [part for part in parts if part]


def _size(file: LandingFile | Profile) -> int:
    return file.size if isinstance(file, LandingFile) else file.file.size
