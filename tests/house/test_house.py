"""The house stays as it was drawn: layers, sizes, names, the public door."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

import stedi

SOURCE = Path(stedi.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
MODELS = sorted(SOURCE.rglob("*.sql"))
DUCKDB = "duckdb,normalization_strategy=case_sensitive"
#: Functions that SQLGlot is known to translate exactly to Spark and Trino (every model is a tree of these).
FUNCTIONS = {
    "Abs", "Anonymous", "And", "Or", "Case", "If", "Cast", "Coalesce", "Concat", "Count", "Encode", "Exists", "Greatest",
    "Lag", "Lower", "Max", "Min", "Rank", "RowNumber", "SHA2", "SHA256", "Sum", "Trim", "Unhex", "Chr", "DPipe", "Unicode",
    "IntDiv", "SHA2Digest", "DenseRank", "Floor", "Ln",
}  # fmt: skip


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_module_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 320
    assert path.stem not in {"utils", "helpers", "common", "misc"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_function_can_be_seen_at_once(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno <= 60, f"{path.name}: {node.name}"


def test_the_public_door() -> None:
    assert stedi.__all__ == [
        "AuditError",
        "ConfigError",
        "DataError",
        "EngineError",
        "ErasureError",
        "Lakehouse",
        "LakehouseError",
        "LandingError",
        "LockedError",
        "NotFoundError",
        "PseudonymKeyError",
        "QueryError",
        "Rows",
        "RunResult",
        "StediError",
        "StorageError",
        "TableInfo",
        "open_lakehouse",
    ]
    assert all(getattr(stedi, name) is not None for name in stedi.__all__)


def test_every_error_has_its_own_code_and_exit_code() -> None:
    errors = [getattr(stedi, name) for name in stedi.__all__ if name.endswith("Error")]
    assert len({error.code for error in errors}) == len(errors)
    assert len({error.exit_code for error in errors}) == len(errors)


@pytest.mark.parametrize("path", MODELS, ids=lambda p: f"{p.parent.name}/{p.stem}")
@pytest.mark.parametrize("dialect", ["spark", "trino"])
def test_a_model_translates(path: Path, dialect: str) -> None:
    """One SELECT per file, of constructs that SQLGlot translates; running them there is for the other engines' tests."""
    statements = sqlglot.parse(path.read_text(), read="duckdb")
    assert len(statements) == 1
    tree = annotate_types(qualify(statements[0], dialect=DUCKDB, validate_qualify_columns=False), dialect=DUCKDB)
    used = {type(node).__name__ for node in tree.find_all(exp.Func)}
    assert used <= FUNCTIONS, used - FUNCTIONS
    assert "anonymous" not in {str(node.this).lower() for node in tree.find_all(exp.Anonymous)}
    assert tree.sql(dialect, unsupported_level=sqlglot.ErrorLevel.RAISE)


@pytest.mark.parametrize("path", MODELS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_model_says_what_it_holds(path: Path) -> None:
    assert path.read_text().startswith("-- ")
