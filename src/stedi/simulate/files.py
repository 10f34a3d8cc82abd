"""The landing area: files of bounded length, some compressed, some with the defects of whole files.

Names hold the feed and a number, folders a day or a kind: never a personal value.
"""

import gzip
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Self, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stedi.simulate.chunks import FEEDS, Stream, random_stream
from stedi.simulate.dirt import cut
from stedi.simulate.options import SimulationOptions

#: Folder beside those of the feeds, laid out as they are, with the files that come later.
LATE = "late"

_BOM = b"\xef\xbb\xbf"
_PACKINGS = (".gz", ".zst")
_GZIP_LEVEL = 1
# Dirt of a whole file counts for this many records.
_RECORDS_PER_FILE_DEFECT = 50


class LandingFile:
    """One file that is being written; packed as the end of its name says, the same bytes every time."""

    def __init__(self, path: Path) -> None:
        self._opened = ExitStack()
        self._stream = self._open(path)

    def write(self, data: bytes | memoryview) -> None:
        """Append."""
        self._stream.write(data)

    def close(self) -> None:
        """Finish the file; again does nothing."""
        self._opened.close()

    def _open(self, path: Path) -> IO[bytes]:
        if path.suffix == ".zst":
            return cast(IO[bytes], self._opened.enter_context(pa.CompressedOutputStream(str(path), "zstd")))
        raw = self._opened.enter_context(path.open("wb"))
        if path.suffix == ".gz":  # neither name nor time in the header
            packer = gzip.GzipFile("", "wb", _GZIP_LEVEL, raw, mtime=0)
            return cast(IO[bytes], self._opened.enter_context(packer))
        return raw


class LandingArea:
    """The folders of the feeds: numbers their files, packs and sets aside the wanted shares, leaves none open."""

    def __init__(self, root: Path, options: SimulationOptions) -> None:
        self._root = root
        self._packed_share, self._late_share = options.compressed_share, options.late_share
        self._files: Counter[str] = Counter()
        self._packed = self._late = 0
        self._opened = ExitStack()
        for feed in FEEDS:
            (root / feed).mkdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def create(self, feed: str, folder: str, ending: str = ".json") -> tuple[LandingFile, int]:
        """Begin the next file of a feed, and return it with its number (from 1)."""
        self._files[feed] += 1
        number = self._files[feed]
        path = self._place() / feed / folder / f"{feed}-{number:04d}{ending}{self._packing()}"
        path.parent.mkdir(parents=True, exist_ok=True)
        file = LandingFile(path)
        self._opened.callback(file.close)
        return file, number

    def write(self, feed: str, folder: str, data: bytes) -> None:
        """Write a whole file."""
        file, _ = self.create(feed, folder)
        file.write(data)
        file.close()

    def _place(self) -> Path:
        """Return where the next file lies: late ones are evenly spread, and keep their own folder until they come."""
        if int(self._files.total() * self._late_share) <= self._late:
            return self._root
        self._late += 1
        return self._root / LATE

    def _packing(self) -> str:
        """Return how the next file is packed: evenly spread, in turns."""
        if int(self._files.total() * self._packed_share) <= self._packed:
            return ""
        self._packed += 1
        return _PACKINGS[self._packed % len(_PACKINGS)]


class Roll:
    """A feed's lines, written to one file after another.

    Args:
        area: Where the files go.
        feed: Whose lines.
        options: Length of the files, share of dirt.
        ending: End of the names before the packing.
        soiled: Whether whole files get defects. Then, where every kind of dirt is wanted, the first one has
            them all.
    """

    def __init__(
        self,
        area: LandingArea,
        feed: str,
        options: SimulationOptions,
        ending: str = ".json",
        soiled: bool = False,
    ) -> None:
        self.cut_lines = 0
        self._area, self._feed, self._options = area, feed, options
        self._ending, self._soiled = ending, soiled
        self._file: LandingFile | None = None
        self._room = 0
        self._last_line = b""
        self._at_line_start = True

    def write(self, lines: pa.StringArray | pa.BinaryArray, folder: str, sample: bytes) -> None:
        """Append lines.

        Args:
            lines: Each with its newline.
            folder: Where new files go.
            sample: A clean record, which a defect may cut.
        """
        offsets, data = _content(lines)
        written = 0
        while written < len(lines):
            if self._file is None:
                self._file = self._begin(folder, sample)
            taken = min(self._room, len(lines) - written)
            self._append(self._file, data[offsets[written] : offsets[written + taken]])
            written += taken
            self._room -= taken
            if not self._room:
                self.close()

    def close(self) -> None:
        """Finish the current file, if there is one."""
        if self._file is None:
            return
        if self._last_line:
            self._append(self._file, (b"" if self._at_line_start else b"\n") + self._last_line)
            self.cut_lines += 1
        self._file.close()
        self._file = None

    def _begin(self, folder: str, sample: bytes) -> LandingFile:
        """Begin a file, and decide on its defects."""
        file, number = self._area.create(self._feed, folder, self._ending)
        self._room = self._options.records_per_file
        has_bom, is_cut = self._defects(number)
        self._last_line = cut(sample) if is_cut else b""
        if has_bom:
            self._append(file, _BOM)
        return file

    def _defects(self, number: int) -> tuple[bool, bool]:
        """Decide whether a file begins with a BOM, and whether its last line is cut."""
        if not self._soiled:
            return False, False
        if self._options.shows_every_dirt and not self.cut_lines:
            return True, True
        random = random_stream(self._options, Stream.FILES, FEEDS.index(self._feed), number)
        share = min(0.5, self._options.dirty_share * _RECORDS_PER_FILE_DEFECT)
        has_bom, is_cut = random.random(2) < share
        return bool(has_bom), bool(is_cut)

    def _append(self, file: LandingFile, data: bytes | memoryview) -> None:
        """Write, and remember whether the line is complete."""
        file.write(data)
        self._at_line_start = bytes(data[-1:]) == b"\n"


def _content(lines: pa.StringArray | pa.BinaryArray) -> tuple[npt.NDArray[np.int32], memoryview]:
    """Return where each line begins, and the bytes of all, without copying."""
    _, offsets, data = lines.buffers()
    if offsets is None or data is None:
        return np.zeros(1, dtype=np.int32), memoryview(b"")
    starts = np.frombuffer(memoryview(offsets), dtype=np.int32)[lines.offset : lines.offset + len(lines) + 1]
    return starts, memoryview(data)
