"""The published state: one row per completed run says which snapshot of every table belongs together.

Appending that row is the one atomic act that publishes a run. Readers take the last row, or the one they ask for, and read every table
as of the snapshots it names; what a run commits before it has published is invisible to them. Upkeep publishes in the same way, and adds no
row: it gives the last one the snapshots of merged files, and takes from old ones the snapshots that are let go.
"""

from __future__ import annotations

import json
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import cast

import pyarrow as pa

from stedi import signals
from stedi.catalog.lease import writer_lease
from stedi.catalog.published import Published, read_published, write_published
from stedi.catalog.sqlite import catalog_explained
from stedi.catalog.state import Run
from stedi.catalog.tables import Commit, Tables
from stedi.contracts import Policy, contracts
from stedi.errors import StediError
from stedi.home import Home, home_of
from stedi.places import erase, is_remote, listing, write_whole


def completed_runs(tables: Tables) -> list[Run]:
    """All completed runs, oldest first."""
    if "runs" not in tables.names():
        return []
    rows = tables.rows("runs", tables.head("runs")).sort_by("run").to_pylist()
    return [
        Run(
            run=row["run"],
            token=row["token"],
            started_at=row["startedAt"],
            finished_at=row["finishedAt"],
            policy=cast(Policy, row["policy"]),
            fingerprint=row["fingerprint"],
            snapshots=json.loads(row["snapshots"]),
            report=json.loads(row["report"]),
            pinned=row.get("pinned"),  # older programs know no pins
        )
        for row in rows
    ]


def publish(tables: Tables, run: Run) -> None:
    """Make a run what readers see."""
    rewrite_runs(tables, [*completed_runs(tables), run], run.token)


def rewrite_runs(tables: Tables, runs: list[Run], token: str) -> None:
    """Replace the published state, in one atomic act. The table is one file, so that opening costs the same after many runs."""
    contract = contracts(runs[-1].policy)["runs"]
    tables.ensure(contract)
    tables.evolve(contract)
    path = tables.data_folder("runs") / f"{token}-runs.parquet"
    schema = tables.rows("runs", None).schema
    tables.write_rows("runs", pa.Table.from_pylist([_row(run) for run in runs], schema), str(path))
    tables.commit(contract, Commit(add=(str(path),), remove=tuple(tables.files("runs", tables.head("runs")))), token)
    tell_readers(tables)


def _row(run: Run) -> dict[str, object]:
    return {
        "run": run.run,
        "token": run.token,
        "startedAt": run.started_at,
        "finishedAt": run.finished_at,
        "policy": run.policy,
        "fingerprint": run.fingerprint,
        "snapshots": json.dumps(run.snapshots),
        "report": json.dumps(run.report),
        "pinned": run.pinned,
    }


def tell_readers(tables: Tables) -> None:
    """Keep ready what readers need, beside the metadata of `runs` as it is now. Without this file they ask the catalog."""
    with suppress(OSError, StediError):
        write_published(tables.folder, tables.load("runs").metadata_location, published_state(tables))


def published_state(tables: Tables) -> Published:
    """What readers see, from the catalog itself; no runs where nothing was ever published."""
    runs = completed_runs(tables)
    if not runs:
        return Published([], {})
    files = {name: tables.files(name, snapshot) for name, snapshot in runs[-1].snapshots.items()}
    return Published(runs, {**files, "runs": tables.files("runs", tables.head("runs"))})


@contextmanager
def written_to(
    where: Home | Path, wait_s: float = 0, waiting: Callable[[float], None] | None = None
) -> Iterator[Tables]:
    """An existing lakehouse, held for writing, in the last published state; `wait_s` and `waiting` as for `writer_lease`.

    Raises:
        LakehouseError: there is none, it is damaged, or somebody else is writing to it.
    """
    home = home_of(where)
    folder = home.folder
    Tables.open(home).close()  # else the lease would make the folder
    with catalog_explained(folder), writer_lease(folder, wait_s, waiting), closing(Tables.open(home)) as tables:
        recover(tables, completed_runs(tables))
        yield tables


def published_as(tables: Tables, token: str) -> Run | None:
    """The last run, if it has this token: so it was published, even if Ctrl-C came before that could be told."""
    runs = completed_runs(tables)
    return runs[-1] if runs and runs[-1].token == token else None


@contextmanager
def workspace(tables: Tables) -> Iterator[str]:
    """A token with a scratch folder. Whatever stops the work, Ctrl-C included, what was written and not published is removed again.

    Ctrl-C does not stop that. Where the disk does not even let it be removed, the next run does it; what stopped the work is what is told.
    """
    token = secrets.token_hex(8)
    try:
        _begin(tables.home, token)
        yield token
    finally:
        with signals.held(), suppress(OSError, StediError), catalog_explained(tables.folder):
            recover(tables, completed_runs(tables))


def recover(tables: Tables, runs: list[Run]) -> list[str]:
    """Bring the lakehouse back to the last published state after a run that was killed; returns the tokens that were cleared."""
    state = read_published(tables.home) if runs else None
    if state:
        for name, files in state.files.items():
            if (snapshot := runs[-1].snapshots.get(name)) is not None:
                tables.remember(name, snapshot, files)
    elif runs:  # killed after it was published, before readers were told
        tell_readers(tables)
    published = runs[-1].snapshots if runs else {}
    tokens = {run.token for run in runs} | {tables.token("runs")}  # upkeep publishes under a token of its own
    try:
        _roll_back(tables, published, tokens)
    except (OSError, sqlite3.DatabaseError):  # a full disk: what was staged makes room for the catalog to be written
        cleared = _clear_staging(tables, tokens)
        _roll_back(tables, published, tokens)
        return cleared
    return _clear_staging(tables, tokens)


def _roll_back(tables: Tables, published: Mapping[str, int | None], tokens: set[str | None]) -> None:
    for name in tables.names():
        if name != "runs" and tables.head(name) != published.get(name):
            tables.roll_back(name, published.get(name), tokens)


def _clear_staging(tables: Tables, tokens: set[str | None]) -> list[str]:
    """Remove scratch folders, and the data files of runs that were never published."""
    leftovers = begun(tables.home)
    for token in leftovers:
        if token not in tokens:
            tables.remove_files_of(token)
        shutil.rmtree(tables.home.scratch(token), ignore_errors=True)
        if tables.home.remote:
            erase(found.place for found in listing(tables.home.spool(token)))
        if is_remote(tables.folder):
            erase([tables.home.markers / token])
    return leftovers


def _begin(home: Home, token: str) -> None:
    """Make the scratch folder of a piece of work; on S3 an object says that there is one, wherever its folder is."""
    if is_remote(home.folder):
        write_whole(home.markers / token, b"")
    home.scratch(token).mkdir(parents=True)


def begun(home: Home) -> list[str]:
    """Tokens of the work that is in progress, or was abandoned."""
    if is_remote(home.folder):
        return [found.place.name for found in listing(home.markers)]
    return [path.name for path in home.markers.glob("*") if path.is_dir()]
