"""Fixtures of the tests of the deployment: both choices of the engine, synthesized once."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE)]

if find_spec("aws_cdk") is None:  # they need the dependency group `deploy`, which `make test-deploy` sets up
    collect_ignore_glob = ["test_*.py"]

from deployed import APP, ENGINES, Synthesized, synthesize  # noqa: E402

sys.path.insert(0, str(APP))


@pytest.fixture(scope="session", params=ENGINES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    """A deployment with this engine."""
    engine = request.param
    return synthesize(tmp_path_factory.mktemp(engine), engine=engine, alert_email="oncall@example.org")
