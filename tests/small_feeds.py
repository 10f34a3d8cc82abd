"""Random feeds of few people, devices and instants, where ties and overlaps abound (SPEC 2 to 5)."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from oracle import Settings

PEOPLE = ["ann@test.com", "Ben@test.com", "cy@test.com", "dee@test.com"]
DEVICES = ["d1", "d2", "d3"]
#: Few instants, so that people and devices meet; two clusters that the session gap of 60 s parts. One is spread as well, so that matches
#: in it surprise.
instants = st.one_of(
    st.integers(1_000_000, 1_000_012),
    st.integers(1_100_000, 1_100_008),
    st.integers(0, 14).map(lambda n: 1_000_000 + 23 * n),
)
#: Settings under `[devices]` that say who is chosen by which rule. The thresholds are low: few instants can surprise only so much.
IDENTITIES: list[dict[str, Any]] = [
    {},
    {},
    {"identity_rule": "likelihood"},
    {"identity_rule": "likelihood", "min_evidence": 0.5, "min_margin": 1},
    {"identity_rule": "likelihood", "clock_skew_ms": 3, "min_evidence": 0.5, "min_margin": 2},
    {"identity_rule": "likelihood", "clock_skew_ms": 30, "min_evidence": 0.1, "min_margin": 1},
]
identities = st.sampled_from(IDENTITIES)


def oracle_settings(policy: str, tolerance_ms: int, identity: dict[str, Any]) -> Settings:
    """The same choices, as the oracle takes them."""
    told = {"skew_ms" if name == "clock_skew_ms" else name: value for name, value in identity.items()}
    return Settings(policy=policy, tolerance_ms=tolerance_ms, **told)


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
    shift = draw(st.sampled_from([0, 0, 0, 1, 2, 17]))
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
