"""Starting is quick because nothing heavy is imported before it is used. What is imported is checked, not the time it takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import stedi
from stedi.contracts import _read as read

HEAVY = {
    "duckdb",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "pydantic",
    "pyiceberg",
    "rich",
    "sqlalchemy",
    "sqlglot",
    "yaml",
}
LIST = "import sys; from stedi.cli import run_cli; run_cli(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"


def modules(*arguments: str) -> list[str]:
    """Modules that a command imports."""
    done = subprocess.run([sys.executable, "-c", LIST, *arguments], capture_output=True, text=True, check=True)
    return done.stderr.splitlines()[-1].split()


def imported(*arguments: str) -> set[str]:
    """Packages that a command imports."""
    return {name.partition(".")[0] for name in modules(*arguments)}


@pytest.mark.parametrize("arguments", [("--help",), ("run", "--help"), ("--version",), ("nosuch",)])
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert imported(*arguments) & HEAVY == set()


@pytest.mark.parametrize("command", ["tables", "runs"])
def test_what_only_lists_imports_no_engine_and_no_catalog(small_lake: Path, command: str) -> None:
    assert imported(command, "--lakehouse", str(small_lake)) & HEAVY <= {"yaml"}


def test_a_table_is_described_without_an_engine(small_lake: Path) -> None:
    assert imported("show", "runs", "--rows", "0", "--lakehouse", str(small_lake)) & HEAVY <= {"yaml"}


def test_reading_rows_imports_no_catalog(small_lake: Path) -> None:
    assert (
        imported("query", "FROM runs", "--lakehouse", str(small_lake))
        & {"pyiceberg", "sqlalchemy", "sqlglot", "pandas"}
        == set()
    )


@pytest.mark.parametrize("arguments", [("tables", "--help"), ("nosuch",), ()])
def test_a_command_imports_no_other(arguments: tuple[str, ...]) -> None:
    names = {name for name in modules(*arguments) if name.startswith("stedi.cli.")}
    assert ("stedi.cli.tables" in names, "stedi.cli.subject" in names) == (True, arguments != ("tables", "--help"))


def imported_by_the_program(*arguments: str) -> set[str]:
    """Modules that the program itself imports, until it ends well."""
    program = (
        "import os, sys; os._exit = lambda code: print(code, *sys.modules, file=sys.__stderr__);"
        " from stedi.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    code, *names = done.stderr.splitlines()[-1].split()
    assert code == "0", done.stderr
    return set(names)


def test_the_program_runs_without_pandas_where_it_is_installed(small_feeds: Path, tmp_path: Path) -> None:
    names = imported_by_the_program("run", "--landing", str(small_feeds), "--lakehouse", str(tmp_path / "lake"))
    assert "pyarrow.dataset" in names  # which imports pandas where it can
    assert "pandas" not in names


def test_a_run_asks_its_catalog_without_sqlalchemy(small_feeds: Path, tmp_path: Path) -> None:
    names = imported_by_the_program("run", "--landing", str(small_feeds), "--lakehouse", str(tmp_path / "lake"))
    assert "pyiceberg.catalog" in names
    assert names & {"sqlalchemy", "pyiceberg.catalog.sql"} == set()


@pytest.mark.parametrize("format", ["table", "csv", "json", "parquet"])
def test_a_query_runs_without_numpy(small_lake: Path, tmp_path: Path, format: str) -> None:
    output = ["--output", str(tmp_path / "rows")] if format != "table" else []
    sql = "SELECT *, 1::HUGEINT AS n FROM customers_curated"  # a type for which Parquet is written by Arrow, too
    names = imported_by_the_program("query", sql, "--lakehouse", str(small_lake), "--format", format, *output)
    assert "pyarrow" in names  # which imports NumPy where it can
    assert "numpy" not in names


def test_rows_are_written_to_parquet_without_arrow(small_lake: Path, tmp_path: Path) -> None:
    output = ("--output", str(tmp_path / "rows.parquet"))
    names = imported_by_the_program("query", "FROM customers_curated", "--lakehouse", str(small_lake), *output)
    assert "duckdb" in names
    assert names & HEAVY == {"duckdb"}


def test_a_query_reads_no_contract(small_lake: Path) -> None:
    lake = stedi.open_lakehouse(small_lake)
    names = [info.name for info in lake.tables() if info.rows]
    read.cache_clear()
    for name in names:
        lake.query(f"SELECT count(*) FROM {name}").to_arrow()
    assert (len(names) > 10, read.cache_info().currsize) == (True, 0)


def test_importing_stedi_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, stedi; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert {name.partition(".")[0] for name in done.stdout.split()} & HEAVY == set()
