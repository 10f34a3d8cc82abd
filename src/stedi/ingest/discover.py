"""Find the landing files of each feed (SPEC 1): one folder, or prefix of a bucket, per feed; files nested at any depth."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stedi.contracts import FEEDS
from stedi.errors import LandingError
from stedi.objects import S3Object
from stedi.places import Place, is_remote

ENDINGS = (".json", ".jsonl", ".ndjson")
PACKED = ("", ".gz", ".zst")
_PACKINGS: dict[str, Literal["gzip", "zstd"]] = {".gz": "gzip", ".zst": "zstd"}


@dataclass(frozen=True)
class LandingFile:
    """A file as it lies in the landing area, or an object of it on S3 (`ingest.objects`).

    Attributes:
        feed: whose folder it lies in.
        path: absolute; of an object its address, `s3://bucket/key`.
        size: in bytes, as it lies there.
        modified_ns: since the epoch; of an object it differs, too, where the content does.
        object: the object, or the version of it; None for a file of this machine.
        copy: where an object was fetched to, in the run's scratch folder.
    """

    feed: str
    path: str
    size: int
    modified_ns: int
    object: S3Object | None = None
    copy: str | None = None

    @property
    def is_far(self) -> bool:
        """Whether it is an object that was not fetched."""
        return self.object is not None and self.copy is None

    @property
    def readable(self) -> str:
        """The file of this machine that holds its bytes."""
        return self.copy or self.path

    @property
    def name(self) -> str:
        """What it is called where versions are told apart."""
        return self.object.name if self.object else self.path

    @property
    def packing(self) -> Literal["gzip", "zstd"] | None:
        """Name of the compression, None where there is none."""
        return _PACKINGS.get(Path(self.path).suffix.lower())


@dataclass(frozen=True)
class LandingArea:
    """What lies in a landing area: its landing files, by feed and path, and the number of other files, which are not read."""

    files: tuple[LandingFile, ...]
    others: int


def discover(landing: Place, *, may_be_empty: bool = False) -> LandingArea:
    """Find all landing files. Files and folders that begin with a dot or an underscore are not looked at; links are followed.

    Raises:
        LandingError: the folder is missing, or something in it cannot be read; or it holds no file of any feed, and must not be empty.
    """
    if is_remote(landing):
        from stedi.ingest.objects import discover_objects

        files, others = discover_objects(landing)
    else:
        files, others = _discover_files(landing)
    if not files and not may_be_empty:
        feeds = ", ".join(f"{feed}/" for feed in FEEDS)
        endings = ", ".join(ENDINGS)
        raise LandingError(
            f"no landing files; looked for {feeds} with files ending in {endings}, each also .gz or .zst",
            where=str(landing),
            hint="point --landing at the folder that holds the folders of the feeds",
        )
    return LandingArea(files, others)


def _discover_files(landing: Path) -> tuple[tuple[LandingFile, ...], int]:
    if not landing.is_dir():
        raise LandingError(
            "the landing folder does not exist", where=str(landing), hint="check the path given to --landing"
        )
    paths = [(feed, path) for feed in FEEDS for path in _paths(landing / feed)]
    files = tuple(landing_file(feed, path) for feed, path in paths if is_data(path.name))
    return files, len(paths) - len(files)


def missing_feeds(files: Sequence[LandingFile]) -> list[str]:
    """Feeds without any file. A run without them is allowed, and says so."""
    return [feed for feed in FEEDS if not any(file.feed == feed for file in files)]


def _paths(folder: Path) -> Iterator[Path]:
    """All visible files at any depth, sorted. A folder that can be reached in two ways is looked at once."""
    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, onerror=_unreadable, followlinks=True):
        real = os.path.realpath(parent)
        folders[:] = [] if real in seen else sorted(name for name in folders if not name.startswith((".", "_")))
        if real not in seen:
            yield from (Path(parent, name).absolute() for name in sorted(names) if not name.startswith((".", "_")))
        seen.add(real)


def landing_file(feed: str, path: Path) -> LandingFile:
    """A file of a feed, as it lies there now.

    Raises:
        LandingError: it cannot be read, or is no file.
    """
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:  # tables hold the path as text, and could not lead back to the file
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        raise _unreadable_file(shown, "its path is not UTF-8") from None
    try:
        status = path.stat()
    except OSError as error:  # a link that leads nowhere, for one: silence would lose its records
        raise _unreadable_file(path, error.strerror) from None
    if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for without end
        raise _unreadable_file(path, "it is no regular file")
    return LandingFile(feed, str(path), status.st_size, status.st_mtime_ns)


def _unreadable_file(path: Path | str, reason: str | None) -> LandingError:
    return LandingError(
        f"a landing file cannot be read: {reason}",
        where=str(path),
        hint="mend it, or move it out of the landing folder; nothing was changed",
    )


def is_data(name: str) -> bool:
    """Whether a file of this name is a landing file, by its ending."""
    return name.lower().endswith(tuple(ending + packed for ending in ENDINGS for packed in PACKED))


def _unreadable(error: OSError) -> None:
    if isinstance(error, FileNotFoundError):
        return
    raise LandingError(
        "a landing folder cannot be read", where=str(error.filename), hint="check its permissions"
    ) from None
