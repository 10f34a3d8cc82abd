"""The same feeds on either engine: is every table the same, and how long does it take?

    python -m bench.engines                       the real feeds, both policies
    python -m bench.engines --customers 100000    simulated feeds of that many customers, strict

Each engine makes a lakehouse of its own in one run, as a process of its own, with the same pseudonym key. Then a digest of every table is
compared; that of `_ingested_at` alone differs by nature, so it is left out. Wall time is that of the whole command, the start of Spark
included; processor time does not count that of Spark's own process. Spark takes its options from `PYSPARK_SUBMIT_ARGS`, if any.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import stedi
from bench import __main__ as bench
from bench.digests import digests

ENGINES = ("duckdb", "spark")


def main() -> int:
    """Compare, print, and exit with 1 where a table differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, help="simulate feeds of so many; the real ones by default")
    parser.add_argument(
        "--work", type=Path, help="an empty folder to work in, which is kept; by default a temporary one"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stedi-engines-") as temporary:
        folder = asked.work or Path(temporary)
        if asked.customers:
            feeds, policies = folder / "feeds", ["strict"]
            command = [bench.STEDI, "simulate", str(feeds), "--customers", str(asked.customers), "--seed", "1"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            shutil.rmtree(feeds / "truth")
        else:
            feeds, policies = bench.REAL_FEEDS, ["strict", "seed"]
        return max([_compare(folder, feeds, policy) for policy in policies])


def _compare(folder: Path, feeds: Path, policy: str) -> int:
    found, key = {}, folder / "pseudonyms.key"
    for engine in ENGINES:
        lake = stedi.open_lakehouse(folder / f"{policy}-{engine}", pseudonym_key=key)
        (folder / "stedi.toml").write_text(f'pseudonym_key = "{key}"\n')
        options = ["--landing", str(feeds.absolute()), "--lakehouse", str(lake.folder), "--engine", engine, "--json"]
        start = time.perf_counter()
        done = subprocess.run(
            [bench.STEDI, "run", *options, "--policy", policy], cwd=folder, stdout=subprocess.PIPE, check=True
        )
        seconds = time.perf_counter() - start
        steps = {step["step"]: step["seconds"] for step in json.loads(done.stdout)["report"]["steps"]}
        print(f"{policy} on {engine}: {seconds:.1f} s", json.dumps(steps), flush=True)
        found[engine] = digests(lake)
    unlike = [name for name in found["duckdb"] if found["duckdb"][name] != found["spark"][name]]
    for name, (rows, mark) in found["duckdb"].items():
        print(f"  {name:28} {rows:>12,} rows  {mark:x}  {'DIFFERS' if name in unlike else 'equal'}")
    return 1 if unlike else 0


if __name__ == "__main__":
    sys.exit(main())
