"""Pin a run: it stays readable whatever its age, until it is unpinned."""

from __future__ import annotations

from dataclasses import replace

from stedi.catalog.pins import align_tags
from stedi.catalog.runs import completed_runs, rewrite_runs, workspace, written_to
from stedi.catalog.state import Run, readable_run
from stedi.config import Settings

NO_REASON = "no reason given"


def pin_run(settings: Settings, number: int, reason: str | None) -> Run:
    """Keep a run readable; pinning it again changes the reason.

    Raises:
        NotFoundError: there is no such run, or it can no longer be read.
        LakehouseError: somebody else is writing, or the lakehouse is damaged.
    """
    return _set(settings, number, reason or NO_REASON)


def unpin_run(settings: Settings, number: int) -> Run:
    """Let a run go when its time comes; no error where it is not pinned.

    Raises:
        NotFoundError: there is no such run, or it can no longer be read.
        LakehouseError: somebody else is writing, or the lakehouse is damaged.
    """
    return _set(settings, number, None)


def _set(settings: Settings, number: int, pinned: str | None) -> Run:
    with written_to(settings.home) as tables:
        runs = completed_runs(tables)
        run = replace(readable_run(runs, number), pinned=pinned)
        changed = [run if one.run == number else one for one in runs]
        if changed != runs:
            with workspace(tables) as token:
                rewrite_runs(tables, changed, token)
        align_tags(tables, changed)
        return run
