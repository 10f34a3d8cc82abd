"""Fixtures that many tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

import stedi

REAL_FEEDS = Path(__file__).resolve().parents[2] / "shared" / "data" / "stedi-2023"


@pytest.fixture(scope="session")
def stedi_2023() -> Path:
    """The real feeds; they may not be copied into the project."""
    if not REAL_FEEDS.is_dir():
        pytest.skip("the stedi-2023 data set is not beside the repository (../shared/data/stedi-2023)")
    return REAL_FEEDS


@pytest.fixture(scope="session")
def strict_lake(stedi_2023: Path, tmp_path_factory: pytest.TempPathFactory) -> stedi.Lakehouse:
    """A lakehouse of the real feeds under `strict`. Tests only read it."""
    lake = stedi.open_lakehouse(tmp_path_factory.mktemp("strict") / "lake")
    lake.run(stedi_2023)
    return lake


@pytest.fixture(scope="session")
def seed_lake(stedi_2023: Path, tmp_path_factory: pytest.TempPathFactory) -> stedi.Lakehouse:
    """A lakehouse of the real feeds under `seed`. Tests only read it."""
    lake = stedi.open_lakehouse(tmp_path_factory.mktemp("seed") / "lake", policy="seed")
    lake.run(stedi_2023)
    return lake
