"""One writer at a time on S3: an object that its holder renews, and that anybody may take who finds it not renewed for a while.

1. It is taken by writing it where there is none, or over one that was let go or has expired, if it is still that one (`If-None-Match`,
   `If-Match`): of two that try at once one succeeds.
2. A thread renews it. How old it is, is told by the clock of S3 alone, from its time and the time of the answer.
3. Before anything is committed the holder looks whether it is still theirs: who was asleep for long, and was replaced, must not commit.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from stedi.aws import explained
from stedi.errors import LockedError, StediError
from stedi.places import Place, is_remote, read_with_etag, write_if_absent, write_if_unchanged

if TYPE_CHECKING:
    from stedi.places import S3Path

#: For how long a lease holds that is not renewed, in seconds.
TTL_S = 60.0
_PAUSE_S = 1.0
_NAME = "writer.lease"

#: Leases that this process holds, by lakehouse.
_held: dict[str, _Lease] = {}


class _Lease:
    """A lease that is held."""

    def __init__(self, where: S3Path, told: dict[str, object], etag: str) -> None:
        self._where, self._told, self._etag = where, told, etag
        self._renewals = 0
        self._mutex = threading.Lock()
        self._over = threading.Event()
        self._lost = False
        self._thread = threading.Thread(target=self._renew, name="writer lease", daemon=True)
        self._thread.start()

    def _renew(self) -> None:
        while not self._over.wait(TTL_S / 4):
            try:
                with self._mutex:
                    self._again()
            except StediError:  # S3 cannot be reached: it is tried again, and looked at before anything is committed
                continue
            if self._lost:
                return

    def _again(self) -> None:
        self._renewals += 1  # so that each has an etag of its own
        self._replace(json.dumps(self._told | {"renewals": self._renewals}).encode())

    def _replace(self, content: bytes) -> None:
        renewed = write_if_unchanged(self._where, content, self._etag)
        if renewed is None:
            found = read_with_etag(self._where)  # an answer may have been lost: is it what was written?
            renewed = found[1] if found and found[0] == content else None
        self._lost = renewed is None
        self._etag = renewed or self._etag

    def require(self) -> None:
        """Raises `LockedError` where it is another's now."""
        with self._mutex:
            self._again()
            if self._lost:
                raise LockedError(
                    "another writer has taken over this lakehouse, since this one was not heard of for long",
                    where=str(self._where),
                    hint="nothing was published; run again",
                )

    def let_go(self) -> None:
        self._over.set()
        self._thread.join()
        if not self._lost:
            try:
                self._replace(json.dumps({"released": True, "mark": secrets.token_hex(8)}).encode())
            except StediError:  # it expires
                return


@contextmanager
def remote_lease(folder: Place, wait_s: float = 0, waiting: Callable[[float], None] | None = None) -> Iterator[None]:
    """Hold a lakehouse on S3 for writing; see `lease.writer_lease`."""
    where, start = _object(folder), time.monotonic()
    mine: dict[str, object] = {
        "holder": f"process {os.getpid()} on {socket.gethostname()}",
        "mark": secrets.token_hex(16),
        "ttl_s": TTL_S,
    }
    content = json.dumps(mine).encode()
    while (etag := _taken(where, content)) is None:
        waited = time.monotonic() - start
        if waited > wait_s:
            raise LockedError(
                f"{_holder(where)} is writing to this lakehouse",
                where=str(folder),
                hint="run again when it is done, or let `stedi run --wait SECONDS` wait for it; readers need not wait."
                f" If it was killed, its lease ends within {TTL_S:.0f} s",
            )
        if waiting is not None:
            waiting(waited)
        time.sleep(_PAUSE_S)
    lease = _held[str(folder)] = _Lease(where, mine, etag)
    try:
        yield
    finally:
        _held.pop(str(folder), None)
        lease.let_go()


def require_lease(folder: Place) -> None:
    """To be called before a commit: the lease must still be ours. Nothing to do for a lakehouse of this machine, or without a lease.

    Raises:
        LockedError: another writer has taken over.
    """
    if lease := _held.get(str(folder)):
        lease.require()


def is_remotely_held(folder: Place) -> bool:
    """Whether somebody holds the lease now."""
    found = _found(_object(folder))
    return found is not None and not found[2]


def _object(folder: Place) -> S3Path:
    where = folder / _NAME
    if not is_remote(where):
        raise TypeError("a lease of this machine is another")
    return where


def _taken(where: S3Path, content: bytes) -> str | None:
    found = _found(where)
    if found is None:
        return write_if_absent(where, content)
    return write_if_unchanged(where, content, found[1]) if found[2] else None


def _found(where: S3Path) -> tuple[dict[str, object], str, bool] | None:
    """What the lease says, its etag, and whether it may be taken; None where there is none."""
    client = where.client.client
    with explained(where):
        try:
            answer = client.get_object(Bucket=where.bucket, Key=where.key)
        except client.exceptions.NoSuchKey:
            return None
        told = json.loads(answer["Body"].read())
    now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    age_s = (now - answer["LastModified"]).total_seconds()
    return told, answer["ETag"], bool(told.get("released")) or age_s > told["ttl_s"]


def _holder(where: S3Path) -> str:
    found = _found(where)
    return str(found[0].get("holder", "another process")) if found else "another process"
