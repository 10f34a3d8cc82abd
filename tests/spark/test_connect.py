"""Spark Connect: a Spark that is reached over the network, here one on this machine, gives the embedded engine's tables, too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("grpc", reason="`make test-spark` sets up PySpark with Spark Connect, and Java")

from conftest import START_MS

import stedi
from bench.digests import digests

#: Two runs in one process, the second after a file came; prints what kind of session they used.
RUNS = """
import pathlib, sys, stedi
from pyspark.sql import SparkSession
folder, landing, late = sys.argv[1:]
lake = stedi.open_lakehouse(folder, engine="spark")
print(lake.run(landing).report["mode"])
(pathlib.Path(landing) / "accelerometer" / "late.json").write_text(late)
print(lake.run(landing).report["mode"])
print(type(SparkSession.getActiveSession()).__module__)
"""


def test_runs_through_spark_connect(tmp_path: Path, write_small_feeds: Callable[[Path], Path]) -> None:
    feeds = write_small_feeds(tmp_path / "feeds")
    calm = stedi.open_lakehouse(tmp_path / "calm", pseudonym_key=tmp_path / "lake.key")
    calm.run(feeds)
    late = json.dumps({"user": "ana@example.org", "timestamp": START_MS + 9_000, "x": 0.5, "y": 0.0, "z": -1.0}) + "\n"
    command = [sys.executable, "-c", RUNS, str(tmp_path / "lake"), str(feeds), late]
    environment = os.environ | {"SPARK_REMOTE": "local[2]"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900, env=environment)
    assert done.returncode == 0, done.stderr[-2_000:]
    assert done.stdout.split() == ["full", "incremental", "pyspark.sql.connect.session"]
    calm.run(feeds)
    assert digests(stedi.open_lakehouse(tmp_path / "lake")) == digests(calm)
