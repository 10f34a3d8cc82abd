"""Contracts as objects: what a table holds, read from its ODCS file in `zones/`.

A contract is the only description of a table. The Iceberg schema, the reader of the feed, the audit, the masking of personal
columns and the reference documentation all come from here.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

PhysicalType = Literal["varchar", "bigint", "double", "boolean", "timestamptz"]
Policy = Literal["strict", "seed"]
IdentityRule = Literal["jaccard", "likelihood"]

#: feed -> landing table (SPEC 1). The order is the order of reading and of reporting.
FEEDS = {
    "customer": "customer_landing",
    "accelerometer": "accelerometer_landing",
    "step_trainer": "step_trainer_landing",
}
#: feed -> field that says who the customer is (SPEC 2).
NAMES_CUSTOMER = {"customer": "email", "accelerometer": "user"}


@dataclass(frozen=True)
class Column:
    """One column: `personal` columns identify a person; `required` ones are never null."""

    name: str
    type: PhysicalType
    description: str
    required: bool
    personal: bool
    key: bool


@dataclass(frozen=True)
class Rule:
    """A quality rule: a query that counts the bad rows; 0 passes."""

    name: str
    description: str
    query: str


@dataclass(frozen=True)
class Contract:
    """What one table holds.

    Attributes:
        grain: what one row stands for.
        zone: landing, trusted, curated, or records (the lakehouse's own).
        columns: in table order; columns that begin with an underscore are added by the lakehouse.
        clustered_by: column whose equal values lie in the same data file, so that a change to one of them touches few files; None where
            rows lie in any order.
        sorted_by: columns by which upkeep sorts the rows of merged files, so that the rows of one person or session lie together.
    """

    name: str
    zone: str
    purpose: str
    limitations: str | None
    grain: str
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    clustered_by: str | None
    sorted_by: tuple[str, ...]

    @property
    def source_columns(self) -> tuple[Column, ...]:
        """The columns that come from the feed itself."""
        return tuple(c for c in self.columns if not c.name.startswith("_"))

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the columns that identify a row; empty where rows have no key."""
        return tuple(c.name for c in self.columns if c.key)


@functools.cache
def zones_folder() -> Path:
    """The folder that holds the contracts and models of this installation."""
    return Path(str(resources.files("stedi") / "zones"))


@functools.cache
def _read(path: Path) -> Contract:
    import yaml  # a query does without

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    odcs: dict[str, Any] = yaml.load(path.read_text("utf-8"), Loader=loader)  # noqa: S506 - a safe loader either way
    table = odcs["schema"][0]
    custom = {p["property"]: p["value"] for p in table.get("customProperties", ())}
    return Contract(
        name=odcs["name"],
        zone=table["tags"][0],
        purpose=odcs["description"]["purpose"],
        limitations=odcs["description"].get("limitations"),
        grain=table["dataGranularityDescription"],
        columns=tuple(_column(p) for p in table["properties"]),
        rules=tuple(Rule(q["name"], q["description"], q["query"]) for q in table.get("quality", ())),
        clustered_by=custom.get("clusteredBy"),
        sorted_by=tuple(custom.get("sortedBy", ())),
    )


def _column(odcs: dict[str, Any]) -> Column:
    if odcs["physicalType"] not in get_args(PhysicalType):
        raise ValueError(f"column {odcs['name']}: physicalType {odcs['physicalType']} is not one we write")
    return Column(
        name=odcs["name"],
        type=odcs["physicalType"],
        description=odcs["description"],
        required=odcs.get("required", False),
        personal=odcs["classification"] == "personal",
        key=odcs.get("primaryKey", False),
    )


class _Contracts(Mapping[str, Contract]):
    """Contracts by table name. A file is read when its table is first asked for: a query needs one or two."""

    def __init__(self, files: dict[str, Path]) -> None:
        self._files = files

    def __getitem__(self, name: str) -> Contract:
        return _read(self._files[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


@functools.cache
def contracts(policy: Policy) -> Mapping[str, Contract]:
    """Contract of every table under a policy, by table name, landing zone first.

    `zones/seed/` replaces the contract of a table whose shape the policy `seed` changes (SPEC 3 and 4).
    """
    files = {}
    for zone in ("landing", "trusted", "curated", "records"):
        for path in sorted((zones_folder() / zone).glob("*.yaml")):
            replaced = zones_folder() / policy / path.name
            files[path.stem] = replaced if replaced.exists() else path
    return _Contracts(files)


def model(name: str, policy: Policy, rule: IdentityRule = "jaccard") -> str:
    """The SQL of a model: `zones/<policy>/`, then `zones/<rule>/`, replaces it where policy or identity rule answer differently."""
    return _sql(name, (policy, rule, "landing", "trusted", "curated", "intermediate", "withheld"))


def scope_model(name: str) -> str:
    """The SQL that says which part of the tables a change touches (`runs.update`)."""
    return _sql(name, ("scope",))


def _sql(name: str, folders: tuple[str, ...]) -> str:
    for folder in folders:
        path = zones_folder() / folder / f"{name}.sql"
        if path.exists():
            return path.read_text("utf-8")
    raise KeyError(name)
