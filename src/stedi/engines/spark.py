"""Spark, for when one machine is not enough: local, EMR, Glue, or any that is active already. Twin of `duckdb.py`.

Models come in DuckDB's dialect and are translated (`translate.py`). Spark quotes offending values in its messages, so none of them leaves
this module: `_translated` turns each into an error of ours that says what was being done and nothing of the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakSet

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F  # noqa: N812 - as everybody who writes Spark calls it
from sqlglot.errors import SqlglotError

from stedi.aws import S3Options
from stedi.engines.duckdb import DuckDBEngine
from stedi.engines.spark_session import open_session, parallelism
from stedi.engines.spark_work import spread_out
from stedi.engines.spool import move, rows_in, written
from stedi.engines.sql import quoted
from stedi.engines.translate import spark_sql
from stedi.errors import ConfigError, DataError, EngineError, QueryError, StediError, StorageError
from stedi.places import Place, is_remote, place, remove

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from stedi.contracts import Contract
    from stedi.engines.base import Engine, Part, Result, Tell

_TYPES = {
    "varchar": "STRING",
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamptz": "TIMESTAMP",
}
#: Where a row lies, in the catalog's words: Spark tells a URI, in which signs are escaped.
_FILE = "url_decode(replace(regexp_replace(_metadata.file_path, '^file:/+', '/'), '+', '%2B')) AS _file"
_ROW = "_metadata.row_index AS _row"
#: Conditions of Spark's that speak of a value.
_ABOUT_VALUES = ("CAST_", "ARITHMETIC_OVERFLOW", "BINARY_ARITHMETIC_OVERFLOW", "DIVIDE_BY_ZERO", "NUMERIC_", "INVALID_")

#: Engines of this process, so that they can be reached from another thread.
_open: WeakSet[SparkEngine] = WeakSet()


class SparkEngine:
    """Relations of one session of Spark.

    Args:
        scratch: folder of this machine, for the embedded engine; removed by the caller.
        spool: where files are written before they are complete: on S3, or a folder that all of Spark sees; removed by the caller.
        memory_limit: of a Spark that is started here, for example "2GB".
        threads: of a Spark that is started here; all cores where None.
        s3: how S3 is reached.
    """

    def __init__(
        self,
        scratch: Path,
        spool: Place,
        memory_limit: str | None = None,
        threads: int | None = None,
        s3: S3Options | None = None,
    ) -> None:
        self._scratch = scratch
        self._spool = spool
        self._memory_limit = memory_limit
        self._s3 = s3 or S3Options()
        self._names: set[str] = set()
        with _translated("starting Spark"):
            self._session = open_session(memory_limit, threads, self._s3 if is_remote(spool) else None)
        _open.add(self)

    @property
    def readers(self) -> int:
        with _translated("looking at Spark"):
            return parallelism(self._session)

    def use_files(self, name: str, files: Sequence[str], contract: Contract, *, located: bool = False) -> None:
        with _translated(f"opening {name}"):
            if files:
                schema = ", ".join(f"`{c.name}` {_TYPES[c.type]}" for c in contract.columns)
                reader = self._session.read.schema(schema).options(recursiveFileLookup=True, __globPaths__=False)
                rows = reader.parquet(*files)
                columns = [f"`{c.name}`" for c in contract.columns]
                rows = rows.selectExpr(*columns, _FILE, _ROW) if located else rows
            else:
                empty = [f"CAST(NULL AS {_TYPES[c.type]}) AS `{c.name}`" for c in contract.columns]
                empty += located * ["CAST(NULL AS STRING) AS _file", "CAST(NULL AS BIGINT) AS _row"]
                rows = self._session.sql(f"SELECT {', '.join(empty)} FROM range(0)")
            self._name(name, rows)

    def use_rows(self, name: str, rows: pa.Table | pa.RecordBatchReader) -> None:
        table = rows if isinstance(rows, pa.Table) else rows.read_all()
        with _translated(f"opening {name}"):
            self._name(name, self._session.createDataFrame(table))

    def define(self, name: str, select: str) -> None:
        self.drop(name)
        with _translated(f"opening {name}"):
            self._session.sql(f"CREATE OR REPLACE TEMPORARY VIEW `{name}` AS {spark_sql(select)}")
        self._names.add(name)

    def keep(self, name: str, select: str) -> None:
        self.drop(name)
        with _translated(f"building {name}"):  # a machine that is lost fails the run, which publishes nothing then
            self._name(name, self._rows(select).localCheckpoint())

    def drop(self, name: str) -> None:
        if name in self._names:
            self._names.remove(name)
            with _translated(f"closing {name}"):
                self._session.catalog.dropTempView(name)

    def write(self, select: str, path: str, contract: Contract, field_ids: Mapping[str, int]) -> int:
        with _translated(f"writing {contract.name}"):
            rows = self._fit(select, contract, field_ids).coalesce(1)
            with self._written(rows, contract) as (file,):
                number = rows_in(file)
                move(file, place(path, self._s3))
        return number

    def write_files(
        self, select: str, prefix: str, contract: Contract, field_ids: Mapping[str, int], rows_per_file: int
    ) -> dict[str, int]:
        with _translated(f"writing {contract.name}"):
            rows = self._fit(select, contract, field_ids)
            if contract.clustered_by:
                rows = rows.repartition(f"`{contract.clustered_by}`")
                rows = rows.sortWithinPartitions(*(f"`{name}`" for name in contract.sorted_by))
            with self._written(rows, contract, rows_per_file) as files_written:
                return self._placed(files_written, prefix)

    def write_sorted(
        self, select: str, prefix: str, contract: Contract, field_ids: Mapping[str, int], files: int
    ) -> dict[str, int]:
        with _translated(f"writing {contract.name}"):
            rows = self._fit(select, contract, field_ids)
            rows = rows.repartition(files, f"`{contract.clustered_by}`") if files > 1 else rows.repartition(1)
            rows = rows.sortWithinPartitions(*(f"`{name}`" for name in contract.sorted_by))
            with self._written(rows, contract) as files_written:
                return self._placed(files_written, prefix)

    def discard(self, path: str) -> None:
        remove([place(path, self._s3)])

    def digest(self, relation: str, contract: Contract) -> tuple[int, int]:
        names = [f"`{c.name}`" for c in contract.columns]
        values = ", ".join([*names, *(f"{name} IS NULL" for name in names)])  # xxhash64 passes nulls over
        with _translated("querying"):
            found = self._session.sql(
                f"SELECT count(*) AS n, CAST(sum(CAST(xxhash64({values}) AS DECIMAL(38, 0))) AS STRING) AS mark FROM `{relation}`"
            ).toArrow()
        return found["n"][0].as_py(), int(found["mark"][0].as_py() or 0)

    def query(self, select: str) -> pa.Table:
        with _translated("querying"):
            table: pa.Table = self._rows(select).toArrow()
        return table

    def spread(
        self, work: Callable[[Engine, Path, Part, Tell], Result], parts: Sequence[Part], tell: Tell, *, far: bool
    ) -> Iterator[Result]:
        if far:
            with _translated("reading"):
                yield from spread_out(self._session, work, parts, tell, self._memory_limit, self._s3)
            return
        with closing(DuckDBEngine(self._scratch, self._memory_limit, s3=self._s3)) as engine:
            yield from engine.spread(work, parts, tell, far=False)

    def query_untrusted(self, select: str, allowed_files: Sequence[str]) -> pa.RecordBatchReader:  # noqa: ARG002 - refused
        raise QueryError(
            "SQL of users does not run on Spark, which cannot be sealed",
            hint="reads use the embedded engine by themselves",
        )

    def interrupt(self) -> None:
        with suppress(PySparkException, Py4JError, OSError):  # it ended meanwhile
            self._session.interruptAll()

    def close(self) -> None:
        self.interrupt()
        for name in list(self._names):
            self.drop(name)
        _open.discard(self)

    def _name(self, name: str, rows: DataFrame) -> None:
        rows.createOrReplaceTempView(name)
        self._names.add(name)

    def _rows(self, select: str) -> DataFrame:
        return self._session.sql(spark_sql(select))

    def _fit(self, select: str, contract: Contract, field_ids: Mapping[str, int]) -> DataFrame:
        """Rows in the columns of a contract, which carry their field ids into Parquet files."""
        typed = ", ".join(f"CAST({quoted(c.name)} AS {c.type}) AS {quoted(c.name)}" for c in contract.columns)
        rows = self._rows(f"SELECT {typed} FROM ({select}) AS t")
        columns = [(c.name, {"parquet.field.id": field_ids[c.name]}) for c in contract.columns]
        return rows.select(*(F.col(f"`{name}`").alias(name, metadata=metadata) for name, metadata in columns))

    def _written(
        self, rows: DataFrame, contract: Contract, rows_per_file: int = 0
    ) -> AbstractContextManager[list[Place]]:
        return written(rows, self._spool / f"{contract.name}-files", rows_per_file)

    def _placed(self, files: Sequence[Place], prefix: str) -> dict[str, int]:
        """Move complete files to where they stay, but for those without a row. Returns numbers of rows by path."""
        found: dict[str, int] = {}
        for path in files:
            if rows := rows_in(path):
                to = f"{prefix}-{len(found)}.parquet"
                move(path, place(to, self._s3))
                found[to] = rows
        return found


def interrupt_all() -> None:
    """Make every engine of this process give up what it runs."""
    for engine in list(_open):
        engine.interrupt()


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    """Raise our errors for Spark's, without its words: they may quote a row."""
    try:
        yield
    except (PySparkException, Py4JError, SqlglotError) as error:
        raise _meaning(error, doing) from None


def _meaning(error: Exception, doing: str) -> StediError:
    text = str(error)
    condition = (error.getCondition() or "") if isinstance(error, PySparkException) else ""
    if "OutOfMemoryError" in text:
        return EngineError(
            f"{doing}: out of memory", hint="raise memory_limit in stedi.toml, or give Spark more memory"
        )
    if "s3a.S3AFileSystem not found" in text:
        return ConfigError(
            f"{doing}: this Spark cannot reach S3",
            where="engine",
            hint="start it with hadoop-aws of its version of Hadoop; docs/guides/spark.md shows how",
        )
    if "No space left" in text or "disk quota" in text.lower():
        return StorageError(f"{doing}: the disk is full or cannot be written", hint="free some space and run again")
    if condition.startswith(_ABOUT_VALUES):
        return DataError(
            f"{doing}: a value is not what was expected ({condition})", hint="`stedi doctor` checks the lakehouse"
        )
    return EngineError(
        f"{doing}: Spark failed ({condition or type(error).__name__})",
        hint="run `stedi doctor`; if it finds nothing, report this",
    )
