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
class Before:
    """What the last completed run left, as far as a plan depends on it.

    Attributes:
        policy: the policy that it followed.
        fingerprint: digest of all that decides what the derived tables hold, but for the landing rows.
    """

    policy: str
    fingerprint: str


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
        reasons: why there is something to do; empty where the lakehouse is up to date.
        full_because: why the derived tables are built from all landing rows; empty where it is enough to replace what changed.
        erasure_waits: whether an erasure is half done: a run completes it first, and the landing files may then be others.
    """

    new: tuple[LandingFile, ...]
    touched: tuple[LandingFile, ...]
    unchanged: int
    vanished: int
    missing_feeds: tuple[str, ...]
    others: int
    reasons: tuple[str, ...]
    full_because: tuple[str, ...]
    erasure_waits: bool = False

    @property
    def nothing_to_do(self) -> bool:
        """Whether the lakehouse is up to date."""
        return not self.reasons

    @property
    def mode(self) -> str:
        """`nothing`, `incremental` or `full`."""
        if self.nothing_to_do:
            return "nothing"
        return "full" if self.full_because else "incremental"

    def as_dict(self) -> dict[str, object]:
        """The plan as `stedi run --dry-run --json` prints it."""
        return {
            "mode": self.mode,
            "reasons": list(self.reasons),
            "fullBecause": list(self.full_because),
            "new": [file.path for file in self.new],
            "touched": [file.path for file in self.touched],
            "unchanged": self.unchanged,
            "vanished": self.vanished,
            "missingFeeds": list(self.missing_feeds),
            "otherFiles": self.others,
            "erasureWaits": self.erasure_waits,
        }


def make_plan(
    landing: LandingArea, known: Mapping[str, KnownFile], before: Before | None, now: Before, *, full: bool
) -> Plan:
    """Decide what to do from what lies in the landing area and what was read before.

    Args:
        landing: what lies in the landing area.
        known: files read by earlier runs, by path.
        before: what the last completed run left; None for the first.
        now: what this run would leave.
        full: rebuild even if nothing changed.
    """
    found = landing.files
    new = tuple(file for file in found if file.path not in known)
    touched = tuple(file for file in found if file.path in known and _differs(file, known[file.path]))
    paths = {file.path for file in found}
    files = []
    if new:
        files.append(f"{len(new)} new landing file{'s' * (len(new) > 1)}")
    if touched:
        files.append(f"{len(touched)} landing file{'s' * (len(touched) > 1)} with another size or time")
    changed = _why_full(before, now, full=full)
    always = ("the policy seed is always built in full",) if now.policy == "seed" and not changed else ()
    return Plan(
        new=new,
        touched=touched,
        unchanged=len(found) - len(new) - len(touched),
        vanished=sum(path not in paths for path in known),
        missing_feeds=tuple(missing_feeds(found)),
        others=landing.others,
        reasons=(*files, *changed),
        full_because=(*changed, *always),
    )


def _why_full(before: Before | None, now: Before, *, full: bool) -> tuple[str, ...]:
    reasons = []
    if before is None:
        reasons.append("the first run")
    elif before != now:
        reasons.append("the policy, a threshold, the key or the models changed")
    if full:
        reasons.append("a full rebuild was asked for")
    return tuple(reasons)


def _differs(file: LandingFile, known: KnownFile) -> bool:
    return (file.size, file.modified_ns) != (known.size, known.modified_ns)
