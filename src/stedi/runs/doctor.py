"""Examine an installation and a lakehouse, and say what to do. Nothing is changed, and nothing here raises.

1. Installation: Python and the packages, against the ranges that the package itself declares; the engine starts.
2. Settings: `stedi.toml` and the environment.
3. Lakehouse: it is there, readable, and of a version that this program knows.
4. Tables: the published snapshot of each is whole, and nothing was committed after it.
5. Surroundings: a run in progress or what a killed one left, the pseudonym key, the space that is left on the disk.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from stedi.config import FILE_NAME, Settings, load_settings
from stedi.contracts import contracts
from stedi.errors import DataError, LakehouseError, StediError
from stedi.home import Home
from stedi.places import about, is_remote
from stedi.secret import SecretKey

if TYPE_CHECKING:
    from stedi.catalog.state import Run
    from stedi.catalog.tables import Tables
    from stedi.engines.base import Engine

_DISTRIBUTION = "stedi-lakehouse"
#: A run stages every derived table anew before it lets go of the old ones: below this much free space it may not end well.
_LITTLE_SPACE, _NO_SPACE = 2 << 30, 100 << 20


@dataclass(frozen=True)
class Check:
    """What was looked at and found. `hint` is the next step; None where there is nothing to do."""

    name: str
    status: Literal["ok", "warning", "problem"]
    message: str
    hint: str | None = None


def examine(lakehouse: str | Path | None = None) -> list[Check]:
    """Every check, in the order in which a person would mend what they find."""
    checks = [_check_python(), *_check_packages(), _check_engine()]
    try:
        settings = load_settings({"lakehouse": lakehouse})
    except StediError as error:
        return [*checks, _problem("settings", error)]
    checks.append(_check_settings())
    if not _exists(settings):
        hint = "`stedi run --landing DIR` makes one; --lakehouse names another"
        checks.append(Check("lakehouse", "warning", f"there is none in {settings.lakehouse}", hint))
    else:
        checks += _check_lakehouse(settings)
    return [*checks, _check_space(settings.home)]


def _exists(settings: Settings) -> bool:
    from stedi.catalog.published import lakehouse_exists

    return lakehouse_exists(settings.home)


def _problem(name: str, error: StediError) -> Check:
    where = f" ({error.where})" if error.where else ""
    return Check(name, "problem", error.message + where, error.hint)


def _check_python() -> Check:
    needed = metadata.metadata(_DISTRIBUTION)["Requires-Python"]
    found = ".".join(str(part) for part in sys.version_info[:3])
    return _check_version("python", found, needed, "install a supported Python")


def _check_packages() -> Iterator[Check]:
    for requirement in metadata.requires(_DISTRIBUTION) or []:
        matched = re.match(r"([\w-]+)(?:\[[^]]*\])?([^;]*)(;.*)?$", requirement)
        if matched is None or matched[3]:  # an extra: not needed to run
            continue
        name, hint = matched[1], f"pip install '{requirement}'"
        try:
            yield _check_version(name, metadata.version(name), matched[2].strip(), hint)
        except metadata.PackageNotFoundError:
            yield Check(name, "problem", "is not installed", hint)


def _check_version(name: str, found: str, needed: str, hint: str) -> Check:
    """Compare versions by their leading numbers, against bounds such as `>=1.5.5,<3`."""
    at = _numbers(found)
    needed = ",".join(sorted(needed.split(","), reverse=True))
    for bound in needed.split(","):
        inside = at >= _numbers(bound) if ">=" in bound else at < _numbers(bound)
        if bound and not inside:
            return Check(name, "problem", f"{found}, but {needed} is needed", hint)
    return Check(name, "ok", f"{found} ({needed})")


def _numbers(version: str) -> tuple[int, ...]:
    found = re.search(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def _check_engine() -> Check:
    try:
        from stedi.engines.duckdb import DuckDBEngine

        engine = DuckDBEngine(Path(tempfile.gettempdir()))
        engine.query("SELECT 1")
        engine.close()
    except (ImportError, StediError) as error:
        return Check("engine", "problem", f"DuckDB does not start ({type(error).__name__})", "install duckdb again")
    return Check("engine", "ok", "DuckDB starts")


def _check_settings() -> Check:
    environment = os.environ.get("STEDI_LAKEHOUSE")
    told = f"{FILE_NAME} is valid" if Path(FILE_NAME).is_file() else f"no {FILE_NAME} here: the defaults hold"
    return Check("settings", "ok", told + (f"; STEDI_LAKEHOUSE is {environment}" if environment else ""))


def _check_lakehouse(settings: Settings) -> Iterator[Check]:
    from stedi.catalog.runs import completed_runs
    from stedi.catalog.tables import Tables

    try:
        tables = Tables.open(settings.home)
    except StediError as error:
        yield _problem("lakehouse", error)
        return
    try:
        runs = completed_runs(tables)
        told = f"{settings.lakehouse}: {len(runs)} completed run{'' if len(runs) == 1 else 's'}"
        yield Check("lakehouse", "ok", told, None if runs else "`stedi run --landing DIR` makes the first run")
        yield from _check_tables(settings, tables, runs[-1]) if runs else ()
    except StediError as error:
        yield _problem("lakehouse", error)
        return
    finally:
        tables.close()
    yield _check_erasure(settings.lakehouse)
    yield from (_check_writer(settings.home), _check_writable(settings.lakehouse), _check_key(settings, runs))


def _check_tables(settings: Settings, tables: Tables, run: Run) -> Iterator[Check]:
    """The published snapshot of every table: its metadata can be read, its files are there, and hold as many rows as were published."""
    from stedi.engines.start import start_reader

    engine = start_reader(settings, Path(tempfile.gettempdir()))
    planned: dict[str, list[str]] = {}
    rows = 0
    try:
        for name, snapshot in {**run.snapshots, "runs": tables.head("runs")}.items():
            try:
                planned[name] = tables.files(name, snapshot)
                rows += _count_rows(tables.home, engine, name, planned[name], run)
            except StediError as error:
                yield _problem(f"table {name}", error)
    finally:
        engine.close()
    if len(planned) == len(run.snapshots) + 1:
        files = sum(len(paths) for paths in planned.values())
        yield Check("tables", "ok", f"run {run.run}: {len(planned)} tables, {files} data files, {rows:,} rows")
    yield from (_check_listing(tables.home, planned), _check_heads(tables, run))


def _count_rows(home: Home, engine: Engine, name: str, paths: list[str], run: Run) -> int:
    """Rows of a table, from its files' footers.

    Raises:
        LakehouseError: a file is missing or damaged, or there are more or fewer rows than the run published.
    """
    for path in paths:
        if about(home.located(path.removeprefix("file://"))) is None:
            raise LakehouseError("a data file is missing", where=path, hint="restore it from a backup")
    try:
        engine.use_files("examined", paths, contracts(run.policy)[name])
        rows: int = engine.query("SELECT count(*) AS n FROM examined")["n"][0].as_py()
    except DataError:  # its own hint is to call the doctor
        raise LakehouseError("a data file is damaged", where=name, hint="restore it from a backup") from None
    published = run.report["rows"].get(name, rows)
    if rows != published:
        raise LakehouseError(
            f"{rows:,} rows, but {published:,} were published", where=name, hint="restore it from a backup"
        )
    return rows


def _check_listing(home: Home, planned: dict[str, list[str]]) -> Check:
    """What readers are told to read (`published/`) is what the catalog says."""
    from stedi.catalog.published import read_published

    state = read_published(home)
    if state is None:
        return Check(
            "listing", "warning", "readers ask the catalog, which is slower", "the next run of new files mends it"
        )
    if any(sorted(state.files.get(name, [])) != paths for name, paths in planned.items()):
        hint = f"remove {home.folder / 'published'}: readers then ask the catalog"
        return Check("listing", "problem", "readers are told to read other files than the catalog names", hint)
    return Check("listing", "ok", "readers read what the catalog names")


def _check_heads(tables: Tables, run: Run) -> Check:
    ahead = [name for name, snapshot in run.snapshots.items() if tables.head(name) != snapshot]
    if not ahead:
        return Check("commits", "ok", "nothing was committed after the last run")
    told = "changed since the last run: " + ", ".join(ahead)
    return Check(
        "commits",
        "warning",
        told,
        "a killed run left it, and the next run undoes it; other programs must not write here",
    )


def _check_writer(home: Home) -> Check:
    from stedi.catalog.lease import is_held
    from stedi.catalog.runs import begun

    held = is_held(home.folder)
    left = begun(home)
    if held:
        return Check("runs", "ok", "a run is in progress")
    if left:
        hint = "the next `stedi run` clears it"
        return Check("runs", "warning", f"{len(left)} killed runs left files behind in {home.markers}", hint)
    return Check("runs", "ok", "none is in progress, and none left anything behind")


def _check_erasure(folder: Path) -> Check:
    from stedi.runs.journal import Journal

    if Journal(folder).open:
        hint = "the next `stedi run` or `stedi subject forget` completes it"
        return Check("erasure", "problem", "an erasure is half done: somebody's data may still be here", hint)
    return Check("erasure", "ok", "none is half done")


def _check_writable(folder: Path) -> Check:
    if is_remote(folder):
        return Check(
            "permissions", "ok", "the lakehouse can be read; whether it can be written, the next run finds out"
        )
    if os.access(folder, os.W_OK) and os.access(folder / "catalog.db", os.W_OK):
        return Check("permissions", "ok", "the lakehouse can be written")
    return Check("permissions", "warning", "the lakehouse can be read, not written", "run as its owner to write")


def _check_key(settings: Settings, runs: list[Run]) -> Check:
    from stedi.privacy.pseudonyms import check_key

    file = settings.key_file
    if not runs and not file.exists():
        return Check("pseudonym key", "ok", "the first run makes it")
    try:
        check_key(file, runs[-1].report["keyId"] if runs else None)
    except StediError as error:
        return _problem("pseudonym key", error)
    if isinstance(file, SecretKey):
        return Check("pseudonym key", "ok", f"{file}: the right one")
    if not is_remote(settings.lakehouse) and file.resolve().is_relative_to(settings.lakehouse.resolve()):
        hint = "move it out and set pseudonym_key in stedi.toml: whoever copies the lakehouse would get the key, too"
        return Check("pseudonym key", "problem", f"{file} lies inside the lakehouse", hint)
    return Check("pseudonym key", "ok", f"{file}: the right one, and for its owner's eyes only")


def _check_space(home: Home) -> Check:
    folder = home.scratch("x").parent if is_remote(home.folder) else home.folder
    near = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(near).free
    told = f"{free / (1 << 30):.1f} GiB are free at {near}"
    if free >= _LITTLE_SPACE:
        return Check("disk", "ok", told)
    return Check("disk", "problem" if free < _NO_SPACE else "warning", told, "free some space before the next run")
