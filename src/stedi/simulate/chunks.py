"""The simulated world is made in chunks of customers, each with a time range of its own.

No two chunks share an instant, so that whatever is counted over equal instants can be counted chunk by chunk,
and memory stays bounded. A chunk depends on the options and its number only: not on other chunks, not on the
clock.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stedi.simulate.options import SimulationOptions

IntArray: TypeAlias = npt.NDArray[np.int64]
FloatArray: TypeAlias = npt.NDArray[np.float64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

FEEDS = ("customer", "accelerometer", "step_trainer")
REUSED_NUMBERS = 30
SESSION_GAP_MS = 60_000
SPACING_MS = 2_700  # mean time between the starts of two sessions, as in the feeds of 2023

_OPENING_MS = 1_672_531_200_000  # 2023-01-01
_MOST_CUSTOMERS = 2_000
_MOST_INSTANTS = 60_000


class Stream(IntEnum):
    """What random numbers are drawn for: each purpose has a stream of its own."""

    WORLD = 0
    PEOPLE = 1
    SESSIONS = 2
    SIGNALS = 3
    RECORDS = 4
    DIRT = 5
    FILES = 6


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some customers who are simulated together.

    Attributes:
        number: Position of the chunk, from 0.
        first: Index of its first customer among all.
        count: Number of its customers.
        opens_at_ms: Start of its time range, ms since the epoch (UTC).
    """

    number: int
    first: int
    count: int
    opens_at_ms: int


def plan_chunks(options: SimulationOptions) -> Iterator[Chunk]:
    """Yield the chunks in order of customers and of time."""
    size = _customers_per_chunk(options)
    length_ms = size * SPACING_MS + _reserve_ms(options)
    for number, first in enumerate(range(0, options.customers, size)):
        count = min(size, options.customers - first)
        yield Chunk(number, first, count, _OPENING_MS + number * length_ms)


def random_stream(options: SimulationOptions, stream: Stream, *key: int) -> np.random.Generator:
    """Return the random numbers of one purpose; `key` names the chunk or the file."""
    return np.random.default_rng(np.random.SeedSequence(options.seed, spawn_key=(int(stream), *key)))


def _customers_per_chunk(options: SimulationOptions) -> int:
    """Return an even number, because households are pairs within a chunk."""
    wanted = min(_MOST_CUSTOMERS, _MOST_INSTANTS // options.readings_per_session)
    return max(2, wanted // 2 * 2)


def _reserve_ms(options: SimulationOptions) -> int:
    """Return the time that the last sessions of a chunk, their successors and slow clocks may need."""
    session_ms = options.readings_per_session * options.interval_ms * 5 // 4
    return 4 * session_ms + 20 * SESSION_GAP_MS
