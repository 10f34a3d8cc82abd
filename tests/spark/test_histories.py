"""Random histories: a lakehouse that Spark brings up to date holds what the embedded engine builds anew, and what SPEC says (SPEC 6)."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

pytest.importorskip("pyspark", reason="`make test-spark` sets up PySpark and Java")

from hypothesis import seed
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test
from property.test_incremental import DONE, Histories

import stedi
from stedi.config import with_engine


class OnSpark(Histories):
    """As `Histories`; runs are Spark's, rebuilds the embedded engine's."""

    def lake(self, name: str) -> stedi.Lakehouse:
        return stedi.Lakehouse(with_engine(super().lake(name).settings, "spark" if name == "updated" else "duckdb"))


def test_histories(count: Callable[[str, str, int], None]) -> None:
    """Few of them in CI, since a run of few rows takes Spark ten seconds: `STEDI_SPARK_HISTORIES` says how many."""
    DONE.clear()
    number = int(os.environ.get("STEDI_SPARK_HISTORIES", "2"))
    run_state_machine_as_test(
        seed(6)(OnSpark), settings=hypothesis_settings(max_examples=number, stateful_step_count=6, deadline=None)
    )
    for kind, done in DONE.items():
        count("histories on Spark and their runs", kind, done)
    assert DONE["incremental runs"]
