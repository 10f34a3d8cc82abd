"""What a completed run is. Light: no catalog is loaded for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stedi.contracts import Policy
from stedi.errors import NotFoundError

#: Raised when a lakehouse is written that older programs would misread. 2: landing rows say who the customer is (`_customer`).
FORMAT_VERSION = 2


@dataclass(frozen=True)
class Run:
    """A completed run.

    Attributes:
        run: its number, counted from 1.
        token: random mark that its files carry in their names.
        fingerprint: digest of all that decides what the derived tables hold, but for the landing rows.
        snapshots: the Iceberg snapshot of every table as of this run; None where a table never had a row.
        report: counts and durations; nothing personal.
        pinned: why the run is kept readable whatever its age; None where it is not pinned.
    """

    run: int
    token: str
    started_at: datetime
    finished_at: datetime
    policy: Policy
    fingerprint: str
    snapshots: dict[str, int | None]
    report: dict[str, Any]
    pinned: str | None = None

    @property
    def readable(self) -> bool:
        """Whether its tables can still be read: `stedi maintain` lets go of the snapshots of old runs."""
        return bool(self.snapshots)


def find_run(runs: list[Run], number: int | None) -> Run | None:
    """The run of that number, or the last one; None where nothing was ever published.

    Raises:
        NotFoundError: there is no run of that number.
    """
    if number is None:
        return runs[-1] if runs else None
    for run in runs:
        if run.run == number:
            return run
    raise NotFoundError(f"there is no run {number}", hint="`stedi runs` lists the completed runs")


def readable_run(runs: list[Run], number: int | None) -> Run:
    """The run of that number, or the last one, whose tables can still be read.

    Raises:
        NotFoundError: there is no run of that number, it was expired, or nothing was ever published.
    """
    run = find_run(runs, number)
    if run is None:
        raise NotFoundError("nothing was published here yet", hint="`stedi run --landing DIR` makes the first run")
    if not run.readable:
        oldest = next(other.run for other in runs if other.readable)
        raise NotFoundError(
            f"run {number} can no longer be read: it was expired",
            hint=f"the oldest run that can be read is {oldest}; `stedi runs` tells which can, `stedi pin` keeps one",
        )
    return run
