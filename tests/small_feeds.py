"""Random feeds of few people, devices and instants, where ties and overlaps abound (SPEC 2 to 5)."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

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
