"""Lakehouses whose tables are on S3, of each kind, and what they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import stedi

#: What differs between two lakehouses that were fed the same: when rows were read, and what a run says of itself.
VARYING = {"_ingested_at", "token", "startedAt", "finishedAt", "snapshots", "report", "ingestedAt", "modifiedNs"}


def settings_of(kind: str, bucket: str, folder: Path) -> dict[str, Any]:
    """Settings of a new lakehouse: `warehouse`, whose catalog is a folder of this machine, or `glue`, all of which is on S3."""
    key = {"pseudonym_key": str(folder / "pseudonym.key")}
    if kind == "warehouse":
        return {"lakehouse": str(folder / "lake"), "warehouse": f"s3://{bucket}/tables", **key}
    return {"lakehouse": f"s3://{bucket}/lake", "catalog": "glue", "glue_database": bucket.replace("-", "_"), **key}


def opened(settings: dict[str, Any], **more: Any) -> stedi.Lakehouse:
    """The lakehouse of these settings."""
    return stedi.open_lakehouse(
        settings["lakehouse"], **{n: v for n, v in (settings | more).items() if n != "lakehouse"}
    )


def digests(lake: stedi.Lakehouse) -> dict[str, tuple[int, str]]:
    """Number of rows of every table, and a sum over them that depends on every value."""
    found = {}
    for table in lake.tables():
        columns = ", ".join(f'"{c.name}"' for c in lake.contract(table.name).columns if c.name not in VARYING)
        sql = f"SELECT count(*) AS n, CAST(sum(hash({columns})) AS VARCHAR) AS mark FROM {table.name}"
        row = lake.query(sql).to_arrow().to_pylist()[0]
        found[table.name] = (row["n"], row["mark"])
    return found
