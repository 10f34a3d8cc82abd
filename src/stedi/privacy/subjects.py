"""Whom a request is about, and what is theirs (SPEC 2 and 6): a record whose identity is theirs, or whose broken text names them.

A customer is an email, trimmed and in lower case. Records that can be read say whose they are in one field; of the others only the text is
left, as a line of a file or in the quarantine. It names a person where their email stands in it as a word, in any case, escaped or not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import stringzilla

from stedi.contracts import NAMES_CUSTOMER
from stedi.privacy.needles import Needles

#: A session: serial number of the device, first and last instant in ms.
Window = tuple[str, int, int]
Places = np.ndarray[tuple[int], np.dtype[np.int64]]
#: What a text is made of, once its escapes are undone.
_WORD = re.compile(r"""[^\s"'<>,;:()\[\]{}|/=\\\x00-\x1f\udc80-\udcff]+""")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_CONTROL = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def customer(email: str) -> str:
    """Who an email stands for, as `engines.sql.customer_of` says it in SQL."""
    return email.strip().lower()


def plain(text: str) -> str:
    """A text in lower case without escapes, so that a person is written in one way only."""
    return (_ESCAPE.sub(_unescaped, text) if "\\" in text else text).lower()


def words(text: str) -> set[str]:
    """What stands in a text between white space, quotes, brackets and the like; a full stop at the end does not belong to it."""
    return {word.rstrip(".") for word in _WORD.findall(plain(text))}


class Subjects:
    """The people of one request.

    Args:
        emails: of each, as somebody typed them.
        windows: their sessions: serial number, first and last instant in ms.
        others: sessions that are somebody else's; what falls into them is not theirs.
        devices: serial numbers of devices that nobody else used.
    """

    def __init__(
        self,
        emails: Iterable[str],
        windows: Iterable[Window] = (),
        others: Iterable[Window] = (),
        devices: Iterable[str] = (),
    ) -> None:
        self.customers = frozenset(customer(email) for email in emails) - {""}
        self.devices = frozenset(devices)
        self._windows, self._others = _by_device(windows), _by_device(others)
        known = self.customers | self._windows.keys() | self.devices
        self._needles = Needles(word.lower() for word in known if word.isascii())
        self._odd = {name for name in self.customers if words(name) != {name}}

    def named_in(self, text: str) -> bool:
        """Whether a text names one of them, or a device that they alone used."""
        found = words(text)
        if found & self.customers or found & {device.lower() for device in self.devices}:
            return True
        return bool(self._odd) and any(name in plain(text) for name in self._odd)

    def own(self, feed: str, text: str) -> bool:
        """Whether a record, whole or broken, is theirs. One that says whose it is counts for nobody else."""
        fields = _fields(text)
        if feed == "step_trainer":
            reading = _reading(fields)
            return self._own_reading(*reading) if reading else self.named_in(text)
        names = [value for key, value in fields if key.lower() == NAMES_CUSTOMER[feed] and isinstance(value, str)]
        return any(customer(name) in self.customers for name in names) if names else self.named_in(text)

    def _own_reading(self, device: str, instant: int) -> bool:
        if any(start <= instant <= end for start, end in self._others.get(device, ())):
            return False
        return device in self.devices or any(start <= instant <= end for start, end in self._windows.get(device, ()))

    def identifiers(self, pseudonym: Callable[[str, str], str]) -> tuple[set[str], dict[str, int]]:
        """What stands for them alone, in lower case: emails, devices, and pseudonyms; and how many of each there are."""
        starts = {(device, start) for device, windows in self._windows.items() for start, _ in windows}
        pseudonyms = {pseudonym("subject", name) for name in self.customers}
        pseudonyms |= {pseudonym("device", device) for device in self.devices}
        pseudonyms |= {pseudonym("session", f"{device}:{start}") for device, start in starts}
        counts = {"emails": len(self.customers), "devices": len(self.devices), "pseudonyms": len(pseudonyms)}
        return {*self.customers, *(device.lower() for device in self.devices), *pseudonyms}, counts

    def places(self, content: bytes) -> Places:
        """Where in a text something of theirs may stand: a fast look before a slow one. What is escaped or not ASCII may be anything."""
        odd = np.zeros(0, np.int64)
        if not content.isascii() or stringzilla.find(content, b"\\") >= 0:
            data = np.frombuffer(content, np.uint8)
            odd = np.flatnonzero((data == ord("\\")) | (data > 127))
        return np.concatenate([odd, np.array(self._needles.find(content.lower()), np.int64)])

    def hits(self, texts: Sequence[bytes]) -> list[bool]:
        """Which texts may hold something of theirs."""
        ends = np.cumsum([len(text) + 1 for text in texts], dtype=np.int64)
        found = np.zeros(len(texts), np.bool_)
        found[np.searchsorted(ends, self.places(b"\n".join(texts)), "right")] = True
        return [bool(hit) for hit in found]


def _by_device(windows: Iterable[Window]) -> dict[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = {}
    for device, start, end in windows:
        found.setdefault(device, []).append((start, end))
    return found


def _fields(text: str) -> list[tuple[str, Any]]:
    if not text.isascii() and any("\udc80" <= letter <= "\udcff" for letter in text):
        return []  # not UTF-8: nobody reads it
    try:
        found = json.loads(text, strict=False, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return []
    return found if isinstance(found, list) and all(isinstance(pair, tuple) for pair in found) else []


def _reading(fields: list[tuple[str, Any]]) -> tuple[str, int] | None:
    known = {key.lower(): value for key, value in fields}
    serial, instant = known.get("serialnumber"), known.get("sensorreadingtime")
    if not isinstance(serial, str) or not isinstance(instant, int | float | str):
        return None
    try:
        return serial, int(instant) if isinstance(instant, int) else int(float(instant))
    except (ValueError, OverflowError):
        return None


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    if code[0] == "x" and len(code) > 1:  # of a line that is not UTF-8: such a byte is no part of a word
        return chr(int(code[1:], 16)) if code[1] < "8" else " "
    if code[0] == "u" and len(code) > 1:
        return chr(int(code[1:], 16))
    return _CONTROL.get(code, code)
