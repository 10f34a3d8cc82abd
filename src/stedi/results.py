"""What a lakehouse hands out: facts about tables and runs, and rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stedi import formats
from stedi.contracts import Policy

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow as pa


@dataclass(frozen=True)
class TableInfo:
    """A table as of a run. `rows` and `snapshot` are those that the run published; `published_at` is in UTC."""

    name: str
    zone: str
    rows: int
    snapshot: int | None
    run: int
    published_at: datetime


@dataclass(frozen=True)
class RunResult:
    """What a run did.

    Attributes:
        plan: what was to be done, and why.
        run: number of the run; None where the lakehouse was up to date.
        report: counts and durations; see docs/reference/json.md. Empty where the lakehouse was up to date.
        seconds: from start to publication.
        completed_erasure: whether an erasure that was half done was completed first.
    """

    plan: dict[str, Any]
    run: int | None
    policy: Policy
    report: dict[str, Any]
    seconds: float
    completed_erasure: bool = False


class Rows:
    """Rows of a table or a query, read when they are asked for. Each call reads anew, from the same run."""

    def __init__(
        self,
        source: Callable[[], AbstractContextManager[pa.RecordBatchReader]],
        copier: Callable[[Path], int | None] = lambda _: None,
    ) -> None:
        self._source = source
        self._copier = copier  # writes a Parquet file faster than we do from the source; None where it would hold other types or names

    def reader(self) -> AbstractContextManager[pa.RecordBatchReader]:
        """The rows as a stream with its schema, in bounded memory; to be used in a `with` block."""
        return self._source()

    def scan(self, batch: int = 100_000) -> Iterator[pa.RecordBatch]:
        """The rows in batches of at most `batch`, in bounded memory."""
        with self._source() as reader:
            for found in reader:
                for start in range(0, found.num_rows, batch):
                    yield found.slice(start, batch)

    def to_arrow(self) -> pa.Table:
        """All rows as a PyArrow table."""
        with self._source() as reader:
            table: pa.Table = reader.read_all()
            return table

    def to_parquet(self, path: str | Path) -> int:
        """Write all rows into one Parquet file, in bounded memory; returns how many. It takes its place when it is complete.

        Raises:
            QueryError: two columns have the same name, or Parquet cannot hold one of them.
        """
        with formats.replaced(Path(path)) as temporary:
            temporary.touch(exist_ok=False)  # so that the system says what is wrong with the folder, not the engine
            rows = self._copier(temporary)
            if rows is None:
                with self._source() as reader, temporary.open("wb") as out:
                    rows = formats.write_parquet(reader, reader.schema, out)
        return rows

    def to_polars(self) -> polars.DataFrame:
        """All rows as a Polars frame (needs the extra `polars`)."""
        import polars

        frame = polars.from_arrow(self.to_arrow())
        assert isinstance(frame, polars.DataFrame)  # noqa: S101 - a table never becomes a series
        return frame

    def to_pandas(self) -> pandas.DataFrame:
        """All rows as a pandas frame (needs the extra `pandas`)."""
        return self.to_arrow().to_pandas()
