"""What the bytes of a landing file say, in one pass: its content hash, and the counts that prove a fast read complete."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import stringzilla

from stedi.errors import LandingError
from stedi.ingest.discover import LandingFile
from stedi.objects import opened_object

CHUNK = 1 << 20
_QUOTE, _NEWLINE = 34, 10
_NOT_PLAIN = (b"\\", b"true", b"false")


@dataclass(frozen=True)
class Profile:
    """Facts about a file's content, after decompression.

    Attributes:
        sha256: of the file as it lies there, still compressed.
        lines: number of lines; an unfinished last line counts.
        quotes: number of double quotes.
        plain: no backslash and no `true` or `false`, so that quotes count what they seem to count.
        array: the first character is a bracket: one JSON array, or dirt that looks like one.
    """

    file: LandingFile
    sha256: str
    lines: int
    quotes: int
    plain: bool
    array: bool


def profiles(files: list[LandingFile]) -> Iterator[Profile]:
    """Profile files, two at a time, in the order given.

    Raises:
        LandingError: a file cannot be read or decompressed.
    """
    with ThreadPoolExecutor(2) as pool:
        yield from pool.map(profile, files)


def profile(file: LandingFile) -> Profile:
    """Profile one file."""
    digest = hashlib.sha256()
    lines = quotes = 0
    plain, array, tail, seen = True, False, b"", False
    for chunk in chunks(file, digest):
        data = np.frombuffer(chunk, np.uint8)
        lines += int(np.count_nonzero(data == _NEWLINE))
        quotes += int(np.count_nonzero(data == _QUOTE))
        plain = plain and not any(_holds(part, word) for part in (chunk, tail + chunk[:5]) for word in _NOT_PLAIN)
        if not seen and (first := chunk.lstrip()[:1]):
            array, seen = first == b"[", True
        tail = chunk[-5:]
    if tail and not tail.endswith(b"\n"):
        lines += 1
    return Profile(file, digest.hexdigest(), lines, quotes, plain, array)


def _holds(text: bytes, word: bytes) -> bool:
    """Whether a word is in a text. Python's own search takes ten times as long, and holds up the other thread meanwhile."""
    return int(stringzilla.find(text, word)) >= 0


def chunks(file: LandingFile, digest: hashlib._Hash | None = None) -> Iterator[bytes]:
    """The content of a file, decompressed, in chunks; `digest` takes in the bytes as they lie in the file.

    Raises:
        LandingError: the file cannot be read, or is not what its ending says.
    """
    try:
        with opened(file) as raw:
            content = pa.CompressedInputStream(_Digesting(raw, digest), file.packing) if file.packing else raw
            while chunk := content.read(CHUNK):
                if digest is not None and not file.packing:
                    digest.update(chunk)
                yield chunk
    except OSError as error:
        doing = f"decompressed ({file.packing})" if file.packing else "read"
        raise LandingError(
            f"a landing file cannot be {doing}: {error.strerror or 'it is damaged or cut short'}",
            where=file.name,
            hint="deliver it again, or move it out of the landing folder; nothing was changed",
        ) from None


@contextmanager
def opened(file: LandingFile) -> Iterator[BinaryIO]:
    """The bytes of a file as they lie there, to be read from the beginning. Of an object that was not fetched they leave no copy behind."""
    if file.object is not None and file.is_far:
        with opened_object(file.object, LandingError) as content:
            yield content
    else:
        with open(file.readable, "rb", buffering=0) as raw:  # noqa: PTH123 - the path is a string everywhere else
            yield raw


class _Digesting(io.RawIOBase):
    """A stream that hashes what is read through it."""

    def __init__(self, raw: BinaryIO, digest: hashlib._Hash | None) -> None:
        self._raw = raw
        self._digest = digest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._raw.read(len(buffer))
        if self._digest is not None:
            self._digest.update(data)
        buffer[: len(data)] = data
        return len(data)
