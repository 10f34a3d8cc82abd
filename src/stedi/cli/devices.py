"""`stedi devices`: the sessions for which a person must look whose device it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from stedi.cli.options import AsJson, AsOf, LakehouseDir, ShowPersonal, examples, opened_as_of
from stedi.cli.output import Grid, counted, emit, iso_of_ms, masked, note

if TYPE_CHECKING:
    from stedi.lakehouse import Lakehouse

#: What `--json` prints.
FIELDS = {
    "lakehouse": "folder of the lakehouse",
    "ambiguous": "number of sessions that need a person's look, shown or not",
    "assigned": "number of sessions that have their customer, shown or not",
    "registered": "number of those for which the registered serial number decided",
    "meanJaccard": "mean J of the assigned sessions, null where there are none; well below 1 where readings get lost",
    "masked": "whether personal values are masked",
    "sessions[].serialNumber": "the device; personal",
    "sessions[].sessionStart": "first reading, ms since the epoch (UTC)",
    "sessions[].sessionEnd": "last reading, ms since the epoch (UTC)",
    "sessions[].sessionStartUtc": "first reading, ISO 8601; null where no calendar has that instant",
    "sessions[].sessionEndUtc": "last reading, ISO 8601",
    "sessions[].status": "ambiguous or assigned",
    "sessions[].reason": "tie, choice not mutual; evidence, registration",
    "sessions[].registered": "whether the registered serial number decided",
    "sessions[].matches": "M: instants that device and customer both reported",
    "sessions[].deviceReadings": "D: instants of the device in the window",
    "sessions[].customerReadings": "A: instants of the customer in the window",
    "sessions[].jaccard": "J = M / (D + A - M)",
    "sessions[].customer": "whose session it is; personal, null unless assigned",
    "sessions[].candidate": "the best candidate of an ambiguous session; personal",
    "sessions[].rival": "another candidate that does as well; personal",
}

_PERSONAL = ("serialNumber", "customer", "candidate", "rival")
_PLAIN = (
    "sessionStart",
    "sessionEnd",
    "status",
    "reason",
    "registered",
    "matches",
    "deviceReadings",
    "customerReadings",
    "jaccard",
)

#: Mean J of the assigned sessions from which on nothing to speak of gets lost: with 0.5 % lost on either side it is 0.99.
_LOSSLESS = 0.99

All = Annotated[bool, typer.Option("--all", help="List the assigned sessions, too.")]
Limit = Annotated[int, typer.Option(metavar="N", min=1, help="Sessions to show at most.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    epilog = examples(
        "stedi devices",
        "stedi devices --all --limit 20",
        "stedi devices --show-personal --json | jq '.sessions[] | [.candidate, .rival]'",
    )
    app.command("devices", short_help="List the sessions that need a person's look.", epilog=epilog)(devices)


def devices(
    all_sessions: All = False,
    limit: Limit = 1000,
    show_personal: ShowPersonal = False,
    as_of: AsOf = None,
    lakehouse: LakehouseDir = None,
    as_json: AsJson = False,
) -> None:
    """List the sessions that the evidence gives to nobody for certain, with that evidence.

    M: instants that device and customer both reported. D and A: instants of the device, and of the customer. J = M / (D + A - M).
    Readings of these sessions stay out of the trusted and curated zones.
    """
    lake = opened_as_of(lakehouse, as_of)
    counts = _counts(lake)
    sessions = [_session(row, show_personal=show_personal) for row in _found(lake, limit, all_sessions=all_sessions)]
    facts = {"lakehouse": str(lake.folder), **counts, "masked": not show_personal, "sessions": sessions}
    emit(
        facts,
        *([_grid(sessions, all_sessions=all_sessions, show_personal=show_personal)] if sessions else []),
        as_json=as_json,
    )
    if not as_json:
        _tell(counts, len(sessions), all_sessions=all_sessions)
        if lake.settings.devices.identity_rule == "jaccard" and (counts["meanJaccard"] or 1) < _LOSSLESS:
            note(
                f"note: readings get lost, or clocks disagree (mean J {counts['meanJaccard']:.2f}): sessions are left out then,"
                ' and some may be assigned wrong; identity_rule = "likelihood" is made for that'
            )


def _counts(lake: Lakehouse) -> dict[str, Any]:
    sql = (
        "SELECT count_if(status = 'ambiguous') AS ambiguous, count_if(status = 'assigned') AS assigned,"
        " count_if(status = 'assigned' AND registered) AS registered,"
        " avg(jaccard) FILTER (status = 'assigned') AS \"meanJaccard\" FROM device_sessions"
    )
    found = lake.query(sql).to_arrow().to_pylist()[0]
    mean = found.pop("meanJaccard")
    return {**{name: int(number) for name, number in found.items()}, "meanJaccard": mean}


def _found(lake: Lakehouse, limit: int, *, all_sessions: bool) -> list[dict[str, Any]]:
    columns = ", ".join(f'"{name}"' for name in (*_PERSONAL, *_PLAIN))
    which = "TRUE" if all_sessions else "status = 'ambiguous'"
    sql = (
        f"SELECT {columns} FROM device_sessions WHERE {which}"
        f' ORDER BY status, "sessionStart", "serialNumber" LIMIT {limit}'
    )
    rows: list[dict[str, Any]] = lake.query(sql).to_arrow().to_pylist()
    return rows


def _session(row: dict[str, Any], *, show_personal: bool) -> dict[str, Any]:
    instants = {f"{name}Utc": iso_of_ms(row[name]) for name in ("sessionStart", "sessionEnd")}
    return (row if show_personal else masked(row, _PERSONAL)) | instants


def _grid(sessions: list[dict[str, Any]], *, all_sessions: bool, show_personal: bool) -> Grid:
    state = ("status", "registered") if all_sessions else ()
    people = ("customer", "candidate", "rival") if show_personal else ()
    columns = ("device", "start (UTC)", "end (UTC)", *state, "reason", ">M", ">D", ">A", ">J", *people)
    return Grid(columns, [_line(row, state, people) for row in sessions], records=True)


def _line(row: dict[str, Any], state: tuple[str, ...], people: tuple[str, ...]) -> tuple[object, ...]:
    times = (_time(row, "sessionStart"), _time(row, "sessionEnd"))
    evidence = (row["matches"], row["deviceReadings"], row["customerReadings"], f"{row['jaccard']:.3f}")
    shown = {**row, "registered": "yes" if row["registered"] else "no"}
    return (
        row["serialNumber"],
        *times,
        *(shown[n] for n in state),
        row["reason"],
        *evidence,
        *(row[n] for n in people),
    )


def _time(row: dict[str, Any], name: str) -> str:
    """An instant to the second; JSON has the milliseconds."""
    text: str | None = row[f"{name}Utc"]
    return text[:19].replace("T", " ") if text else f"{row[name]} ms"


def _tell(counts: dict[str, Any], shown: int, *, all_sessions: bool) -> None:
    note(
        f"{counted(counts['ambiguous'], 'ambiguous session')}, {counts['assigned']:,} assigned ({counts['registered']:,} by registration)"
    )
    if shown < counts["ambiguous"] + (counts["assigned"] if all_sessions else 0):
        note(f"note: the first {shown:,} are shown; --limit shows more")
    if counts["ambiguous"]:
        note(
            "the evidence of each is in the table device_sessions; more readings, or a right serial number, may settle it"
        )
