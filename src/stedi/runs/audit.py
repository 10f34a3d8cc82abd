"""Audit staged tables against their contracts: one query per table counts bad rows. Nothing is committed unless all counts are 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stedi.contracts import Contract, Rule
from stedi.engines.base import Engine
from stedi.errors import AuditError

_NO_NULL = "no null in a required column"


@dataclass(frozen=True)
class Violation:
    """A rule of a contract that rows break, and how many do."""

    table: str
    rule: str
    description: str
    rows: int


def check_table(engine: Engine, contract: Contract) -> list[Violation]:
    """The rules that rows of a table break. The table, and those that its rules name, must be relations of the engine."""
    required = [c.name for c in contract.columns if c.required]
    nulls = [Rule(f"{name} is required", _NO_NULL, f'count(*) - count("{name}")') for name in required]
    rules = [*_of_key(contract), *contract.rules]
    columns = [f'{rule.query} AS "null {number}"' for number, rule in enumerate(nulls)]
    counts = ["n.*", *(f'({rule.query}) AS "rule {number}"' for number, rule in enumerate(rules))]
    (found,) = engine.query(
        f"SELECT {', '.join(counts)} FROM (SELECT {', '.join(columns)} FROM {contract.name}) AS n"
    ).to_pylist()
    return [
        Violation(contract.name, rule.name, rule.description, rows)
        for rule, rows in zip([*nulls, *rules], found.values(), strict=True)
        if rows
    ]


def check_accounting(
    rows: Mapping[str, int], withheld: Mapping[str, Mapping[str, int]], pairs: Mapping[str, tuple[str, str]]
) -> list[Violation]:
    """Kept + withheld = landed, per feed: no record may vanish between landing and trusted."""
    found = []
    for feed, (landing, trusted) in pairs.items():
        missing = rows[landing] - rows[trusted] - sum(withheld[feed].values())
        if missing:
            found.append(
                Violation(trusted, "accounting", f"kept and withheld records do not add up to {landing}", abs(missing))
            )
    return found


def require(violations: Sequence[Violation]) -> None:
    """Raise on the first violation, naming all.

    Raises:
        AuditError: a derived table breaks its contract.
    """
    if violations:
        told = "; ".join(f"{v.table}: {v.rule} ({v.rows} rows)" for v in violations)
        raise AuditError(
            f"derived tables break their contracts: {told}",
            where=violations[0].table,
            hint="nothing was published; report this",
        )


def _of_key(contract: Contract) -> list[Rule]:
    """What a contract demands of its key, where it has one."""
    if not contract.key:
        return []
    key = ", ".join(f'"{name}"' for name in contract.key)
    doubled = f"SELECT {key} FROM {contract.name} GROUP BY {key} HAVING count(*) > 1"
    return [Rule("key is unique", "one row per key", f"SELECT count(*) FROM ({doubled}) AS k")]
