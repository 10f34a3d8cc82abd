"""Audit staged tables against their contracts: queries that count bad rows. Nothing is committed unless all count 0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from stedi.contracts import Contract
from stedi.engines.base import Engine
from stedi.errors import AuditError


@dataclass(frozen=True)
class Violation:
    """A rule of a contract that rows break, and how many do."""

    table: str
    rule: str
    description: str
    rows: int


def check_table(engine: Engine, contract: Contract) -> list[Violation]:
    """The rules that rows of a table break. The table, and those that its rules name, must be relations of the engine."""
    return list(_violations(engine, contract))


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


def _violations(engine: Engine, contract: Contract) -> Iterator[Violation]:
    required = [c.name for c in contract.columns if c.required]
    if required:
        counts = ", ".join(f'count(*) - count("{name}") AS "{name}"' for name in required)
        for name, nulls in engine.query(f"SELECT {counts} FROM {contract.name}").to_pylist()[0].items():
            if nulls:
                yield Violation(contract.name, f"{name} is required", "no null in a required column", nulls)
    if contract.key:
        key = ", ".join(f'"{name}"' for name in contract.key)
        doubled = f"SELECT count(*) AS n FROM (SELECT {key} FROM {contract.name} GROUP BY {key} HAVING count(*) > 1)"
        if rows := engine.query(doubled)["n"][0].as_py():
            yield Violation(contract.name, "key is unique", "one row per key", rows)
    for rule in contract.rules:
        if rows := engine.query(rule.query).column(0)[0].as_py():
            yield Violation(contract.name, rule.name, rule.description, rows)
