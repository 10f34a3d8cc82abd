"""Killed while Spark works for it, a run leaves the published state intact, and the next run completes it (SPEC 6).

Few of them: each killed run starts a Spark of its own. The hundreds of kills are those of the embedded engine, in tests/behaviour.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("pyspark", reason="`make test-spark` sets up PySpark and Java")

from conftest import START_MS

import stedi
from bench.digests import digests
from stedi.lakehouse import doctor

#: Runs on Spark, and kills itself when a step is reached.
VICTIM = """
import os, signal, sys, stedi
folder, landing, wanted = sys.argv[1:]
def progress(step, done, total):
    if (step if done else "") == wanted or step + " begins" == wanted:
        os.kill(os.getpid(), signal.SIGKILL)
stedi.open_lakehouse(folder, engine="spark").run(landing, progress=progress)
"""
#: Before the first run has published, and before the second has: while tables are made, between two commits, after the last.
KILLS = {
    1: ["building customers_curated begins", "committing"],
    2: ["updating training rows begins", "publishing begins"],
}


@pytest.mark.parametrize("number", KILLS)
def test_killed_at_a_step(tmp_path: Path, write_small_feeds: Callable[[Path], Path], number: int) -> None:
    feeds = write_small_feeds(tmp_path / "feeds")
    lake = stedi.open_lakehouse(tmp_path / "lake")
    calm = stedi.open_lakehouse(tmp_path / "calm", pseudonym_key=tmp_path / "lake.key")
    if number > 1:
        lake.run(feeds)
        calm.run(feeds)
        reading = {"user": "ana@example.org", "timestamp": START_MS + 9_000, "x": 0.5, "y": 0.0, "z": -1.0}
        (feeds / "accelerometer" / "late.json").write_text(json.dumps(reading) + "\n")
    before = digests(lake) if number > 1 else None
    for step in KILLS[number]:
        command = [sys.executable, "-c", VICTIM, str(lake.folder), str(feeds), step]
        done = subprocess.run(command, capture_output=True, check=False, timeout=600)
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert [run.run for run in lake.runs()] == list(range(1, number))
        assert before is None or digests(lake) == before
        assert [check.message for check in doctor(lake.folder) if check.status == "problem"] == []
    assert lake.run(feeds, engine="spark").run == number
    calm.run(feeds)
    assert digests(lake) == digests(calm)
    assert list((lake.folder / "staging").iterdir()) == []
