"""Readers see the lakehouse as of the last completed run, all tables of it, whatever happens to runs meanwhile (SPEC 6)."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import faults
from faults.harness import SLOWER, seen_by_readers, seen_in_catalog, victims
from faults.history import CHAPTERS
from faults.reader import digest

Count = Callable[[str, str, int], None]
#: Looks that the reader must have had before we are content.
ENOUGH = 300


@contextmanager
def reader(lake: Path, out: Path) -> Iterator[None]:
    """A reader in a process of its own, for as long as the block."""
    end = out.with_suffix(".end")
    environment = os.environ | {"PYTHONPATH": str(Path(faults.__file__).parents[1])}
    process = subprocess.Popen(
        [sys.executable, "-m", "faults.reader", str(lake), str(out), str(end)],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield
    finally:
        end.touch()
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 0, complaint


def test_a_reader_sees_published_states_only(tmp_path: Path, count: Count) -> None:
    """Runs are published and killed; every look is at one published state, in all tables, and never at an older one than the last look."""
    lake, landing, looks = tmp_path / "lake", tmp_path / "landing", tmp_path / "looks"
    rng, kills = random.Random(11), 0
    published = {0: {digest({})}}
    looks.touch()
    with victims() as process, reader(lake, looks):
        while looks.read_text().count("\n") < ENOUGH or len(published) <= len(CHAPTERS):
            number = (len(published) - 1) % len(CHAPTERS)
            CHAPTERS[number].deliver(landing)
            options = {"full": True} | CHAPTERS[number].options
            for _ in range(2):
                killed = process.run(lake, landing, options=options, delay_s=rng.uniform(0.1, 1.0) * SLOWER)["killed"]
                kills += killed
                told = seen_in_catalog(lake)
                published.setdefault(len(told.get("runs", [])), set()).add(digest(told))
            process.run(lake, landing, options=options)
            told = seen_by_readers(lake)
            published.setdefault(len(told["runs"]), set()).add(digest(told))
    observed = [json.loads(line) for line in looks.read_text().splitlines()]
    assert all(len(states) == 1 for states in published.values())
    assert [look for look in observed if look[2] not in published[look[1]]] == []
    assert [look[1] for look in observed] == sorted(look[1] for look in observed)
    assert len({look[1] for look in observed}) > len(CHAPTERS) / 2
    count("kills", "while a reader looked", kills)
    for way, name in (("seen_by_readers", "by the public door"), ("seen_in_catalog", "through PyIceberg")):
        count("observations", name, sum(look[0] == way for look in observed))
