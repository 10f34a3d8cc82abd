"""`stedi maintain`: files and earlier runs kept in shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from stedi.cli.options import AsJson, LakehouseDir, examples, opened
from stedi.cli.output import Grid, counted, emit, note
from stedi.cli.progress import progress

if TYPE_CHECKING:
    from stedi.runs.maintain import Amount, Upkeep

#: What `--json` prints.
FIELDS = {
    "lakehouse": "folder of the lakehouse",
    "dryRun": "true with --dry-run: nothing was changed, and this says what would be done now",
    "expiredRuns[]": "numbers of the runs that can no longer be read",
    "tables[].name": "name of the table",
    "tables[].merged": "small files that were merged",
    "tables[].mergedBytes": "their size",
    "tables[].into": "files that hold their rows now",
    "tables[].intoBytes": "their size; null with --dry-run",
    "tables[].expiredSnapshots": "Iceberg snapshots that were expired",
    "tables[].deletedFiles": "files that were deleted",
    "tables[].deletedBytes": "their size",
    "waitingFiles": "files that nothing refers to, kept because somebody may still be reading them",
    "waitingBytes": "their size",
}

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done now, and change nothing.")]
KeepRuns = Annotated[
    int | None,
    typer.Option(
        "--keep-runs", metavar="N", min=1, help="Keep the last N runs readable; by default `keep_runs` in stedi.toml."
    ),
]
KeepDays = Annotated[
    int | None,
    typer.Option(
        "--keep-days",
        metavar="D",
        min=0,
        help="Besides, keep the last run of each of the last D days; by default `keep_days` in stedi.toml.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    epilog = examples(
        "stedi maintain --dry-run",
        "stedi maintain",
        "stedi maintain --keep-runs 5 --keep-days 7",
        "stedi maintain --json | jq '[.tables[].deletedBytes] | add'",
    )
    app.command("maintain", short_help="Merge small files, let go of old runs, free space.", epilog=epilog)(maintain)


def maintain(
    dry_run: DryRun = False,
    keep_runs: KeepRuns = None,
    keep_days: KeepDays = None,
    lakehouse: LakehouseDir = None,
    as_json: AsJson = False,
) -> None:
    """Merge small files, let go of runs that are neither young nor pinned, and delete the files that nothing refers to.

    The rows stay as they are, and readers need not wait. Files are deleted an hour after the last run or snapshot that needed them is
    gone (`min_age_s` in stedi.toml).
    """
    lake = opened(lakehouse)
    with progress(as_json=as_json) as report:
        done = lake.maintain(keep_runs=keep_runs, keep_days=keep_days, dry_run=dry_run, progress=report)
    tables = _tables(done)
    facts = {
        "lakehouse": str(lake.folder),
        "dryRun": done.dry_run,
        "expiredRuns": list(done.expired),
        "tables": tables,
        "waitingFiles": done.waiting.files,
        "waitingBytes": done.waiting.bytes,
    }
    emit(facts, *_text(done, tables), as_json=as_json)
    if not as_json and done.waiting.files:
        note(f"note: {_told(done.waiting)} that nothing refers to must wait: somebody may still be reading them")


def _tables(done: Upkeep) -> list[dict[str, Any]]:
    names = sorted({*done.merged, *done.snapshots, *done.deleted})
    return [_facts(done, name) for name in names]


def _facts(done: Upkeep, name: str) -> dict[str, Any]:
    merged, deleted = done.merged.get(name), done.deleted.get(name)
    return {
        "name": name,
        "merged": merged.before.files if merged else 0,
        "mergedBytes": merged.before.bytes if merged else 0,
        "into": merged.after.files if merged else 0,
        "intoBytes": (None if done.dry_run else merged.after.bytes) if merged else 0,
        "expiredSnapshots": done.snapshots.get(name, 0),
        "deletedFiles": deleted.files if deleted else 0,
        "deletedBytes": deleted.bytes if deleted else 0,
    }


def _text(done: Upkeep, tables: list[dict[str, Any]]) -> list[Grid | str]:
    would = "would " if done.dry_run else ""
    if not tables and not done.expired:
        return ["nothing to do"]
    runs = ", ".join(map(str, done.expired)) or "none"
    columns = ("table", ">merged", ">into", ">expired snapshots", ">deleted files", ">deleted bytes")
    shown = ("name", "merged", "into", "expiredSnapshots", "deletedFiles", "deletedBytes")
    title = "What would be done now" if done.dry_run else "What was done"
    return [
        f"runs that {would}expire: {runs}" if done.dry_run else f"runs that expired: {runs}",
        Grid(columns, [tuple(table[name] for name in shown) for table in tables], title),
    ]


def _told(amount: Amount) -> str:
    return f"{counted(amount.files, 'file')} of {amount.bytes:,} bytes"
