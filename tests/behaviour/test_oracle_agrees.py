"""Every table holds, row for row, what a naive implementation of the specification says."""

from __future__ import annotations

from pathlib import Path

import pytest
from oracle import Settings, expected
from product import differences, tables_of

import stedi
from stedi.simulate import SimulationOptions, simulate


def delivery(feeds: Path) -> list[tuple[str, Path]]:
    return [
        (feed, path)
        for feed in ("customer", "accelerometer", "step_trainer")
        for path in sorted((feeds / feed).rglob("*"))
        if path.is_file()
    ]


@pytest.mark.parametrize("policy", ["strict", "seed"])
def test_on_the_real_feeds(request: pytest.FixtureRequest, stedi_2023: Path, policy: str) -> None:
    lake: stedi.Lakehouse = request.getfixturevalue(f"{policy}_lake")
    assert differences(tables_of(lake, policy), expected([delivery(stedi_2023)], Settings(policy=policy))) == {}


@pytest.mark.parametrize("policy", ["strict", "seed"])
@pytest.mark.parametrize("difficulty", ["as they come", "much dirt", "clocks differ", "crowded"])
def test_on_simulated_feeds(tmp_path: Path, policy: str, difficulty: str) -> None:
    pytest.importorskip("zstandard", reason="the oracle reads .zst files with zstandard")
    options, tolerance_ms = {
        "as they come": (SimulationOptions(customers=200, seed=1), 0),
        "much dirt": (
            SimulationOptions(customers=120, seed=2, dirty_share=0.2, duplicate_rate=0.2, records_per_file=700),
            0,
        ),
        "clocks differ": (SimulationOptions(customers=120, seed=3, jitter_ms=40, drop_rate=0.05, interval_ms=300), 60),
        "crowded": (
            SimulationOptions(customers=120, seed=4, simultaneous_share=0.5, drop_rate=0.1, reused_serial_share=0.3),
            0,
        ),
    }[difficulty]
    simulate(tmp_path / "feeds", options)
    lake = stedi.open_lakehouse(tmp_path / "lake", policy=policy, devices={"clock_tolerance_ms": tolerance_ms})
    lake.run(tmp_path / "feeds")
    wanted = expected([delivery(tmp_path / "feeds")], Settings(policy=policy, tolerance_ms=tolerance_ms))
    assert differences(tables_of(lake, policy), wanted) == {}


@pytest.mark.parametrize(
    ("options", "devices"),
    [
        (SimulationOptions(customers=120, seed=6, simultaneous_share=0.6, drop_rate=0.2, reused_serial_share=0.3), {}),
        (SimulationOptions(customers=120, seed=7, jitter_ms=20, drop_rate=0.1, interval_ms=300), {"tolerance_ms": 20}),
        (
            SimulationOptions(customers=100, seed=8, clock_skew_ms=1500, jitter_ms=3, simultaneous_share=0.3),
            {"tolerance_ms": 3, "skew_ms": 1500},
        ),
    ],
    ids=["crowded and lossy", "jitter", "skew"],
)
def test_by_likelihood(tmp_path: Path, options: SimulationOptions, devices: dict[str, int]) -> None:
    pytest.importorskip("zstandard", reason="the oracle reads .zst files with zstandard")
    simulate(tmp_path / "feeds", options)
    told = {f"clock_{name}": value for name, value in devices.items()} | {"identity_rule": "likelihood"}
    lake = stedi.open_lakehouse(tmp_path / "lake", devices=told)
    lake.run(tmp_path / "feeds")
    found = tables_of(lake, "strict")
    assert len(found["device_sessions"]) > 30
    assert (
        differences(found, expected([delivery(tmp_path / "feeds")], Settings(identity_rule="likelihood", **devices)))
        == {}
    )


def test_on_the_truth_of_a_simulation(tmp_path: Path) -> None:
    """The simulator knows by construction what every table must hold."""
    import json

    simulate(tmp_path / "feeds", SimulationOptions(customers=3_000, seed=5))
    truth = json.loads((tmp_path / "feeds" / "truth" / "truth.json").read_text())
    for policy in ("strict", "seed"):
        lake = stedi.open_lakehouse(tmp_path / policy, policy=policy)
        lake.run(tmp_path / "feeds")
        wanted = _expected_rows(truth, policy)
        assert {info.name: info.rows for info in lake.tables() if info.name in wanted} == wanted


def _expected_rows(truth: dict[str, object], policy: str) -> dict[str, int]:
    return truth["expected"][policy]  # type: ignore[index, no-any-return]
