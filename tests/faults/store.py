"""PyIceberg's access to files, failing at the n-th operation, as an object store may."""

from __future__ import annotations

import errno
from typing import Any

from pyiceberg.io.pyarrow import PyArrowFileIO


class FailingStore:
    """Counts what the catalog does with files, and fails.

    Args:
        at: number of the operation that fails, counted from 1; None for none.
        lasts: whether all operations after it fail, too.
    """

    def __init__(self, at: int | None, *, lasts: bool) -> None:
        self._at = at
        self._lasts = lasts
        self.operations: list[str] = []

    def watch(self) -> None:
        """Stand between the catalog and its files from now on."""
        from stedi.catalog.files import SyncedFileIO

        for owner, name in ((SyncedFileIO, "new_output"), (PyArrowFileIO, "new_input"), (PyArrowFileIO, "delete")):
            self._surround(owner, name)

    def _fails(self, number: int) -> bool:
        return self._at is not None and (number == self._at or (self._lasts and number > self._at))

    def _surround(self, owner: type, name: str) -> None:
        inner = getattr(owner, name)

        def outer(this: Any, location: str) -> Any:
            self.operations.append(name)
            if self._fails(len(self.operations)):
                raise OSError(errno.EIO, "Input/output error", location)
            return inner(this, location)

        setattr(owner, name, outer)
