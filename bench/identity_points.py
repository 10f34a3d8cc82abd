"""One point of `bench.identity`: simulate a difficulty, let a rule assign the sessions, count how many it gets right.

Two ways give the same. `by_models` simulates instants in memory and runs the models that lead to `device_sessions` on them, some chunks of
customers at a time: no two chunks share an instant (see `stedi.simulate.chunks`), so memory stays bounded at any number of customers.
`by_lakehouse` writes feeds and runs the whole lakehouse; `bench.identity --check` proves on a few points that both count alike.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import stedi
from stedi.config import DeviceSettings, Settings
from stedi.contracts import model
from stedi.devices.steps import keep_step
from stedi.engines.duckdb import DuckDBEngine
from stedi.privacy.policy import reach_rows, settings_row
from stedi.runs.rebuild import EVIDENCE
from stedi.simulate import SimulationOptions, simulate
from stedi.simulate.chunks import Chunk, plan_chunks
from stedi.simulate.scene import Scene, draw_scene

#: Usable readings of the device that a session must have to count as one that could be assigned: the least that SPEC 5 asks for.
LEAST_READINGS = 3
#: Feeds without dirt, so that only the difficulty that is asked for makes a difference.
CLEAN: dict[str, Any] = {"dirty_share": 0.0, "duplicate_rate": 0.0, "compressed_share": 0.0}
_CHUNKS_AT_A_TIME = 5


@dataclass
class Counted:
    """How a rule did. Grain of all counts: a session that the devices reported.

    Attributes:
        assignable: sessions of consenting customers with at least three usable readings: the denominator of recall.
        assigned: sessions that were assigned, whoever used them.
        right: assigned ones that went to whoever used the device.
        ambiguous: sessions listed for a person to look at.
        seconds: time that the rule took, without the simulation (with it, and with reading the feeds, for a whole lakehouse).
    """

    assignable: int = 0
    assigned: int = 0
    right: int = 0
    ambiguous: int = 0
    seconds: float = 0.0

    def add(self, other: Counted) -> None:
        """Add the counts of other customers."""
        for name, number in asdict(other).items():
            setattr(self, name, getattr(self, name) + number)

    def as_row(self) -> dict[str, float]:
        """The counts and what follows from them; precision is 1 where nothing was assigned."""
        wrong = self.assigned - self.right
        return {
            **asdict(self),
            "seconds": round(self.seconds, 2),
            "wrong": wrong,
            "wrongShare": wrong / self.assigned if self.assigned else 0.0,
            "precision": self.right / self.assigned if self.assigned else 1.0,
            "recall": self.right / self.assignable if self.assignable else 1.0,
        }


def by_models(options: SimulationOptions, devices: dict[str, Any], memory_limit: str = "4GB") -> Counted:
    """Count on instants in memory, by the models of the lakehouse."""
    settings = Settings(devices=DeviceSettings(**devices))
    counted = Counted()
    chunks = plan_chunks(options)
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        engine = DuckDBEngine(Path(scratch), memory_limit)
        engine.use_rows("settings", settings_row(settings))
        engine.use_rows("reach", reach_rows(settings))
        try:
            while some := list(islice(chunks, _CHUNKS_AT_A_TIME)):
                for name, rows in _relations(options, some).items():
                    engine.use_rows(name, rows)
                counted.add(_judged(engine, settings))
        finally:
            engine.close()
    return counted


def by_lakehouse(options: SimulationOptions, devices: dict[str, Any], memory_limit: str = "4GB") -> Counted:
    """Count on feeds that the whole lakehouse read."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        simulate(folder / "feeds", options)
        start = time.perf_counter()
        lake = stedi.open_lakehouse(folder / "lake", devices=devices, memory_limit=memory_limit)
        lake.run(folder / "feeds")
        took = time.perf_counter() - start
        found = lake.query(
            'SELECT "serialNumber", "sessionStart", "status", "customer" FROM device_sessions'
        ).to_arrow()
        with (folder / "feeds" / "truth" / "sessions.ndjson").open(encoding="utf-8") as lines:
            sessions = [json.loads(line) for line in lines]
    owner = {(one["serialNumber"], one["sessionStart"]): one["email"].lower() for one in sessions}
    assigned = [row for row in found.to_pylist() if row["status"] == "assigned"]
    return Counted(
        assignable=sum(one["consents"] and one["usableReadings"] >= LEAST_READINGS for one in sessions),
        assigned=len(assigned),
        right=sum(owner[row["serialNumber"], row["sessionStart"]] == row["customer"] for row in assigned),
        ambiguous=len(found) - len(assigned),
        seconds=took,
    )


def _relations(options: SimulationOptions, chunks: list[Chunk]) -> dict[str, pa.Table]:
    """What the models read, and the truth, of some chunks."""
    parts: dict[str, list[pa.Table]] = {}
    for chunk in chunks:
        for name, rows in _scene_relations(draw_scene(options, chunk)):
            parts.setdefault(name, []).append(rows)
    return {name: pa.concat_tables(rows) for name, rows in parts.items()}


def _scene_relations(scene: Scene) -> Iterator[tuple[str, pa.Table]]:
    """The columns that lead to `device_sessions`; customers are called by their number."""
    people, sessions, spans = scene.people, scene.sessions, scene.spans()
    numbers = people.serial_numbers
    names = pa.array(np.arange(people.first, people.first + people.count)).cast(pa.string())
    steps, movements = scene.steps, scene.movements
    yield (
        "step_trainer_landing",
        pa.table({"serialNumber": _taken(numbers, sessions.device[steps.session]), "sensorReadingTime": steps.instant}),
    )
    mover = sessions.owner[movements.session]
    usable = scene.may_be_used(movements.session, movements.instant)
    yield (
        "accelerometer_trusted",
        pa.table({"customer": _taken(names, mover[usable]), "timestamp": movements.instant[usable]}),
    )
    consents = np.flatnonzero(people.consents)
    yield (
        "customer_trusted",
        pa.table({"customer": _taken(names, consents), "usableSince": scene.consent_ms[consents]}),
    )
    yield "customer_holding", pa.table({"customer": names, "serialNumber": _taken(numbers, people.registered)})
    owner = sessions.owner[spans.session]
    assignable = people.consents[owner] & (spans.usable_readings >= LEAST_READINGS)
    yield (
        "truth",
        pa.table(
            {
                "serialNumber": _taken(numbers, sessions.device[spans.session]),
                "sessionStart": spans.start,
                "owner": _taken(names, owner),
                "assignable": assignable,
            }
        ),
    )


def _taken(texts: pa.StringArray, index: np.ndarray[Any, Any]) -> pa.StringArray:
    return texts.take(pa.array(index))


def _judged(engine: DuckDBEngine, settings: Settings) -> Counted:
    start = time.perf_counter()
    for step in EVIDENCE:
        keep_step(engine, step, model(step, "strict", settings.devices.identity_rule), settings.devices)
    for table in ("session_evidence", "device_sessions"):
        engine.keep(table, model(table, "strict", settings.devices.identity_rule))
    took = time.perf_counter() - start
    (row,) = engine.query(
        """SELECT count(*) FILTER (t."assignable") AS "assignable", count(*) FILTER (d."status" = 'assigned') AS "assigned",
             count(*) FILTER (d."status" = 'assigned' AND d."customer" = t."owner") AS "right",
             count(*) FILTER (d."status" = 'ambiguous') AS "ambiguous"
           FROM truth AS t LEFT JOIN device_sessions AS d
             ON d."serialNumber" = t."serialNumber" AND d."sessionStart" = t."sessionStart\""""
    ).to_pylist()
    return Counted(**row, seconds=took)
