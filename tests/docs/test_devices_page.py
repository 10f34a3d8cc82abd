"""The example that the page on devices works out by hand comes out of the lakehouse with the same numbers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from docs.snippets import REPOSITORY

import stedi

TEXT = (REPOSITORY / "docs" / "concepts" / "devices.md").read_text("utf-8")
START_MS = 1_700_000_000_000
DEVICE = "11111111-0000-4000-8000-000000000001"


def reported() -> dict[str, list[int]]:
    """Seconds at which each reported, from the page."""
    rows = re.findall(r"^\| (K|Ana|Ben)(?: \(device\))? \| *(?:\d* )?\| ([\d ]+) \|$", TEXT, re.MULTILINE)
    return {who: [int(second) for second in seconds.split()] for who, seconds in rows}


def evidence() -> dict[str, tuple[int, int, int, float]]:
    """D, A, M and J of each customer, from the page."""
    rows = re.findall(r"^\| (Ana|Ben) \| (\d+) \| (\d+) \| (\d+) \| ([\d.]+) \| (?:yes|no) \|$", TEXT, re.MULTILINE)
    return {who: (int(d), int(a), int(m), float(j)) for who, d, a, m, j in rows}


def customer(name: str, consent_s: int, serial: str | None = None) -> dict[str, object]:
    return {
        "email": f"{name.lower()}@test.com",
        "lastUpdateDate": START_MS,
        "shareWithResearchAsOfDate": START_MS + consent_s * 1000,
        "serialNumber": serial,
    }


def run(
    folder: Path, customers: list[dict[str, object]], phones: dict[str, list[int]], device: list[int]
) -> stedi.Lakehouse:
    """A lakehouse of these readings."""
    feeds: dict[str, list[dict[str, object]]] = {
        "customer": customers,
        "accelerometer": [
            {"user": f"{who.lower()}@test.com", "timestamp": START_MS + second * 1000, "x": 0.1, "y": 0.2, "z": 0.3}
            for who, seconds in phones.items()
            for second in seconds
        ],
        "step_trainer": [
            {"sensorReadingTime": START_MS + second * 1000, "serialNumber": DEVICE, "distanceFromObject": 200}
            for second in device
        ],
    }
    for feed, records in feeds.items():
        (folder / "feeds" / feed).mkdir(parents=True)
        text = "".join(json.dumps(record) + "\n" for record in records)
        (folder / "feeds" / feed / "records.json").write_text(text, "utf-8")
    lake = stedi.open_lakehouse(folder / "lake")
    lake.run(folder / "feeds")
    return lake


def sessions(lake: stedi.Lakehouse) -> list[dict[str, object]]:
    found: list[dict[str, object]] = lake.table("device_sessions").to_arrow().to_pylist()
    return found


def test_the_example_by_hand(tmp_path: Path) -> None:
    seconds = reported()
    phones = {who: seconds[who] for who in ("Ana", "Ben")}
    lake = run(tmp_path, [customer("Ana", 6), customer("Ben", 0)], phones, seconds["K"])
    (session,) = sessions(lake)
    d, a, m, j = evidence()["Ana"]
    assert (session["status"], session["reason"], session["customer"]) == ("assigned", "evidence", "ana@test.com")
    assert (session["deviceReadings"], session["customerReadings"], session["matches"]) == (d, a, m)
    assert session["jaccard"] == pytest.approx(j, abs=0.0005)
    rows = {table.name: table.rows for table in lake.tables()}
    assert (rows["step_trainer_trusted"], rows["machine_learning_curated"]) == (9, 8)
    assert lake.runs()[-1].report["withheld"]["step_trainer"] == {"before consent": 2}
    assert lake.query("FROM accelerometer_trusted WHERE customer = 'ana@test.com'").to_arrow().num_rows == 8


@pytest.mark.parametrize("who", ["Ana", "Ben"])
def test_the_evidence_by_the_formula(who: str) -> None:
    since = {"Ana": 6, "Ben": 0}[who]
    device, phone = ({s for s in reported()[name] if since <= s <= 30} for name in ("K", who))
    m = len(device & phone)
    d, a = len(device), len(phone)
    assert evidence()[who][:3] == (d, a, m)
    assert evidence()[who][3] == pytest.approx(m / (d + a - m), abs=0.0005)


def test_a_tie_is_ambiguous_and_names_both(tmp_path: Path) -> None:
    seconds = reported()["K"]
    lake = run(tmp_path, [customer("Ana", 0), customer("Cy", 0)], {"Ana": seconds, "Cy": seconds}, seconds)
    (session,) = sessions(lake)
    assert (session["status"], session["reason"]) == ("ambiguous", "tie")
    assert {session["candidate"], session["rival"]} == {"ana@test.com", "cy@test.com"}
    assert lake.runs()[-1].report["withheld"]["step_trainer"] == {"ambiguous session": 11}


def test_a_registration_breaks_a_tie(tmp_path: Path) -> None:
    seconds = reported()["K"]
    lake = run(tmp_path, [customer("Ana", 0, DEVICE), customer("Cy", 0)], {"Ana": seconds, "Cy": seconds}, seconds)
    (session,) = sessions(lake)
    assert (session["status"], session["reason"], session["registered"]) == ("assigned", "registration", True)
    assert session["customer"] == "ana@test.com"


@pytest.mark.parametrize(("serial", "assigned"), [(DEVICE, True), (None, False)])
def test_a_registration_stands_in_for_too_little_evidence(tmp_path: Path, serial: str | None, assigned: bool) -> None:
    seconds = reported()["K"]
    lake = run(tmp_path, [customer("Ana", 27, serial)], {"Ana": seconds}, seconds)
    assert [(s["status"], s["matches"], s["registered"]) for s in sessions(lake)] == [("assigned", 2, True)] * assigned


def test_a_gap_of_exactly_60_seconds_does_not_end_a_session(tmp_path: Path) -> None:
    seconds = [0, 60, 120, 181, 182, 183]
    lake = run(tmp_path, [customer("Ana", 0)], {"Ana": seconds}, seconds)
    starts = sorted(int(str(session["sessionStart"])) - START_MS for session in sessions(lake))
    assert starts == [0, 181_000]
