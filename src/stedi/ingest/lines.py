"""Cut a landing file into numbered lines, whatever bytes it holds, without a Python step per line."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from stedi.ingest.discover import LandingFile
from stedi.ingest.profile import chunks

_COLUMNS: dict[str, pa.DataType] = {"line": pa.int64(), "raw": pa.binary()}
SCHEMA = pa.schema(_COLUMNS)
_BOM = b"\xef\xbb\xbf"


def line_reader(file: LandingFile) -> pa.RecordBatchReader:
    """The lines of a file as a stream of (line, raw): numbered from 1, without their newline, a BOM at the start left out."""
    return pa.RecordBatchReader.from_batches(SCHEMA, _batches(file))


def _batches(file: LandingFile) -> Iterator[pa.RecordBatch]:
    line, rest, first = 1, b"", True
    for chunk in chunks(file):
        text, _, rest = (rest + chunk).rpartition(b"\n") if b"\n" in chunk else (b"", b"", rest + chunk)
        if not text and b"\n" not in chunk:
            continue
        batch = _cut(text.removeprefix(_BOM) if first else text, line)
        first = False
        line += batch.num_rows
        yield batch
    if rest:
        yield _cut(rest.removeprefix(_BOM) if first else rest, line)


def _cut(text: bytes, line: int) -> pa.RecordBatch:
    raw = pc.split_pattern(pa.array([text], pa.large_binary()), "\n").flatten().cast(pa.binary())
    numbers = pc.cumulative_sum(pa.repeat(pa.scalar(1, pa.int64()), len(raw)), start=pa.scalar(line - 1, pa.int64()))
    return pa.record_batch([numbers, raw], schema=SCHEMA)
