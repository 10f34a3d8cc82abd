"""Which engine runs the models: the one place where it is chosen. Engines are imported where they are started, since that takes a while."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stedi.config import Settings
from stedi.errors import ConfigError

if TYPE_CHECKING:
    from stedi.engines.base import Engine
    from stedi.engines.duckdb import DuckDBEngine


def start_engine(settings: Settings, token: str) -> Engine:
    """The engine for work that writes: runs, upkeep, erasures.

    Args:
        settings: of the lakehouse.
        token: of the work, whose folders the caller makes and removes.

    Raises:
        ConfigError: the engine that the settings ask for is not installed.
    """
    if settings.engine == "spark":
        try:
            from stedi.engines.spark import SparkEngine
        except ImportError:
            raise ConfigError(
                "the engine spark needs PySpark",
                where="engine",
                hint="pip install 'stedi-lakehouse[spark]'; or take the embedded engine: engine = \"duckdb\"",
            ) from None
        home = settings.home
        return SparkEngine(
            home.scratch(token), home.spool(token), settings.memory_limit, settings.threads, settings.s3.options()
        )
    return start_reader(settings, settings.home.scratch(token))


def start_reader(settings: Settings, scratch: Path) -> DuckDBEngine:
    """The engine for work that reads: always the embedded one, since it answers while another would still be starting.

    Args:
        settings: as for `start_engine`.
        scratch: folder for what memory does not hold; removed by the caller.
    """
    from stedi.engines.duckdb import DuckDBEngine

    return DuckDBEngine(scratch, settings.memory_limit, settings.threads, settings.s3.options())
