"""Killed at any instant, a run leaves the published state intact, and the next run completes it (SPEC 6).

Each kill is a SIGKILL of a real run on a real lakehouse, in one chapter of a history (`faults.history`). After it:

1. readers and PyIceberg see the state before the run, or the one after it, whole; which one is known but for the act of publishing itself;
2. `stedi doctor` finds nothing but what it says the next run mends;
3. the next run completes; all rows are those of the lakehouse that was never disturbed; nothing is left behind.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from faults.harness import SLOWER, copy, fewer, seen_by_readers, seen_in_catalog, unreferred, victims
from faults.history import CHAPTERS, History
from product import tables_of

import stedi
from stedi.lakehouse import doctor

PUBLISHING, PUBLISHED = "before: commit runs", "after: commit runs"
#: How the labels of instants begin that have a name of their own.
NAMED = ("step:", "before:", "after:")
#: What doctor says of the machine rather than of the lakehouse.
ELSEWHERE = {"disk", "settings", "python"}

Count = Callable[[str, str, int], None]
chapters = pytest.mark.parametrize("number", range(len(CHAPTERS)), ids=[chapter.name for chapter in CHAPTERS])


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    with victims() as process:
        yield History(tmp_path_factory.mktemp("history"), process)


def kill(history: History, number: int, **order: Any) -> bool:
    """Kill the run of a chapter, and look at what readers see; whether it was killed at all."""
    outcome = history.run(number, fault="kill", **order)
    if not outcome["killed"]:
        return False
    told = history.told[number]
    found = seen_in_catalog(history.lake)
    assert found in (told.before, told.after)
    assert seen_by_readers(history.lake) == found
    if "at" in order and order["at"] <= told.instants.index(PUBLISHING) + 1:
        assert found == told.before
    if "at" in order and order["at"] > told.instants.index(PUBLISHED):
        assert found == told.after
    return True


def complaints(history: History, *kinds: str) -> list[str]:
    return [f"{c.name}: {c.message}" for c in doctor(history.lake) if c.status in kinds and c.name not in ELSEWHERE]


def complete(history: History, number: int) -> None:
    """The next run does what the killed one did not, and nothing tells that it was ever killed."""
    told = history.told[number]
    published = seen_by_readers(history.lake) == told.after
    options = CHAPTERS[number].options
    outcome = history.run(number, options=options if not published else options | {"full": False})
    assert outcome["run"] == (None if published else number + 1), outcome
    assert seen_by_readers(history.lake) == told.after
    assert [path for path in unreferred(history.lake) if "/metadata/" not in path] == []


def named(instants: list[str]) -> list[int]:
    """Numbers of the instants that have a name of their own. Of those that follow each other at once, the first stands for all."""
    found = []
    for number, (before, label) in enumerate(pairwise(["", *instants]), 1):
        at_once = before.startswith(NAMED) and not label.startswith("after: write")
        if label.startswith(NAMED) and not at_once:
            found.append(number)
    return found


@chapters
def test_killed_at_every_named_step(history: History, number: int, count: Count) -> None:
    """Every chapter takes a third of the steps, so that each step has its turn; publishing has one in each."""
    instants = history.told[number].instants
    steps = [at for turn, at in enumerate(named(instants)) if turn % 3 == number % 3]
    steps = steps[number % SLOWER :: SLOWER]
    steps += [instants.index(label) + 1 for label in (PUBLISHING, PUBLISHED)]
    for at in sorted({*steps}):
        history.begin(number)
        assert kill(history, number, at=at), instants[at - 1]
        count("kills", "at named steps", 1)
        assert complaints(history, "problem") == []
        complete(history, number)
        assert complaints(history, "problem", "warning") == []


@chapters
def test_killed_before_an_act_on_the_file_system(history: History, number: int, count: Count) -> None:
    instants = history.told[number].instants
    acts = [number for number, label in enumerate(instants, 1) if not label.startswith(NAMED)]
    for at in random.Random(number).sample(acts, fewer(3)):
        history.begin(number)
        assert kill(history, number, at=at), instants[at - 1]
        count("kills", "before an act on the file system", 1)
        complete(history, number)


@chapters
def test_killed_at_random_instants(history: History, number: int, count: Count) -> None:
    """By the clock, from outside, at whatever the run is doing: several times in a row, too."""
    rng, kills = random.Random(), 0
    while kills < fewer(3):
        seed = rng.randrange(1 << 32)
        told, delays = history.begin(number), random.Random(seed)
        for _ in range(delays.choice([1, 1, 3])):
            killed = kill(history, number, delay_s=delays.uniform(0, told.seconds))
            kills += killed
            count("kills", "at random instants", killed)
            if seen_by_readers(history.lake) == told.after:
                break  # nothing is left to kill: another run would be another chapter
        complete(history, number)


@pytest.mark.parametrize("number", [0, 1, 3])
def test_killed_while_it_recovers(history: History, number: int, count: Count) -> None:
    """A run is killed when all is committed and nothing published; the next is killed while it takes that back, and again, and again."""
    history.begin(number)
    instants = history.told[number].instants
    kill(history, number, at=instants.index(PUBLISHING) + 1)
    for at in sorted(random.Random(number).sample(range(4, 100, 12), fewer(8))):
        if not kill(history, number, at=at):
            break
        count("kills", "while recovering", 1)
    complete(history, number)


@pytest.mark.parametrize("number", [0, 1])
def test_killed_while_a_key_is_made(tmp_path: Path, number: int, count: Count) -> None:
    """In the first run, and in one with `new_key`: no half a key is left, and never one that nobody has used the pseudonyms of."""
    lake, landing = tmp_path / "lake", tmp_path / "landing"
    options = {"new_key": True} if number else {}
    with victims() as process:
        kept = tmp_path / "kept"
        CHAPTERS[0].deliver(landing)
        if number:
            process.run(lake, landing)
        copy(lake, kept / "lake")
        keys = {path: path.read_bytes() for path in tmp_path.glob("*lake.key*")}
        instants = process.run(lake, landing, options=options)["instants"]
        wanted = tables_of(stedi.open_lakehouse(lake), "strict")
        around = [at for at, label in enumerate(instants, 1) if ".key" in label]
        for at in around[::SLOWER]:
            copy(kept / "lake", lake)
            for path in tmp_path.glob("*lake.key*"):
                path.unlink()
            for path, key in keys.items():
                path.write_bytes(key)
                path.chmod(0o600)
            assert process.run(lake, landing, at=at, fault="kill", options=options)["killed"]
            count("kills", "while a key is made", 1)
            if number:  # the pseudonyms of what is published fit the key, or the next run makes them fit
                assert [c for c in doctor(lake) if c.status == "problem" and c.name == "tables"] == []
            assert "error" not in process.run(lake, landing)
            assert tables_of(stedi.open_lakehouse(lake), "strict") == wanted
            assert [c.message for c in doctor(lake) if c.name == "pseudonym key" and c.status != "ok"] == []
