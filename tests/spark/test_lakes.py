"""The same landing files give the same tables on either engine, in one run and in several."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyspark", reason="`make test-spark` sets up PySpark and Java")

from conftest import START_MS

import stedi
from bench.digests import digests
from stedi.ingest import parts
from stedi.simulate import SimulationOptions, simulate

HOUR_MS = 3_600_000
STEDI = str(Path(sys.executable).with_name("stedi"))


def lakes(folder: Path, **settings: Any) -> dict[str, stedi.Lakehouse]:
    """One lakehouse per engine, under the same pseudonym key."""
    return {
        engine: stedi.open_lakehouse(folder / engine, engine=engine, pseudonym_key=folder / "the.key", **settings)
        for engine in ("duckdb", "spark")
    }


@pytest.mark.parametrize("policy", ["strict", "seed"])
def test_the_real_feeds(stedi_2023: Path, tmp_path: Path, policy: str) -> None:
    found = {}
    for engine, lake in lakes(tmp_path, policy=policy).items():
        lake.run(stedi_2023)
        found[engine] = digests(lake)
    assert found["spark"] == found["duckdb"]
    rows = {name: number for name, (number, _) in found["spark"].items()}
    assert rows["machine_learning_curated"] == {"strict": 32_025, "seed": 43_681}[policy]


def test_dirty_feeds_read_in_tasks_of_spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many files, packed ones among them, each part read by another task: the same rows, the same quarantine with the same reasons."""
    monkeypatch.setattr(parts, "ENOUGH", 20_000)
    feeds = tmp_path / "feeds"
    simulate(
        feeds, SimulationOptions(customers=60, seed=3, dirty_share=0.1, compressed_share=0.4, records_per_file=300)
    )
    reports, found = {}, {}
    for engine, lake in lakes(tmp_path).items():
        told: list[tuple[str, int, int]] = []
        result = lake.run(feeds, progress=lambda *step, told=told: told.append(step))
        reports[engine] = {name: result.report[name] for name in ("feeds", "withheld", "rows")}
        found[engine] = digests(lake)
        reading = [step for step in told if step[0] == "reading"]
        assert reading[-1][1] == reading[0][2] > 0
    assert reports["spark"] == reports["duckdb"]
    assert reports["spark"]["rows"]["quarantine"] > 20
    assert found["spark"] == found["duckdb"]
    names = {path.name.split("-")[1] for path in (tmp_path / "spark" / "warehouse").rglob("*accelerometer-1.parquet")}
    assert len(names) > 2  # of parts


def test_the_program_reads_in_tasks_of_spark(tmp_path: Path) -> None:
    """More than 16 MB, by the command line, which keeps pandas away from itself but not from PySpark."""
    feeds = tmp_path / "feeds"
    simulate(feeds, SimulationOptions(customers=1_600, seed=5, records_per_file=20_000, compressed_share=0))
    assert sum(path.stat().st_size for path in feeds.rglob("*.json")) > parts.ENOUGH
    rows = {}
    for engine in ("duckdb", "spark"):
        run = ["run", "--landing", feeds, "--lakehouse", tmp_path / engine, "--engine", engine, "--json"]
        done = subprocess.run(
            [STEDI, *map(str, run)], check=True, capture_output=True, text=True, cwd=tmp_path, timeout=600
        )
        rows[engine] = json.loads(done.stdout)["report"]["rows"]
    assert rows["spark"] == rows["duckdb"]


def customer(name: str, updated: int, consent: int | None) -> dict[str, object]:
    record = {"email": f"{name}@example.org", "serialNumber": "reused-number", "registrationDate": START_MS - 1_000}
    return record | {"lastUpdateDate": updated} | ({} if consent is None else {"shareWithResearchAsOfDate": consent})


def write(path: Path, *records: dict[str, object]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")


def deliveries(feeds: Path) -> Iterator[str]:
    """Change the landing area, delivery by delivery."""
    yield "full"
    # ana withdraws, cleo consents, bo's consent moves; a device and a phone are read on
    write(
        feeds / "customer" / "b.json",
        customer("ana", START_MS, None),
        customer("cleo", START_MS, START_MS),
        customer("bo", START_MS, START_MS + HOUR_MS),
    )
    late = [START_MS + 2 * HOUR_MS + at for at in (2_000, 3_000, 4_000, 5_000)]
    write(
        feeds / "accelerometer" / "b.json",
        *({"user": "cleo@example.org", "timestamp": at, "x": 0.5, "y": 0.0, "z": -1.0} for at in late),
    )
    write(
        feeds / "step_trainer" / "b.json",
        *({"sensorReadingTime": at, "serialNumber": "device-c", "distanceFromObject": 1} for at in late),
    )
    yield "incremental"
    # a file that changed: what it brought goes; and one that comes twice
    phones, devices = (next((feeds / feed / "2023").glob("*.json")) for feed in ("accelerometer", "step_trainer"))
    phones.write_text("".join(phones.read_text("utf-8").splitlines(keepends=True)[2:]), "utf-8")
    shutil.copy(devices, devices.with_name("copy.json"))
    yield "incremental"


def test_incremental_runs_and_an_erasure(tmp_path: Path, write_small_feeds: Callable[[Path], Path]) -> None:
    """Consent, withdrawal, late readings, a file that changed, one that comes twice, an erasure: Spark's tables are DuckDB's each time."""
    feeds = write_small_feeds(tmp_path / "feeds")
    both = lakes(tmp_path)
    for mode in deliveries(feeds):
        told = {}
        for engine, lake in both.items():
            report = lake.run(feeds).report
            assert report["mode"] == mode
            told[engine] = (digests(lake), report["withheld"], report["added"], report["removed"])
        assert told["spark"] == told["duckdb"]
    shutil.copytree(feeds, tmp_path / "copy")
    both["duckdb"].subjects.forget(["bo@example.org"], landing=feeds)
    shutil.rmtree(feeds)
    (tmp_path / "copy").rename(feeds)  # the other lakehouse has to take bo out of the files, too
    assert both["spark"].subjects.forget(["bo@example.org"], landing=feeds).rows
    assert digests(both["spark"]) == digests(both["duckdb"])
