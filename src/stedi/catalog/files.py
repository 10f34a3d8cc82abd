"""File access for PyIceberg that survives a power cut, and the same for tables on S3.

PyIceberg never syncs what it writes, while SQLite does: the catalog could durably point to metadata that is lost. Every local file
is synced, and its folder, before the catalog refers to it. An object on S3 lasts once it is written: it is written as all objects are
(`stedi.places`), with their encryption and retries, and read through PyArrow with the credentials of then.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from pyiceberg.io import PY_IO_IMPL, InputFile, OutputFile, OutputStream
from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO
from pyiceberg.typedef import EMPTY_DICT, Properties

from stedi.aws import S3Options, arrow_filesystem
from stedi.catalog.durable import make_folder, sync, sync_content
from stedi.home import Home
from stedi.places import Place, place, remove, write_whole

_OPTIONS = "stedi.s3"


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


class _Upload(io.BytesIO):
    """An object in the making: small, since the engine writes the data. It is there, whole, when this is closed."""

    def __init__(self, where: Place) -> None:
        super().__init__()
        self._where = where

    def close(self) -> None:
        if not self.closed:
            write_whole(self._where, self.getvalue())
        super().close()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exc_type is not None:
            super().close()  # nothing is written
        self.close()


class _Object(PyArrowFile):
    where: Place

    def create(self, overwrite: bool = False) -> OutputStream:  # noqa: ARG002 - names carry a UUID: none is there
        return _Upload(self.where)


class ObjectFileIO(PyArrowFileIO):
    """PyIceberg's file access for a lakehouse whose tables are on S3."""

    def __init__(self, properties: Properties = EMPTY_DICT) -> None:
        super().__init__(properties)
        self._options = options = S3Options(**json.loads(properties[_OPTIONS]))
        self.fs_by_scheme = lambda _scheme, _netloc: arrow_filesystem(options)

    def new_output(self, location: str) -> PyArrowFile:
        scheme, netloc, path = self.parse_location(location, self.properties)
        made = _Object(fs=self.fs_by_scheme(scheme, netloc), location=location, path=path)
        made.where = place(location, self._options)
        return made

    def delete(self, location: str | InputFile | OutputFile) -> None:
        remove([place(location if isinstance(location, str) else location.location, self._options)])


def file_access(home: Home) -> dict[str, str]:
    """Properties of a catalog that say how PyIceberg reads and writes the files of a lakehouse."""
    if not home.remote:
        return {PY_IO_IMPL: f"{__name__}.{SyncedFileIO.__name__}"}
    return {PY_IO_IMPL: f"{__name__}.{ObjectFileIO.__name__}", _OPTIONS: json.dumps(asdict(home.options))}
