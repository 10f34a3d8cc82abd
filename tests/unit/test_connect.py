"""A connection made ahead is one like any other."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from stedi.engines import connect
from stedi.engines.connect import connect_ahead
from stedi.engines.duckdb import DuckDBEngine

SETTINGS = "SELECT current_setting('threads') AS threads, current_setting('temp_directory') AS folder, current_setting('TimeZone') AS zone"


def answered(scratch: Path) -> list[dict[str, object]]:
    engine = DuckDBEngine(scratch, memory_limit="256MB", threads=1)
    try:
        found: list[dict[str, object]] = engine.query(SETTINGS).to_pylist()
        return found
    finally:
        engine.close()


def test_the_next_engine_takes_it(tmp_path: Path) -> None:
    connect_ahead()
    ahead = connect._ahead[-1][1]
    wanted = [{"threads": 1, "folder": str(tmp_path), "zone": "UTC"}]
    assert answered(tmp_path) == wanted
    assert not connect._ahead
    with pytest.raises(duckdb.ConnectionException):  # it was that one, which is closed now
        ahead[0].execute("SELECT 1")
    assert answered(tmp_path) == wanted  # the one after connects for itself


def test_where_it_could_not_be_made_the_engine_tries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setitem(connect._OPTIONS, "no_such_option", "1")
        connect_ahead()
        connect._ahead[-1][0].join()
    assert len(answered(tmp_path)) == 1
