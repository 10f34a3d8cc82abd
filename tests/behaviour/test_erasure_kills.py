"""Killed at any instant, an erasure is completed by the next run or the next erasure, and ends in the same state (SPEC 6)."""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

import pytest
from byte_scan import traces

import stedi
from stedi.lakehouse import doctor
from stedi.simulate import SimulationOptions, simulate

#: Kills of one test run; STEDI_KILLS=50 asks for more.
KILLS = int(os.environ.get("STEDI_KILLS", "6"))
ACTS = {"open", "os.remove", "os.rename", "sqlite3.connect"}


def landed(lake: stedi.Lakehouse) -> dict[str, list[str]]:
    """Landing rows by table, each as text."""
    found = {}
    for name in ("customer_landing", "accelerometer_landing", "step_trainer_landing"):
        found[name] = sorted(map(repr, lake.table(name).to_arrow().to_pylist()))
    return found


def killed(lake: stedi.Lakehouse, person: str, folder: Path, at: int) -> bool:
    """Forget a person in a process of its own, which kills itself before its `at`-th act on a file in `folder`."""
    child = os.fork()
    if child == 0:
        acts = 0

        def count(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal acts
            if event in ACTS and str(folder) in str(arguments[0]):
                acts += 1
                if acts == at:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        try:
            lake.subjects.forget([person])
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_killed_at_random_instants(tmp_path: Path) -> None:
    simulate(
        tmp_path / "all",
        SimulationOptions(customers=2 * KILLS + 20, seed=2, records_per_file=400, compressed_share=0.4),
    )
    (tmp_path / "all" / "truth").rename(tmp_path.with_name(tmp_path.name + "-truth"))
    lake, landing = stedi.open_lakehouse(tmp_path / "lake"), tmp_path / "all"
    lake.run(landing)
    everybody = (
        lake.query('SELECT DISTINCT "_customer" AS c FROM customer_landing ORDER BY 1').to_arrow()["c"].to_pylist()
    )
    rng, kills, gone = random.Random(3), 0, []
    for person in rng.sample(everybody, KILLS):
        before, expected = landed(lake), lake.subjects.find([person]).rows
        kills += killed(lake, person, tmp_path, rng.randint(1, 250))
        half_done = (tmp_path / "lake" / "erasure.jsonl").exists()
        (check,) = (check for check in doctor(tmp_path / "lake") if check.name == "erasure")
        assert (check.status == "problem") == half_done
        if half_done and rng.random() < 0.5:
            lake.run(landing)
        else:
            lake.subjects.forget([person])
        gone.append(person)
        assert not (tmp_path / "lake" / "erasure.jsonl").exists()
        assert traces([tmp_path], gone, everybody) == []
        after = landed(lake)
        for name, rows in before.items():
            assert set(after[name]) <= set(rows)
            assert len(after[name]) == len(rows) - expected[name]
        assert lake.run(landing).run is None
    print(f"{kills} kills")
    assert kills > KILLS / 3
    before = {info.name: info.rows for info in lake.tables() if info.zone != "records"}
    lake.run(landing, full=True)
    assert {info.name: info.rows for info in lake.tables() if info.zone != "records"} == before
