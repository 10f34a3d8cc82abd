"""One writer at a time: an advisory lock on a file, which the kernel drops when its holder dies. On S3: `remote_lease`."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from stedi.catalog.durable import make_folder
from stedi.catalog.remote_lease import is_remotely_held, remote_lease
from stedi.errors import LockedError
from stedi.places import is_remote

#: `is_held` shares the lock for an instant: that is no reason to refuse a writer, however many look.
_GRACE_S = 10
_PAUSE_S = 0.05


@contextmanager
def writer_lease(folder: Path, wait_s: float = 0, waiting: Callable[[float], None] | None = None) -> Iterator[None]:
    """Hold the lakehouse for writing.

    Args:
        folder: the lakehouse.
        wait_s: how long to wait for another process that holds it, in seconds.
        waiting: called now and then with the seconds that have passed.

    Raises:
        LockedError: another process holds it, still.
    """
    if is_remote(folder):
        with remote_lease(folder, wait_s, waiting):
            yield
        return
    make_folder(folder)
    with (folder / "writer.lock").open("a+") as lock:
        start = time.monotonic()
        while not _taken(lock):
            waited = time.monotonic() - start
            if waited > max(wait_s, 0 if _is_written(lock) else _GRACE_S):
                raise _refusal(folder, lock)
            if waiting is not None and wait_s:
                waiting(waited)
            time.sleep(_PAUSE_S)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _taken(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_written(lock: TextIO) -> bool:
    """Whether another process holds the lock to write: one that only looks shares it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(lock, fcntl.LOCK_UN)
    return False


def _refusal(folder: Path, lock: TextIO) -> LockedError:
    lock.seek(0)
    return LockedError(
        f"process {lock.read().strip() or 'unknown'} is writing to this lakehouse",
        where=str(folder),
        hint="run again when it is done, or let `stedi run --wait SECONDS` wait for it; readers need not wait",
    )


def is_held(folder: Path) -> bool:
    """Whether some process holds the lease now. Takes nothing, and writes nothing."""
    if is_remote(folder):
        return is_remotely_held(folder)
    try:
        with (folder / "writer.lock").open() as lock:
            return _is_written(lock)
    except OSError:  # never written to, or not readable by us
        return False
