"""Fixtures that many tests share."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest

import stedi

#: What tests counted, in their reports: so it comes from the workers of xdist, too.
COUNTED = "counted"


def pytest_configure(config: pytest.Config) -> None:
    """PySpark leaves the sockets through which it hands over rows to the garbage collector."""
    if importlib.util.find_spec("pyspark") is not None:
        config.addinivalue_line("filterwarnings", "ignore:unclosed <socket:ResourceWarning")


@pytest.fixture
def count(record_property: Callable[[str, object], None]) -> Callable[[str, str, int], None]:
    """Counts what a test did; sums stand at the end of the output. Called with what, of which kind, and how many."""
    return lambda what, kind, number=1: record_property(COUNTED, (what, kind, int(number)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests counted, such as `kills: 12 (8 at named steps, 4 at random instants)`."""
    sums: dict[str, Counter[str]] = {}
    for report in chain.from_iterable(terminalreporter.stats.values()):
        if getattr(report, "when", "") == "call":
            for name, counted in report.user_properties:
                if name == COUNTED:
                    what, kind, number = counted
                    sums.setdefault(what, Counter())[kind] += number
    for what, kinds in sorted(sums.items()):
        told = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
        terminalreporter.write_line(f"{what}: {kinds.total()} ({told})")


REAL_FEEDS = Path(__file__).resolve().parents[2] / "shared" / "data" / "stedi-2023"


@pytest.fixture(scope="session")
def stedi_2023() -> Path:
    """The real feeds; they may not be copied into the project."""
    if not REAL_FEEDS.is_dir():
        pytest.skip("the stedi-2023 data set is not beside the repository (../shared/data/stedi-2023)")
    return REAL_FEEDS


@pytest.fixture(scope="session")
def strict_lake(stedi_2023: Path, tmp_path_factory: pytest.TempPathFactory) -> stedi.Lakehouse:
    """A lakehouse of the real feeds under `strict`. Tests only read it."""
    lake = stedi.open_lakehouse(tmp_path_factory.mktemp("strict") / "lake")
    lake.run(stedi_2023)
    return lake


@pytest.fixture(scope="session")
def seed_lake(stedi_2023: Path, tmp_path_factory: pytest.TempPathFactory) -> stedi.Lakehouse:
    """A lakehouse of the real feeds under `seed`. Tests only read it."""
    lake = stedi.open_lakehouse(tmp_path_factory.mktemp("seed") / "lake", policy="seed")
    lake.run(stedi_2023)
    return lake


#: The first instant of `small_feeds`, ms since the epoch.
START_MS = 1_700_000_000_000


def _person(name: str, serial: str, consent_ms: int | None) -> dict[str, object]:
    customer: dict[str, object] = {
        "customerName": name.title(),
        "email": f"{name}@example.org",
        "phone": "5550100",
        "birthDay": "1990-01-01",
        "serialNumber": serial,
        "registrationDate": START_MS - 1_000,
        "lastUpdateDate": START_MS - 1_000,
    }
    return customer if consent_ms is None else customer | {"shareWithResearchAsOfDate": consent_ms}


@pytest.fixture(scope="session")
def write_small_feeds() -> Callable[[Path], Path]:
    """Writes a landing folder that can be checked by hand, and returns it.

    | who | consents | device, from | instants of both |
    | --- | --- | --- | --- |
    | ana | before | device-a, start | 5 |
    | bo | at the third | device-b, an hour later | 5 |
    | cleo | never | device-c, two hours later | 4 |
    | dee, eve | before | device-d, three hours later | the same 5: ambiguous |

    Besides, one customer line is cut, and one accelerometer record has a timestamp of 123.7. So under `strict` 5 customers, 24 + 19
    readings and 2 quarantined records arrive; 4, 18 and 8 of them are trusted; 2 sessions are assigned and 1 is ambiguous.
    """

    def write(folder: Path) -> Path:
        hour = 3_600_000
        visits = [("ana", "a", 0, 5), ("bo", "b", 1, 5), ("cleo", "c", 2, 4), ("dee", "d", 3, 5), ("eve", "d", 3, 5)]
        consents = {"ana": START_MS - 1, "bo": START_MS + hour + 2_000, "dee": START_MS - 1, "eve": START_MS - 1}
        customers = [_person(name, "reused-number", consents.get(name)) for name, *_ in visits]
        phones = [
            {
                "user": f"{name}@example.org",
                "timestamp": START_MS + hours * hour + i * 1_000,
                "x": i / 2,
                "y": 0.0,
                "z": -1.0,
            }
            for name, _, hours, instants in visits
            for i in range(instants)
        ]
        devices = [
            {
                "sensorReadingTime": START_MS + hours * hour + i * 1_000,
                "serialNumber": f"device-{device}",
                "distanceFromObject": i,
            }
            for name, device, hours, instants in visits
            if name != "eve"
            for i in range(instants)
        ]
        for feed, records, broken in (
            ("customer", customers, '{"customerName": "Fay", "email": "fay@example.org", "pho'),
            ("accelerometer", phones, '{"user": "ana@example.org", "timestamp": 123.7, "x": 0, "y": 0, "z": 0}'),
            ("step_trainer", devices, ""),
        ):
            path = folder / feed / "2023" / f"{feed}.json"
            path.parent.mkdir(parents=True)
            path.write_text("".join(json.dumps(record) + "\n" for record in records) + broken, "utf-8")
        return folder

    return write


@pytest.fixture
def small_feeds(tmp_path: Path, write_small_feeds: Callable[[Path], Path]) -> Path:
    """A landing folder as `write_small_feeds` describes it, to be changed at will."""
    return write_small_feeds(tmp_path / "feeds")
