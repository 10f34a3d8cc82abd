"""Spark for tests: one per process, with options that suit few rows. They need PySpark and Java: `make test-spark`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stedi.engines.base import Engine
from stedi.engines.duckdb import DuckDBEngine


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def duck(scratch: Path) -> Iterator[Engine]:
    engine = DuckDBEngine(scratch, threads=1)
    yield engine
    engine.close()


@pytest.fixture
def spark(scratch: Path) -> Iterator[Engine]:
    pytest.importorskip("pyspark", reason="`make test-spark` sets up PySpark and Java")
    from stedi.engines.spark import SparkEngine

    engine = SparkEngine(scratch, scratch)
    yield engine
    engine.close()


@pytest.fixture(params=["duckdb", "spark"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Either engine: what a test promises must hold on both."""
    found: Engine = request.getfixturevalue({"duckdb": "duck", "spark": "spark"}[request.param])
    return found
