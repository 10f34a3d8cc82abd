"""STEDI feeds of any size, written to a folder, with the truth about them beside.

1. The customers are planned in chunks (`chunks`).
2. Threads make chunks: people, sessions, signals, records, counts. A chunk depends on the options alone.
3. One writer takes them in order: duplicates, dirt, files.
4. The truth is completed, and the folders are moved to their place.
"""

import json
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from stedi.simulate.chunks import FEEDS, Chunk, Stream, plan_chunks, random_stream
from stedi.simulate.dirt import as_array, pretty, soil
from stedi.simulate.files import LATE, LandingArea, Roll
from stedi.simulate.options import SimulationOptions
from stedi.simulate.records import write_records, write_session_rows
from stedi.simulate.scene import draw_scene
from stedi.simulate.truth import Tally, Truth, complete, count_scene

_THREADS = 2
_TRUTH = "truth"
_MOST_RECORDS_IN_ARRAY = 1_000


@dataclass(frozen=True, slots=True)
class _FeedPart:
    """What a chunk brings to a feed, ready to be written.

    Attributes:
        lines: For the feed's files, dirt and duplicates included.
        redelivered: Records that come again in other files.
        array: Records for a file that is one JSON array; only the first chunk has them.
        pretty: Records for a file with several lines per record; likewise.
        sample: A clean record.
        read: How many records can be read.
        quarantined: How many cannot.
    """

    lines: pa.BinaryArray
    redelivered: pa.StringArray
    array: pa.StringArray
    pretty: pa.StringArray
    sample: bytes
    read: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class _Batch:
    """Everything that a chunk brings."""

    chunk: Chunk
    parts: dict[str, _FeedPart]
    session_rows: pa.StringArray
    tally: Tally


def simulate(directory: Path, options: SimulationOptions, progress: Callable[[int, int], None] | None = None) -> Truth:
    """Write feeds and the truth about them.

    Args:
        directory: Gets `customer/`, `accelerometer/`, `step_trainer/` (SPEC section 1) and `truth/` with
            `truth.json` and `sessions.ndjson` (one line per session that the devices reported: serialNumber,
            sessionStart and sessionEnd in ms, email of the true owner, consents, usableReadings), and `late/` with
            the files that come later, if any: copied over `directory`, they are delivered. It must be
            empty or absent; its folders appear when all are complete, `truth/` last.
        options: What to simulate. The same options give the same bytes.
        progress: Called with the customers written so far and all of them.

    Returns:
        What `truth.json` holds.

    Raises:
        FileExistsError: `directory` is a file, or not empty.
    """
    if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        raise FileExistsError(f"{directory} exists and is not an empty folder")
    directory.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".simulating-", dir=directory) as staging:
        truth = _write(Path(staging), options, progress)
        for folder in (*FEEDS, LATE, _TRUTH):  # the truth comes last: where it is, all is
            if (Path(staging) / folder).exists():
                (Path(staging) / folder).replace(directory / folder)
    return truth


def _write(root: Path, options: SimulationOptions, progress: Callable[[int, int], None] | None) -> Truth:
    """Write all chunks in order, then the truth."""
    (root / _TRUTH).mkdir()
    sessions = root / _TRUTH / "sessions.ndjson"
    with sessions.open("w", encoding="utf-8", newline="\n") as rows, LandingArea(root, options) as area:
        writer = _Writer(area, options)
        for batch in _batches(options):
            writer.write(batch)
            rows.writelines(row.as_py() for row in batch.session_rows)
            if progress is not None:
                progress(batch.chunk.first + batch.chunk.count, options.customers)
        truth = writer.close()
    text = json.dumps(truth.as_json(), indent=2) + "\n"
    (root / _TRUTH / "truth.json").write_text(text, encoding="utf-8", newline="\n")
    return truth


def _batches(options: SimulationOptions) -> Iterator[_Batch]:
    """Make the chunks on a few threads, never more than one ahead of them, and yield them in order."""
    with ThreadPoolExecutor(_THREADS) as threads:
        under_way: deque[Future[_Batch]] = deque()
        try:
            for chunk in plan_chunks(options):
                under_way.append(threads.submit(_make, options, chunk))
                if len(under_way) > _THREADS:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()


def _make(options: SimulationOptions, chunk: Chunk) -> _Batch:
    """Simulate a chunk."""
    scene = draw_scene(options, chunk)
    spans = scene.spans()
    lines, identities = write_records(options, chunk, scene)
    parts = {feed: _part(options, chunk, feed, lines[feed]) for feed in FEEDS}
    return _Batch(chunk, parts, write_session_rows(scene, spans, identities), count_scene(scene, spans))


def _part(options: SimulationOptions, chunk: Chunk, feed: str, lines: pa.StringArray) -> _FeedPart:
    """Set some records aside for files of their own, deliver some twice, and put dirt on the rest."""
    random = random_stream(options, Stream.DIRT, chunk.number, FEEDS.index(feed))
    every_kind = options.shows_every_dirt and chunk.number == 0
    aside = min(_MOST_RECORDS_IN_ARRAY, len(lines) // 20) if every_kind else 0
    again = random.random(len(lines)) < options.duplicate_rate
    elsewhere = again & (random.random(len(lines)) < 0.5)
    again[: 2 * aside] = False
    here = np.concatenate([np.arange(2 * aside, len(lines)), np.flatnonzero(again & ~elsewhere)])
    redelivered = lines.filter(pa.array(elsewhere))
    soiled, added = soil(lines.take(pa.array(here)), feed, random, options.dirty_share, every_kind)
    return _FeedPart(
        lines=soiled,
        redelivered=redelivered,
        array=lines.slice(0, aside),
        pretty=lines.slice(aside, aside),
        sample=lines[0].as_py().encode() if len(lines) else b"",
        read=2 * aside + len(here) + len(redelivered),
        quarantined=added,
    )


class _Writer:
    """Writes batches to the files of the feeds, and adds up what they bring."""

    def __init__(self, area: LandingArea, options: SimulationOptions) -> None:
        self._options, self._area = options, area
        soiled = options.dirty_share > 0
        self._rolls = {feed: Roll(area, feed, options, soiled=soiled) for feed in FEEDS}
        self._redelivered = {feed: Roll(area, feed, options, ".jsonl") for feed in FEEDS}
        self._tally = Tally()
        self._read = dict.fromkeys(FEEDS, 0)
        self._quarantined = dict.fromkeys(FEEDS, 0)

    def write(self, batch: _Batch) -> None:
        """Write what a chunk brings."""
        day = f"{datetime.fromtimestamp(batch.chunk.opens_at_ms / 1000, UTC):%Y/%m/%d}"
        for feed, part in batch.parts.items():
            if len(part.array):
                self._area.write(feed, "array", as_array(part.array))
                self._area.write(feed, "pretty", pretty(part.pretty))
            self._rolls[feed].write(part.lines, day, part.sample)
            self._redelivered[feed].write(part.redelivered, "redelivered", part.sample)
            self._read[feed] += part.read
            self._quarantined[feed] += part.quarantined
        self._tally.add(batch.tally)

    def close(self) -> Truth:
        """Finish the files, and return the truth."""
        for feed in FEEDS:
            self._rolls[feed].close()
            self._redelivered[feed].close()
            self._quarantined[feed] += self._rolls[feed].cut_lines
        return complete(self._options, self._tally, self._read, self._quarantined)
