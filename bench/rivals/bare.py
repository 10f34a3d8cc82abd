"""A bare DuckDB connection, set as the product sets its own, that reads JSON and writes plain Parquet."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import duckdb

from bench.rivals.job import FIELDS, files_of, table


class Bare:
    """One DuckDB, and the folder it writes tables to.

    Args:
        out: folder of the tables; what memory does not hold is spilled beside it.
        memory_limit: such as "4GB".
    """

    def __init__(self, out: Path, memory_limit: str) -> None:
        self._out = out
        self._spill = out.with_name(out.name + "-spill")
        self._con = duckdb.connect(
            config={
                "memory_limit": memory_limit,
                "temp_directory": str(self._spill),
                "preserve_insertion_order": False,
            }
        )
        self._defined: set[str] = set()
        self._con.execute("SET TimeZone = 'UTC'")
        self._con.execute("SET enable_progress_bar = false")

    def land(self, feeds: Path, feed: str, more: str = "") -> None:
        """Write a feed's landing table. `more` selects columns beside those of the feed, each with a comma before it."""
        files = ", ".join("'" + path.replace("'", "''") + "'" for path in files_of(feeds, feed))
        types = ", ".join(f"\"{name}\": '{kind.upper()}'" for name, kind in FIELDS[feed].items())
        read = f"read_json([{files}], format = 'newline_delimited', columns = {{{types}}}, hive_partitioning = false)"
        self.write(f"{feed}_landing", f"SELECT *{more} FROM {read}")

    def write(self, name: str, select: str, part: int = 0) -> None:
        """Write a table, or a part of it; from here on it is known by its name."""
        path = table(self._out, name).with_name(f"part-{part}.parquet")
        self._con.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)")
        self.define(name, self.written(name))

    def written(self, name: str) -> str:
        """SELECT of a table that is written."""
        return f"SELECT * FROM read_parquet('{table(self._out, name).parent}/*.parquet', hive_partitioning = false)"

    def define(self, name: str, select: str) -> None:
        """Make a name stand for a SELECT."""
        self._con.execute(f'CREATE OR REPLACE TEMP VIEW "{name}" AS {select}')
        self._defined.add(name)

    def keep(self, name: str, select: str) -> None:
        """Keep the rows of a SELECT under a name, in memory."""
        self._con.execute(f'CREATE TEMP TABLE "{name}" AS {select}')

    def drop(self, names: Sequence[str]) -> None:
        """Give up what was kept; what was only defined holds nothing."""
        for name in names:
            if name not in self._defined:
                self._con.execute(f'DROP TABLE "{name}"')

    def count(self, name: str) -> int:
        """Rows of a table."""
        return int(self._con.execute(f'SELECT count(*) FROM "{name}"').fetchall()[0][0])

    def close(self) -> None:
        """Release memory and what was spilled."""
        self._con.close()
        shutil.rmtree(self._spill, ignore_errors=True)
