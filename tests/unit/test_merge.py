"""Which files of a table without clusters are merged into one: all of them come to weigh enough, and none too much."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stedi.catalog.snapshots import SizedFile
from stedi.runs.merge import grouped

ENOUGH = 128


@given(st.lists(st.integers(1, ENOUGH - 1), min_size=1, max_size=30))
def test_groups_are_of_one_to_three_times_the_target(sizes: list[int]) -> None:
    files = [SizedFile(str(number), size, 1) for number, size in enumerate(sizes)]
    groups = grouped(files, lambda file: file.size, ENOUGH)
    assert [file for group in groups for file in group] == files
    weights = [sum(file.size for file in group) for group in groups]
    assert weights == [sum(sizes)] or all(ENOUGH <= weight < 3 * ENOUGH for weight in weights)
