"""`stedi doctor`: is everything in order, and if not, what to do."""

from __future__ import annotations

from collections import Counter

import typer

from stedi.cli.options import AsJson, LakehouseDir, examples
from stedi.cli.output import Grid, counted, emit, note

#: What `--json` prints.
FIELDS = {
    "problems": "number of checks that found something that must be mended; the exit code is 1 where there are any",
    "warnings": "number of checks that found something to know",
    "checks[].name": "what was looked at",
    "checks[].status": "ok, warning or problem",
    "checks[].message": "what was found",
    "checks[].hint": "what to do; null where nothing is to be done",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    epilog = examples(
        "stedi doctor",
        "stedi doctor --lakehouse /srv/stedi --json | jq '.checks[] | select(.status != \"ok\")'",
    )
    app.command("doctor", short_help="Check the installation and the lakehouse.", epilog=epilog)(doctor)


def doctor(lakehouse: LakehouseDir = None, as_json: AsJson = False) -> None:
    """Check the installation and the lakehouse: versions, settings, every table's files, the key, leftovers, disk space.

    Changes nothing. Exits with 1 if there is a problem.
    """
    from stedi.lakehouse import doctor as examine

    checks = examine(lakehouse)
    counts = Counter(check.status for check in checks)
    facts = {
        "problems": counts["problem"],
        "warnings": counts["warning"],
        "checks": [{"name": c.name, "status": c.status, "message": c.message, "hint": c.hint} for c in checks],
    }
    rows = [(check.status, check.name, check.message) for check in checks]
    emit(facts, Grid(("status", "check", "found"), rows), as_json=as_json)
    if not as_json:
        note(*(f"{check.name}: {check.hint}" for check in checks if check.hint))
        note(f"{counted(counts['problem'], 'problem')}, {counted(counts['warning'], 'warning')}")
    if counts["problem"]:
        raise typer.Exit(1)
