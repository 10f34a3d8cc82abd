"""How DuckDB reaches data files on S3.

Reading: by its own extension `httpfs`, where the wheel for just this version of DuckDB is installed; it is loaded from the wheel, and never
downloaded. Else through PyArrow's S3, which DuckDB takes as a file system of fsspec. Either gets the credentials that hold when files are
opened. Writing: a file is written on this machine, and uploaded under its name when it is complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from stedi.aws import Reach, S3Options, arrow_filesystem, reach
from stedi.engines.sql import literal
from stedi.errors import ConfigError
from stedi.places import is_remote, is_uri, place, remove, upload

if TYPE_CHECKING:
    import duckdb

    from stedi.places import S3Path

_AT_ONCE = 4
#: The extension takes these settings from the environment, and `duckdb_settings()` would show them to whoever may query.
#: A secret is redacted.
_FROM_ENVIRONMENT = ("s3_access_key_id", "s3_secret_access_key", "s3_session_token")


class Objects:
    """The objects that one engine reads and writes.

    Args:
        con: DuckDB's connection.
        options: how S3 is reached.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, options: S3Options) -> None:
        self._con = con
        self._options = options
        self._reach: Reach | None = None

    def attach(self, files: Sequence[str]) -> None:
        """Let DuckDB read these files, where any is on S3.

        Raises:
            StorageError: there are no credentials.
            ConfigError: a package is missing.
        """
        if not any(map(is_uri, files)):
            return
        now = reach(self._options)
        if now == self._reach:
            return
        extension = httpfs()
        if extension is None:
            self._register_filesystem()
        else:
            if self._reach is None:
                self._con.execute(f"LOAD {literal(str(extension))}")
                for name in _FROM_ENVIRONMENT:
                    self._con.execute(f"SET {name} = ''")
            self._con.execute(_secret(now))
        self._reach = now

    def put(self, source: Path, to: str) -> None:
        """Move a complete file to its place: rename it, or upload it."""
        where = self._where(to)
        if where is None:
            source.rename(to)
        else:
            upload(source, where)
            source.unlink()

    def put_all(self, sources: Sequence[Path], to: Sequence[str]) -> None:
        """Move complete files, several at a time where they are uploaded."""
        if any(map(is_uri, to)):
            from concurrent.futures import ThreadPoolExecutor  # a query does without

            with ThreadPoolExecutor(_AT_ONCE) as pool:
                list(pool.map(self.put, sources, to))
        else:
            for source, path in zip(sources, to, strict=True):
                self.put(source, path)

    def delete(self, path: str) -> None:
        """Delete a file that was written for nothing."""
        remove([place(path, self._options)])

    def _where(self, path: str) -> S3Path | None:
        where = place(path, self._options) if is_uri(path) else None
        return where if is_remote(where) else None

    def _register_filesystem(self) -> None:
        try:
            from fsspec.implementations.arrow import ArrowFSWrapper
        except ModuleNotFoundError:
            raise ConfigError("places on S3 need fsspec", hint="pip install 'stedi-lakehouse[aws]'") from None

        class Bucket(ArrowFSWrapper):  # type: ignore[misc,no-any-unimported,unused-ignore] # an extra
            """PyArrow's S3 by names that begin with its scheme, as Iceberg has them."""

            protocol = "s3"
            cachable = False

            @classmethod
            def _strip_protocol(cls, path: str) -> str:
                return path.removeprefix("s3://") if isinstance(path, str) else path

        if self._reach is not None:
            self._con.unregister_filesystem("s3")
        self._con.register_filesystem(Bucket(arrow_filesystem(self._options)))


def httpfs() -> Path | None:
    """The extension in its wheel, where that is for this version of DuckDB."""
    found = find_spec("duckdb_extension_httpfs")
    try:
        fits = found is not None and version("duckdb-extension-httpfs") == version("duckdb")
    except PackageNotFoundError:
        fits = False
    if not fits or found is None or found.origin is None:
        return None
    return next(Path(found.origin).parent.rglob("httpfs.duckdb_extension"), None)


def _secret(now: Reach) -> str:
    values = {"KEY_ID": now.key, "SECRET": now.secret, "SESSION_TOKEN": now.token, "REGION": now.region}
    options = [f"{name} {literal(value)}" for name, value in values.items() if value]
    if now.host:
        options += [f"ENDPOINT {literal(now.host)}", "URL_STYLE 'path'", f"USE_SSL {str(now.encrypted).lower()}"]
    return f"CREATE OR REPLACE SECRET objects (TYPE s3, {', '.join(options)})"
