"""A run in the making: its engine, and what it is about to commit. Writes new data files, commits none.

Data files are written where they will stay, under names that begin with the run's token; until a commit refers to them they are garbage
that `catalog.runs.recover` collects. A table changes in one of two ways: `rewrite` replaces all of it, `splice` the rows that differ.
Afterwards the engine knows the table as it will be, as `NAME` and as `after_NAME`; as it was, it knows it as `before_NAME`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from stedi import clock
from stedi.catalog.state import Run
from stedi.catalog.tables import Commit, Tables
from stedi.config import Settings
from stedi.contracts import contracts, model
from stedi.engines.base import Engine
from stedi.runs.audit import Violation, check_table
from stedi.runs.plan import KnownFile

#: Rows of one data file: a person's rows lie in few of them, as they arrived, so that a change to them does not rewrite everybody's.
ROWS_PER_FILE = 62_500

#: Called with the name of a step, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


@dataclass
class Staged:
    """What a run is about to commit.

    Attributes:
        changes: per table, files to add and files that they replace.
        files: landing files read in this run, with what came of each.
        noted: landing files that were touched but hold what they held; only their time is new.
        suppressed: records that were kept out because their people were erased, by feed.
        rows: number of rows of every table after the commit.
        added: number of rows that each table gains.
        removed: number of rows that each table loses.
        violations: rules of contracts that staged rows break.
    """

    changes: dict[str, Commit] = field(default_factory=dict)
    files: list[KnownFile] = field(default_factory=list)
    noted: list[KnownFile] = field(default_factory=list)
    suppressed: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    added: dict[str, int] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)


class Stage:
    """One run in the making.

    Args:
        started_at: start of the run; every row that it lands says so in `_ingested_at`.
        last: the last completed run.
    """

    def __init__(
        self,
        tables: Tables,
        engine: Engine,
        settings: Settings,
        token: str,
        started_at: datetime,
        last: Run | None,
    ) -> None:
        self.tables = tables
        self.engine = engine
        self.settings = settings
        self.token = token
        self.started_at = started_at
        self.contracts = contracts(settings.policy)
        self.scratch = tables.home.scratch(token)
        self.staged = Staged()
        self.steps: list[dict[str, object]] = []
        self.rewritten = False
        self.last = last

    def model(self, name: str) -> str:
        """The SQL of a model, under the policy and the identity rule of the run."""
        return model(name, self.settings.policy, self.settings.devices.identity_rule)

    def files_before(self, name: str) -> list[str]:
        """The data files of a table as of the last completed run."""
        return self.tables.files(name, self.last.snapshots.get(name)) if self.last else []

    def before(self, name: str) -> None:
        """Let the engine know a table as of the last completed run as `before_NAME`. It must have the shape that it has today."""
        self.engine.use_files(f"before_{name}", self.files_before(name), self.contracts[name], located=True)

    def rows_before(self, name: str) -> int:
        """Rows of a table as of the last completed run."""
        return int(self.last.report["rows"].get(name, 0)) if self.last else 0

    def change(
        self, name: str, add: list[str], remove: list[str], current: list[str], *, rows: int, added: int, removed: int
    ) -> None:
        """Note which files a table gains and loses; from here on the engine knows the table as it will be.

        Args:
            name: the table.
            add: files that it gains.
            remove: files that it loses.
            current: its files as of the last completed run.
            rows: how many its files will hold.
            added: how many it should gain.
            removed: how many it should lose.
        """
        contract = self.contracts[name]
        self.staged.changes[name] = Commit(tuple(add), tuple(remove))
        files = [path for path in current if path not in set(remove)] + add
        self.engine.use_files(f"after_{name}", files, contract)
        self.engine.use_files(name, files, contract)
        self.staged.added[name], self.staged.removed[name] = added, removed
        self.staged.rows[name] = rows
        if wrong := rows - (self.rows_before(name) + added - removed):
            self.staged.violations.append(Violation(name, "all is written", "files hold what they should", abs(wrong)))

    def rewrite(self, name: str, selects: Iterable[str], at_most: int) -> None:
        """Replace all rows of a table by those of the selects; each is run before the next is asked for.

        `at_most` bounds the number of rows, as far as that is known beforehand.
        """
        self.rewritten = True
        current = self.files_before(name)
        written: dict[str, int] = {}
        for part, select in enumerate(selects):
            written |= self.write(name, select, f"all{part}", at_most)
        rows = sum(written.values())
        self.change(name, list(written), current, current, rows=rows, added=rows, removed=self.rows_before(name))
        self.check(name, name)

    def splice(self, name: str, new: str, old: str) -> None:
        """Replace some rows of a table, writing only what differs.

        Rows are compared as a bag, by all columns. Data files that hold a row to be removed are written anew; where there is none, the
        table is appended to.

        Args:
            name: the table.
            new: selects the rows that are to be there. They are audited, and kept as `new_NAME`.
            old: selects from `before_NAME`, with `_file` and `_row`, the rows that are there.
        """
        current = self.files_before(name)
        added, removed = self._compare(name, new, old)
        victims = self.files_of(f"SELECT * FROM removed_{name}") if removed else []
        columns = self._columns(name)
        select, gone = f"SELECT {columns} FROM added_{name}", 0
        if victims:
            self.engine.use_files("victims", victims, self.contracts[name], located=True)
            gone = self.count("victims")
            select += f"""
                UNION ALL SELECT {columns} FROM victims AS v WHERE NOT EXISTS (
                  SELECT 1 FROM removed_{name} AS r WHERE r."_row" = v."_row" AND r."_file" = v."_file")"""
        written = self.write(name, select, "new", added + gone) if added or gone else {}
        rows = self.rows_before(name) - gone + sum(written.values())
        self.change(name, list(written), victims, current, rows=rows, added=added, removed=removed)

    def _compare(self, name: str, new: str, old: str) -> tuple[int, int]:
        """Audit and keep `new_NAME`, keep what differs as `added_NAME` and `removed_NAME`, and return how many rows these have."""
        engine, contract, columns = self.engine, self.contracts[name], self._columns(name)
        typed = ", ".join(f'CAST(n."{c.name}" AS {c.type}) AS "{c.name}"' for c in contract.columns)
        engine.keep(f"new_{name}", f"SELECT {typed} FROM ({new}) AS n")
        engine.keep(f"old_{name}", old)
        engine.keep(
            "differing",
            f"""SELECT {columns} FROM (
                  SELECT {columns}, 1 AS "_copies" FROM new_{name} UNION ALL SELECT {columns}, -1 AS "_copies" FROM old_{name}
                ) AS b GROUP BY {columns} HAVING sum("_copies") <> 0""",
        )
        present, differing = self.counts(f"new_{name}", "differing")
        if present:  # rules count bad rows of the table, so without rows there are none
            self.check(name, f"new_{name}")
        same = " AND ".join(f'd."{c.name}" IS NOT DISTINCT FROM r."{c.name}"' for c in contract.columns)
        for kind, side in (("added", "new"), ("removed", "old")):
            rows = f"SELECT r.* FROM {side}_{name} AS r WHERE EXISTS (SELECT 1 FROM differing AS d WHERE {same})"
            if differing:
                engine.keep(f"{kind}_{name}", rows)
            else:  # as most often: to look for rows that are not there takes as long
                engine.use_files(f"{kind}_{name}", [], contract, located=kind == "removed")
        engine.drop("differing")
        engine.drop(f"old_{name}")
        added, removed = self.counts(f"added_{name}", f"removed_{name}") if differing else (0, 0)
        return added, removed

    def files_of(self, located: str) -> list[str]:
        """The data files in which rows lie; `located` selects them, with `_file`."""
        found = self.engine.query(f'SELECT DISTINCT "_file" FROM ({located}) AS t')
        return sorted(str(path) for path in found["_file"].to_pylist())

    def write(self, name: str, select: str, part: str, at_most: int) -> dict[str, int]:
        """Write data files of a table, not yet committed; none where there is no row. Returns their numbers of rows by path."""
        contract = self.contracts[name]
        ids = self.tables.field_ids(contract)
        prefix = str(self.tables.data_folder(name) / f"{self.token}-{part}")
        if at_most > ROWS_PER_FILE:
            return self.engine.write_files(select, prefix, contract, ids, ROWS_PER_FILE)
        path = f"{prefix}.parquet"
        if rows := self.engine.write(select, path, contract, ids):
            return {path: rows}
        self.engine.discard(path)
        return {}

    def check(self, name: str, rows: str) -> None:
        """Audit rows against the contract of a table; the engine takes them for the table until it changes."""
        if rows != name:
            self.engine.define(name, f"SELECT * FROM {rows}")
        self.staged.violations += check_table(self.engine, self.contracts[name])

    def count(self, relation: str) -> int:
        """Number of rows of a relation."""
        (rows,) = self.counts(relation)
        return rows

    def counts(self, *relations: str) -> tuple[int, ...]:
        """Numbers of rows of relations, by one question."""
        numbers = ", ".join(f'(SELECT count(*) FROM {name}) AS "{name}"' for name in relations)
        (found,) = self.engine.query(f"SELECT {numbers}").to_pylist()
        return tuple(found.values())

    def withheld(self, feed: str) -> dict[str, int]:
        """Landing records of a feed that are in no trusted table, by reason; a duplicate counts as one, too."""
        rows = self.engine.query(self.model(f"withheld_{feed}")).to_pylist()
        return {row["reason"]: row["records"] for row in rows if row["records"]}

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Note how long a step takes."""
        start = clock.stopwatch_s()
        yield
        self.steps.append({"step": step, "seconds": round(clock.stopwatch_s() - start, 3)})

    def _columns(self, name: str) -> str:
        return ", ".join(f'"{c.name}"' for c in self.contracts[name].columns)
