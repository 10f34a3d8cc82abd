"""Work that only the embedded engine can do, spread over the tasks of Spark: each starts an embedded engine of its own.

Results go through the driver, so they are small: counts and paths. What fails in a task comes back as a result, too, since Spark would
wrap it into words of its own, which quote what they find.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from stedi.aws import S3Options
from stedi.errors import EngineError, StediError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from stedi.engines.base import Engine, Part, Result, Tell

_Work = Callable[["Engine", Path, "Part", "Tell"], "Result"]


def spread_out(
    session: SparkSession,
    work: _Work[Part, Result],
    parts: Sequence[Part],
    tell: Tell,
    memory_limit: str | None,
    s3: S3Options,
) -> Iterator[Result]:
    """What `Engine.spread` promises. All parts are at work at once, as far as Spark has room."""
    pickled = [pickle.dumps(part) for part in parts]

    def on_worker(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in map(int, batch["id"].to_numpy()):
                done = pickle.dumps(_do(work, pickle.loads(pickled[number]), memory_limit, s3))  # noqa: S301 - our own
                yield pa.RecordBatch.from_pydict({"part": [number], "result": [done]})

    if not parts:
        return
    tasks = session.range(0, len(parts), 1, len(parts))
    found = tasks.mapInArrow(on_worker, "part BIGINT, result BINARY").toArrow().sort_by("part")
    for one in found["result"].to_pylist():
        result, told, error = pickle.loads(one)  # noqa: S301 - our own
        for fact in told:
            tell(fact)
        if error is not None:
            raise error
        yield result


def _do(
    work: _Work[Part, Result], part: Part, memory_limit: str | None, s3: S3Options
) -> tuple[Result | None, list[Any], StediError | None]:
    """One part: its result, what it told, and what went wrong. Only our own errors are known to quote nothing."""
    from stedi.engines.duckdb import DuckDBEngine

    told: list[Any] = []
    with (
        tempfile.TemporaryDirectory(prefix="stedi-") as scratch,
        closing(DuckDBEngine(Path(scratch), memory_limit, threads=1, s3=s3)) as engine,
    ):
        try:
            return work(engine, Path(scratch), part, told.append), told, None
        except StediError as error:
            return None, told, error
        except Exception as error:  # noqa: BLE001 - whatever it is, its words must not reach Spark's
            return (
                None,
                told,
                EngineError(f"reading failed in a task of Spark ({type(error).__name__})", hint="report this"),
            )
