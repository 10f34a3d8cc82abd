"""`stedi tables`: what is in the lakehouse."""

from __future__ import annotations

import typer

from stedi.cli.options import AsJson, AsOf, LakehouseDir, examples, opened_as_of
from stedi.cli.output import Grid, emit, iso, when

#: What `--json` prints.
FIELDS = {
    "lakehouse": "folder of the lakehouse",
    "run": "the run that the tables are shown as of",
    "publishedAt": "when that run was published (ISO 8601, UTC)",
    "tables[].name": "name of the table",
    "tables[].zone": "landing, trusted, curated, or records (the lakehouse's own)",
    "tables[].rows": "number of rows",
    "tables[].snapshot": "Iceberg snapshot, as text; null where the table never had a row, and for `runs`, which is the list of snapshots",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    epilog = examples(
        "stedi tables",
        "stedi tables --as-of 3 --lakehouse /srv/stedi",
        "stedi tables --json | jq '.tables[] | select(.zone == \"curated\") | .rows'",
    )
    app.command("tables", short_help="List the tables with their rows.", epilog=epilog)(tables)


def tables(lakehouse: LakehouseDir = None, as_of: AsOf = None, as_json: AsJson = False) -> None:
    """List the tables with their zone, rows and Iceberg snapshot, as of the last completed run."""
    lake = opened_as_of(lakehouse, as_of, asks_engine=False)
    found = lake.tables()
    facts = {
        "lakehouse": str(lake.folder),
        "run": found[0].run,
        "publishedAt": iso(found[0].published_at),
        "tables": [
            {
                "name": t.name,
                "zone": t.zone,
                "rows": t.rows,
                "snapshot": None if t.snapshot is None else str(t.snapshot),
            }
            for t in found
        ],
    }
    rows = [
        (t.zone, t.name, t.rows, None if t.snapshot is None else str(t.snapshot), when(t.published_at)) for t in found
    ]
    emit(facts, Grid(("zone", "table", ">rows", ">snapshot", "published (UTC)"), rows), as_json=as_json)
