"""STEDI lakehouse: three feeds in, a training table of consenting customers out, every table plain Apache Iceberg.

    import stedi

    lake = stedi.open_lakehouse("lakehouse")
    lake.run(landing="feeds")
    lake.table("machine_learning_curated").to_polars()
    lake.query("SELECT count(*) FROM customer_trusted").to_arrow()

Importing this is quick: engines and catalog are loaded when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stedi.errors import (
    AuditError,
    ConfigError,
    DataError,
    EngineError,
    ErasureError,
    LakehouseError,
    LandingError,
    LockedError,
    NotFoundError,
    PseudonymKeyError,
    QueryError,
    StediError,
    StorageError,
)

if TYPE_CHECKING:
    from stedi.lakehouse import Lakehouse, open_lakehouse
    from stedi.results import Rows, RunResult, TableInfo

__version__ = "0.1.0"

__all__ = [
    "AuditError",
    "ConfigError",
    "DataError",
    "EngineError",
    "ErasureError",
    "Lakehouse",
    "LakehouseError",
    "LandingError",
    "LockedError",
    "NotFoundError",
    "PseudonymKeyError",
    "QueryError",
    "Rows",
    "RunResult",
    "StediError",
    "StorageError",
    "TableInfo",
    "open_lakehouse",
]

_LATE = {"Lakehouse", "Rows", "RunResult", "TableInfo", "open_lakehouse"}


def __getattr__(name: str) -> Any:
    if name in _LATE:
        from stedi import lakehouse

        return getattr(lakehouse, name)
    raise AttributeError(f"module 'stedi' has no attribute {name!r}")
