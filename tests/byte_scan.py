"""Looks for traces of people in every byte of some folders. Shares no code with the product."""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def traces(folders: Iterable[Path], needles: Iterable[str], others: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Files in which a needle stands, in any case, with it. `others` are longer words that may stay, such as other people's emails."""
    wanted = [needle.lower() for needle in needles]
    longer = sorted({other.lower() for other in others if any(needle in other.lower() for needle in wanted)}, key=len)
    pattern = re.compile("|".join(map(re.escape, wanted)))
    found = []
    for path in (path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()):
        for text in _texts(path):
            lowered = text.lower()
            for word in longer[::-1]:
                lowered = lowered.replace(word, "")
            found += [(str(path), hit) for hit in set(pattern.findall(lowered))]
    return found


def _texts(path: Path) -> Iterator[str]:
    """What is written in a file: its bytes, and what they hold once unpacked."""
    content = path.read_bytes()
    for data in (content, *_unpacked(path, content)):
        text = data.decode("utf-8", "replace")
        yield text
        if "\\u" in text:
            yield re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), text)


def _unpacked(path: Path, content: bytes) -> Iterator[bytes]:
    if content[:4] == b"PAR1":
        yield json.dumps(pq.read_table(io.BytesIO(content)).to_pylist(), default=str, ensure_ascii=False).encode()
        yield str(pq.read_metadata(io.BytesIO(content)).to_dict()).encode()
    if content[:2] == b"\x1f\x8b":
        yield gzip.decompress(content)
    if content[:4] == b"\x28\xb5\x2f\xfd":
        yield pa.CompressedInputStream(pa.BufferReader(content), "zstd").read()
    if content[:4] == b"Obj\x01":  # Avro: blocks of raw deflate, each followed by the mark that ends the header
        mark = content[-16:]
        for block in content.split(mark)[1:-1]:
            for start in range(12):  # behind two numbers of varying length
                try:
                    yield zlib.decompress(block[start:], -15)
                    break
                except zlib.error:
                    continue
            else:
                yield block
