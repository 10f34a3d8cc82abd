"""What the jobs have in common: their arguments, and where feeds and tables lie. Imports nothing that takes time."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

#: Type of every field, as the contracts have them; a rival's own names of types stand in its module.
FIELDS: Mapping[str, Mapping[str, str]] = {
    "customer": {
        "customerName": "varchar",
        "email": "varchar",
        "phone": "varchar",
        "birthDay": "varchar",
        "serialNumber": "varchar",
        "registrationDate": "bigint",
        "lastUpdateDate": "bigint",
        "shareWithResearchAsOfDate": "bigint",
        "shareWithPublicAsOfDate": "bigint",
        "shareWithFriendsAsOfDate": "bigint",
    },
    "accelerometer": {"user": "varchar", "timestamp": "bigint", "x": "double", "y": "double", "z": "double"},
    "step_trainer": {"sensorReadingTime": "bigint", "serialNumber": "varchar", "distanceFromObject": "bigint"},
}
#: Which of several records of one email is the newest; the last ones only make the order total.
NEWEST = ("lastUpdateDate", "registrationDate", "shareWithResearchAsOfDate")
#: Tables of the usual chain.
CHAIN = (
    "customer_landing",
    "accelerometer_landing",
    "step_trainer_landing",
    "customer_trusted",
    "accelerometer_trusted",
    "customers_curated",
    "step_trainer_trusted",
    "machine_learning_curated",
)
_SUFFIXES = {".json", ".jsonl", ".ndjson"}


def files_of(feeds: Path, feed: str) -> list[str]:
    """The files of a feed, newline-delimited JSON without compression."""
    return sorted(str(path) for path in (feeds / feed).rglob("*") if path.suffix in _SUFFIXES)


def table(out: Path, name: str) -> Path:
    """The one Parquet file of a table; its folder is made."""
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "part-0.parquet"


def start(run: Callable[[Path, Path, str], None]) -> None:
    """Run a job as the command line says: `FEEDS OUT --memory-limit 4GB`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("feeds", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--memory-limit", default="4GB")
    options = parser.parse_args()
    run(options.feeds, options.out, options.memory_limit)
