"""Find many words in many bytes at once: thousands of emails in gigabytes, at a speed that does not depend on how many they are.

Of each word eight bytes are looked for, as one number: all windows of eight bytes of a text are looked up in a table at once. Where one
may stand, the text is compared with the words that have it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

import numpy as np
from stringzilla import Str

_WIDTH = 8
#: So few words are found faster one by one: at 25 GB/s each, where all at once take 0.25 GB/s.
_FEW = 64
#: Windows are looked up so many at a time; a multiple of their width.
_PIECE = 16 << 20
_TABLE_BITS = 20
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


class Needles:
    """Words to be looked for, in lower case, as UTF-8. Few words, and short ones, are looked for one by one."""

    def __init__(self, words: Iterable[str]) -> None:
        known = {word.encode("utf-8", "surrogateescape") for word in words} - {b""}
        self._one_by_one = sorted(word for word in known if len(word) < _WIDTH or len(known) <= _FEW)
        self._by_window: dict[int, list[tuple[bytes, int]]] = {}
        for word in sorted(known - set(self._one_by_one)):
            at = _telling(word)
            window = int.from_bytes(word[at : at + _WIDTH], "little")
            self._by_window.setdefault(window, []).append((word, at))
        self._windows = np.array(sorted(self._by_window), dtype=np.uint64)
        self._table = np.zeros(1 << _TABLE_BITS, dtype=np.bool_)
        self._table[_slots(self._windows)] = True

    def find(self, content: bytes) -> list[int]:
        """Where words begin in a text that is in lower case; each place once for each word that begins there."""
        return sorted([*self._find_one_by_one(content), *self._find_at_once(content)])

    def which(self, texts: Sequence[bytes]) -> list[bool]:
        """Which of many texts, in lower case, hold one of the words. No word may hold a line end."""
        ends = list(accumulate(len(text) + 1 for text in texts))
        found = [False] * len(texts)
        for place in self.find(b"\n".join(texts)):
            found[bisect_right(ends, place)] = True
        return found

    def _find_one_by_one(self, content: bytes) -> Iterator[int]:
        text = Str(content)
        for word in self._one_by_one:
            at = text.find(word)
            while at >= 0:
                yield at
                at = text.find(word, at + 1)

    def _find_at_once(self, content: bytes) -> Iterator[int]:
        if not self._by_window:
            return
        for begin in range(0, len(content), _PIECE):
            for first in range(begin, min(begin + _WIDTH, len(content) - _WIDTH + 1)):
                number = min(_PIECE // _WIDTH, (len(content) - first) // _WIDTH)
                windows = np.frombuffer(content, np.dtype("<u8"), number, first)
                maybe = np.flatnonzero(self._table[_slots(windows)])
                near = np.searchsorted(self._windows, windows[maybe]).clip(max=len(self._windows) - 1)
                maybe = maybe[self._windows[near] == windows[maybe]]
                for place, window in zip(maybe.tolist(), windows[maybe].tolist(), strict=True):
                    for word, at in self._by_window[window]:
                        start = first + place * _WIDTH - at
                        if start >= 0 and content.startswith(word, start):
                            yield start


def _telling(word: bytes) -> int:
    """Where the eight bytes of a word begin that few others share: of an email, those that end in the `@`."""
    return max(0, min(word.find(b"@") - _WIDTH + 1, len(word) - _WIDTH))


def _slots(windows: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return (windows * _FACTOR) >> np.uint64(64 - _TABLE_BITS)
