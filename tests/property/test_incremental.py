"""The law of incremental runs: after any sequence of deliveries they give what a full rebuild gives, and what SPEC says (SPEC 6).

A state machine makes random histories of few people, devices and instants, where everything meets: files delivered in any order, changed,
touched, copied and removed; consent given, withdrawn and given again; sessions that grow, split and merge; shared devices, moved serial
numbers, dirty lines, another policy and other thresholds in between. After every run the lakehouse is compared with a second one, which
is rebuilt in full each time, and with the oracle.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import seed
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from oracle import Row, expected, in_order
from product import Read, differences, rows, tables_of
from small_feeds import customer, feeds, identities, motion, oracle_settings

import stedi
from stedi.runs import rebuild

#: What the machine did, told at the end of the tests.
DONE: Counter[str] = Counter()
FEEDS = ("customer", "accelerometer", "step_trainer")
PARTS = 10
JUNK = [
    '{"user": "ann@test.com", "timestamp":',
    "not json",
    '{"sensorReadingTime": 1.5, "serialNumber": "d1"}',
    "[]",
    '{"email": 3}',
]


@dataclass
class Delivered:
    """A landing file as the last run read it: in which run, and a copy of what it held."""

    run: int
    feed: str
    copy: Path


class Histories(RuleBasedStateMachine):
    """One lakehouse that is brought up to date, one that is rebuilt, and the oracle."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="histories-"))
        self.landing = self.folder / "feeds"
        self.policy, self.tolerance_ms = "strict", 0
        self.identity: dict[str, Any] = {}
        self.runs, self.number = 0, 0
        self.delivered: dict[str, Delivered] = {}
        key = self.folder / "a.key"
        key.write_text("11" * 32)
        key.chmod(0o600)
        DONE["histories"] += 1

    def lake(self, name: str) -> stedi.Lakehouse:
        devices = {"clock_tolerance_ms": self.tolerance_ms, **self.identity}
        return stedi.open_lakehouse(
            self.folder / name, policy=self.policy, devices=devices, pseudonym_key=self.folder / "a.key", threads=1
        )

    @initialize(found=feeds(), identity=identities)
    def first_delivery(self, found: dict[str, list[dict[str, Any]]], identity: dict[str, Any]) -> None:
        self.identity = identity
        for feed in FEEDS:
            self._write(feed, found[feed])
        self.run()

    @rule(then_run=st.booleans(), found=feeds(), parts=st.sets(st.sampled_from(FEEDS), min_size=1))
    def deliver(self, found: dict[str, list[dict[str, Any]]], parts: set[str], then_run: bool) -> None:
        for feed in sorted(parts):
            self._write(feed, found[feed])
        self._run_if(then_run)

    @rule(then_run=st.booleans(), record=customer())
    def register(self, record: dict[str, Any], then_run: bool) -> None:
        self._write("customer", [record])
        self._run_if(then_run)

    @rule(then_run=st.booleans(), moved=motion())
    def move(self, moved: tuple[list[dict[str, Any]], list[dict[str, Any]]], then_run: bool) -> None:
        self._write("accelerometer", moved[0])
        self._write("step_trainer", moved[1])
        self._run_if(then_run)

    @rule(then_run=st.booleans(), data=st.data(), found=feeds(), keep=st.booleans())
    def change_a_file(
        self, data: st.DataObject, found: dict[str, list[dict[str, Any]]], keep: bool, then_run: bool
    ) -> None:
        if path := self._some_file(data):
            old = path.read_text() if keep else ""
            path.write_text(old + _lines(found[path.parent.name][:3]))
        self._run_if(then_run)

    @rule(then_run=st.booleans(), data=st.data())
    def copy_a_file(self, data: st.DataObject, then_run: bool) -> None:
        if path := self._some_file(data):
            self.number += 1
            shutil.copy(path, path.with_name(f"{self.number}.json"))
        self._run_if(then_run)

    @rule(then_run=st.booleans(), data=st.data())
    def touch_a_file(self, data: st.DataObject, then_run: bool) -> None:
        if path := self._some_file(data):
            os.utime(path, ns=(1, self.number + 1))
        self._run_if(then_run)

    @rule(then_run=st.booleans(), data=st.data())
    def remove_a_file(self, data: st.DataObject, then_run: bool) -> None:
        path = self._some_file(data)
        if path and str(path) in self.delivered and len(list(self.landing.rglob("*.json"))) > 1:
            path.unlink()
        self._run_if(then_run)

    @rule(then_run=st.booleans(), data=st.data(), junk=st.sampled_from(JUNK))
    def spoil_a_file(self, data: st.DataObject, junk: str, then_run: bool) -> None:
        if path := self._some_file(data):
            path.write_text(path.read_text() + junk + "\n")
        self._run_if(then_run)

    @precondition(lambda self: self.runs % 4 == 3)
    @rule(
        policy=st.sampled_from(["strict", "strict", "seed"]),
        tolerance_ms=st.sampled_from([0, 0, 1, 2]),
        identity=identities,
    )
    def change_the_settings(self, policy: str, tolerance_ms: int, identity: dict[str, Any]) -> None:
        self.policy, self.tolerance_ms, self.identity = policy, tolerance_ms, identity
        self.run()

    def _run_if(self, then_run: bool) -> None:
        if then_run:
            self.run()

    def run(self) -> None:
        before = dict(self.delivered)
        self._note_deliveries()
        lake = self.lake("updated")
        result = lake.run(self.landing)
        if result.run is None:
            DONE["nothing new"] += 1
            assert self.delivered == before
            return
        DONE["incremental runs" if result.report["mode"] == "incremental" else "full runs"] += 1
        rebuilt = self.lake("rebuilt")
        other = rebuilt.run(self.landing, full=True)
        found, wanted = Read(lake), Read(rebuilt)
        assert differences(_short(tables_of(found, self.policy)), self._wanted()) == {}
        assert result.report["withheld"] == other.report["withheld"]
        assert result.report["rows"] == other.report["rows"]
        for name in found.names:
            columns = tuple(c.name for c in lake.contract(name).columns if c.name != "_ingested_at")
            assert rows(found, name, columns) == rows(wanted, name, columns), name

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def _write(self, feed: str, records: list[dict[str, Any]]) -> None:
        self.number += 1
        path = self.landing / feed / f"{self.number}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_lines(records))

    def _some_file(self, data: st.DataObject) -> Path | None:
        found = sorted(self.landing.rglob("*.json"))
        return data.draw(st.sampled_from(found)) if found else None

    def _note_deliveries(self) -> None:
        """Remember what the run about to begin will read: new files, and those that hold something else than before."""
        self.runs += 1
        for path in sorted(self.landing.rglob("*.json")):
            known = self.delivered.get(str(path))
            if known is None or known.copy.read_bytes() != path.read_bytes():
                copy = self.folder / "copies" / str(self.runs) / path.parent.name / path.name
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy)
                self.delivered[str(path)] = Delivered(self.runs, path.parent.name, copy)

    def _wanted(self) -> dict[str, list[Row]]:
        deliveries = [
            [(d.feed, d.copy) for _, d in sorted(self.delivered.items()) if d.run == run]
            for run in range(1, self.runs + 1)
        ]
        return _short(expected(deliveries, oracle_settings(self.policy, self.tolerance_ms, self.identity)))


def _short(tables: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """File names without their folder: the oracle reads copies."""
    return {
        name: in_order(
            [tuple(Path(v).name if isinstance(v, str) and v.endswith(".json") else v for v in row) for row in rows]
        )
        for name, rows in tables.items()
    }


def _lines(records: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.mark.parametrize("part", range(PARTS))
def test_an_incremental_run_gives_what_a_rebuild_gives(
    part: int, count: Callable[[str, str, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In parts, so that processes can share the work. Rebuilds take few people at a time, as they do with very many rows."""
    monkeypatch.setattr(rebuild, "STEPS_PER_PART", 3)
    DONE.clear()
    histories = int(os.environ.get("STEDI_HISTORIES", "200")) // PARTS
    run_state_machine_as_test(
        seed(part)(Histories),
        settings=hypothesis_settings(
            hypothesis_settings.get_profile("stedi"), max_examples=max(1, histories), stateful_step_count=8
        ),
    )
    for kind, number in DONE.items():
        count("histories and their runs", kind, number)
