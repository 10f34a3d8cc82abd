"""`stedi consent`: why a person's data is in or out, and what the next run would change."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stedi.cli.options import AsJson, AsOf, LakehouseDir, ShowPersonal, examples, opened, opened_as_of
from stedi.cli.output import MASK, Grid, counted, emit, iso, iso_of_ms, note, when
from stedi.cli.progress import progress
from stedi.cli.run import Landing, PolicyOption, tell_erasure

if TYPE_CHECKING:
    from stedi.privacy.consent import ConsentExplanation, Decision
    from stedi.runs.impact import ConsentImpact

#: What `--json` prints, by subcommand.
FIELDS_OF_EXPLAIN = {
    "lakehouse": "folder of the lakehouse",
    "run": "number of the run that it was read from",
    "policy": "strict or seed",
    "known": "whether anything at all is known of the person",
    "consents": "whether the person shares with research, by the decision that holds",
    "decisions[].decision": "consented, instant changed, withdrew or not given; the last one holds",
    "decisions[].sinceMs": "the consent instant, ms since the epoch (UTC); null where the person does not share",
    "decisions[].sinceUtc": "the same, ISO 8601; null where no calendar has that instant",
    "decisions[].decidedMs": "when the person decided: lastUpdateDate of the record, ms since the epoch (UTC)",
    "decisions[].decidedUtc": "the same, ISO 8601",
    "decisions[].run": "number of the run that learned of it; null where `stedi runs` does not list it any more",
    "decisions[].learnedAt": "start of that run (ISO 8601, UTC)",
    "decisions[].file": "landing file of the record",
    "decisions[].line": "line of the record in that file",
    "feeds.FEED.landed": "records of the person that landed; of step_trainer those of their device sessions",
    "feeds.FEED.kept": "those of them that are in the trusted table",
    "feeds.FEED.withheld.REASON": "those that are not, and why",
    "devices": "number of devices that are assigned to the person",
    "masked": "whether the devices are masked",
    "sessions[].device": "serial number of the device; personal",
    "sessions[].startMs": "first reading, ms since the epoch (UTC)",
    "sessions[].startUtc": "the same, ISO 8601",
    "sessions[].endMs": "last reading, ms since the epoch (UTC)",
    "sessions[].endUtc": "the same, ISO 8601",
    "sessions[].status": "assigned, or ambiguous: the person is one of those who may have used the device",
    "sessions[].reason": "evidence, registration; tie, choice not mutual",
    "rows.TABLE": "rows of the table that are there because of the person",
    "quarantined": "records in the quarantine whose text mentions the email; they count for nothing until they can be read",
}

FIELDS_OF_IMPACT = {
    "lakehouse": "folder of the lakehouse",
    "mode": "what the next run would be: `nothing`, `incremental` or `full`",
    "reasons[]": "why there is something to do",
    "customers.consent": "customers who do not share now, and will",
    "customers.withdraw": "customers who share now, and will not",
    "customers.changeInstant": "customers who share now and will, but since another instant",
    "customers.notGiven": "new customers who do not share",
    "tables.TABLE.before": "rows of the table now",
    "tables.TABLE.added": "rows that it will gain; null where another policy gives it another shape",
    "tables.TABLE.removed": "rows that it will lose; null likewise",
    "tables.TABLE.after": "rows that it will have",
    "withheldBefore.FEED.REASON": "landing records that are in no trusted table now, and why",
    "withheldAfter.FEED.REASON": "the same after the next run",
    "erasureWaits": "whether an erasure is half done: the next run completes it first, and what goes with it is not told here",
}

Email = Annotated[
    str, typer.Argument(metavar="EMAIL", help="The person; `-` asks for it, or reads a line of standard input.")
]


def register(app: typer.Typer) -> None:
    """Add the command and its subcommands."""
    group = typer.Typer(rich_markup_mode=None)
    explaining = examples(
        "stedi consent explain ana@example.org",
        "stedi consent explain - --as-of 3",
        "stedi consent explain - --json < email.txt | jq '.decisions[-1]'",
    )
    group.callback(epilog=explaining)(consent)
    group.command("explain", short_help="Say why a person's data is in or out.", epilog=explaining)(explain)
    group.command(
        "impact",
        short_help="Say what the next run would add and remove, before it is run.",
        epilog=examples(
            "stedi consent impact --landing feeds",
            "stedi consent impact --json | jq '.tables.machine_learning_curated'",
        ),
    )(impact)
    app.add_typer(group, name="consent", short_help="Ask who shares with research, since when, and what follows.")


def consent() -> None:
    """Ask who shares with research, since when that is known, and what follows for the tables."""


def impact(
    landing: Landing = None, lakehouse: LakehouseDir = None, policy: PolicyOption = None, as_json: AsJson = False
) -> None:
    """Say what the next run would add to each table and remove from it, and for how many customers, before it is run.

    The run is rehearsed: it takes as long as the run itself, no other run can be under way, and nothing is changed.
    """
    lake = opened(lakehouse)
    with progress(as_json=as_json) as report:
        found = lake.consent_impact(landing, policy=policy, progress=report)
    facts = {
        "lakehouse": str(lake.folder),
        "mode": found.mode,
        "reasons": list(found.reasons),
        "customers": found.customers,
        "tables": {name: asdict(table) for name, table in found.tables.items()},
        "withheldBefore": found.withheld_before,
        "withheldAfter": found.withheld_after,
        "erasureWaits": found.erasure_waits,
    }
    emit(facts, *_told_impact(found), as_json=as_json)
    if not as_json:
        tell_erasure(waits=found.erasure_waits)


def _told_impact(found: ConsentImpact) -> list[Grid | str]:
    if found.mode == "nothing":
        return ["up to date: the next run would change nothing"]
    people = [
        ("newly consent", found.customers["consent"]),
        ("withdraw", found.customers["withdraw"]),
        ("consent since another instant", found.customers["changeInstant"]),
        ("are new and do not share", found.customers["notGiven"]),
    ]
    tables = [
        (
            name,
            t.before,
            "rebuilt" if t.added is None else t.added,
            "rebuilt" if t.removed is None else t.removed,
            t.after,
        )
        for name, t in found.tables.items()
    ]
    return [
        f"the next run ({found.mode}) would change this; why: {', '.join(found.reasons)}",
        Grid(("customers who", ">number"), people),
        Grid(("table", ">before", ">added", ">removed", ">after"), tables, "Tables"),
    ]


def explain(
    email: Email,
    as_of: AsOf = None,
    show_personal: ShowPersonal = False,
    lakehouse: LakehouseDir = None,
    as_json: AsJson = False,
) -> None:
    """Say why a person's data is in or out: their decisions, learned when and from which line, and what became of their records.

    Somebody nobody knows is an answer, not an error. An email typed here stays in the history of the shell; with `-` it does not. The
    answer does not repeat it, and names nobody else; --show-personal shows the serial numbers of the devices.
    """
    lake = opened_as_of(lakehouse, as_of)
    found = lake.explain_consent(_asked(email))
    facts = {"lakehouse": str(lake.folder), **_facts(found, show_personal=show_personal)}
    emit(facts, *_text(found, facts), as_json=as_json)
    if not as_json:
        _tell(found)


def _asked(email: str) -> str:
    if email == "-":
        email = typer.prompt("email", err=True) if sys.stdin.isatty() else sys.stdin.readline()
    if not email.strip():
        raise typer.BadParameter("an email is needed: EMAIL, or a line of standard input with -")
    return email


def _facts(found: ConsentExplanation, *, show_personal: bool) -> dict[str, Any]:
    return {
        "run": found.run,
        "policy": found.policy,
        "known": found.known,
        "consents": found.consents,
        "decisions": [_decision(decision) for decision in found.decisions],
        "feeds": {feed: asdict(use) for feed, use in found.feeds.items()},
        "devices": len({session.device for session in found.sessions if session.status == "assigned"}),
        "masked": not show_personal,
        "sessions": [
            {
                "device": session.device if show_personal else MASK,
                "startMs": session.start_ms,
                "startUtc": iso_of_ms(session.start_ms),
                "endMs": session.end_ms,
                "endUtc": iso_of_ms(session.end_ms),
                "status": session.status,
                "reason": session.reason,
            }
            for session in found.sessions
        ],
        "rows": found.rows,
        "quarantined": found.quarantined,
    }


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "decision": decision.decision,
        "sinceMs": decision.since_ms,
        "sinceUtc": iso_of_ms(decision.since_ms),
        "decidedMs": decision.decided_ms,
        "decidedUtc": iso_of_ms(decision.decided_ms),
        "run": decision.run,
        "learnedAt": iso(decision.learned_at),
        "file": decision.file,
        "line": decision.line,
    }


def _text(found: ConsentExplanation, facts: dict[str, Any]) -> list[Grid | str]:
    parts: list[Grid | str] = [_verdict(found)]
    if not found.known:
        return parts
    decisions = [
        (
            d.decision,
            _time(d.since_ms),
            _time(d.decided_ms),
            _number(d.run),
            when(d.learned_at),
            d.file,
            _number(d.line),
        )
        for d in found.decisions
    ]
    feeds = [(feed, use.landed, use.kept, _reasons(use.withheld)) for feed, use in found.feeds.items()]
    sessions = [
        (s["device"], _time(s["startMs"]), _time(s["endMs"]), s["status"], s["reason"]) for s in facts["sessions"]
    ]
    if decisions:
        heads = ("decision", "since (UTC)", "decided (UTC)", ">run", "learned (UTC)", "file", ">line")
        parts.append(Grid(heads, decisions, "Decisions; the last one holds", records=True))
    parts.append(Grid(("feed", ">landed", ">kept", "withheld"), feeds, "Their records"))
    if sessions:
        devices = counted(facts["devices"], "assigned device")
        parts.append(
            Grid(("device", "start (UTC)", "end (UTC)", "status", "reason"), sessions, f"Their sessions, on {devices}")
        )
    parts.append(Grid(("table", ">rows"), list(found.rows.items()), "Rows that are there because of them"))
    return parts


def _verdict(found: ConsentExplanation) -> str:
    """Why, in a sentence."""
    place = f"as of run {found.run} ({found.policy})"
    if not found.known:
        return f"unknown: nothing is known of this person {place}"
    if not found.decisions:
        return f"out: no customer record of this person could be read {place}"
    last = found.decisions[-1]
    if last.decision == "withdrew":
        return f"out: this person withdrew on {_time(last.decided_ms)} UTC {place}"
    if last.decision == "not given":
        return f"out: this person was never known to share with research {place}"
    usable = counted(found.feeds["accelerometer"].kept, "usable reading")
    return f"in: this person shares since {_time(last.since_ms)} UTC, with {usable} {place}"


def _reasons(withheld: dict[str, int]) -> str | None:
    return ", ".join(f"{records:,} {reason}" for reason, records in withheld.items()) or None


def _number(number: int | None) -> str | None:
    """Runs and lines are names, not amounts."""
    return None if number is None else str(number)


def _time(milliseconds: int | None) -> str | None:
    """An instant to the second; JSON has the milliseconds."""
    text = iso_of_ms(milliseconds)
    return text[:19].replace("T", " ") if text else None if milliseconds is None else f"{milliseconds} ms"


def _tell(found: ConsentExplanation) -> None:
    if found.quarantined:
        note(
            f"note: {counted(found.quarantined, 'record')} in the quarantine mention this email: `stedi quarantine show`"
        )
    if any(session.status == "ambiguous" for session in found.sessions):
        note("note: some sessions need a person's look: `stedi devices` lists them")
