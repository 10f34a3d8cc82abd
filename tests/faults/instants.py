"""The instants of a run at which something may go wrong, in their order, and what goes wrong there.

Instants come from three sources, none of which changes what the product does:

- the steps that a run tells through `progress`;
- before and after each commit of a table, each file that the engine writes, each table that is made or rolled back;
- before each act on the file system that Python makes (its audit events), under the lakehouse or beside it;
- before and after each request to S3, where the landing area is there.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from threading import Lock
from typing import Any

from faults.harness import ON_SPARK

#: Python's audit events that change a file system, or open a file.
ACTS = {"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir"}
_VARYING = re.compile(r"\bsnap-\d+|[0-9a-f]{16}|[0-9a-f]{8}-[0-9a-f-]{27}|\d{5,}|\bstedi-\w+")


class Instants:
    """Counts the instants of one run, and lets the fault happen at one of them. `labels` says what they were.

    Args:
        order: `at` is the number of the instant, counted from 1, or None; with `among`, counted among those whose label begins so;
            `fault` what happens then: `kill`, or `full disk`, on which from then on no file can grow.
    """

    def __init__(self, order: dict[str, Any]) -> None:
        self._beside = str(Path(order["lake"]).absolute())
        self._at = order.get("at")
        self._among = order.get("among", "")
        self._on_s3 = str(order["landing"]).startswith("s3://")
        self._fault = order.get("fault")
        self.labels: list[str] = []
        self._one_at_a_time = Lock()

    def progress(self, step: str, done: int, total: int) -> None:
        self._reach(f"step: {step} {done}")

    def watch(self) -> None:
        """Look at the run from now on."""
        from stedi.catalog.tables import Tables

        self._surround(Tables, "commit", lambda contract, *_: contract.name)
        self._surround(Tables, "ensure", lambda contract, *_: contract.name)
        self._surround(Tables, "roll_back", lambda name, *_: name)
        self._surround(Tables, "write_rows", lambda name, *_: name)
        self._surround(Tables, "remove_files_of", lambda *_: "")
        for engine in engines():
            self._surround(engine, "write", lambda select, path, contract, *_: contract.name)
        sys.addaudithook(self._act)
        if self._on_s3:
            from stedi.aws import S3Options, cloud_client

            events = cloud_client(S3Options()).client.meta.events
            events.register("before-call.s3", lambda model, **_: self._reach(f"before s3: {model.name}"))
            events.register("after-call.s3", lambda model, **_: self._reach(f"after s3: {model.name}"))

    def _surround(self, owner: type, name: str, subject: Callable[..., str]) -> None:
        inner = getattr(owner, name)

        @wraps(inner)
        def outer(this: Any, *arguments: Any, **named: Any) -> Any:
            label = f"{name} {subject(*arguments)}".strip()
            self._reach(f"before: {label}")
            result = inner(this, *arguments, **named)
            self._reach(f"after: {label}")
            return result

        setattr(owner, name, outer)

    def _act(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in ACTS:
            return
        path = arguments[0]
        if not isinstance(path, str | bytes) or not os.fsdecode(path).startswith(self._beside):
            return
        self._reach(f"{event}: {os.fsdecode(path).removeprefix(self._beside)}")

    def _reach(self, label: str) -> None:
        with self._one_at_a_time:  # the catalog writes with several threads
            self.labels.append(_VARYING.sub("*", label))
            met = label.startswith(self._among) and self._count() == self._at
        if met:
            FAULTS[self._fault]()

    def _count(self) -> int:
        return sum(label.startswith(self._among) for label in self.labels) if self._among else len(self.labels)


def engines() -> list[type]:
    """The engines that write files in this process."""
    from stedi.engines.duckdb import DuckDBEngine

    if not ON_SPARK:
        return [DuckDBEngine]
    from stedi.engines.spark import SparkEngine

    return [DuckDBEngine, SparkEngine]


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _fill_the_disk() -> None:
    """No file grows any more. The kernel says so with EFBIG where a full disk says ENOSPC (Python ignores the signal SIGXFSZ)."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


FAULTS = {"kill": _kill, "full disk": _fill_the_disk}
