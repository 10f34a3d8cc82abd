"""`stedi subject`: a person's data. Find it, hand it over, forget it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from stedi.cli.options import AsJson, LakehouseDir, examples, opened
from stedi.cli.output import Grid, counted, emit, note
from stedi.cli.progress import progress
from stedi.errors import ConfigError

#: What `--json` prints, by subcommand.
FIELDS_OF_FIND = {
    "lakehouse": "folder of the lakehouse",
    "people": "number of people that were asked for",
    "known": "whether anything at all is held about any of them",
    "run": "number of the last run, as of which the tables were searched",
    "landing": "the landing area that was searched",
    "files[].file": "landing file that holds records of theirs",
    "files[].records": "how many it holds",
    "rows.TABLE": "rows of the table that are there because of them",
    "earlier[].run": "number of an earlier run that can still be read",
    "earlier[].rows": "rows of all its tables that are there because of them",
    "pinned[].run": "number of a pinned run that holds rows of theirs",
    "pinned[].reason": "why it was pinned",
    "elsewhere": "rows of theirs in snapshots that only tags or branches of other programs keep",
    "personal.TABLE.COLUMN[]": "with --show their values in the personal columns of the table; without it, none",
}
FIELDS_OF_EXPORT = {
    "lakehouse": "folder of the lakehouse",
    "output": "folder of the export",
    "rows.FILE": "rows in the files of that name (`FILE.json`, and `FILE.parquet` but for the raw records)",
}
FIELDS_OF_FORGET = {
    "lakehouse": "folder of the lakehouse",
    "people": "number of people that were asked for",
    "known": "whether anything was held about any of them",
    "run": "number of the run that took their rows out; null where the tables held none",
    "rows.TABLE": "rows that were taken out of the table",
    "files[].file": "landing file that held records of theirs",
    "files[].records": "how many were taken out",
    "letGo[]": "numbers of the earlier runs that held them, and can no longer be read",
    "unpinned[].run": "number of one of them that was pinned",
    "unpinned[].reason": "why it was pinned",
    "expired": "Iceberg snapshots that were expired",
    "deleted": "files of the lakehouse that were deleted",
    "searched": "files whose every byte was searched for them afterwards",
    "certificate": "the file that says so, signed; null where there was nothing to prove",
}
FIELDS_OF_VERIFY = {
    "certificate": "the certificate",
    "holds": "whether its claim holds today, as far as was looked",
    "at": "when it was issued (ISO 8601, UTC)",
    "people": "number of people that it is about",
    "publicKey": "the Ed25519 key that it was signed with, hexadecimal",
    "ours": "whether that is the key of this lakehouse",
    "files": "number of files that were searched then",
    "changed": "those of them that hold something else by now; a run writes anew what it changes",
    "gone": "those of them that are gone by now",
    "knownAgain": "people whom the tables know: they registered anew, or the claim holds no more",
    "searchedAgain": "whether every byte was searched again, which takes the emails",
    "found[]": "files that name them today",
}

Emails = Annotated[
    list[str] | None,
    typer.Argument(metavar="[EMAIL...]", help="The people; `-` reads one per line of standard input."),
]
EmailsFile = Annotated[
    Path | None,
    typer.Option("--file", metavar="FILE", help="A file with the people, one email per line.", dir_okay=False),
]
Email = Annotated[
    str, typer.Argument(metavar="EMAIL", help="The person; `-` asks for it, or reads a line of standard input.")
]
LandingDir = Annotated[
    str | None,
    typer.Option(metavar="DIR", help="The landing area; by default that of stedi.toml, else of the last run."),
]


def register(app: typer.Typer) -> None:
    """Add the command and its subcommands."""
    group = typer.Typer(rich_markup_mode=None)
    finding = examples(
        "stedi subject find ana@example.org --show", "stedi subject find - --json < emails.txt | jq .rows"
    )
    exporting = examples("stedi subject export ana@example.org --output ana", "stedi subject export - --output ana")
    forgetting = examples(
        "stedi subject forget ana@example.org --dry-run",
        "stedi subject forget --file emails.txt --reason 'requests of May'",
        "stedi subject forget - < emails.txt",
    )
    verifying = examples("stedi subject verify lakehouse.erased-20260101T000000000000.json ana@example.org")
    group.callback(epilog=finding)(subject)
    group.command("find", short_help="Say where people are.", epilog=finding)(find)
    group.command("export", short_help="Write all that is held about a person.", epilog=exporting)(export)
    group.command("forget", short_help="Erase people, and keep them out.", epilog=forgetting)(forget)
    group.command("verify", short_help="Check the certificate of an erasure.", epilog=verifying)(verify)
    app.add_typer(group, name="subject", short_help="A person's data: find it, hand it over, forget it, prove it.")


def subject() -> None:
    """A person's data: find it, hand it over, forget it. An email typed here stays in the history of the shell; with `-` it does not."""


def find(
    emails: Emails = None,
    file: EmailsFile = None,
    show: Annotated[bool, typer.Option("--show", help="Show their values in personal columns, too.")] = False,
    landing: LandingDir = None,
    lakehouse: LakehouseDir = None,
    as_json: AsJson = False,
) -> None:
    """Say where people are: landing files, every table, the quarantine's text, and earlier runs that can still be read.

    Records of a device count where a session of it is, or was in a run that can still be read, assigned to the person. Nothing
    personal is printed without --show; `stedi subject export` hands over the data itself. Somebody nobody knows is an answer, not an
    error.
    """
    lake = opened(lakehouse)
    with progress(as_json=as_json) as report:
        found = lake.subjects.find(asked(emails, file), landing, show=show, progress=report)
    facts = {
        "lakehouse": str(lake.folder),
        "people": found.people,
        "known": found.known,
        "run": found.run,
        "landing": found.landing,
        "files": [{"file": path, "records": records} for path, records in found.files.items()],
        "rows": found.rows,
        "earlier": [{"run": run, "rows": rows} for run, rows in found.earlier.items()],
        "pinned": [{"run": run, "reason": reason} for run, reason in found.pinned.items()],
        "elsewhere": found.elsewhere,
        "personal": found.personal,
    }
    who = counted(found.people, "person", "people")
    if not found.known:
        emit(facts, f"nothing is held about {who}, as of run {found.run}", as_json=as_json)
        return
    total = counted(sum(found.files.values()), "record")
    text: list[Grid | str] = [
        f"{who}: {total} in the landing files, {sum(found.rows.values()):,} rows in the tables as of run {found.run}",
        Grid(("table", ">rows"), list(found.rows.items()), "Rows that are there because of them"),
    ]
    if found.files:
        text.append(Grid(("landing file", ">records"), list(found.files.items()), f"In {found.landing}", records=True))
    if found.earlier:
        text.append(Grid((">run", ">rows"), list(found.earlier.items()), "Earlier runs that can still be read"))
    if found.pinned:
        text.append(Grid((">run", "reason"), list(found.pinned.items()), "Pinned runs that hold them"))
    if found.elsewhere:
        text.append(f"{counted(found.elsewhere, 'row')} in snapshots that tags or branches of other programs keep")
    if found.personal:
        values = [
            (table, column, value)
            for table, columns in found.personal.items()
            for column, known in columns.items()
            for value in known
        ]
        text.append(Grid(("table", "column", "value"), values, "Their values in personal columns"))
    emit(facts, *text, as_json=as_json)


def export(
    email: Email,
    output: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the files; new, or empty.")],
    landing: LandingDir = None,
    lakehouse: LakehouseDir = None,
    as_json: AsJson = False,
) -> None:
    """Write all that is held about a person: their rows of every table as JSON and Parquet, their raw records, and a README.

    Only the owner of the files can read them. Whoever else a row names is left out.
    """
    lake = opened(lakehouse)
    with progress(as_json=as_json) as report:
        rows = lake.subjects.export(asked([email], most=1)[0], output, landing, progress=report)
    facts = {"lakehouse": str(lake.folder), "output": str(output), "rows": rows}
    emit(facts, Grid(("file", ">rows"), list(rows.items()), f"Written to {output}"), as_json=as_json)
    if not rows and not as_json:
        note("note: nothing is held about this person: the README stands alone")


def forget(
    emails: Emails = None,
    file: EmailsFile = None,
    landing: LandingDir = None,
    lakehouse: LakehouseDir = None,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why; it stands in the certificate, and must not name them.")
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File for the certificate; a new one beside the pseudonym key by default."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be erased, and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase people: from the landing files, every table, and every earlier state. Their records stay out from now on.

    Landing files are replaced by ones without their records; all other bytes stay. Earlier runs that hold them can no longer be read,
    pinned ones included; `stedi subject find` lists them.
    Stopped half-way, the next `stedi run` completes it. A registration after the erasure is a new person, and comes in.
    """
    if dry_run:
        find(emails, file, landing=landing, lakehouse=lakehouse, as_json=as_json)
        return
    lake = opened(lakehouse)
    with progress(as_json=as_json) as report:
        done = lake.subjects.forget(
            asked(emails, file), landing, reason=reason, certificate=certificate, progress=report
        )
    facts = {
        "lakehouse": str(lake.folder),
        "people": done.people,
        "known": done.known,
        "run": done.run,
        "rows": done.rows,
        "files": [{"file": path, "records": records} for path, records in done.files.items()],
        "letGo": list(done.let_go),
        "unpinned": [{"run": run, "reason": reason} for run, reason in done.unpinned.items()],
        "expired": done.expired,
        "deleted": done.deleted,
        "searched": done.searched,
        "certificate": done.certificate,
    }
    who = counted(done.people, "person", "people")
    proof = f"{counted(done.searched, 'file')} searched, nothing of them is left: {done.certificate}"
    if not done.known:
        nothing = f"nothing is held about {who}: nothing was changed"
        emit(facts, nothing, *([proof] if done.certificate else []), as_json=as_json)
        return
    runs = f"runs that can no longer be read: {', '.join(map(str, done.let_go)) or 'none'}"
    files, rows = counted(sum(done.files.values()), "record"), counted(sum(done.rows.values()), "row")
    emit(
        facts,
        f"{who}: {files} taken out of {counted(len(done.files), 'landing file')}, {rows} out of the tables",
        Grid(("table", ">rows"), list(done.rows.items()), "Rows that were taken out"),
        f"{runs}; {counted(done.expired, 'snapshot')} and {counted(done.deleted, 'file')} are gone",
        *([Grid((">run", "reason"), list(done.unpinned.items()), "Pinned runs among them")] if done.unpinned else []),
        proof,
        as_json=as_json,
    )


def verify(
    certificate: Annotated[Path, typer.Argument(metavar="CERTIFICATE", help="A file that an erasure wrote.")],
    emails: Annotated[
        list[str] | None,
        typer.Argument(metavar="[EMAIL...]", help="The people, to search every byte anew; `-` reads standard input."),
    ] = None,
    lakehouse: LakehouseDir = None,
    as_json: AsJson = False,
) -> None:
    """Check the certificate of an erasure: its signature, the files that were searched, and whether the people are known again.

    With their emails, every byte is searched anew. Exits with 1 where the claim does not hold today.
    """
    lake = opened(lakehouse)
    with progress(as_json=as_json) as report:
        found = lake.subjects.verify(certificate, asked(emails) if emails else [], progress=report)
    facts = {
        "certificate": str(certificate),
        "holds": found.holds,
        "at": found.at,
        "people": found.people,
        "publicKey": found.public_key,
        "ours": found.ours,
        "files": found.files,
        "changed": len(found.changed),
        "gone": len(found.gone),
        "knownAgain": found.known_again,
        "searchedAgain": found.found is not None,
        "found": list(found.found or ()),
    }
    told = "not searched again: give the emails for that" if found.found is None else f"{len(found.found)} files"
    looks = [
        ("signed by", "this lakehouse" if found.ours else "somebody else"),
        ("files searched then", found.files),
        ("changed since", len(found.changed)),
        ("gone since", len(found.gone)),
        ("people known again", found.known_again),
        ("files that name them today", told),
    ]
    verdict = "the claim holds" if found.holds else "the claim does not hold"
    emit(
        facts,
        f"{verdict}: issued {found.at}, about {counted(found.people, 'person', 'people')}",
        Grid(("look", "found"), looks),
        as_json=as_json,
    )
    if not found.holds:
        raise typer.Exit(1)


def asked(emails: list[str] | None, file: Path | None = None, most: int | None = None) -> list[str]:
    """The emails of a request, given as such or as lines of a file; `-` stands for lines of standard input."""
    emails = [*(emails or []), *(_lines(file) if file else [])]
    if emails == ["-"]:
        emails = [typer.prompt("email", err=True)] if sys.stdin.isatty() else sys.stdin.readlines()[:most]
    found = [email.strip() for email in emails if email.strip()]
    if not found:
        raise typer.BadParameter("an email is needed: EMAIL, --file FILE, or lines of standard input with -")
    return found


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the file of emails cannot be read ({type(error).__name__})", where=str(file), hint="check --file"
        ) from None
