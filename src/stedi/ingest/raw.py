"""Landing files as the bytes that they are: look for records, and take some out while every other byte stays (SPEC 6).

Where a record was, stays nothing but its line ends; in a file that is one JSON array, `null`. So everybody else's records keep the lines
that `_source_line` names. A file is replaced in one step; a link is followed, and what it leads to is replaced.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from stedi.catalog.durable import sync
from stedi.ingest.discover import LandingFile
from stedi.ingest.profile import chunks

#: Whether a record, whole or broken, is to be taken out. Called with its text.
Theirs = Callable[[str], bool]
Places = np.ndarray[tuple[int], np.dtype[np.int64]]
#: Where in a text such a record may be: a fast look, to spare the rest a closer one.
Look = Callable[[bytes], Places]
#: How files in the making begin; they lie beside what they replace, and are no landing files because of the dot.
TEMPORARY = ".stedi-"
_DECODER = json.JSONDecoder(strict=False)
_BLANK = " \t\r"
_ARRAY = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*\[")
#: A record spread over more lines than this is taken for broken lines.
_MOST_LINES = 1000


@dataclass(frozen=True)
class Cut:
    """A landing file without the records that were taken out of it.

    Attributes:
        parts: what the file is to hold, before compression, one after the other.
        records: how many were taken out.
        sha256: of the file as it was, compressed.
    """

    file: LandingFile
    parts: Sequence[bytes | memoryview]
    records: int
    sha256: str


def cut(file: LandingFile, theirs: Theirs, look: Look) -> Cut:
    """Take records out of a landing file, in memory. The file is not changed.

    Raises:
        LandingError: the file cannot be read.
    """
    digest = hashlib.sha256()
    content = b"".join(chunks(file, digest))
    places = look(content)
    if not len(places):
        return Cut(file, [content], 0, digest.hexdigest())
    found = _without_elements(content, theirs) if _ARRAY.match(content) else None
    parts, records = _without_records(_Lines(content, places), theirs) if found is None else found
    return Cut(file, parts, records, digest.hexdigest())


def prepare(made: Cut, token: str) -> Path:
    """Write the new content beside the file, synced, with its permissions; returns where."""
    target = Path(os.path.realpath(made.file.path))
    path = target.with_name(f"{TEMPORARY}{token}-{target.name}")
    with path.open("wb") as raw:
        path.chmod(target.stat().st_mode & 0o7777)
        write(made, raw)
    sync(path)
    return path


def write(made: Cut, to: BinaryIO) -> None:
    """Write the new content, packed as it was."""
    if made.file.packing:
        sink = pa.BufferOutputStream()  # a stream over the file would close it
        with pa.CompressedOutputStream(sink, made.file.packing) as packed:
            for part in made.parts:
                packed.write(part)
        to.write(sink.getvalue())
    else:
        to.writelines(made.parts)


def put(prepared: Path, file: str) -> None:
    """Let what was prepared take the place of the file."""
    target = Path(os.path.realpath(file))
    prepared.replace(target)
    sync(target)


def remove_temporary(folders: Iterable[str | Path]) -> None:
    """Remove what was prepared in these folders, at any depth, and never put in place."""
    seen: set[str] = set()
    for top in folders:
        for parent, below, names in os.walk(top, followlinks=True):
            real = os.path.realpath(parent)
            if real in seen:
                below.clear()
                continue
            seen.add(real)
            for name in names:
                if name.startswith(TEMPORARY):
                    Path(parent, name).unlink(missing_ok=True)


def _elements(text: str) -> list[tuple[int, int]] | None:
    """Where the elements of a text that is one JSON array begin and end; None where it is something else."""
    at = _skip(text, 1 if text.startswith("\ufeff") else 0)
    if not text.startswith("[", at):
        return None
    spans: list[tuple[int, int]] = []
    at = _skip(text, at + 1)
    while at < len(text) and (text[at] != "]" or spans):
        try:
            end = _DECODER.raw_decode(text, at)[1]
        except (ValueError, RecursionError):
            return None
        spans.append((at, end))
        at = _skip(text, end)
        if text[at : at + 1] == "]":
            break
        if text[at : at + 1] != ",":
            return None
        at = _skip(text, at + 1)
    return spans if _skip(text, at + 1) >= len(text) else None


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _without_elements(content: bytes, theirs: Theirs) -> tuple[list[bytes], int] | None:
    """One JSON array without the elements that are to go; None where it is none."""
    text = content.decode("utf-8", "surrogateescape")
    spans = _elements(text)
    if spans is None:
        return None
    parts, at, records = [], 0, 0
    for begin, end in spans:
        if theirs(text[begin:end]):
            parts += [text[at:begin], "null", "\n" * text.count("\n", begin, end)]
            at, records = end, records + 1
    return ["".join([*parts, text[at:]]).encode("utf-8", "surrogateescape")], records


class _Lines:
    """The lines of a text, decoded one at a time where they are asked for."""

    def __init__(self, content: bytes, places: Places) -> None:
        data = np.frombuffer(content, np.uint8)
        self.content = memoryview(content)
        self._ends = np.append(np.flatnonzero(data == ord("\n")), len(content))
        self._begins = np.append(0, self._ends[:-1] + 1)
        self._hit = np.zeros(len(self._ends), np.bool_)
        self._hit[np.searchsorted(self._ends, places, "right")] = True

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> str:
        return str(self.content[slice(*self.span(number, 1))], "utf-8", "surrogateescape")

    def span(self, first: int, number: int) -> tuple[int, int]:
        """Where so many lines begin and end."""
        return int(self._begins[first]), int(self._ends[first + number - 1])

    def hit(self, first: int, number: int) -> bool:
        """Whether a record that is to go may be in so many lines."""
        return bool(self._hit[first : first + number].any())

    def to_look_at(self) -> list[int]:
        """Those with a hit, and those that do not hold just one whole record, or several: one may go on in the next lines."""
        data = np.frombuffer(self.content, np.uint8)
        last = self._ends - 1
        for _ in range(2):  # a comma, and before or after it a carriage return
            last -= np.isin(data[last], np.frombuffer(b",\r", np.uint8)) & (last > self._begins)
        whole = (data[self._begins.clip(max=len(data) - 1)] == ord("{")) & (data[last] == ord("}"))
        return np.flatnonzero(self._hit | ~(whole | (self._begins == self._ends))).tolist()


def _without_records(lines: _Lines, theirs: Theirs) -> tuple[list[memoryview | bytes], int]:
    """Lines without the records that are to go."""
    parts: list[memoryview | bytes] = []
    at = after = records = 0
    for number in lines.to_look_at():
        if number < after:
            continue  # of the record before
        spread = max(_spread(lines, number), 1)
        after = number + spread
        if not lines.hit(number, spread):
            continue
        text = "\n".join(lines[line] for line in range(number, after))
        if spread > 1:
            found = int(theirs(text.strip(" \t\r,")))
            left = "\n" * (spread - 1)
        else:
            left, found = _without_parts(text, theirs)
        if found:
            begin, end = lines.span(number, spread)
            parts += [lines.content[at:begin], left.encode("utf-8", "surrogateescape")]
            at, records = end, records + found
    return [*parts, lines.content[at:]], records


def _spread(lines: _Lines, first: int) -> int:
    """Over how many lines the record that begins in one is spread; 0 where it is not one that goes on."""
    begin = lines[first].lstrip("\ufeff" + _BLANK)
    if not begin.startswith("{") or begin.rstrip(_BLANK + ",").endswith("}"):
        return 0
    for last in range(first + 1, min(first + _MOST_LINES, len(lines))):
        line = lines[last].strip(_BLANK)
        if line.startswith("{"):
            return 0
        if line.rstrip(_BLANK + ",").endswith("}"):
            joined = "\n".join(lines[number] for number in range(first, last + 1)).lstrip("\ufeff").strip(_BLANK + ",")
            if _is_object(joined):
                return last - first + 1
    return 0


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text, strict=False), dict)
    except (ValueError, RecursionError):
        return False


def _without_parts(line: str, theirs: Theirs) -> tuple[str, int]:
    """A line without the records on it that are to go."""
    going = [(begin, end) for begin, end in _parts(line) if theirs(line[begin:end])]
    for begin, end in reversed(going):
        after = end + len(line[end:]) - len(line[end:].lstrip(_BLANK))
        end = after + 1 if line[after : after + 1] == "," else end
        line = line[:begin] + line[end:]
    return ("" if going and not line.strip("\ufeff" + _BLANK) else line), len(going)


def _parts(line: str) -> Iterator[tuple[int, int]]:
    """The objects of a line from the left, and what is left once something is none. A line that is not UTF-8 is not cut."""
    at = 0
    if not line.isascii() and any("\udc80" <= letter <= "\udcff" for letter in line):
        yield 0, len(line)
        return
    while True:
        while at < len(line) and line[at] in "\ufeff,[]" + _BLANK:
            at += 1
        if at >= len(line):
            return
        try:
            end = _DECODER.raw_decode(line, at)[1] if line[at] == "{" else len(line)
        except (ValueError, RecursionError):
            end = len(line)
        yield at, end
        at = end
