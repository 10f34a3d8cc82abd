"""What two lakehouses hold, made comparable: a digest per table, whichever engine wrote it."""

from __future__ import annotations

import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import stedi
from stedi.catalog.published import read_published
from stedi.contracts import contracts
from stedi.engines.duckdb import DuckDBEngine

#: Says when a run began, which no two runs share.
WHEN = "_ingested_at"


def digests(lake: stedi.Lakehouse) -> dict[str, tuple[int, int]]:
    """Per table of the last run, its number of rows and a sum over them that depends on all their values but when they were ingested."""
    published = read_published(lake.folder)
    assert published is not None
    found = {}
    with tempfile.TemporaryDirectory() as scratch, closing(DuckDBEngine(Path(scratch))) as engine:
        for name, contract in contracts(published.runs[-1].policy).items():
            if contract.zone != "records":
                engine.use_files("examined", published.files[name], contract)
                columns = tuple(column for column in contract.columns if column.name != WHEN)
                found[name] = engine.digest("examined", replace(contract, columns=columns))
    return found
