"""Why a person's data is in or out: what they decided, since when that is known, and what follows for each table (SPEC 2 to 6).

Everything is read from the tables of one completed run. The email is a value: it reaches the engine in a relation, never in SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from stedi.contracts import Policy
from stedi.engines.sql import customer_of
from stedi.errors import LakehouseError

if TYPE_CHECKING:
    from stedi.catalog.state import Run
    from stedi.engines.base import Engine

_USER = customer_of('t."user"')
_OF_PERSON = 'INNER JOIN person AS p ON p."customer" ='
#: Whose sessions: those assigned to the person, and ambiguous ones for which they are named as a candidate.
_SESSIONS = f"""
SELECT d."serialNumber", d."sessionStart", d."sessionEnd", d."status", d."reason", d."customer"
FROM device_sessions AS d
{_OF_PERSON} coalesce(d."customer", d."candidate") OR p."customer" = d."rival"
"""
#: Under `seed` a device is whose record carries its number.
_STEPS = {
    "strict": """
        SELECT d."status", count(*) AS "landed", count(CASE WHEN l."sensorReadingTime" < c."usableSince" THEN 1 END) AS "before"
        FROM step_trainer_landing AS l
        INNER JOIN person_sessions AS d
          ON d."serialNumber" = l."serialNumber" AND l."sensorReadingTime" BETWEEN d."sessionStart" AND d."sessionEnd"
        LEFT JOIN customer_trusted AS c ON c."customer" = d."customer"
        GROUP BY d."status"
    """,
    "seed": f"""
        SELECT 'assigned' AS "status", count(*) AS "landed", 0 AS "before"
        FROM step_trainer_landing AS l
        INNER JOIN customers_curated AS c ON c."serialNumber" = l."serialNumber"
        {_OF_PERSON} c."customer"
    """,
}
_MOVES = f"""
SELECT
  count(*) AS "landed",
  count(CASE WHEN a."timestamp" < c."usableSince" THEN 1 END) AS "before"
FROM accelerometer_landing AS a
{_OF_PERSON} a."_customer"
LEFT JOIN customer_trusted AS c ON c."customer" = p."customer"
"""
#: Per table what counts the rows that are there because of the person.
_ROWS = {
    "customer_trusted": f'customer_trusted AS t {_OF_PERSON} t."customer"',
    "accelerometer_trusted": f'accelerometer_trusted AS t {_OF_PERSON} t."customer"',
    "device_sessions": "person_sessions AS t",
    "customers_curated": f'customers_curated AS t {_OF_PERSON} t."customer"',
}
_ROWS_BY_POLICY = {
    "strict": {
        "step_trainer_trusted": f'step_trainer_trusted AS t {_OF_PERSON} t."customer"',
        # The table itself names nobody: its rows are these pairs.
        "machine_learning_curated": 'step_trainer_trusted AS t INNER JOIN accelerometer_trusted AS a ON a."customer" = t."customer"'
        f' AND a."timestamp" = t."phoneTime" {_OF_PERSON} t."customer"',
    },
    "seed": {
        "step_trainer_trusted": 'step_trainer_trusted AS t INNER JOIN customers_curated AS c ON c."serialNumber" = t."serialNumber"'
        f' {_OF_PERSON} c."customer"',
        "machine_learning_curated": "machine_learning_curated AS t CROSS JOIN person AS p"
        ' LEFT JOIN customers_curated AS c ON c."customer" = p."customer"'
        f' WHERE {_USER} = p."customer" OR t."serialNumber" = c."serialNumber"',
    },
}
#: The tables that are read.
TABLES = (
    *("customer_landing", "accelerometer_landing", "step_trainer_landing", "quarantine", "consent_history"),
    *_ROWS,
    *_ROWS_BY_POLICY["strict"],
)


@dataclass(frozen=True)
class Decision:
    """What became known of a person's decision to share with research: a row of `consent_history`.

    Attributes:
        decision: consented, instant changed, withdrew or not given.
        since_ms: the consent instant, ms since the epoch (UTC); None where the person does not share.
        decided_ms: `lastUpdateDate` of the record, ms since the epoch (UTC).
        run: the run that learned of it; None where `runs` does not list it any more.
        learned_at: start of that run.
        file: landing file of the record.
        line: line of the record in it.
    """

    decision: str
    since_ms: int | None
    decided_ms: int
    run: int | None
    learned_at: datetime
    file: str
    line: int


@dataclass(frozen=True)
class FeedUse:
    """What became of a person's records of one feed: landed = kept + all withheld, by reason."""

    landed: int
    kept: int
    withheld: dict[str, int]


@dataclass(frozen=True)
class PersonSession:
    """A device session that is assigned to the person, or ambiguous with the person as a candidate. `device` is personal."""

    device: str
    start_ms: int
    end_ms: int
    status: str
    reason: str


@dataclass(frozen=True)
class ConsentExplanation:
    """Why a person's data is in or out, as of a run. Holds no name, email or phone number.

    Attributes:
        run: the run that it was read from.
        decisions: all that is known of their decision, oldest first; the last one holds. Empty where no customer record is known.
        feeds: per feed what became of the person's records; those of `step_trainer` are the readings of their sessions.
        sessions: their device sessions, in the order of time; none under `seed`.
        rows: per trusted and curated table the rows that are there because of the person.
        quarantined: records in the quarantine whose text mentions the email; they count for nothing until they can be read.
    """

    run: int
    policy: Policy
    decisions: tuple[Decision, ...]
    feeds: dict[str, FeedUse]
    sessions: tuple[PersonSession, ...]
    rows: dict[str, int]
    quarantined: int

    @property
    def known(self) -> bool:
        """Whether anything at all is known of the person."""
        return bool(self.decisions or self.quarantined or any(feed.landed for feed in self.feeds.values()))

    @property
    def consents(self) -> bool:
        """Whether the person shares with research, by the decision that holds."""
        return bool(self.decisions) and self.decisions[-1].since_ms is not None


def explain(engine: Engine, email: str, run: Run, runs: Sequence[Run]) -> ConsentExplanation:
    """Explain from the tables of `run`, which must be relations of the engine.

    Raises:
        LakehouseError: the run is of a program that kept no history.
    """
    if "consent_history" not in run.snapshots:
        raise LakehouseError(
            f"run {run.run} kept no history of decisions", hint="`stedi run` builds it; ask without --as-of then"
        )
    engine.use_rows("asked", pa.table({"email": [email]}))
    asked = customer_of('a."email"')
    engine.keep("person", f'SELECT {asked} AS "customer" FROM asked AS a')
    engine.keep("person_sessions", _SESSIONS)
    counted = {**_ROWS, **_ROWS_BY_POLICY[run.policy]}
    rows = {name: _one(engine, f'SELECT count(*) AS "rows" FROM {source}')["rows"] for name, source in counted.items()}
    decisions = _decisions(engine, runs)
    quarantined = _one(
        engine,
        'SELECT count(*) AS "records" FROM quarantine AS q CROSS JOIN person AS p'
        ' WHERE position(p."customer" IN lower(q."raw")) > 0',
    )
    feeds = {
        "customer": _customer(engine, rows),
        "accelerometer": _accelerometer(engine, rows, known=bool(decisions)),
        "step_trainer": _step_trainer(engine, rows, run.policy),
    }
    return ConsentExplanation(
        run.run, run.policy, decisions, feeds, _sessions(engine), rows, quarantined=quarantined["records"]
    )


def _decisions(engine: Engine, runs: Sequence[Run]) -> tuple[Decision, ...]:
    numbers = {run.started_at: run.run for run in runs}
    found = engine.query(
        'SELECT h."decision", h."shareWithResearchAsOfDate", h."lastUpdateDate", h."_ingested_at", h."_source_file", h."_source_line"'
        f' FROM consent_history AS h {_OF_PERSON} h."customer" ORDER BY h."_ingested_at"'
    ).to_pylist()
    return tuple(
        Decision(
            row["decision"],
            row["shareWithResearchAsOfDate"],
            row["lastUpdateDate"],
            numbers.get(row["_ingested_at"]),
            row["_ingested_at"],
            row["_source_file"],
            row["_source_line"],
        )
        for row in found
    )


def _customer(engine: Engine, rows: Mapping[str, int]) -> FeedUse:
    landed = _one(
        engine,
        f'SELECT count(*) AS "landed" FROM customer_landing AS l {_OF_PERSON} l."_customer"',
    )["landed"]
    kept = rows["customer_trusted"]
    return _use(landed, kept, {"superseded": max(landed - 1, 0), "no consent": 1 - kept if landed else 0})


def _accelerometer(engine: Engine, rows: Mapping[str, int], *, known: bool) -> FeedUse:
    counts, kept = _one(engine, _MOVES), rows["accelerometer_trusted"]
    landed, before = counts["landed"], counts["before"]
    if not rows["customer_trusted"]:
        return _use(landed, kept, {"no consent" if known else "unknown customer": landed})
    return _use(landed, kept, {"before consent": before, "duplicate": landed - before - kept})


def _step_trainer(engine: Engine, rows: Mapping[str, int], policy: Policy) -> FeedUse:
    by_status = {row["status"]: row for row in engine.query(_STEPS[policy]).to_pylist()}
    assigned, ambiguous = (by_status.get(s, {"landed": 0, "before": 0}) for s in ("assigned", "ambiguous"))
    kept = rows["step_trainer_trusted"]
    reasons = {
        "ambiguous session": ambiguous["landed"],
        "before consent": assigned["before"],
        "duplicate": assigned["landed"] - assigned["before"] - kept,
    }
    return _use(assigned["landed"] + ambiguous["landed"], kept, reasons)


def _sessions(engine: Engine) -> tuple[PersonSession, ...]:
    found = engine.query(
        'SELECT d."serialNumber", d."sessionStart", d."sessionEnd", d."status", d."reason" FROM person_sessions AS d'
        ' ORDER BY d."sessionStart", d."serialNumber"'
    ).to_pylist()
    return tuple(PersonSession(*row.values()) for row in found)


def _use(landed: int, kept: int, reasons: Mapping[str, int]) -> FeedUse:
    return FeedUse(landed, kept, {reason: records for reason, records in reasons.items() if records})


def _one(engine: Engine, select: str) -> dict[str, Any]:
    """The only row of a query."""
    row: dict[str, Any] = engine.query(select).to_pylist()[0]
    return row
