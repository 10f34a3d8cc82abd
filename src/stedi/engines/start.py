"""Which engine runs the models: the one place where it is chosen. Engines are imported where they are started, since that takes a while."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stedi.config import Settings
from stedi.errors import ConfigError
from stedi.places import is_remote

if TYPE_CHECKING:
    from stedi.engines.base import Engine
    from stedi.engines.duckdb import DuckDBEngine


def start_engine(settings: Settings, scratch: Path) -> Engine:
    """The engine for work that writes: runs, upkeep, erasures.

    Args:
        settings: of the lakehouse.
        scratch: folder for what memory does not hold; removed by the caller.

    Raises:
        ConfigError: the engine that the settings ask for is not installed, or cannot write there.
    """
    if settings.engine == "spark":
        if is_remote(settings.home.warehouse):
            raise ConfigError(
                "the engine spark does not write to S3 yet",
                where="engine",
                hint='take the embedded engine for tables on S3: engine = "duckdb"',
            )
        try:
            from stedi.engines.spark import SparkEngine
        except ImportError:
            raise ConfigError(
                "the engine spark needs PySpark",
                where="engine",
                hint="pip install 'stedi-lakehouse[spark]'; or take the embedded engine: engine = \"duckdb\"",
            ) from None
        return SparkEngine(scratch, settings.memory_limit, settings.threads)
    return start_reader(settings, scratch)


def start_reader(settings: Settings, scratch: Path) -> DuckDBEngine:
    """The engine for work that reads: always the embedded one, since it answers while another would still be starting.

    Args:
        settings: as for `start_engine`.
        scratch: as for `start_engine`.
    """
    from stedi.engines.duckdb import DuckDBEngine

    return DuckDBEngine(scratch, settings.memory_limit, settings.threads, settings.s3.options())
