"""A lakehouse on S3 whose tables Spark makes: those of the embedded engine, and nothing of it is left where it should not be."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyspark", reason="`make test-spark` sets up PySpark and Java")
if "hadoop-aws" not in os.environ.get("PYSPARK_SUBMIT_ARGS", ""):
    pytest.skip("Hadoop's client of S3 is missing: `make test-spark` fetches it", allow_module_level=True)

from aws.buckets import traces_in, upload
from aws.homes import digests, opened, settings_of

import stedi
from stedi.ingest import parts
from stedi.places import listing, place


@pytest.mark.parametrize("kind", ["warehouse", "glue"])
def test_runs_an_erasure_and_upkeep(
    kind: str,
    versioned_bucket: str,
    s3: Any,
    small_feeds: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tasks fetch landing objects for themselves; a run, an incremental one, an erasure, upkeep: the embedded engine's tables."""
    monkeypatch.setattr(parts, "ENOUGH", 1_000)
    settings = settings_of(kind, versioned_bucket, tmp_path)
    lake = opened(settings, engine="spark")
    other = opened({"lakehouse": str(tmp_path / "local"), "pseudonym_key": settings["pseudonym_key"]}, engine="duckdb")
    landing = f"s3://{versioned_bucket}/in"
    upload(s3, small_feeds, versioned_bucket, "in/")
    told = [(lake.run(landing).report["mode"], other.run(small_feeds).report["mode"])]
    assert ours(lake) == ours(other)
    late = small_feeds / "accelerometer" / "late.json"
    late.write_text(json.dumps({"user": "ana@example.org", "timestamp": 1_700_000_009_000, "x": 1, "y": 2, "z": 3}))
    upload(s3, small_feeds, versioned_bucket, "in/")
    told.append((lake.run(landing).report["mode"], other.run(small_feeds).report["mode"]))
    assert told == [("full", "full"), ("incremental", "incremental")]
    assert ours(lake) == ours(other)
    for one, area in ((lake, landing), (other, small_feeds)):
        assert one.subjects.forget(["bo@example.org"], landing=area).rows
    assert (
        traces_in(s3, versioned_bucket, tmp_path / "versions", ["bo@example.org"]) == []
    )  # Spark's temporary objects included
    assert ours(lake) == ours(other)
    before = digests(lake)
    assert lake.maintain(keep_runs=1, keep_days=0).merged
    assert digests(lake) == before
    assert [
        str(found.place) for found in listing(place(f"s3://{versioned_bucket}")) if "/staging/" in str(found.place)
    ] == []


def ours(lake: stedi.Lakehouse) -> dict[str, object]:
    """What the tables hold; of those whose rows name landing files, which differ between two areas, the number of rows."""
    found: dict[str, object] = {}
    for name, (rows, mark) in digests(lake).items():
        if lake.contract(name).zone != "records":
            named = any(column.name == "_source_file" for column in lake.contract(name).columns)
            found[name] = rows if named else (rows, mark)
    return found
