"""One writer at a time: another is refused, or waits; a dead one is forgotten. Readers need no leave (tests/behaviour/test_readers.py)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from faults.harness import victims
from faults.history import CHAPTERS

import stedi
from stedi.catalog.lease import is_held, writer_lease

#: Takes the lease, says so, and keeps it.
HOLDER = """
import sys, time
from pathlib import Path
from stedi.catalog.lease import writer_lease
with writer_lease(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""
#: Looks at the lease without end.
WATCHER = """
import sys
from pathlib import Path
from stedi.catalog.lease import is_held
print("looking", flush=True)
while True:
    is_held(Path(sys.argv[1]))
"""


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    CHAPTERS[0].deliver(tmp_path / "landing")
    return tmp_path / "landing"


def test_a_second_writer_is_refused_and_told_who_is_first(landing: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    with writer_lease(tmp_path / "lake"):
        with pytest.raises(stedi.LockedError, match=f"process {os.getpid()}") as refused:
            lake.run(landing)
        assert "--wait" in str(refused.value.hint)
        assert is_held(tmp_path / "lake")
    assert not is_held(tmp_path / "lake")
    assert lake.run(landing).run == 1


def test_a_second_writer_waits_if_asked_to_and_reads_what_came_meanwhile(landing: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    steps: list[str] = []
    with ExitStack() as first:
        first.enter_context(writer_lease(tmp_path / "lake"))
        with pytest.raises(stedi.LockedError):
            lake.run(landing, wait_s=0.3)

        def end() -> None:
            CHAPTERS[1].deliver(landing)
            first.close()

        timer = threading.Timer(1, end)
        timer.start()
        result = lake.run(landing, wait_s=60, progress=lambda step, *_: steps.append(step))
        timer.join()
    assert result.run == 1
    assert steps[0] == "waiting for another run"
    assert len(result.plan["new"]) == 6


def test_the_lease_of_a_killed_process_is_free(landing: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "lake")], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(stedi.LockedError, match=f"process {holder.pid}"):
            lake.run(landing)
        holder.send_signal(signal.SIGKILL)
    start = time.monotonic()
    assert lake.run(landing).run == 1
    assert time.monotonic() - start < 30


def test_of_many_writers_at_once_one_does_the_work(landing: Path, tmp_path: Path) -> None:
    """All wait for their turn; the first publishes, and the others find nothing left to do."""

    def write(number: int) -> int | None:
        with victims() as process:
            outcome = process.run(tmp_path / "lake", landing, options={"wait_s": 120})
        return outcome["run"]  # type: ignore[no-any-return]

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(write, range(4)))
    assert sorted(outcomes, key=str) == [1, None, None, None]
    assert [run.run for run in stedi.open_lakehouse(tmp_path / "lake").runs()] == [1]


def test_a_look_at_the_lease_refuses_no_writer(tmp_path: Path) -> None:
    """`stedi doctor` asks whether a run is at work, all the time here."""
    with writer_lease(tmp_path):
        pass
    with subprocess.Popen([sys.executable, "-c", WATCHER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout is not None
        assert watcher.stdout.readline() == "looking\n"
        try:
            for _ in range(5_000):
                with writer_lease(tmp_path):
                    pass
        finally:
            watcher.kill()
