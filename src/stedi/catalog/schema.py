"""The Iceberg schema and properties of a table, which follow from its contract."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from pyiceberg.schema import Schema
from pyiceberg.table import Transaction
from pyiceberg.types import BooleanType, DoubleType, IcebergType, LongType, NestedField, StringType, TimestamptzType

from stedi.contracts import Contract

_TYPES: dict[str, IcebergType] = {
    "varchar": StringType(),
    "bigint": LongType(),
    "double": DoubleType(),
    "boolean": BooleanType(),
    "timestamptz": TimestamptzType(),
}


def schema_of(contract: Contract) -> Schema:
    """The schema of a new table."""
    fields = [NestedField(i, c.name, _TYPES[c.type], doc=c.description) for i, c in enumerate(contract.columns, 1)]
    return Schema(*fields)


def properties_of(contract: Contract) -> dict[str, Any]:
    """The properties of a new table."""
    return {
        "format-version": "2",
        "commit.manifest-merge.enabled": "true",
        "commit.manifest.min-count-to-merge": "20",
        "write.metadata.delete-after-commit.enabled": "true",
        "write.metadata.previous-versions-max": "20",
        "write.delete.isolation-level": "snapshot",
        "write.update.isolation-level": "snapshot",
        **_described(contract),
    }


def evolve(transaction: Transaction, contract: Contract) -> None:
    """Give the table the contract's columns: a policy may change the shape of a table (SPEC 4)."""
    have: Mapping[str, NestedField] = {f.name: f for f in transaction.table_metadata.schema().fields}
    want = {c.name: c for c in contract.columns}
    if have.keys() == want.keys():
        return
    with transaction.update_schema(allow_incompatible_changes=True) as update:
        for name in have.keys() - want.keys():
            update.delete_column(name)
        for name, column in want.items():
            if name not in have:
                update.add_column(name, _TYPES[column.type], doc=column.description)
        names = list(want)
        update.move_first(names[0])
        for before, name in pairwise(names):
            update.move_after(name, before)
    transaction.set_properties(**_described(contract))


def _described(contract: Contract) -> dict[str, Any]:
    """Manifests keep no bounds of columns that identify a person."""
    metrics = {f"write.metadata.metrics.column.{c.name}": "counts" for c in contract.columns if c.personal}
    return {"comment": contract.purpose, **metrics}
