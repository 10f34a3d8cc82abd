"""What the next run would change, and for how many customers: a run is rehearsed, looked at, and thrown away (SPEC 6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from stedi.config import Settings
from stedi.contracts import Contract, contracts
from stedi.runs.journal import Journal
from stedi.runs.rebuild import DERIVED
from stedi.runs.run import Withheld, rehearse_run
from stedi.runs.stage import Progress, Stage

_CONSENTS = """
SELECT
  count(CASE WHEN b."customer" IS NULL THEN 1 END) AS "consent",
  count(CASE WHEN a."customer" IS NULL THEN 1 END) AS "withdraw",
  count(CASE WHEN a."shareWithResearchAsOfDate" <> b."shareWithResearchAsOfDate" THEN 1 END) AS "changeInstant"
FROM before_customer_trusted AS b
FULL JOIN after_customer_trusted AS a ON a."customer" = b."customer"
"""
_NOT_GIVEN = """
SELECT count(DISTINCT h."customer") AS "notGiven"
FROM after_consent_history AS h
WHERE NOT EXISTS (SELECT 1 FROM before_consent_history AS b WHERE b."customer" = h."customer")
  AND NOT EXISTS (SELECT 1 FROM after_customer_trusted AS a WHERE a."customer" = h."customer")
"""


@dataclass(frozen=True)
class TableImpact:
    """Rows of a table before and after; `added` and `removed` are None where the policy gives the table another shape."""

    before: int
    added: int | None
    removed: int | None
    after: int


@dataclass(frozen=True)
class ConsentImpact:
    """What the next run would do.

    Attributes:
        mode: `nothing`, `incremental` or `full`.
        reasons: why there is something to do.
        customers: number of customers who newly `consent`, who `withdraw`, whose consent instant changes (`changeInstant`), and who are
            new and do not share (`notGiven`).
        tables: rows of every table but those of the lakehouse's own books.
        withheld_before: landing records that are in no trusted table, by feed and reason.
        withheld_after: the same, as of the next run.
        erasure_waits: whether an erasure is half done: the next run completes it first, and this does not count what goes with it.
    """

    mode: str
    reasons: tuple[str, ...]
    customers: dict[str, int]
    tables: dict[str, TableImpact] = field(default_factory=dict)
    withheld_before: Withheld = field(default_factory=dict)
    withheld_after: Withheld = field(default_factory=dict)
    erasure_waits: bool = False


def consent_impact(settings: Settings, landing: Path, progress: Progress) -> ConsentImpact:
    """Rehearse the next run. It takes as long as the run, holds the writer's lease, and leaves everything as it was.

    Raises:
        StediError: what the run would raise.
    """
    plan, found = rehearse_run(settings, landing, progress, _look)
    waits = Journal(settings.lakehouse).open
    if found is None:
        nobody = dict.fromkeys(("consent", "withdraw", "changeInstant", "notGiven"), 0)
        return ConsentImpact(plan.mode, plan.reasons, nobody, erasure_waits=waits)
    customers, tables, before, after = found
    return ConsentImpact(plan.mode, plan.reasons, customers, tables, before, after, waits)


def _look(stage: Stage, withheld: Withheld) -> tuple[dict[str, int], dict[str, TableImpact], Withheld, Withheld]:
    before: Withheld = stage.last.report["withheld"] if stage.last else {}
    rows: dict[str, int] = stage.last.report["rows"] if stage.last else {}
    tables = {}
    for name, after in stage.staged.rows.items():
        added, removed = _difference(stage, stage.contracts[name])
        tables[name] = TableImpact(rows.get(name, 0), added, removed, after)
    return _customers(stage), tables, before, withheld


def _customers(stage: Stage) -> dict[str, int]:
    for name in ("customer_trusted", "consent_history"):
        stage.before(name)
    counted: dict[str, int] = stage.engine.query(_CONSENTS).to_pylist()[0]
    return counted | stage.engine.query(_NOT_GIVEN).to_pylist()[0]


def _difference(stage: Stage, contract: Contract) -> tuple[int | None, int | None]:
    """Rows added and removed. Where a table was rewritten, they are counted by comparing all rows."""
    name = contract.name
    if not stage.rewritten or name not in DERIVED or stage.last is None:
        return stage.staged.added[name], stage.staged.removed[name]
    if contracts(stage.last.policy)[name].columns != contract.columns:
        return None, None
    stage.before(name)
    columns = ", ".join(f'"{c.name}"' for c in contract.columns)
    found = stage.engine.query(f"""
        SELECT sum(CASE WHEN "copies" > 0 THEN "copies" END) AS "added", -sum(CASE WHEN "copies" < 0 THEN "copies" END) AS "removed"
        FROM (
          SELECT sum("_copies") AS "copies" FROM (
            SELECT {columns}, 1 AS "_copies" FROM after_{name} UNION ALL SELECT {columns}, -1 AS "_copies" FROM before_{name}
          ) AS b GROUP BY {columns}
        ) AS c""").to_pylist()[0]
    return int(found["added"] or 0), int(found["removed"] or 0)
