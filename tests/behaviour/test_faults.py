"""A full disk and a failing store: the run says so, publishes nothing or all, and the next run completes it.

1. The error is a `StorageError` with a hint; or the run got by without what failed.
2. Readers and PyIceberg see the state before the run if it failed, the one after it if it did not.
3. The next run completes; all rows are those of the lakehouse that was never disturbed; nothing is left behind.

`STEDI_FAULTS=all` lets every instant and every operation fail; without it a sample does, another one each time.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from faults.harness import fewer, seen_by_readers, seen_in_catalog, unreferred, victims
from faults.history import History

Count = Callable[[str, str, int], None]
ALL = os.environ.get("STEDI_FAULTS") == "all"
FIRST, NEW_FILES, CHANGED = 0, 1, 3


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    with victims() as process:
        yield History(tmp_path_factory.mktemp("history"), process, until=CHANGED + 1)


def survive(history: History, number: int, **order: Any) -> None:
    """A run meets a fault, and the next one completes it."""
    told = history.begin(number)
    outcome = history.run(number, **order)
    if "run" in outcome:
        assert seen_in_catalog(history.lake) == told.after
    else:
        assert outcome["error"] is not None, outcome.get("traceback")
        assert (outcome["error"]["code"], bool(outcome["error"]["hint"])) == ("STORAGE", True), outcome["error"]
        assert seen_in_catalog(history.lake) == told.before
        assert seen_by_readers(history.lake) == told.before
        again = history.run(number)
        assert again.get("run") == number + 1, again.get("error") or again.get("traceback")
    assert seen_by_readers(history.lake) == told.after
    if garbage(history):  # published, but not all that the run wrote on its way could be removed
        assert history.run(number)["run"] is None
    assert garbage(history) == []


def garbage(history: History) -> list[str]:
    """What nobody refers to; metadata is left to `stedi maintain`."""
    return [path for path in unreferred(history.lake) if "/metadata/" not in path]


def sample(numbers: Sequence[int], size: int) -> list[int]:
    """Some of the numbers, spread over all of them; all of them if asked for."""
    if ALL or len(numbers) <= size:
        return list(numbers)
    start = random.randrange(len(numbers))
    return sorted(numbers[(start + turn * len(numbers) // size) % len(numbers)] for turn in range(size))


@pytest.mark.parametrize(("number", "size"), [(FIRST, 10), (NEW_FILES, 14), (CHANGED, 10)])
def test_a_disk_that_is_full_from_some_instant_on(history: History, number: int, size: int, count: Count) -> None:
    """No file grows from then on: neither the engine's, nor the catalog's, nor SQLite's."""
    for at in sample(range(1, len(history.told[number].instants) + 1), fewer(size)):
        survive(history, number, at=at, fault="full disk")
        count("faults survived", "of a full disk", 1)


@pytest.mark.parametrize("lasts", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("kind", ["new_output", "new_input"])
def test_a_store_that_fails(history: History, kind: str, lasts: bool, count: Count) -> None:
    """A read or a write of the catalog's fails, once, or each from then on."""
    history.begin(NEW_FILES)
    operations = history.run(NEW_FILES)["operations"]
    for at in sample([at for at, name in enumerate(operations, 1) if name == kind], fewer(10)):
        survive(history, NEW_FILES, store_fails_at=at, store_fails_on=lasts)
        count("faults survived", "of a failing store", 1)
