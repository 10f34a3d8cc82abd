"""Small random lakehouses: devices, consents and readings of few people, where ties and overlaps abound (SPEC 2 to 5)."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from oracle import Settings, expected
from product import differences, tables_of

import stedi

PEOPLE = ["ann@test.com", "Ben@test.com", "cy@test.com", "dee@test.com"]
DEVICES = ["d1", "d2", "d3"]
#: Few instants, so that people and devices meet; two clusters that the session gap of 60 s parts.
instants = st.one_of(st.integers(1_000_000, 1_000_012), st.integers(1_100_000, 1_100_008)).map(lambda n: n)


@st.composite
def customer(draw: st.DrawFn) -> dict[str, Any]:
    record: dict[str, Any] = {
        "customerName": "n",
        "email": draw(st.sampled_from(PEOPLE)),
        "serialNumber": draw(st.sampled_from([*DEVICES, "shared"])),
        "registrationDate": draw(st.integers(1, 2)),
        "lastUpdateDate": draw(st.integers(1, 3)),
    }
    consent = draw(st.sampled_from([None, 0, 1, 1, 1_000_004, 1_000_006, 1_100_002]))
    return record if consent is None else record | {"shareWithResearchAsOfDate": consent}


@st.composite
def motion(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A person moves with a device: most instants are seen by both."""
    person, device = draw(st.sampled_from(PEOPLE)), draw(st.sampled_from(DEVICES))
    seen = draw(st.lists(instants, max_size=12, unique=True))
    lost = draw(st.sets(st.sampled_from(seen), max_size=2)) if seen else set()
    shift = draw(st.sampled_from([0, 0, 0, 1, 2]))
    phone = [{"user": person, "timestamp": t + shift, "x": 0.5, "y": 0.0, "z": 1.0} for t in seen]
    steps = [
        {"sensorReadingTime": t, "serialNumber": device, "distanceFromObject": t % 7} for t in seen if t not in lost
    ]
    return phone, steps


@st.composite
def feeds(draw: st.DrawFn) -> dict[str, list[dict[str, Any]]]:
    customers = draw(st.lists(customer(), min_size=1, max_size=8))
    motions = draw(st.lists(motion(), min_size=1, max_size=6))
    return {
        "customer": customers,
        "accelerometer": [reading for phone, _ in motions for reading in phone],
        "step_trainer": [step for _, steps in motions for step in steps],
    }


def write(folder: Path, found: dict[str, list[dict[str, Any]]], files: int = 2) -> list[tuple[str, Path]]:
    """Write feeds as landing files, the records of each dealt out in turns."""
    delivery = []
    for feed, records in found.items():
        (folder / feed).mkdir(parents=True, exist_ok=True)
        for number in range(files):
            path = folder / feed / f"{number}.json"
            path.write_text("".join(json.dumps(record) + "\n" for record in records[number::files]))
            delivery.append((feed, path))
    return delivery


@given(feeds(), st.sampled_from(["strict", "strict", "strict", "seed"]), st.sampled_from([0, 0, 1, 2]))
def test_every_table_is_what_the_specification_says(
    found: dict[str, list[dict[str, Any]]], policy: str, tolerance_ms: int
) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        delivery = write(folder / "feeds", found)
        lake = stedi.open_lakehouse(folder / "lake", policy=policy, devices={"clock_tolerance_ms": tolerance_ms})
        result = lake.run(folder / "feeds")
        wanted = expected([delivery], Settings(policy=policy, tolerance_ms=tolerance_ms))
        assert differences(tables_of(lake, policy), wanted) == {}
        for feed, trusted in (
            ("customer", "customer_trusted"),
            ("accelerometer", "accelerometer_trusted"),
            ("step_trainer", "step_trainer_trusted"),
        ):
            kept, withheld = result.report["rows"][trusted], sum(result.report["withheld"][feed].values())
            assert kept + withheld == len(found[feed])
    finally:
        shutil.rmtree(folder)


@given(feeds(), st.data())
def test_the_order_of_arrival_does_not_matter(found: dict[str, list[dict[str, Any]]], data: st.DataObject) -> None:
    """The trusted and curated zones are the same whichever way the same records were dealt out to files."""
    unordered = {"customer": [{**r, "registrationDate": n} for n, r in enumerate(found["customer"])]}  # no ties on time
    found = found | unordered
    folder = Path(tempfile.mkdtemp())
    try:
        write(folder / "feeds", found, files=1)
        shuffled = {feed: data.draw(st.permutations(records)) for feed, records in found.items()}
        write(folder / "other", shuffled, files=3)
        (folder / "a.key").write_text("11" * 32)
        (folder / "a.key").chmod(0o600)
        lakes = []
        for name in ("feeds", "other"):
            lakes.append(stedi.open_lakehouse(folder / f"{name}-lake", pseudonym_key=folder / "a.key"))
            lakes[-1].run(folder / name)
        for info in lakes[0].tables():
            if info.zone in ("trusted", "curated"):
                one, other = (sorted(map(repr, lake.table(info.name).to_arrow().to_pylist())) for lake in lakes)
                assert one == other, info.name
    finally:
        shutil.rmtree(folder)
