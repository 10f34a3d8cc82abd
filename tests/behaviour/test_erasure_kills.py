"""Killed at any instant, an erasure is completed by the next run or the next erasure, and ends in the same state (SPEC 6)."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from byte_scan import traces
from faults.harness import SLOWER, Victims, fewer, victims
from forgotten import contents, customers

import stedi
from stedi.lakehouse import doctor
from stedi.simulate import SimulationOptions, simulate

KILLS = fewer(50)
#: So often the erasure of one person is killed at most.
KILLS_EACH = 20

Count = Callable[[str, str, int], None]


def begin(folder: Path, feeds: Path, key: Path | None) -> tuple[stedi.Lakehouse, Path]:
    """A lakehouse with a history: everybody, a pinned run, and a file that came later. Its landing files lie beside it."""
    landing = folder / "lake-feeds"
    shutil.copytree(feeds, landing)
    if key is not None:
        shutil.copy2(key, folder / "lake.key")
    lake = stedi.open_lakehouse(folder / "lake")
    lake.run(landing)
    lake.pin(1, reason="a model")
    (landing / "customer" / "late.json").write_text(json.dumps({"email": "late@test.com", "lastUpdateDate": 1}) + "\n")
    lake.run(landing)
    return lake, landing


def half_done(lake: stedi.Lakehouse) -> bool:
    return (lake.folder / "erasure.jsonl").exists()


def kill(process: Victims, lake: stedi.Lakehouse, landing: Path, person: str, rng: random.Random) -> str | None:
    """Kill an erasure, or the run that completes one, at a random instant; returns of which kind it was, None where it was too late."""
    order = {} if half_done(lake) and rng.random() < 0.5 else {"forget": [person]}
    by_clock = rng.random() < 0.5
    fault = {"delay_s": rng.uniform(0, 1.2 * SLOWER)} if by_clock else {"at": rng.randint(1, 220), "fault": "kill"}
    outcome = process.run(lake.folder, landing, **order, **fault)
    assert "error" not in outcome, outcome
    if not outcome["killed"]:
        return None
    (check,) = (check for check in doctor(lake.folder) if check.name == "erasure")
    assert (check.status == "problem") == half_done(lake)
    return "at random instants" if by_clock else "before random acts"


def test_killed_again_and_again(tmp_path: Path, count: Count) -> None:
    """50 kills (5 on Spark): the erasure of each of some people is killed up to 20 times, also while it completes what was killed."""
    options = SimulationOptions(customers=12, seed=2, records_per_file=400, compressed_share=0.4, dirty_share=0.02)
    simulate(tmp_path / "all", options)
    shutil.rmtree(tmp_path / "all" / "truth")
    (tmp_path / "killed").mkdir()
    (tmp_path / "calm").mkdir()
    lake, landing = begin(tmp_path / "killed", tmp_path / "all", None)
    calm, calm_landing = begin(tmp_path / "calm", tmp_path / "all", lake.settings.key_file)
    rng, kills, gone = random.Random(3), 0, list[str]()
    everybody = customers(lake)
    waiting = rng.sample(everybody, len(everybody))
    with victims() as process:
        while kills < KILLS:
            person = waiting.pop()
            gone.append(person)
            calm.subjects.forget([person])
            before, after = contents(lake, landing, times=False), contents(calm, calm_landing, times=False)
            for _ in range(min(KILLS_EACH, KILLS - kills)):
                kind = kill(process, lake, landing, person, rng)
                if kind is None:  # it was complete: the next erasure finds nothing
                    break
                kills += 1
                count("kills", f"of an erasure, {kind}", 1)
            assert contents(lake, landing, times=False) in (before, after)
            if half_done(lake) and rng.random() < 0.5:
                assert lake.run(landing).run is None
            else:
                lake.subjects.forget([person])
            assert not half_done(lake)
            assert contents(lake, landing, times=False) == after
            assert traces([tmp_path / "killed"], gone, everybody) == []
            assert lake.run(landing).run is None
    for path in calm_landing.rglob("*"):
        if path.is_file():
            assert (landing / path.relative_to(calm_landing)).read_bytes() == path.read_bytes()
    assert {path.relative_to(landing) for path in landing.rglob("*")} == {
        path.relative_to(calm_landing) for path in calm_landing.rglob("*")
    }
    lake.run(landing, full=True)
    assert contents(lake, landing, times=False) == after
