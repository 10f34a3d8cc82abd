"""What a lakehouse holds of people, gathered from its tables alone; shares no code with the product's own search for them."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Any

import stedi

Contents = dict[str, list[dict[str, Any]]]


def contents(lake: stedi.Lakehouse, landing: Path | None = None, times: bool = True) -> Contents:
    """The rows of every table but the lakehouse's own, in order; without `times` and the name of `landing`, to compare two lakehouses."""
    found = {}
    for info in lake.tables():
        if info.zone != "records":
            rows = lake.table(info.name).to_arrow().to_pylist()
            for row in rows:
                if not times and "_ingested_at" in row:
                    del row["_ingested_at"]
                    row["_source_file"] = str(Path(row["_source_file"]).relative_to(landing))
            found[info.name] = sorted(rows, key=repr)
    return found


def named(lake: stedi.Lakehouse, kind: str, value: str) -> str:
    key = bytes.fromhex(lake.settings.key_file.read_text().strip())
    return hmac.new(key, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()


class Forgotten:
    """What is known of people before they are forgotten, gathered from the tables alone."""

    def __init__(self, lake: stedi.Lakehouse, people: set[str], runs: list[int]) -> None:
        self.people = people
        self.windows = set()
        for run in runs:
            for row in lake.as_of(run).table("device_sessions").to_arrow().to_pylist():
                if row["customer"] in people:
                    self.windows.add((row["serialNumber"], row["sessionStart"], row["sessionEnd"]))
        self.subjects = {named(lake, "subject", person) for person in people}
        self.devices = {serial for serial, _, _ in self.windows}
        before = contents(lake)
        kept = {
            row["serialNumber"] for row in before["step_trainer_landing"] if not self.owns("step_trainer_landing", row)
        }
        kept |= {row["serialNumber"] for row in before["customer_landing"] if row["_customer"] not in people}
        self.alone = self.devices - kept

    def owns(self, table: str, row: dict[str, Any]) -> bool:
        if table in ("step_trainer_landing", "step_trainer_trusted"):
            at = row["sensorReadingTime"]
            return any(s == row["serialNumber"] and a <= at <= b for s, a, b in self.windows)
        if table == "machine_learning_curated":
            return row["subjectId"] in self.subjects
        return bool({row.get(name) for name in ("_customer", "customer", "candidate", "rival")} & self.people)

    def without_rivals(self, before: Contents) -> set[str]:
        """Everybody who met a device of no session that one of them met, too: nothing about them depends on who is gone."""
        met = before["session_evidence"]
        sessions = {(row["serialNumber"], row["sessionStart"]) for row in met if row["customer"] in self.people}
        rivals = {row["customer"] for row in met if (row["serialNumber"], row["sessionStart"]) in sessions}
        return {row["customer"] for row in met} - rivals - self.people

    def needles(self, lake: stedi.Lakehouse) -> set[str]:
        sessions = {named(lake, "session", f"{serial}:{start}") for serial, start, _ in self.windows}
        return self.people | self.subjects | sessions | self.alone | {named(lake, "device", s) for s in self.alone}


def customers(lake: stedi.Lakehouse) -> list[str]:
    return lake.query('SELECT DISTINCT "_customer" AS c FROM customer_landing ORDER BY 1').to_arrow()["c"].to_pylist()
