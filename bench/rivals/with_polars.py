"""(d) The usual chain in Polars: lazy, streamed from file to file."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bench.rivals.job import FIELDS, NEWEST, files_of, start, table

_TYPES = {"varchar": pl.String, "bigint": pl.Int64, "double": pl.Float64}


def run(feeds: Path, out: Path, memory_limit: str) -> None:  # noqa: ARG001 - Polars has no such limit
    """Write every table of the usual chain."""

    def write(name: str, rows: pl.LazyFrame) -> None:
        rows.sink_parquet(table(out, name), compression="zstd", compression_level=1, maintain_order=False)

    def read(name: str) -> pl.LazyFrame:
        return pl.scan_parquet(table(out, name))

    for feed, fields in FIELDS.items():
        schema = {name: _TYPES[kind]() for name, kind in fields.items()}
        write(f"{feed}_landing", pl.scan_ndjson(files_of(feeds, feed), schema=schema))
    consent = pl.col("shareWithResearchAsOfDate")
    newest = read("customer_landing").sort(NEWEST, descending=True, nulls_last=True)
    write("customer_trusted", newest.unique("email", keep="first", maintain_order=True).filter(consent > 0))
    since = read("customer_trusted").select("email", consent)
    usable = read("accelerometer_landing").join(since, left_on="user", right_on="email")
    write("accelerometer_trusted", usable.filter(pl.col("timestamp") >= consent).drop("shareWithResearchAsOfDate"))
    readings = read("accelerometer_trusted")
    write("customers_curated", read("customer_trusted").join(readings, left_on="email", right_on="user", how="semi"))
    steps = read("step_trainer_landing").join(readings, left_on="sensorReadingTime", right_on="timestamp", how="semi")
    write("step_trainer_trusted", steps)
    pairs = read("step_trainer_trusted").join(readings, left_on="sensorReadingTime", right_on="timestamp")
    write("machine_learning_curated", pairs)


if __name__ == "__main__":
    start(run)
