"""Build every derived table from all landing rows, each by its model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from stedi.contracts import FEEDS
from stedi.devices.steps import keep_step
from stedi.runs.stage import Progress, Stage

#: Derived tables in the order in which they are built.
DERIVED = (
    "customer_trusted",
    "consent_history",
    "accelerometer_trusted",
    "session_evidence",
    "device_sessions",
    "customers_curated",
    "step_trainer_trusted",
    "machine_learning_curated",
)
#: What leads from readings to the evidence for whose device it is, in order; see `stedi.devices.steps`.
EVIDENCE = (
    "customer_numbers",
    "device_numbers",
    "phone_instants",
    "device_instants",
    "session_instants",
    "sessions",
    "near_instants",
    "instant_pairs",
    "session_pairs",
    "pair_hours",
    "pair_evidence",
)
#: What is computed on the way before a derived table, and kept for this run alone.
_BEFORE: Mapping[str, Sequence[str]] = {
    "customer_trusted": ("customer_holding",),
    "accelerometer_trusted": ("repeated_readings",),
    "session_evidence": EVIDENCE,
    "step_trainer_trusted": ("decided_instants", "usable_instants", "repeated_steps"),
    "machine_learning_curated": ("session_pseudonyms",),
}
#: Tables for which `seed` needs none of that: there a device belongs to whom the customer record says.
_BY_EVIDENCE = ("session_evidence", "step_trainer_trusted")
#: What nothing asks for any more once a step is computed or a table built: it makes room for what follows.
_SPENT: Mapping[str, Sequence[str]] = {
    "session_instants": ("device_instants",),
    "instant_pairs": ("instant_pairs", "near_instants"),
    "session_evidence": ("phone_instants", "sessions", "clock_offsets", "session_pairs", "pair_hours", "pair_evidence"),
    "decided_instants": ("session_instants",),
    "usable_instants": ("instant_matches",),
    "step_trainer_trusted": ("usable_instants",),
    "machine_learning_curated": ("session_pseudonyms",),
}
#: Rows of step_trainer_trusted that are joined with their readings at a time: it takes about a gigabyte.
STEPS_PER_PART = 3_000_000
#: The feed of whose landing rows a table can have no more than there are.
_FED_BY = {"accelerometer_trusted": "accelerometer", "step_trainer_trusted": "step_trainer"}


def rebuild(stage: Stage, progress: Progress) -> dict[str, dict[str, int]]:
    """Build every derived table. Returns the landing records that were withheld, by feed and reason."""
    for number, name in enumerate(DERIVED):
        progress("building " + name, number, len(DERIVED))
        with stage.timed(name):
            if name not in _BY_EVIDENCE or stage.settings.policy == "strict":
                compute(stage, _BEFORE.get(name, ()))
            stage.rewrite(name, _selects(stage, name), _at_most(stage, name))
            _drop_spent(stage, name)
    progress("building", len(DERIVED), len(DERIVED))
    with stage.timed("withheld"):
        return {feed: dict(sorted(stage.withheld(feed).items())) for feed in FEEDS}


def compute(stage: Stage, steps: Sequence[str]) -> None:
    """Compute what lies on the way to a table, and keep it for this run."""
    for step in steps:
        keep_step(stage.engine, step, stage.model(step), stage.settings.devices)
        _drop_spent(stage, step)


def _selects(stage: Stage, name: str) -> Iterator[str]:
    """What selects the rows of a table.

    Where joins are larger than memory, rows come out of them in no order. The rows of a person should lie together all the same, so
    training rows are selected a part of the customers at a time, which keeps their join small.
    """
    parts = max(1, -(-stage.staged.rows.get("step_trainer_trusted", 0) // STEPS_PER_PART))
    if name != "machine_learning_curated" or stage.settings.policy != "strict" or parts == 1:
        yield stage.model(name)
        return
    sides = ("step_trainer_trusted", "accelerometer_trusted")
    for part in range(parts):
        for side in sides:
            among = f'SELECT * FROM after_{side} AS t WHERE hash(t."customer") % {parts} = {part}'
            stage.engine.define(side, among)
        yield stage.model(name)
    for side in sides:
        stage.engine.define(side, f"SELECT * FROM after_{side}")


def _drop_spent(stage: Stage, name: str) -> None:
    for relation in _SPENT.get(name, ()):
        stage.engine.drop(relation)


def _at_most(stage: Stage, name: str) -> int:
    feed = _FED_BY.get(name, "accelerometer")
    return stage.staged.rows[FEEDS[feed]]
