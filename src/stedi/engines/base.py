"""What the lakehouse asks of an engine. Twin implementations keep the same methods in the same order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import pyarrow as pa

    from stedi.contracts import Contract


Part = TypeVar("Part")
Result = TypeVar("Result")
#: What is told of work while it is done.
Tell = Callable[[Any], None]


class Engine(Protocol):
    """Relations by name, and SELECTs over them. One session, used from one thread.

    SELECTs are in DuckDB's dialect, of what `translate.spark_sql` translates; those of `ingest` and of users run on the embedded engine
    alone.
    """

    @property
    def readers(self) -> int:
        """How many embedded engines `spread` has at work at a time."""
        ...

    def use_files(self, name: str, files: Sequence[str], contract: Contract, *, located: bool = False) -> None:
        """Make `name` a relation over Parquet files; without files an empty one of the contract's types.

        With `located`, two columns say where each row lies: `_file`, and `_row`, its position in it, from 0.
        """
        ...

    def use_rows(self, name: str, rows: pa.Table | pa.RecordBatchReader) -> None:
        """Make `name` a relation over rows in memory, or over a stream that can be read once."""
        ...

    def define(self, name: str, select: str) -> None:
        """Make `name` a relation that is computed anew each time it is read."""
        ...

    def keep(self, name: str, select: str) -> None:
        """Run a SELECT and keep its rows as relation `name`, on disk where memory does not hold them."""
        ...

    def drop(self, name: str) -> None:
        """Forget a relation; no error where there is none."""
        ...

    def write(self, select: str, path: str, contract: Contract, field_ids: Mapping[str, int]) -> int:
        """Run a SELECT and write its rows as one Parquet file that carries Iceberg field ids. Returns the number of rows.

        Columns are taken by name, cast to the contract's types, and written in the contract's order.
        """
        ...

    def write_files(
        self, select: str, prefix: str, contract: Contract, field_ids: Mapping[str, int], rows_per_file: int
    ) -> dict[str, int]:
        """Write rows as `write` does, but as files of about so many rows. Returns their numbers of rows by path; paths begin with `prefix`.

        Nothing is under these paths before all of it is complete.
        """
        ...

    def write_sorted(
        self, select: str, prefix: str, contract: Contract, field_ids: Mapping[str, int], files: int
    ) -> dict[str, int]:
        """Write rows as `write_files` does, but as at most `files` files, each in the order of the contract's `sorted_by`.

        Rows that agree in its `clustered_by` lie in the same file; where it has none, `files` must be 1. One file is sorted at a time.
        """
        ...

    def discard(self, path: str) -> None:
        """Delete a file that was written, and is not to be committed."""
        ...

    def digest(self, relation: str, contract: Contract) -> tuple[int, int]:
        """Number of rows, and a sum over them that depends on all their values, but not on their order: that of another bag differs."""
        ...

    def query(self, select: str) -> pa.Table:
        """Run a SELECT of the lakehouse's own and return all its rows."""
        ...

    def spread(
        self, work: Callable[[Engine, Path, Part, Tell], Result], parts: Sequence[Part], tell: Tell, *, far: bool
    ) -> Iterator[Result]:
        """Do work that only the embedded engine can do, once per part, and give back the results in the order of the parts.

        It is called with an embedded engine, a scratch folder, the part, and what to tell as it goes. With `far` that happens on other
        machines where the engine has some: then `work` is a function of a module, parts and results are pickled, and what is told arrives
        when the part is done. Relations are not known in any case.
        """
        ...

    def query_untrusted(self, select: str, allowed_files: Sequence[str]) -> pa.RecordBatchReader:
        """Run SQL from a user: one SELECT, over the relations and `allowed_files` alone; the engine is sealed before it.

        Raises:
            QueryError: it does not parse, is not a SELECT, or reaches for anything else; Spark cannot be sealed, and refuses all: readers
                get the embedded engine from `start.start_reader`.
        """
        ...

    def interrupt(self) -> None:
        """Give up what is running, which ends in an error there. To be called from any thread."""
        ...

    def close(self) -> None:
        """Release memory and temporary files."""
        ...
