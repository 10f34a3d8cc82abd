"""The defects of the real feeds (SPEC section 1).

Defects that can be read without guessing are put on records themselves. Defects that cannot are put on a copy
that comes on a line of its own after the record, so that every record still arrives once and the truth stays
exact. Defects of whole files (a BOM, a cut last line) are made where files are written.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True, slots=True)
class _Fields:
    """The required fields that dirt falls on: an instant, its key in another case, a number, a text."""

    instant: bytes
    in_another_case: bytes
    number: bytes
    text: bytes


_FIELDS = {
    "customer": _Fields(b"lastUpdateDate", b"LastUpdateDate", b"lastUpdateDate", b"email"),
    "accelerometer": _Fields(b"timestamp", b"timeStamp", b"x", b"user"),
    "step_trainer": _Fields(b"sensorReadingTime", b"sensorreadingtime", b"distanceFromObject", b"serialNumber"),
}

_Defect = Callable[[bytes, _Fields], bytes]


def _with_instant(record: bytes, fields: _Fields, form: bytes) -> bytes:
    r"""Write the instant in another form, where `\2` stands for its digits."""
    return re.sub(rb'("%b": ?)(\d+)' % fields.instant, rb"\1" + form, record, count=1)


def _without_instant(record: bytes, fields: _Fields) -> bytes:
    """Leave the instant out, with the comma after or before it."""
    field = rb'"%b": ?\d+' % fields.instant
    return re.sub(field + rb", ?|, ?" + field, b"", record, count=1)


def _not_a_number(record: bytes, fields: _Fields) -> bytes:
    """Write the number as programs do that do not know JSON."""
    return re.sub(rb'("%b": ?)-?[\d.]+' % fields.number, rb"\1NaN", record, count=1)


def _not_utf_8(record: bytes, fields: _Fields) -> bytes:
    """Begin a text with bytes that are not UTF-8."""
    return re.sub(rb'("%b": ?")' % fields.text, b"\\1\xff\xfe", record, count=1)


# Every line ends with its newline. Without it, two records stand on one line: `}{`.
READABLE: dict[str, _Defect] = {
    "trailing comma": lambda record, _: record[:-1] + b",\n",
    "brackets on lines of their own": lambda record, _: b"[\n" + record + b"]\n",
    "glued": lambda record, _: record[:-1],
    "key in another case": lambda record, fields: record.replace(fields.instant, fields.in_another_case, 1),
    "CRLF": lambda record, _: record[:-1] + b"\r\n",
    "blank lines": lambda record, _: b"\n" + record + b"  \n",
    "integer in a string": lambda record, fields: _with_instant(record, fields, rb'"\2"'),
    "extra key": lambda record, _: record[:-2] + b', "firmware": {"build": 7}}\n',
}
UNREADABLE: dict[str, _Defect] = {
    "not UTF-8": _not_utf_8,
    "fraction for an integer": lambda record, fields: _with_instant(record, fields, rb"\g<2>.7"),
    "true for an integer": lambda record, fields: _with_instant(record, fields, b"true"),
    "NaN": _not_a_number,
    "required key missing": _without_instant,
}
_KINDS = (*READABLE, *UNREADABLE)


def soil(
    lines: pa.StringArray, feed: str, random: np.random.Generator, share: float, every_kind: bool
) -> tuple[pa.BinaryArray, int]:
    """Put dirt on some records, never on two neighbours, nor on the last one.

    Args:
        lines: One record each, clean.
        feed: Whose records.
        random: Decides which records, and which dirt.
        share: How many of them.
        every_kind: Whether each kind of dirt comes at least once, if there are records enough.

    Returns:
        The lines, some of them several lines now, and how many records were added that cannot be read.
    """
    places = max(0, (len(lines) - 1) // 2)
    wanted = max(int(random.binomial(len(lines), share)), len(_KINDS) if every_kind else 0)
    count = min(places, wanted)
    where = np.sort(random.choice(places, count, replace=False)) * 2
    kinds = random.integers(0, len(_KINDS), count)
    if every_kind:
        kinds[: len(_KINDS)] = np.arange(len(_KINDS))[:count]
    kinds = random.permutation(kinds)
    records = cast(pa.BinaryArray, lines.cast(pa.binary()))
    if not count:
        return records, 0
    dirty = [
        _soil_one(records[at].as_py(), _KINDS[kind], _FIELDS[feed])
        for at, kind in zip(where.tolist(), kinds.tolist(), strict=True)
    ]
    mask = np.zeros(len(lines), dtype=np.bool_)
    mask[where] = True
    soiled = pc.replace_with_mask(records, pa.array(mask), pa.array(dirty, pa.binary()))
    return soiled, int((kinds >= len(READABLE)).sum())


def _soil_one(record: bytes, kind: str, fields: _Fields) -> bytes:
    """Put a readable defect on a record, or add a copy that cannot be read."""
    if kind in READABLE:
        return READABLE[kind](record, fields)
    return record + UNREADABLE[kind](record, fields)


def cut(record: bytes) -> bytes:
    """Return a last line whose writing was interrupted: it has no end, nor a newline."""
    return record[: len(record) * 3 // 5]


def as_array(lines: pa.StringArray) -> bytes:
    """Write records as one JSON array, the usual export of other tools."""
    return json.dumps([json.loads(line.as_py()) for line in lines]).encode()


def pretty(lines: pa.StringArray) -> bytes:
    """Write records one after another, each spread over several lines."""
    return "".join(json.dumps(json.loads(line.as_py()), indent=2) + "\n" for line in lines).encode()
