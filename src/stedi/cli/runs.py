"""`stedi runs`: what was done, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from stedi.cli.options import AsJson, LakehouseDir, examples, opened
from stedi.cli.output import Grid, emit, iso, note, snapshot_ids, when

if TYPE_CHECKING:
    from stedi.catalog.state import Run

#: What the report of a run holds; `stedi run --json` prints it, too.
REPORT_FIELDS = {
    "landing": "the landing folder",
    "mode": "`incremental` (the tables were brought up to date) or `full` (they were built from all landing rows)",
    "reasons[]": "why there was something to do",
    "fullBecause[]": "why the tables were built in full; empty where they were not",
    "unchangedFiles": "landing files that need not be looked at",
    "vanishedFiles": "landing files that were read once and are gone; what they brought stays",
    "missingFeeds[]": "feeds without any file",
    "landedFiles": "rows of the table landed_files after the run",
    "otherFiles": "files in the folders of the feeds that have other endings, and are not read",
    "feeds.FEED.files": "landing files read in this run",
    "feeds.FEED.landed": "records of those files that went to the landing table",
    "feeds.FEED.quarantined": "records of those files that went to the quarantine",
    "feeds.FEED.arrived": "landed + quarantined + suppressed",
    "suppressed.FEED": "records of those files that were kept out because their people were erased",
    "rows.TABLE": "rows of the table after the run",
    "added.TABLE": "rows that the run added to the table; all of them where it was built in full",
    "removed.TABLE": "rows that the run removed from the table; all of them where it was built in full",
    "withheld.FEED.REASON": "landing records that are in no trusted table, and why",
    "steps[].step": "landing; the tables, or what was brought up to date; withheld, audit, commit",
    "steps[].seconds": "how long the step took",
    "keyId": "mark of the pseudonym key; it does not reveal the key",
}

#: What `--json` prints.
FIELDS = {
    "lakehouse": "folder of the lakehouse",
    "runs[].run": "number of the run, counted from 1",
    "runs[].token": "random mark that the data files of this run carry in their names",
    "runs[].startedAt": "start (ISO 8601, UTC)",
    "runs[].finishedAt": "publication (ISO 8601, UTC)",
    "runs[].seconds": "from start to publication",
    "runs[].policy": "strict or seed",
    "runs[].fingerprint": "digest of all that decides what the derived tables hold, but for the landing rows",
    "runs[].readable": "whether --as-of can read it; false once it was expired",
    "runs[].pinned": "why it is kept readable whatever its age; null where it is not pinned",
    "runs[].snapshots.TABLE": "Iceberg snapshot of the table as of this run, as text; null where it never had a row; none once expired",
    **{f"runs[].report.{name}": meaning for name, meaning in REPORT_FIELDS.items()},
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    epilog = examples(
        "stedi runs",
        "stedi runs --json | jq '.runs[-1].report.withheld'",
    )
    app.command("runs", short_help="List the completed runs.", epilog=epilog)(runs)


def runs(lakehouse: LakehouseDir = None, as_json: AsJson = False) -> None:
    """List the completed runs, oldest first: what was read, quarantined, and withheld for lack of consent or evidence.

    "withheld" counts the landing records of all files read so far that are in no trusted table after the run. "readable" says whether
    --as-of can read it: `stedi maintain` lets go of old runs, but never of pinned ones; `stedi subject forget` of all that hold the person.
    """
    lake = opened(lakehouse)
    found = lake.runs()
    rows = [
        (str(run.run), when(run.finished_at), run.policy, f"{_seconds(run):.1f}", *_sums(run.report), _kept(run))
        for run in found
    ]
    columns = (
        ">run",
        "published (UTC)",
        "policy",
        ">seconds",
        ">files",
        ">landed",
        ">quarantined",
        ">withheld",
        "readable",
    )
    facts = {"lakehouse": str(lake.folder), "runs": [_facts(run) for run in found]}
    emit(facts, *([Grid(columns, rows)] if rows else []), as_json=as_json)
    if not found and not as_json:
        note("nothing was published here yet: `stedi run --landing DIR` makes the first run")


def _facts(run: Run) -> dict[str, Any]:
    return {
        "run": run.run,
        "token": run.token,
        "startedAt": iso(run.started_at),
        "finishedAt": iso(run.finished_at),
        "seconds": round(_seconds(run), 3),
        "policy": run.policy,
        "fingerprint": run.fingerprint,
        "readable": run.readable,
        "pinned": run.pinned,
        "snapshots": snapshot_ids(run.snapshots),
        "report": run.report,
    }


def _kept(run: Run) -> str:
    if run.pinned:
        return f"pinned: {run.pinned}"
    return "yes" if run.readable else "no"


def _seconds(run: Run) -> float:
    return (run.finished_at - run.started_at).total_seconds()


def _sums(report: dict[str, Any]) -> tuple[int, int, int, int]:
    """Files, landed, quarantined, withheld, over all feeds."""
    feeds = report["feeds"].values()
    files, landed, quarantined = (sum(feed[name] for feed in feeds) for name in ("files", "landed", "quarantined"))
    return files, landed, quarantined, sum(sum(reasons.values()) for reasons in report["withheld"].values())
