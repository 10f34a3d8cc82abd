"""Bring every derived table up to date with what changed, and leave the rest alone (SPEC 6).

The models are those of a rebuild. They are run over a part of the rows that is closed: whatever decides about a row in it lies in it, too.
`zones/scope/` says which part that is. What the models give for the part is compared with what the tables hold for it, and the difference
is written. So a part that is too large costs time, never rows.

1. Customers: those with a changed record; their rows in customer_trusted and consent_history.
2. Readings: of customers whose consent changed all of them, of others the new ones; their rows in accelerometer_trusted.
3. Devices: with changed readings, or meeting a touched customer's phone; all their rivals; their rows in session_evidence and
   device_sessions, then those of step_trainer_trusted and machine_learning_curated.
4. customers_curated, for whoever was touched by 1 to 3.

What was withheld is counted over the same part as it was and as it is; the difference corrects the counts of the last run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from stedi.contracts import FEEDS, scope_model
from stedi.runs.rebuild import DERIVED, EVIDENCE, compute
from stedi.runs.stage import Progress, Stage

#: How a row of `t` says whom or what it is about, and the column of that name in the key relations of `zones/scope/`.
_NAMED = ('t."_customer"', "customer")
_CUSTOMER = ('t."customer"', "customer")
_DEVICE = ('t."serialNumber"', "serialNumber")
_STEP_INSTANT = ('t."sensorReadingTime"', "instant")
_PSEUDONYM = ('t."deviceId"', "deviceId")
_STEP = '"sensorReadingTime", "serialNumber", "distanceFromObject"'
_READING = '"_customer", "user", "timestamp", "x", "y", "z"'


def update(stage: Stage, withheld: Mapping[str, Mapping[str, int]], progress: Progress) -> dict[str, dict[str, int]]:
    """Bring every derived table up to date.

    Args:
        stage: the run in the making, its landing tables staged.
        withheld: landing records that were withheld as of the last run, by feed and reason.
        progress: called with step, done and total.

    Returns:
        The same, as of this run.
    """
    for name in DERIVED:
        stage.before(name)
    steps = (_customers, _readings, _evidence, _sessions, _steps, _training_rows, _curated_customers)
    counts = {feed: Counter(withheld[feed]) for feed in FEEDS}
    for number, step in enumerate(steps):
        progress("updating " + step.__name__.strip("_").replace("_", " "), number, len(steps))
        with stage.timed(step.__name__.strip("_")):
            step(stage, counts)
    progress("updating", len(steps), len(steps))
    return {feed: {reason: n for reason, n in sorted(counts[feed].items()) if n} for feed in FEEDS}


Counts = Mapping[str, Counter[str]]


def _customers(stage: Stage, counts: Counts) -> None:
    _keep(stage, "changed_customers", "named_customers")
    of_named = f"SELECT * FROM after_customer_landing AS t WHERE {_among(_NAMED, 'named_customers')}"
    stage.engine.keep("customer_landing_after", of_named)
    stage.engine.keep("customer_landing_before", _earlier(stage, "customer_landing", "customer_landing_after"))
    for state in ("before", "after"):
        stage.engine.define("customer_landing", f"SELECT * FROM customer_landing_{state}")
        stage.engine.keep(f"holding_{state}", stage.model("customer_holding"))
        stage.engine.define("customer_holding", f"SELECT * FROM holding_{state}")
        _count(stage, counts, "customer", state)
    stage.splice(
        "customer_trusted",
        f"SELECT * FROM ({stage.model('customer_trusted')}) AS t WHERE {_among(_CUSTOMER, 'changed_customers')}",
        f"SELECT * FROM before_customer_trusted AS t WHERE {_among(_CUSTOMER, 'changed_customers')}",
    )
    stage.splice(
        "consent_history",
        f"SELECT * FROM ({stage.model('consent_history')}) AS t WHERE {_among(_CUSTOMER, 'changed_customers')}",
        f"SELECT * FROM before_consent_history AS t WHERE {_among(_CUSTOMER, 'changed_customers')}",
    )


def _readings(stage: Stage, counts: Counts) -> None:
    engine = stage.engine
    _keep(stage, "moved_customers", "arrived_readings", "met_readings")
    moved = stage.count("moved_customers") > 0  # else spare the engine a look at every landing row
    of_moved = _among(_NAMED, "moved_customers") if moved else "FALSE"
    engine.keep(
        "moved_after", f'SELECT {_READING}, "_ingested_at" FROM after_accelerometer_landing AS t WHERE {of_moved}'
    )
    engine.keep("moved_before", _earlier(stage, "accelerometer_landing", "moved_after", _READING))
    met = f"SELECT {_READING} FROM met_readings"
    engine.keep("readings_before", f"SELECT {_READING} FROM moved_before UNION ALL {met}")
    engine.keep(
        "readings_after",
        f"SELECT {_READING} FROM moved_after UNION ALL {met} UNION ALL SELECT {_READING} FROM arrived_readings",
    )
    for state in ("before", "after"):
        _as_of(stage, state, "customer_trusted")
        engine.define("customer_holding", f"SELECT * FROM holding_{state}")
        engine.define("accelerometer_landing", f"SELECT * FROM readings_{state}")
        compute(stage, ["repeated_readings"])
        _count(stage, counts, "accelerometer", state)
    columns = ", ".join(f't."{c.name}"' for c in stage.contracts["accelerometer_trusted"].columns)
    located = f'{columns}, t."_file", t."_row"'
    of_moved = _among(_CUSTOMER, "moved_customers") if moved else "FALSE"
    stage.splice(
        "accelerometer_trusted",
        stage.model("accelerometer_trusted"),
        f"SELECT {located} FROM before_accelerometer_trusted AS t WHERE {of_moved}"
        f" UNION ALL SELECT {located} FROM met_readings AS t",
    )


def _evidence(stage: Stage, counts: Counts) -> None:
    engine = stage.engine
    _keep(stage, "touched_customers", "extended_customers", "crowded_numbers", "changed_devices")
    touched, changed = stage.counts("touched_customers", "changed_devices")
    _keep_if(touched, stage, "phone_ticks")
    ticked = _meanwhile(stage, "steps_meanwhile", "after_step_trainer_landing", "sensorReadingTime", "phone_ticks")
    _keep_if(ticked, stage, "devices_met")
    _keep_if(changed, stage, "device_ticks")
    ticked = _meanwhile(stage, "readings_meanwhile", "after_accelerometer_trusted", "timestamp", "device_ticks")
    _keep_if(ticked, stage, "customers_met")
    _keep(stage, "met_devices", "met_customers", "scope_devices", "scope_customers", "scope_pseudonyms")
    of_scope = _among(_DEVICE, "scope_devices")
    engine.keep("steps_after", f'SELECT {_STEP}, "_ingested_at" FROM after_step_trainer_landing AS t WHERE {of_scope}')
    engine.keep("steps_before", _earlier(stage, "step_trainer_landing", "steps_after", _STEP))
    _keep(stage, "scope_instants")
    engine.keep(
        "accelerometer_trusted",
        f"SELECT * FROM after_accelerometer_trusted AS t WHERE {_among(_CUSTOMER, 'scope_customers')}",
    )
    _as_of(stage, "before", "device_sessions")
    _sessionize(stage, "before")
    compute(stage, ["decided_instants", "repeated_steps"])
    _count(stage, counts, "step_trainer", "before")
    _sessionize(stage, "after")
    compute(stage, ["phone_instants", *EVIDENCE[EVIDENCE.index("sessions") :]])
    stage.splice(
        "session_evidence",
        stage.model("session_evidence"),
        f"SELECT * FROM before_session_evidence AS t WHERE {_among(_DEVICE, 'scope_devices')}",
    )


def _sessionize(stage: Stage, state: str) -> None:
    engine = stage.engine
    engine.define("step_trainer_landing", f"SELECT * FROM steps_{state}")
    engine.define(
        "customer_trusted", f"SELECT * FROM {state}_customer_trusted AS t WHERE {_among(_CUSTOMER, 'scope_customers')}"
    )
    compute(stage, ["customer_numbers", "device_numbers"])
    engine.keep("device_instants", scope_model("device_instants"))
    compute(stage, ["session_instants"])


def _sessions(stage: Stage, counts: Counts) -> None:
    engine = stage.engine
    _keep(stage, "rival_devices", "registered_customers")
    engine.keep(
        "session_evidence",
        f"SELECT * FROM after_session_evidence AS t WHERE {_among(_DEVICE, 'rival_devices')}",
    )
    engine.keep(
        "customer_landing",
        f"SELECT * FROM after_customer_landing AS t WHERE {_among(_NAMED, 'registered_customers')}",
    )
    engine.keep("customer_holding", stage.model("customer_holding"))
    stage.splice(
        "device_sessions",
        f"SELECT * FROM ({stage.model('device_sessions')}) AS t WHERE {_among(_DEVICE, 'scope_devices')}",
        f"SELECT * FROM before_device_sessions AS t WHERE {_among(_DEVICE, 'scope_devices')}",
    )
    compute(stage, ["decided_instants", "repeated_steps"])
    _count(stage, counts, "step_trainer", "after")


def _steps(stage: Stage, _counts: Counts) -> None:
    compute(stage, ["usable_instants"])
    stage.splice(
        "step_trainer_trusted",
        stage.model("step_trainer_trusted"),
        f"SELECT * FROM before_step_trainer_trusted AS t WHERE {_among(_DEVICE, 'scope_devices')}",
    )


def _training_rows(stage: Stage, _counts: Counts) -> None:
    stage.engine.define("step_trainer_trusted", "SELECT * FROM new_step_trainer_trusted")
    stage.engine.define(
        "device_sessions", f"SELECT * FROM after_device_sessions AS t WHERE {_among(_DEVICE, 'scope_devices')}"
    )
    compute(stage, ["session_pseudonyms"])
    stage.splice(
        "machine_learning_curated",
        stage.model("machine_learning_curated"),
        "SELECT * FROM before_machine_learning_curated AS t"
        f" WHERE {_among(_STEP_INSTANT, 'scope_instants')} AND {_among(_PSEUDONYM, 'scope_pseudonyms')}",
    )


def _curated_customers(stage: Stage, _counts: Counts) -> None:
    _keep(stage, "curated_customers")
    in_scope = _among(_CUSTOMER, "curated_customers")
    stage.engine.define("device_sessions", f"SELECT * FROM after_device_sessions AS t WHERE {in_scope}")
    stage.engine.define("customer_trusted", f"SELECT * FROM after_customer_trusted AS t WHERE {in_scope}")
    stage.splice(
        "customers_curated",
        stage.model("customers_curated"),
        f"SELECT * FROM before_customers_curated AS t WHERE {in_scope}",
    )


def _keep(stage: Stage, *names: str) -> None:
    for name in names:
        stage.engine.keep(name, scope_model(name))


def _keep_if(keys: int, stage: Stage, name: str) -> None:
    """Where there are no keys to look for, spare the engine a look at a whole table."""
    stage.engine.keep(name, scope_model(name) if keys else f"SELECT * FROM ({scope_model(name)}) AS t WHERE FALSE")


def _meanwhile(stage: Stage, name: str, table: str, column: str, ticks: str) -> int:
    """Define the rows of a table from the first to the last of the ticks. Only bounds that are spelled out let files be skipped.

    Returns the number of ticks.
    """
    (span,) = stage.engine.query(
        f'SELECT min("tick") AS first, max("tick") AS last, count(*) AS n FROM {ticks}'
    ).to_pylist()
    first, last = span["first"] or 0, span["last"] or 0
    width = stage.settings.devices.clock_tolerance_ms + stage.settings.devices.clock_skew_ms + 1  # of a tick
    stage.engine.define(
        name, f'SELECT * FROM {table} WHERE "{column}" BETWEEN {(first - 1) * width} AND {(last + 1) * width}'
    )
    return int(span["n"])


def _as_of(stage: Stage, state: str, *names: str) -> None:
    """Let the models see tables as they were, or as they will be."""
    for name in names:
        stage.engine.define(name, f"SELECT * FROM {state}_{name}")


def _count(stage: Stage, counts: Counts, feed: str, state: str) -> None:
    """Take what was withheld in the part off the counts, or add what is withheld now."""
    found = stage.withheld(feed)
    counts[feed].update(found) if state == "after" else counts[feed].subtract(found)


def _earlier(stage: Stage, table: str, part: str, columns: str = "*") -> str:
    """The rows of a part of a landing table as they were before this run; what a changed file brought lies in the part, or lay."""
    now = f"CAST('{stage.started_at.isoformat()}' AS TIMESTAMPTZ)"
    return f"""SELECT {columns} FROM {part} WHERE "_ingested_at" <> {now}
        UNION ALL SELECT {columns} FROM gone_{table}"""


def _among(subject: tuple[str, str], keys: str) -> str:
    """The condition that a row of `t` is about one of the keys."""
    expression, column = subject
    return f'EXISTS (SELECT 1 FROM {keys} AS k WHERE k."{column}" = {expression})'
