"""`stedi hold`: forbid to forget somebody."""

from __future__ import annotations

from typing import Annotated

import typer

from stedi.cli.options import AsJson, LakehouseDir, examples, opened
from stedi.cli.output import emit
from stedi.cli.subject import Email, asked

#: What `--json` prints.
FIELDS = {
    "lakehouse": "folder of the lakehouse",
    "held": "whether the person is under a legal hold now",
    "changed": "whether that is new",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    epilog = examples(
        "stedi hold ana@example.org --reason 'court order 17/2026'",
        "stedi hold - --release < email.txt",
    )
    app.command("hold", short_help="Forbid to forget somebody, or allow it again.", epilog=epilog)(hold)


def hold(
    email: Email,
    reason: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Told to whoever wants to forget the person; it must not name them."),
    ] = None,
    release: Annotated[bool, typer.Option("--release", help="Lift the hold.")] = False,
    lakehouse: LakehouseDir = None,
    as_json: AsJson = False,
) -> None:
    """Put somebody under a legal hold: `stedi subject forget` refuses a request that names them, until the hold is lifted.

    The person is kept as a keyed hash, and need not be known yet.
    """
    lake = opened(lakehouse)
    who = asked([email], most=1)[0]
    if release:
        changed = lake.subjects.release(who)
        told = "the hold is lifted" if changed else "this person is under no hold"
    else:
        if reason is None:
            raise typer.BadParameter("a hold needs a reason: --reason TEXT")
        lake.subjects.hold(who, reason)
        changed, told = True, "this person will not be forgotten until the hold is lifted"
    emit({"lakehouse": str(lake.folder), "held": not release, "changed": changed}, told, as_json=as_json)
