"""File access for PyIceberg that survives a power cut.

PyIceberg never syncs what it writes, while SQLite does: the catalog could durably point to metadata that is lost. Every local file
is synced, and its folder, before the catalog refers to it.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from pyiceberg.io import OutputStream
from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO

from stedi.catalog.durable import make_folder, sync, sync_content


class _SyncedStream:
    """An output stream that syncs when it is closed."""

    def __init__(self, stream: OutputStream, path: str) -> None:
        self._stream = stream
        self._path = path

    def write(self, b: bytes) -> int:
        return self._stream.write(b)

    def tell(self) -> int:
        return int(self._stream.tell())

    @property
    def closed(self) -> bool:
        return bool(self._stream.closed)  # type: ignore[attr-defined]

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
            # A commit writes its `.json` last, into the folder of all that it leads to: their entries are forced with it.
            (sync if self._path.endswith(".json") else sync_content)(Path(self._path))

    def __enter__(self) -> _SyncedStream:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _SyncedFile(PyArrowFile):
    def create(self, overwrite: bool = False) -> OutputStream:
        make_folder(Path(self._path).parent)
        return _SyncedStream(super().create(overwrite), self._path)


class SyncedFileIO(PyArrowFileIO):
    """PyIceberg's PyArrow file access, with local files synced at close."""

    def new_output(self, location: str) -> PyArrowFile:
        scheme, netloc, path = self.parse_location(location, self.properties)
        if scheme not in ("", "file"):
            return super().new_output(location)
        return _SyncedFile(fs=self.fs_by_scheme(scheme, netloc), location=location, path=path, buffer_size=1 << 20)
