"""One writer at a time: an advisory lock on a file, which the kernel drops when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stedi.errors import LockedError


@contextmanager
def writer_lease(folder: Path) -> Iterator[None]:
    """Hold the lakehouse for writing.

    Raises:
        LockedError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "writer.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise LockedError(
                f"process {lock.read().strip() or 'unknown'} is writing to this lakehouse",
                where=str(folder),
                hint="wait until it is done, then run again; readers need not wait",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def is_held(folder: Path) -> bool:
    """Whether some process holds the lease now. Takes nothing, and writes nothing."""
    try:
        with (folder / "writer.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # never written to, or not readable by us
        return False
    return False
