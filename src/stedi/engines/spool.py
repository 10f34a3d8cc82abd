"""Where Spark writes files until they are complete, and how they get to where they stay: a folder that all of Spark sees, or S3."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from stedi.aws import arrow_filesystem, explained
from stedi.places import Place, erase, is_remote, listing, options_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@contextmanager
def written(rows: DataFrame, folder: Place, rows_per_file: int = 0) -> Iterator[list[Place]]:
    """Parquet files with all rows, to be moved out of the folder, which is removed; Spark puts other files beside them.

    Args:
        rows: what is written.
        folder: nothing else is there.
        rows_per_file: a file has no more; 0 for any number.
    """
    _clear(folder)
    rows.write.options(compression="zstd", maxRecordsPerFile=rows_per_file).parquet(str(folder))
    yield sorted(found.place for found in listing(folder) if found.place.suffix == ".parquet")
    _clear(folder)


def move(source: Place, to: Place) -> None:
    """Move a complete file. An object is copied within S3, in parts where it is large, and its source goes with every version."""
    if not (is_remote(source) and is_remote(to)):
        source.replace(to)
        return
    client = to.client
    with explained(to):
        client.client.copy(
            {"Bucket": source.bucket, "Key": source.key},
            to.bucket,
            to.key,
            ExtraArgs=client.boto3_ul_extra_args,
            Config=client.boto3_transfer_config,
        )
    erase([source])


def rows_in(file: Place) -> int:
    """Rows of a Parquet file, as its footer says."""
    if is_remote(file):
        return int(
            pq.read_metadata(f"{file.bucket}/{file.key}", filesystem=arrow_filesystem(options_of(file))).num_rows
        )
    return int(pq.read_metadata(file).num_rows)


def _clear(folder: Place) -> None:
    if is_remote(folder):
        erase(found.place for found in listing(folder))
    else:
        shutil.rmtree(folder, ignore_errors=True)
