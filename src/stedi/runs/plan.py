"""What a run will do, and why. Pure: it looks at lists, and touches nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stedi.ingest.discover import LandingArea, LandingFile, missing_feeds


@dataclass(frozen=True)
class KnownFile:
    """A landing file as an earlier run read it: the latest row of its path in `landed_files`."""

    path: str
    feed: str
    size: int
    modified_ns: int
    sha256: str
    landed: int
    quarantined: int


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        new: files never read before.
        touched: files whose size or modification time is not what it was; read again if their content changed, too.
        unchanged: number of files that need not be looked at.
        vanished: number of files that were read once and are gone; what they brought stays.
        missing_feeds: feeds without any file.
        others: number of files in the folders of the feeds that are no landing files, by their names; they are not read.
        rebuild: why the derived tables are built; empty where nothing is to be done.
    """

    new: tuple[LandingFile, ...]
    touched: tuple[LandingFile, ...]
    unchanged: int
    vanished: int
    missing_feeds: tuple[str, ...]
    others: int
    rebuild: tuple[str, ...]

    @property
    def nothing_to_do(self) -> bool:
        """Whether the lakehouse is up to date."""
        return not self.rebuild

    def as_dict(self) -> dict[str, object]:
        """The plan as `stedi run --dry-run --json` prints it."""
        return {
            "new": [file.path for file in self.new],
            "touched": [file.path for file in self.touched],
            "unchanged": self.unchanged,
            "vanished": self.vanished,
            "missingFeeds": list(self.missing_feeds),
            "otherFiles": self.others,
            "rebuild": list(self.rebuild),
        }


def make_plan(
    landing: LandingArea,
    known: Mapping[str, KnownFile],
    last_fingerprint: str | None,
    fingerprint: str,
    *,
    full: bool,
) -> Plan:
    """Decide what to do from what lies in the landing area and what was read before.

    Args:
        landing: what lies in the landing area.
        known: files read by earlier runs, by path.
        last_fingerprint: of the last completed run; None for the first.
        fingerprint: of this run.
        full: rebuild even if nothing changed.
    """
    found = landing.files
    new = tuple(file for file in found if file.path not in known)
    touched = tuple(file for file in found if file.path in known and _differs(file, known[file.path]))
    paths = {file.path for file in found}
    reasons = []
    if new:
        reasons.append(f"{len(new)} new landing file{'s' * (len(new) > 1)}")
    if touched:
        reasons.append(f"{len(touched)} landing file{'s' * (len(touched) > 1)} with another size or time")
    if last_fingerprint is None:
        reasons.append("the first run")
    elif last_fingerprint != fingerprint:
        reasons.append("the policy, a threshold, the key or the models changed")
    if full:
        reasons.append("a full rebuild was asked for")
    return Plan(
        new=new,
        touched=touched,
        unchanged=len(found) - len(new) - len(touched),
        vanished=sum(path not in paths for path in known),
        missing_feeds=tuple(missing_feeds(found)),
        others=landing.others,
        rebuild=tuple(reasons),
    )


def _differs(file: LandingFile, known: KnownFile) -> bool:
    return (file.size, file.modified_ns) != (known.size, known.modified_ns)
