"""A lakehouse whose tables are on S3 behaves as one of this machine: SPEC 4 to 6."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws.homes import digests, opened, settings_of

import stedi
from stedi.aws import S3Options
from stedi.contracts import contracts
from stedi.engines.duckdb import DuckDBEngine
from stedi.places import listing, place, read_whole, write_whole

KINDS = ["warehouse", "glue"]


@pytest.fixture(params=KINDS)
def settings(request: pytest.FixtureRequest, versioned_bucket: str, tmp_path: Path) -> dict[str, Any]:
    return settings_of(request.param, versioned_bucket, tmp_path)


@pytest.fixture
def local(tmp_path: Path) -> dict[str, Any]:
    return {"lakehouse": str(tmp_path / "local"), "pseudonym_key": str(tmp_path / "pseudonym.key")}


def add_reading(feeds: Path, at_ms: int) -> None:
    (feeds / "accelerometer" / f"{at_ms}.json").write_text(
        json.dumps({"user": "ana@example.org", "timestamp": at_ms, "x": 1, "y": 2, "z": 3}) + "\n"
    )


def test_the_real_feeds_give_the_same_tables(
    settings: dict[str, Any], local: dict[str, Any], stedi_2023: Path, tmp_path: Path
) -> None:
    lake, other = opened(settings), opened(local)
    lake.run(stedi_2023)
    other.run(stedi_2023)
    assert digests(lake) == digests(other)
    assert lake.query("SELECT count(*) AS n FROM machine_learning_curated").to_arrow().to_pylist() == [{"n": 32_025}]
    assert lake.table("machine_learning_curated").to_parquet(tmp_path / "training.parquet") == 32_025


def test_runs_upkeep_and_earlier_runs(settings: dict[str, Any], local: dict[str, Any], small_feeds: Path) -> None:
    lake, other = opened(settings), opened(local)
    for _ in range(2):
        assert lake.run(small_feeds).run in (1, None)
    first = digests(lake)
    assert first["accelerometer_trusted"][0] == 18
    add_reading(small_feeds, 1_700_000_009_000)
    assert lake.run(small_feeds).run == 2
    other.run(small_feeds, full=True)
    assert {n: d for n, d in digests(lake).items() if n not in ("runs", "landed_files")} == {
        n: d for n, d in digests(other).items() if n not in ("runs", "landed_files")
    }
    assert {n: d for n, d in digests(lake.as_of(1)).items() if n != "runs"} == {
        n: d for n, d in first.items() if n != "runs"
    }
    before = digests(lake)
    upkeep = lake.maintain(keep_runs=1, keep_days=0)
    assert upkeep.merged and upkeep.expired == (1,)
    assert digests(lake) == before
    left = opened(settings, maintenance={"min_age_s": 0, "keep_runs": 1, "keep_days": 0}).maintain()
    assert sum(amount.files for amount in left.deleted.values()) > 0
    assert digests(lake) == before
    with pytest.raises(stedi.NotFoundError):
        digests(lake.as_of(1))


def test_a_query_reaches_no_other_object(settings: dict[str, Any], small_feeds: Path, versioned_bucket: str) -> None:
    lake = opened(settings)
    lake.run(small_feeds)
    warehouse = place(str(lake.settings.home.warehouse))
    source = next(f.place for f in listing(warehouse) if "step_trainer_landing/data" in str(f.place))
    other = f"s3://{versioned_bucket}/other.parquet"
    write_whole(place(other), read_whole(source) or b"")
    for sql in (f"SELECT * FROM read_parquet('{other}')", f"SELECT * FROM glob('s3://{versioned_bucket}/**')"):
        with pytest.raises(stedi.QueryError):
            lake.query(f"{sql} -- customer_landing").to_arrow()


def test_a_query_cannot_read_the_credentials(
    settings: dict[str, Any], small_feeds: Path, aws_environment: dict[str, str]
) -> None:
    lake = opened(settings)
    lake.run(small_feeds)
    for sql in ("SELECT * FROM duckdb_settings()", "SELECT * FROM duckdb_secrets()"):
        try:
            told = str(lake.query(f"{sql} -- customer_landing").to_arrow().to_pylist())
        except stedi.QueryError:
            continue
        assert aws_environment["AWS_SECRET_ACCESS_KEY"] not in told


@pytest.mark.usefixtures("versioned_bucket")  # for the credentials
def test_an_error_says_what_became_of_the_request(tmp_path: Path) -> None:
    """Nobody listens there: curl's 7."""
    engine = DuckDBEngine(tmp_path, s3=S3Options(endpoint="http://127.0.0.1:9", region="us-east-1"))
    with pytest.raises(stedi.EngineError, match=r", (HTTP \d{3}|curl 7)\)$"):
        engine.use_files("runs", ["s3://nowhere/a.parquet"], contracts("strict")["runs"])
    engine.close()
