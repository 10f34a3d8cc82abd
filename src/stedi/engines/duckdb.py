"""The embedded engine: DuckDB, inside this process. Works with 1.5.5 and 2.x.

SQL is built from contracts and models, never from data. DuckDB quotes offending values in its messages, so none of them leaves
this module: `_translated` turns each into an error of ours that says what was being done and nothing of the data.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakSet

from stedi.aws import S3Options
from stedi.engines import user_sql
from stedi.engines.connect import connected, duckdb
from stedi.engines.objects import Objects
from stedi.engines.sql import listed, literal, quoted
from stedi.errors import DataError, EngineError, StediError, StorageError
from stedi.places import is_uri

if TYPE_CHECKING:
    import pyarrow as pa

    from stedi.contracts import Contract
    from stedi.engines.base import Engine, Part, Result, Tell

_TYPES = {
    "varchar": "VARCHAR",
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamptz": "TIMESTAMPTZ",
}
_STATUS = re.compile(r"\bHTTP (?P<HTTP>\d{3})\b|\bcurlCode: (?P<curl>\d+)\b")
#: Rows of a row group: a quarter of DuckDB's own default, so that whoever looks for a few people unpacks less of the others, and a table
#: of few files is written by all cores. Sizes stay the same.
_ROW_GROUP = 30_720

#: Engines of this process, so that they can be reached from another thread.
_open: WeakSet[DuckDBEngine] = WeakSet()


class DuckDBEngine:
    """One in-memory DuckDB that spills into `scratch`.

    Args:
        scratch: folder for what memory does not hold; removed by the caller.
        memory_limit: for example "1GB"; DuckDB's own default where None.
        threads: worker threads; all cores where None.
        s3: how data files on S3 are reached.
    """

    def __init__(
        self, scratch: Path, memory_limit: str | None = None, threads: int | None = None, s3: S3Options | None = None
    ) -> None:
        self._scratch = scratch
        self._kinds: dict[str, str] = {}  # of every relation, whether it is a VIEW or a TABLE
        with _translated("starting DuckDB"):
            self._con = connected()
            self._con.execute(f"SET temp_directory = {literal(str(scratch))}")
            if memory_limit is not None:
                self._con.execute(f"SET memory_limit = {literal(memory_limit)}")
            if threads is not None:
                self._con.execute(f"SET threads = {threads}")
        self._objects = Objects(self._con, s3 or S3Options())
        _open.add(self)

    @property
    def readers(self) -> int:
        return 1  # which uses all cores

    def use_files(self, name: str, files: Sequence[str], contract: Contract, *, located: bool = False) -> None:
        if files:
            columns = [quoted(c.name) for c in contract.columns] + located * [
                'filename AS "_file"',
                'file_row_number AS "_row"',
            ]
            source = self._source(
                name, files, ", ".join(columns), located * ", filename = true, file_row_number = true"
            )
        else:
            columns = [f"CAST(NULL AS {_TYPES[c.type]}) AS {quoted(c.name)}" for c in contract.columns]
            columns += located * ['CAST(NULL AS VARCHAR) AS "_file"', 'CAST(NULL AS BIGINT) AS "_row"']
            source = f"SELECT {', '.join(columns)} WHERE FALSE"
        self.define(name, source)

    def open_files(self, name: str, files: Sequence[str]) -> None:
        """Make `name` a relation over Parquet files with the columns that they were written with: it takes no contract to read them."""
        self.define(name, self._source(name, files))

    def use_rows(self, name: str, rows: pa.Table | pa.RecordBatchReader) -> None:
        with _translated(f"opening {name}"):
            self._con.register(name, rows)
        self._kinds[name] = "VIEW"

    def define(self, name: str, select: str) -> None:
        self.drop(name)
        self._run(f"CREATE TEMP VIEW {quoted(name)} AS {select}", f"opening {name}")
        self._kinds[name] = "VIEW"

    def keep(self, name: str, select: str) -> None:
        self.drop(name)
        self._run(f"CREATE TEMP TABLE {quoted(name)} AS {select}", f"building {name}")
        self._kinds[name] = "TABLE"

    def drop(self, name: str) -> None:
        if kind := self._kinds.pop(name, None):
            self._run(f"DROP {kind} {quoted(name)}", f"closing {name}")

    def write(self, select: str, path: str, contract: Contract, field_ids: Mapping[str, int]) -> int:
        written = str(self._scratch / f"{contract.name}-upload.parquet") if is_uri(path) else path
        with _translated(f"writing {contract.name}"):
            (rows,) = self._con.execute(
                f"COPY (SELECT {_cast(contract)} FROM ({select})) TO {literal(written)} ({_parquet(contract, field_ids)})"
            ).fetchall()[0]
        if written != path:
            with _translated(f"opening {contract.name}"):
                self._objects.attach([path])
            self._objects.put(Path(written), path)
        return int(rows)

    def write_files(
        self, select: str, prefix: str, contract: Contract, field_ids: Mapping[str, int], rows_per_file: int
    ) -> dict[str, int]:
        from pyarrow.parquet import read_metadata

        folder = self._scratch / f"{contract.name}-files"
        groups = max(1, rows_per_file // _ROW_GROUP)
        self._run(
            f"COPY (SELECT {_cast(contract)} FROM ({select})) TO {literal(str(folder))}"
            f" ({_parquet(contract, field_ids)}, ROW_GROUP_SIZE {_ROW_GROUP}, ROW_GROUPS_PER_FILE {groups})",
            f"writing {contract.name}",
        )
        written = sorted(folder.rglob("*.parquet"))
        found = {f"{prefix}-{number}.parquet": read_metadata(path).num_rows for number, path in enumerate(written)}
        self._objects.put_all(written, list(found))
        shutil.rmtree(folder, ignore_errors=True)
        return found

    def write_sorted(
        self, select: str, prefix: str, contract: Contract, field_ids: Mapping[str, int], files: int
    ) -> dict[str, int]:
        order = ", ".join(map(quoted, contract.sorted_by))
        found = {}
        for number in range(files):
            part = f"hash({quoted(str(contract.clustered_by))}) % {files} = {number}" if files > 1 else "TRUE"
            path = f"{prefix}-{number}.parquet"
            if rows := self.write(f"SELECT * FROM ({select}) WHERE {part} ORDER BY {order}", path, contract, field_ids):
                found[path] = rows
            else:
                self.discard(path)
        return found

    def discard(self, path: str) -> None:
        self._objects.delete(path)

    def digest(self, relation: str, contract: Contract) -> tuple[int, int]:
        columns = ", ".join(quoted(c.name) for c in contract.columns)
        found = self.query(
            f"SELECT count(*) AS n, CAST(sum(hash({columns})) AS VARCHAR) AS mark FROM {quoted(relation)}"
        )
        return found["n"][0].as_py(), int(found["mark"][0].as_py() or 0)

    def query(self, select: str) -> pa.Table:
        with _translated("querying"):
            table: pa.Table = self._con.sql(select).to_arrow_table()
        return table

    def spread(
        self,
        work: Callable[[Engine, Path, Part, Tell], Result],
        parts: Sequence[Part],
        tell: Tell,
        *,
        far: bool,  # noqa: ARG002 - there are no other machines
    ) -> Iterator[Result]:
        for part in parts:
            yield work(self, self._scratch, part, tell)

    def query_untrusted(self, select: str, allowed_files: Sequence[str]) -> pa.RecordBatchReader:
        self._seal(allowed_files)
        return user_sql.stream(self._con, select)

    def copy_untrusted(self, select: str, allowed_files: Sequence[str], path: Path) -> int | None:
        """Run SQL from a user as `query_untrusted` does, and write its rows into one Parquet file, on all cores; returns how many.

        None, and nothing is written, where Parquet would hold other types or names than Arrow, or where DuckDB cannot name the file.
        """
        try:
            str(path).encode()
        except UnicodeEncodeError:  # to DuckDB all paths are UTF-8
            return None
        self._seal([*allowed_files, str(path)])
        return user_sql.copy(self._con, select, path)

    def _seal(self, allowed_files: Sequence[str]) -> None:
        with _translated("sealing the engine"):
            self._con.execute(f"SET allowed_paths = [{listed(allowed_files)}]")
            self._con.execute("SET enable_external_access = false")
            self._con.execute("SET lock_configuration = true")

    def interrupt(self) -> None:
        with suppress(duckdb.ConnectionException):  # it was closed meanwhile
            self._con.interrupt()

    def close(self) -> None:
        self.interrupt()  # else closing waits for what workers of a query that was given up have begun
        self._con.close()
        _open.discard(self)

    def _source(self, name: str, files: Sequence[str], columns: str = "*", options: str = "") -> str:
        with _translated(f"opening {name}"):
            self._objects.attach(files)
        return f"SELECT {columns} FROM read_parquet([{listed(_middling_first(files))}], hive_partitioning = false{options})"

    def _run(self, sql: str, doing: str) -> None:
        with _translated(doing):
            self._con.execute(sql)


def _middling_first(files: Sequence[str]) -> list[str]:
    """The files, beginning with one of middling size: DuckDB takes all to be as large as the first, and plans its joins by that."""
    sizes = {path: Path(path).stat().st_size if Path(path).is_file() else 0 for path in files}
    mean = sum(sizes.values()) / len(sizes)
    first = min(files, key=lambda path: abs(sizes[path] - mean))
    return [first, *(path for path in files if path != first)]


def _cast(contract: Contract) -> str:
    return ", ".join(f"CAST({quoted(c.name)} AS {_TYPES[c.type]}) AS {quoted(c.name)}" for c in contract.columns)


def _parquet(contract: Contract, field_ids: Mapping[str, int]) -> str:
    """Options of COPY. Level 1 of zstd is a tenth faster than DuckDB's 3, and the files are as small."""
    ids = ", ".join(f"{quoted(c.name)}: {field_ids[c.name]}" for c in contract.columns)
    return f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, FIELD_IDS {{{ids}}}"


def interrupt_all() -> None:
    """Make every engine of this process give up what it runs: DuckDB may not look for signals for as long as a query takes."""
    for engine in list(_open):
        engine.interrupt()


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    """Raise our errors for DuckDB's, without its words: they may quote a row."""
    try:
        yield
    except duckdb.Error as error:
        raise _meaning(error, doing) from None


def _meaning(error: duckdb.Error, doing: str) -> StediError:
    if isinstance(error, duckdb.OutOfMemoryException):
        return EngineError(f"{doing}: out of memory", hint=user_sql.MORE_MEMORY)
    if user_sql.disk_is_full(error):
        return StorageError(f"{doing}: the disk is full or cannot be written", hint="free some space and run again")
    if isinstance(error, duckdb.InvalidInputException | duckdb.ConversionException | duckdb.OutOfRangeException):
        return DataError(
            f"{doing}: a value is not what was expected ({type(error).__name__})",
            hint="`stedi doctor` checks the lakehouse",
        )
    return EngineError(
        f"{doing}: the engine failed ({type(error).__name__}{_status(error)})",
        hint="run `stedi doctor`; if it finds nothing, report this",
    )


def _status(error: duckdb.Error) -> str:
    """What S3 answered, or what curl found instead, where DuckDB or Arrow says so: numbers alone, which quote no row."""
    found = _STATUS.search(str(error))
    return "".join(f", {kind} {number}" for kind, number in found.groupdict().items() if number) if found else ""
