"""(e) The usual chain in pandas: types of Arrow, one landing file at a time where a step allows it.

pandas has no schema for JSON. Its fastest reader hands the file to Arrow, and so does this, with the schema.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.json

from bench.rivals.job import FIELDS, NEWEST, files_of, start, table

_TYPES: dict[str, pa.DataType] = {"varchar": pa.string(), "bigint": pa.int64(), "double": pa.float64()}


def run(feeds: Path, out: Path, memory_limit: str) -> None:  # noqa: ARG001 - pandas has no such limit
    """Write every table of the usual chain."""

    def write(name: str, rows: pd.DataFrame, part: int = 0) -> None:
        path = table(out, name).with_name(f"part-{part}.parquet")
        rows.to_parquet(path, index=False, compression="zstd", compression_level=1)

    def read(name: str, columns: list[str] | None = None) -> pd.DataFrame:
        return pd.read_parquet(table(out, name).parent, columns=columns, dtype_backend="pyarrow")

    for feed in FIELDS:
        for part, path in enumerate(files_of(feeds, feed)):
            write(f"{feed}_landing", _json(path, feed), part)
    consent = "shareWithResearchAsOfDate"
    newest = read("customer_landing").sort_values(list(NEWEST), ascending=False, na_position="last")
    newest = newest.drop_duplicates("email")
    write("customer_trusted", newest[newest[consent].fillna(0) > 0])
    since = read("customer_trusted", ["email", consent])
    for part, landed in enumerate(sorted(table(out, "accelerometer_landing").parent.iterdir())):
        usable = pd.read_parquet(landed, dtype_backend="pyarrow").merge(since, left_on="user", right_on="email")
        write("accelerometer_trusted", usable[usable["timestamp"] >= usable[consent]][[*FIELDS["accelerometer"]]], part)
    customers = read("customer_trusted")
    users = read("accelerometer_trusted", ["user"])["user"].unique()
    write("customers_curated", customers[customers["email"].isin(users)])
    instants = read("accelerometer_trusted", ["timestamp"])["timestamp"].unique()
    steps = read("step_trainer_landing")
    write("step_trainer_trusted", steps[steps["sensorReadingTime"].isin(instants)])
    del steps, users, instants
    pairs = read("step_trainer_trusted").merge(
        read("accelerometer_trusted"), left_on="sensorReadingTime", right_on="timestamp"
    )
    write("machine_learning_curated", pairs.drop(columns="timestamp"))


def _json(path: str, feed: str) -> pd.DataFrame:
    schema = pa.schema([(name, _TYPES[kind]) for name, kind in FIELDS[feed].items()])
    options = pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    rows: pd.DataFrame = pyarrow.json.read_json(path, parse_options=options).to_pandas(types_mapper=pd.ArrowDtype)
    return rows


if __name__ == "__main__":
    start(run)
