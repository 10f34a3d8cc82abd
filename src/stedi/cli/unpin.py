"""`stedi unpin`: let a run go when its time comes."""

from __future__ import annotations

import typer

from stedi.cli import pin
from stedi.cli.options import AsJson, LakehouseDir, examples, opened
from stedi.cli.output import emit

#: What `--json` prints.
FIELDS = pin.FIELDS


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("unpin", short_help="Let a pinned run go when its time comes.", epilog=examples("stedi unpin 12"))(
        unpin
    )


def unpin(number: pin.Number, lakehouse: LakehouseDir = None, as_json: AsJson = False) -> None:
    """Let a pinned run go when its time comes: `stedi maintain` then treats it as any other."""
    lake = opened(lakehouse)
    run = lake.unpin(number)
    emit(pin.facts_of(lake, run), f"run {run.run} is not pinned", as_json=as_json)
