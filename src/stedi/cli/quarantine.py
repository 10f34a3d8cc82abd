"""`stedi quarantine`: what could not be read without guessing, where it lies, and why."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stedi.cli.options import AsJson, AsOf, LakehouseDir, examples, opened_as_of
from stedi.cli.output import Grid, count, counted, emit, note
from stedi.errors import NotFoundError
from stedi.places import is_uri

if TYPE_CHECKING:
    from stedi.lakehouse import Lakehouse

#: What `--json` prints, by subcommand.
FIELDS_OF_LIST = {
    "lakehouse": "folder of the lakehouse",
    "records": "number of records in the quarantine",
    "groups[].file": "landing file",
    "groups[].feed": "customer, accelerometer or step_trainer",
    "groups[].reason": "why the records were kept out",
    "groups[].records": "how many",
    "groups[].firstLine": "line of the first of them",
}
FIELDS_OF_SHOW = {
    "lakehouse": "folder of the lakehouse",
    "records": "number of records that match, shown or not",
    "shown[].file": "landing file",
    "shown[].line": "line in that file, counted from 1; the position where the file is one JSON array",
    "shown[].feed": "customer, accelerometer or step_trainer",
    "shown[].reason": "why the record was kept out",
    "shown[].ingestedAt": "start of the run that read it (ISO 8601, UTC)",
    "shown[].raw": "with --raw alone: the text as it arrived",
}

_INGESTED_AT = """strftime("_ingested_at", '%Y-%m-%dT%H:%M:%S.%gZ')"""

File = Annotated[
    str | None,
    typer.Option("--file", metavar="PATH", help="Only this landing file; the end of its path is enough. Default: all."),
]
Line = Annotated[int | None, typer.Option(metavar="N", min=1, help="Only this line. Default: all.")]
Limit = Annotated[int, typer.Option(metavar="N", min=1, help="Records to show at most.")]
Raw = Annotated[bool, typer.Option("--raw", help="Show the text of the records, too. It is personal data.")]


def register(app: typer.Typer) -> None:
    """Add the command and its subcommands."""
    group = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
    listing = examples(
        "stedi quarantine",
        "stedi quarantine list --json | jq '.groups[] | select(.feed == \"customer\")'",
    )
    showing = examples(
        "stedi quarantine show --limit 5",
        "stedi quarantine show --file customer/2023/customers.json --line 17 --raw",
    )
    group.callback(epilog=listing)(quarantine)
    group.command("list", short_help="Count them by file and reason.", epilog=listing)(list_groups)
    group.command("show", short_help="List them.", epilog=showing)(show_records)
    app.add_typer(group, name="quarantine", short_help="Look at the records that were kept out.")


def quarantine(
    context: typer.Context, as_of: AsOf = None, lakehouse: LakehouseDir = None, as_json: AsJson = False
) -> None:
    """Look at the records that could not be read or break their contract. Without a subcommand: list."""
    if context.invoked_subcommand is None:
        list_groups(as_of, lakehouse, as_json)
    elif as_of or lakehouse or as_json:
        raise typer.BadParameter(f"options stand after the subcommand {context.invoked_subcommand}")


def list_groups(as_of: AsOf = None, lakehouse: LakehouseDir = None, as_json: AsJson = False) -> None:
    """Count the quarantined records by landing file and reason."""
    lake = opened_as_of(lakehouse, as_of)
    groups = _rows(
        lake,
        'SELECT "_source_file" AS file, feed, reason, count(*) AS records, min("_source_line") AS "firstLine"'
        " FROM quarantine GROUP BY ALL ORDER BY file, records DESC, reason",
    )
    records = sum(group["records"] for group in groups)
    facts = {"lakehouse": str(lake.folder), "records": records, "groups": groups}
    columns = (">records", ">first line", "reason")
    lines = [(g["file"], (g["records"], str(g["firstLine"]), g["reason"])) for g in groups]
    emit(facts, *_by_file(columns, lines), as_json=as_json)
    if not as_json:
        note(
            "the quarantine is empty"
            if not records
            else f"{counted(records, 'record')}; `stedi quarantine show` lists them"
        )


def show_records(
    file: File = None,
    line: Line = None,
    limit: Limit = 50,
    raw: Raw = False,
    as_of: AsOf = None,
    lakehouse: LakehouseDir = None,
    as_json: AsJson = False,
) -> None:
    """List quarantined records with file, line and reason; with --raw their text as it arrived."""
    lake = opened_as_of(lakehouse, as_of)
    where = _where(file, line)
    records = _rows(lake, f"SELECT count(*) AS n FROM quarantine WHERE {where}")[0]["n"]
    if file and not records:
        _require_file(lake, file)
    text = ", raw" if raw else ""
    found = _rows(
        lake,
        f'SELECT "_source_file" AS file, "_source_line" AS line, feed, reason, {_INGESTED_AT} AS "ingestedAt"{text}'
        f' FROM quarantine WHERE {where} ORDER BY "_source_file", "_source_line", reason LIMIT {limit}',
    )
    columns = (">line", "reason", *(["text"] if raw else []))
    lines = [(row["file"], (str(row["line"]), row["reason"], *([row["raw"]] if raw else []))) for row in found]
    facts = {"lakehouse": str(lake.folder), "records": records, "shown": found}
    emit(facts, *_by_file(columns, lines), as_json=as_json)
    if not as_json:
        note(
            f"{count(len(found))} of {counted(records, 'record')}"
            + ("; --limit shows more" if len(found) < records else "")
        )


def _by_file(columns: Sequence[str], lines: Iterable[tuple[str, Sequence[object]]]) -> list[Grid]:
    """A table per landing file, under its path, which in a column of its own would leave no room for the others."""
    return [
        Grid(columns, [line for _, line in group], title=file)
        for file, group in itertools.groupby(lines, key=itemgetter(0))
    ]


def _where(file: str | None, line: int | None) -> str:
    conditions = ["TRUE"]
    if file:
        conditions.append(_matches('"_source_file"', file))
    if line:
        conditions.append(f'"_source_line" = {line}')
    return " AND ".join(conditions)


def _matches(column: str, file: str) -> str:
    absolute = _literal(file if is_uri(file) else str(Path(file).absolute()))
    return f"({column} = {absolute} OR ends_with({column}, {_literal('/' + file.lstrip('./'))}))"


def _require_file(lake: Lakehouse, file: str) -> None:
    if not _rows(lake, f"SELECT count(*) AS n FROM landed_files WHERE {_matches('path', file)}")[0]["n"]:
        raise NotFoundError(
            "no landing file of that name was ever read", where=file, hint="`stedi quarantine list` lists the files"
        )


def _rows(lake: Lakehouse, sql: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = lake.query(sql).to_arrow().to_pylist()
    return rows


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
