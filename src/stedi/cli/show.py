"""`stedi show`: one table in words, with a few of its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from stedi.cli.options import AsJson, AsOf, LakehouseDir, ShowPersonal, examples, opened_as_of
from stedi.cli.output import Grid, emit, masked
from stedi.formats import python_columns

if TYPE_CHECKING:
    from stedi.contracts import Contract
    from stedi.lakehouse import Lakehouse

#: What `--json` prints.
FIELDS = {
    "table": "name of the table",
    "zone": "landing, trusted, curated, or records (the lakehouse's own)",
    "purpose": "what the table is for",
    "limitations": "what it cannot be used for; null where nothing is said",
    "grain": "what one row stands for",
    "key[]": "columns that identify a row; empty where rows have no key",
    "columns[].name": "name of the column; those that begin with an underscore are added by the lakehouse",
    "columns[].type": "varchar, bigint, double, boolean or timestamptz",
    "columns[].description": "meaning and unit",
    "columns[].required": "whether it is never null",
    "columns[].personal": "whether it identifies a person",
    "columns[].key": "whether it is part of the key",
    "rules[].name": "name of the quality rule",
    "rules[].description": "what must hold, or nothing is published",
    "rules[].query": "the query that counts the rows that break the rule",
    "sample[].COLUMN": "a value; ••• where it is masked",
    "masked": "whether personal values are masked in the sample",
}

Name = Annotated[str, typer.Argument(metavar="TABLE", help="Name of the table; case does not matter.")]
RowsOption = Annotated[int, typer.Option(metavar="N", min=0, max=100, help="Rows of the sample.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    epilog = examples(
        "stedi show machine_learning_curated",
        "stedi show customer_trusted --rows 2 --show-personal",
        "stedi show quarantine --json | jq -r '.columns[].name'",
    )
    app.command("show", short_help="Say what a table holds, with a sample.", epilog=epilog)(show)


def show(
    table: Name,
    rows: RowsOption = 3,
    as_of: AsOf = None,
    show_personal: ShowPersonal = False,
    lakehouse: LakehouseDir = None,
    as_json: AsJson = False,
) -> None:
    """Say what a table holds: its purpose, grain, columns and rules, and a sample in which personal values are masked."""
    lake = opened_as_of(lakehouse, as_of, asks_engine=rows > 0)
    contract = lake.contract(table)
    sample = _sample(lake, contract, rows) if rows else []
    if not show_personal:
        personal = [column.name for column in contract.columns if column.personal]
        sample = [masked(row, personal) for row in sample]
    facts = _facts(contract) | {"sample": sample, "masked": not show_personal}
    emit(facts, *_text(contract, sample), as_json=as_json)


def _sample(lake: Lakehouse, contract: Contract, rows: int) -> list[dict[str, Any]]:
    columns = ", ".join(f'"{column.name}"' for column in contract.columns)
    found = lake.query(f"SELECT {columns} FROM {contract.name} LIMIT {rows}").to_arrow()
    return [dict(zip(found.column_names, row, strict=True)) for row in zip(*python_columns(found), strict=True)]


def _facts(contract: Contract) -> dict[str, Any]:
    return {
        "table": contract.name,
        "zone": contract.zone,
        "purpose": contract.purpose,
        "limitations": contract.limitations,
        "grain": contract.grain,
        "key": list(contract.key),
        "columns": [
            {
                "name": c.name,
                "type": c.type,
                "description": c.description,
                "required": c.required,
                "personal": c.personal,
                "key": c.key,
            }
            for c in contract.columns
        ],
        "rules": [{"name": r.name, "description": r.description, "query": r.query} for r in contract.rules],
    }


def _text(contract: Contract, sample: list[dict[str, Any]]) -> list[Grid | str]:
    words = [
        f"{contract.name} ({contract.zone} zone)",
        contract.purpose,
        f"Grain: {contract.grain}. Key: {', '.join(contract.key) or 'none'}.",
        *([f"Limitations: {contract.limitations}"] if contract.limitations else []),
    ]
    columns = [
        (c.name, c.type, "yes" if c.required else "", "personal" if c.personal else "", c.description)
        for c in contract.columns
    ]
    rules = [(rule.name, rule.description) for rule in contract.rules]
    parts: list[Grid | str] = [
        "\n".join(words),
        Grid(("column", "type", "required", "personal", "meaning"), columns, "Columns"),
    ]
    if rules:
        parts.append(Grid(("rule", "what must hold, or nothing is published"), rules, "Rules"))
    if sample:
        parts.append(_turned(contract, sample))
    return parts


def _turned(contract: Contract, sample: list[dict[str, Any]]) -> Grid:
    """The sample with a line per column, so that wide tables fit."""
    names = ("column", *(f"row {number}" for number in range(1, len(sample) + 1)))
    lines = [(c.name, *(_shown(row[c.name]) for row in sample)) for c in contract.columns]
    return Grid(names, lines, "Sample")


def _shown(value: object) -> str | None:
    return None if value is None else str(value)
