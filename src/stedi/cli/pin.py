"""`stedi pin`: keep a run readable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from stedi.cli.options import AsJson, LakehouseDir, examples, opened
from stedi.cli.output import emit

if TYPE_CHECKING:
    from stedi.catalog.state import Run
    from stedi.lakehouse import Lakehouse

#: What `--json` prints.
FIELDS = {
    "lakehouse": "folder of the lakehouse",
    "run": "number of the run",
    "pinned": "why the run is kept; null where it is not pinned",
}

Number = Annotated[int, typer.Argument(metavar="RUN", min=1, help="Number of the run, as `stedi runs` lists it.")]
Reason = Annotated[
    str | None, typer.Option("--reason", metavar="TEXT", help="Why, for whoever reads `stedi runs`; no personal data.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    epilog = examples("stedi pin 12", 'stedi pin 12 --reason "trained model 7"')
    app.command("pin", short_help="Keep a run readable, whatever its age.", epilog=epilog)(pin)


def pin(number: Number, reason: Reason = None, lakehouse: LakehouseDir = None, as_json: AsJson = False) -> None:
    """Keep a run readable, whatever its age, until it is unpinned.

    Every table gets the Iceberg tag `run-RUN` on its snapshot of then, by which other engines can read it, too.
    """
    lake = opened(lakehouse)
    run = lake.pin(number, reason=reason)
    emit(facts_of(lake, run), f"run {run.run} is pinned: {run.pinned}", as_json=as_json)


def facts_of(lake: Lakehouse, run: Run) -> dict[str, Any]:
    """What `--json` prints of a run that was pinned or unpinned."""
    return {"lakehouse": str(lake.folder), "run": run.run, "pinned": run.pinned}
