"""`stedi diff`: what changed between two runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from stedi.cli.options import AsJson, LakehouseDir, examples, opened
from stedi.cli.output import Grid, emit, note

if TYPE_CHECKING:
    from stedi.runs.diff import TableDiff

#: What `--json` prints.
FIELDS = {
    "lakehouse": "folder of the lakehouse",
    "from": "number of the first run",
    "to": "number of the second run",
    "tables[].name": "name of the table",
    "tables[].zone": "landing, trusted, curated, or records (the lakehouse's own)",
    "tables[].added": "rows that only the second run has; null where the two cannot be compared",
    "tables[].removed": "rows that only the first run has; null where the two cannot be compared",
    "tables[].incomparable": "why they cannot be compared; null where they can",
}

First = Annotated[int, typer.Argument(metavar="RUN1", min=1, help="Number of the run to start from.")]
Second = Annotated[int, typer.Argument(metavar="RUN2", min=1, help="Number of the run to compare it with.")]
Table = Annotated[
    str | None, typer.Option("--table", metavar="TABLE", help="Only this table; all but `runs` by default.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    epilog = examples(
        "stedi diff 11 12",
        "stedi diff 1 12 --table machine_learning_curated",
        "stedi diff 11 12 --json | jq '.tables[] | select(.removed > 0) | .name'",
    )
    app.command("diff", short_help="Count the rows that changed between two runs.", epilog=epilog)(diff)


def diff(
    first: First, second: Second, table: Table = None, lakehouse: LakehouseDir = None, as_json: AsJson = False
) -> None:
    """Count the rows that every table gained and lost from one run to another.

    Rows are compared by all columns; one that is there twice counts twice. A changed row is one removed and one added.
    """
    lake = opened(lakehouse)
    found = lake.diff(first, second, table=table.lower() if table else None)
    facts = {
        "lakehouse": str(lake.folder),
        "from": first,
        "to": second,
        "tables": [_facts(one) for one in found],
    }
    rows = [(one.zone, one.table, one.added, one.removed) for one in found]
    emit(facts, Grid(("zone", "table", ">added", ">removed"), rows), as_json=as_json)
    if not as_json:
        note(*(f"note: {one.table} cannot be compared: {one.incomparable}" for one in found if one.incomparable))


def _facts(one: TableDiff) -> dict[str, Any]:
    return {
        "name": one.table,
        "zone": one.zone,
        "added": one.added,
        "removed": one.removed,
        "incomparable": one.incomparable,
    }
