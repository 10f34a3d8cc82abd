"""Merge small data files of a table into few large ones: the same rows, in the order in which they are asked for.

A table that is clustered is merged as one, so that the rows of one person come to lie in one file. Others are merged in groups of files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stedi.catalog.snapshots import SizedFile, sized_files
from stedi.catalog.state import Run
from stedi.catalog.tables import Commit, Tables
from stedi.contracts import Contract, contracts
from stedi.engines.base import Engine
from stedi.errors import LakehouseError
from stedi.runs.stage import ROWS_PER_FILE

#: Files that a table may have beyond those that a rebuild would write, before light upkeep merges them.
PILE = 32


@dataclass(frozen=True)
class Merge:
    """Small files of a table, and the number of files that their rows go to."""

    table: str
    files: tuple[SizedFile, ...]
    into: int

    @property
    def size(self) -> int:
        """Bytes of the small files."""
        return sum(file.size for file in self.files)


def plan_merges(tables: Tables, run: Run, target: int) -> list[Merge]:
    """What is to be merged so that files have from one to about three times `target` bytes where there is enough data."""
    merges = []
    for contract in _mergeable(run):
        files = sized_files(tables.load(contract.name), run.snapshots.get(contract.name))
        small = [file for file in files if file.size < target]
        merges += _merges(contract, small, lambda file: file.size, target)
    return merges


def plan_light_merges(tables: Tables, run: Run) -> list[Merge]:
    """What is to be merged so that tables with too many files have about as many as a rebuild would write. Large files are left alone."""
    merges = []
    for contract in _mergeable(run):
        snapshot = run.snapshots.get(contract.name)
        if len(tables.files(contract.name, snapshot)) <= PILE:  # it is known already: no metadata is read for it
            continue
        files = sorted(sized_files(tables.load(contract.name), snapshot), key=lambda file: file.rows)
        rebuilt = max(1, sum(file.rows for file in files) // ROWS_PER_FILE)
        if len(files) > rebuilt + PILE:
            merges += _merges(contract, files[:-rebuilt], lambda file: file.rows, ROWS_PER_FILE)
    return merges


def _mergeable(run: Run) -> list[Contract]:
    return [contract for contract in contracts(run.policy).values() if contract.name != "runs"]


def _merges(
    contract: Contract, small: Sequence[SizedFile], weight: Callable[[SizedFile], int], enough: int
) -> list[Merge]:
    if contract.clustered_by:
        groups, into = [list(small)], max(1, sum(map(weight, small)) // enough)
    else:
        groups, into = grouped(small, weight, enough), 1
    return [Merge(contract.name, tuple(group), into) for group in groups if len(group) > 1]


def grouped(files: Sequence[SizedFile], weight: Callable[[SizedFile], int], enough: int) -> list[list[SizedFile]]:
    """Files, in order, in groups that weigh enough; one group where all of them together do not."""
    groups: list[list[SizedFile]] = [[]]
    for file in files:
        if sum(map(weight, groups[-1])) >= enough:
            groups.append([])
        groups[-1].append(file)
    if len(groups) > 1 and sum(map(weight, groups[-1])) < enough:
        groups[-2:] = [groups[-2] + groups[-1]]
    return groups


def merge(tables: Tables, engine: Engine, contract: Contract, merges: Sequence[Merge], token: str) -> Commit:
    """Write the merged files of a table, not yet committed.

    Raises:
        LakehouseError: what was written does not hold the same rows.
    """
    ids, written = tables.field_ids(contract), []
    for number, one in enumerate(merges):
        prefix = str(tables.data_folder(contract.name) / f"{token}-merged-{number}")
        engine.use_files("small_files", [file.path for file in one.files], contract)
        paths = list(engine.write_sorted("SELECT * FROM small_files", prefix, contract, ids, one.into))
        engine.use_files("merged_files", paths, contract)
        if engine.digest("small_files", contract) != engine.digest("merged_files", contract):
            raise LakehouseError(
                f"the merged files of {contract.name} do not hold the rows of the small ones: nothing was changed",
                where=contract.name,
                hint="run `stedi doctor`; if it finds nothing, report this",
            )
        written += paths
    return Commit(tuple(written), tuple(file.path for one in merges for file in one.files))
