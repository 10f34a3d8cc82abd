"""How DuckDB is imported and connected to: at once, or ahead in another thread."""

from __future__ import annotations

from contextlib import suppress
from threading import Thread

from stedi import signals

with signals.held():  # an exception in the midst of it makes DuckDB abort the process
    import duckdb

__all__ = ["connect_ahead", "connected", "duckdb"]

_OPTIONS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
    "preserve_insertion_order": False,
    # The rows of a few hundred people are looked for in whole tables: with their keys as a filter the reader skips the others.
    "dynamic_or_filter_threshold": 1000,
}
#: Threads that connect ahead, and what they made.
_ahead: list[tuple[Thread, list[duckdb.DuckDBPyConnection]]] = []


def _connect() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(config=_OPTIONS)
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET enable_progress_bar = false")  # 1.5 draws one on stdout, into the data
    return con


def connect_ahead() -> None:
    """Connect in another thread, for the next engine of this process: meanwhile Python can import what else it needs."""
    made: list[duckdb.DuckDBPyConnection] = []

    def connect() -> None:
        with suppress(duckdb.Error):  # then the engine tries, and says what is wrong
            made.append(_connect())

    thread = Thread(target=connect, name="connect", daemon=True)
    thread.start()
    _ahead.append((thread, made))


def connected() -> duckdb.DuckDBPyConnection:
    """A connection for an engine of its own, made ahead or now.

    Raises:
        duckdb.Error: DuckDB cannot start.
    """
    if _ahead:
        thread, made = _ahead.pop()
        thread.join()
        if made:
            return made[0]
    return _connect()
