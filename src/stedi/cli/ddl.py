"""`stedi ddl`: what other engines need to be told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stedi.cli.options import AsJson, examples
from stedi.cli.output import counted, emit, note

if TYPE_CHECKING:
    from stedi.ddl import Statement

#: What `--json` prints.
FIELDS = {
    "dialect": "athena or trino",
    "policy": "the policy whose tables the views are made for",
    "statements[].kind": "table (a raw feed) or view",
    "statements[].name": "name of what it makes",
    "statements[].purpose": "what that holds",
    "statements[].sql": "the statement, without a semicolon",
}

DialectOption = Annotated[
    Literal["athena", "trino"], typer.Option("--dialect", help="The engine that reads the statements.")
]
PolicyOption = Annotated[
    Literal["strict", "seed"] | None,
    typer.Option("--policy", help="Policy of the lakehouse; that of the settings by default."),
]
Database = Annotated[
    str, typer.Option(metavar="NAME", help="Where the Iceberg tables are: a database, or CATALOG.DATABASE.")
]
Into = Annotated[
    str | None, typer.Option(metavar="NAME", help="Where raw tables and views go; the same place by default.")
]
Location = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="The landing area, such as s3://bucket/landing; needed for the raw tables."),
]
Output = Annotated[Path | None, typer.Option(metavar="FILE", help="Write to this file instead.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    epilog = examples(
        "stedi ddl --location s3://my-bucket/landing",
        "stedi ddl --location s3://my-bucket/landing --into stedi_views --output athena.sql",
        "stedi ddl --dialect trino --database lake.stedi --into hive.views",
        "stedi ddl --json | jq -r '.statements[] | select(.kind == \"view\") | .sql'",
    )
    app.command("ddl", short_help="Print raw tables and views for Athena or Trino.", epilog=epilog)(ddl)


def ddl(
    dialect: DialectOption = "athena",
    location: Location = None,
    database: Database = "stedi",
    into: Into = None,
    policy: PolicyOption = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Print the DDL of the raw feeds as external tables, and of views without personal columns.

    It all follows from the contracts; no lakehouse is needed. Athena takes one statement at a time: --json has them one by one.
    """
    from stedi.config import load_settings
    from stedi.ddl import statements

    chosen = policy or load_settings().policy
    found = statements(dialect, chosen, database=database, into=into, location=location)
    facts = {"dialect": dialect, "policy": chosen, "statements": [vars(one) for one in found]}
    text = "\n".join(_script(one) for one in found)
    if output is None:
        emit(facts, text.rstrip("\n"), as_json=as_json)
    else:
        output.write_text(_json(facts) if as_json else text, "utf-8")
        note(f"{counted(len(found), 'statement')} written to {output}")
    if location is None and not as_json:
        note("note: without --location the raw feeds are left out")


def _script(one: Statement) -> str:
    return f"-- {one.purpose}\n{one.sql};\n"


def _json(facts: Mapping[str, object]) -> str:
    import json

    return json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
