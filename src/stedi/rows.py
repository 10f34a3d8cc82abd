"""Rows as the public door hands them out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow as pa


class Rows:
    """Rows of a table or a query, read when they are asked for. Each call reads anew, from the same run."""

    def __init__(self, source: Callable[[], AbstractContextManager[pa.RecordBatchReader]]) -> None:
        self._source = source

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

    def to_polars(self) -> polars.DataFrame:
        """All rows as a Polars frame (needs the extra `polars`)."""
        import polars

        frame = polars.from_arrow(self.to_arrow())
        assert isinstance(frame, polars.DataFrame)  # noqa: S101 - a table never becomes a series
        return frame

    def to_pandas(self) -> pandas.DataFrame:
        """All rows as a pandas frame (needs the extra `pandas`)."""
        return self.to_arrow().to_pandas()
