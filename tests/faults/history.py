"""A history of deliveries, small enough to be lived through a hundred times, and what an undisturbed lakehouse makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.harness import State, Victims, copy, seen_by_readers, seen_in_catalog

START_MS, HOUR_MS = 1_700_000_000_000, 3_600_000


def _write(landing: Path, feed: str, name: str, records: list[dict[str, Any]], rest: str = "") -> None:
    path = landing / feed / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records) + rest)


def _customer(person: str, updated: int, consent: int | None = START_MS - 1) -> dict[str, Any]:
    record = {
        "customerName": person,
        "email": f"{person}@example.org",
        "phone": "1",
        "birthDay": "1990-01-01",
        "serialNumber": "reused",
        "registrationDate": START_MS - 9,
        "lastUpdateDate": updated,
    }
    return record if consent is None else record | {"shareWithResearchAsOfDate": consent}


def _visit(person: str, hour: int, instants: int = 5) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    times = [START_MS + hour * HOUR_MS + i * 1_000 for i in range(instants)]
    phone = [{"user": f"{person}@example.org", "timestamp": t, "x": 0.5, "y": 0.0, "z": t % 7 / 2} for t in times]
    steps = [{"sensorReadingTime": t, "serialNumber": f"device-{person}", "distanceFromObject": t % 900} for t in times]
    return phone, steps


def _readings(landing: Path, name: str, visits: list[tuple[str, int]], rest: str = "") -> None:
    both = [_visit(person, hour) for person, hour in visits]
    _write(landing, "accelerometer", name, [reading for phone, _ in both for reading in phone], rest)
    _write(landing, "step_trainer", name, [step for _, steps in both for step in steps])


def _first(landing: Path) -> None:
    _write(landing, "customer", "1", [_customer("ana", 1), _customer("bo", 1), _customer("cleo", 1, None)])
    _readings(landing, "1", [("ana", 0), ("bo", 1), ("cleo", 2)], rest='{"user": "ana@exam')


def _more(landing: Path) -> None:
    _write(landing, "customer", "2", [_customer("dee", 1)])
    _readings(landing, "2", [("dee", 3), ("ana", 4), ("cleo", 5)])


def _consents(landing: Path) -> None:
    _write(landing, "customer", "3", [_customer("cleo", 2), _customer("bo", 2, None)])


def _changed(landing: Path) -> None:
    _readings(landing, "2", [("dee", 3), ("ana", 4), ("cleo", 5), ("dee", 6)])


def _last(landing: Path) -> None:
    _write(landing, "customer", "4", [_customer("bo", 3)])
    _readings(landing, "4", [("ana", 7), ("bo", 8)], rest="oops")


@dataclass(frozen=True)
class Chapter:
    """One delivery, and the run that takes it in."""

    name: str
    deliver: Callable[[Path], None]
    options: dict[str, Any] = field(default_factory=dict)


def _nothing(landing: Path) -> None:
    """No file comes."""


CHAPTERS = (
    Chapter("first run", _first),
    Chapter("new files", _more),
    Chapter("consent given and withdrawn", _consents),
    Chapter("a changed landing file", _changed),
    Chapter("a full rebuild", _nothing, {"full": True}),
    Chapter("another policy", _nothing, {"policy": "seed"}),
    Chapter("back, with new files", _last),
)


@dataclass(frozen=True)
class Told:
    """What an undisturbed lakehouse made of a chapter.

    Attributes:
        before, after: what readers saw before and after its run.
        instants: the instants of that run.
        seconds: how long it took.
    """

    before: State
    after: State
    instants: list[str]
    seconds: float


class History:
    """Lived through once, undisturbed; then any chapter can be begun again from what was there before it.

    Lakehouse and landing area lie at the same place each time, because both are known by their paths.
    """

    def __init__(self, folder: Path, victims: Victims, until: int = len(CHAPTERS)) -> None:
        self._folder = folder
        self.lake, self.landing = folder / "lake", folder / "landing"
        self.victims = victims
        self.told: list[Told] = []
        self.landing.mkdir(parents=True)
        (folder / "lake.key").write_text("11" * 32)  # the same in every life, so that pseudonyms can be compared
        (folder / "lake.key").chmod(0o600)
        before: State = {}
        for number, chapter in enumerate(CHAPTERS[:until]):
            chapter.deliver(self.landing)
            self._keep(number)
            outcome = self.run(number)
            assert outcome.get("run") == number + 1, outcome
            after = seen_by_readers(self.lake)
            assert after == seen_in_catalog(self.lake)
            assert after != before
            self.told.append(Told(before, after, outcome["instants"], outcome["seconds"]))
            before = after

    def begin(self, number: int) -> Told:
        """Put everything back as it was before the run of a chapter."""
        kept = self._folder / f"before-{number}"
        copy(kept / "lake", self.lake)
        copy(kept / "landing", self.landing)
        return self.told[number]

    def run(self, number: int, **order: Any) -> dict[str, Any]:
        """The run of a chapter; `order` as for `Victims.run`."""
        return self.victims.run(self.lake, self.landing, **{"options": CHAPTERS[number].options} | order)

    def _keep(self, number: int) -> None:
        kept = self._folder / f"before-{number}"
        copy(self.lake, kept / "lake")
        copy(self.landing, kept / "landing")
