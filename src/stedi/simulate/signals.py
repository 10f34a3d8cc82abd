"""What phone and device measure while somebody walks.

Each session has a cadence of 1.6 to 2.0 steps per second. The device sees the object come and go once per
step; the phone feels up and down (y) and forward (z) once per step, and sideways (x) once per two steps. Both
stamp the same instants, the phone one to three readings each, unless clocks are off or readings are lost.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stedi.simulate.chunks import BoolArray, Chunk, FloatArray, IntArray, Stream, random_stream
from stedi.simulate.options import SimulationOptions
from stedi.simulate.sessions import Sessions, strictly_ascending

NEAREST, FARTHEST = 150, 300
STRONGEST_HUNDREDTHS = 300

_SLOWEST_HZ, _FASTEST_HZ = 1.6, 2.0
# As in the feeds of 2023: 85 accelerometer readings at 30 instants.
_ONE_READING_SHARE, _TWO_READINGS_SHARE = 0.003, 0.163
_READINGS_PER_INSTANT = 3
_NOISE_HUNDREDTHS = 12.0
_DISTANCE_NOISE = 8.0

Hundredths = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Steps:
    """What the devices reported. Grain: one element per reading, by session, then time.

    No session has an instant twice.

    Attributes:
        session: Which session.
        instant: `sensorReadingTime`, ms since the epoch (UTC).
        distance: `distanceFromObject`, 150 to 300.
    """

    session: IntArray
    instant: IntArray
    distance: IntArray


@dataclass(frozen=True, slots=True)
class Movements:
    """What the phones reported. Grain: one element per reading; those of one person and instant differ in x.

    Attributes:
        session: Which session.
        instant: `timestamp`, ms since the epoch (UTC).
        x: Hundredths of the reported value; y and z likewise. At most 300 in size.
        y: See x.
        z: See x.
    """

    session: IntArray
    instant: IntArray
    x: Hundredths
    y: Hundredths
    z: Hundredths


def measure(options: SimulationOptions, chunk: Chunk, sessions: Sessions) -> tuple[Steps, Movements]:
    """Let devices and phones measure.

    Args:
        options: Loss, skew and jitter.
        chunk: Whose random numbers.
        sessions: When they measure.

    Returns:
        The readings that arrive, each one once.
    """
    random = random_stream(options, Stream.SIGNALS, chunk.number)
    phase = _walk(random, sessions.instants)
    return _watch(random, options, sessions, phase), _feel(random, options, sessions, phase)


def _walk(random: np.random.Generator, instants: IntArray) -> FloatArray:
    """Return how many steps each walker has taken at each instant, times 2 pi."""
    shape = (len(instants), 1)
    seconds = (instants - instants[:, :1]) / 1000
    cadence_hz, begun = random.uniform(_SLOWEST_HZ, _FASTEST_HZ, shape), random.uniform(0, 2, shape)
    phase: FloatArray = 2 * np.pi * (seconds * cadence_hz + begun)
    return phase


def _watch(random: np.random.Generator, options: SimulationOptions, sessions: Sessions, phase: FloatArray) -> Steps:
    """Return the readings of the devices."""
    middle, swing = (NEAREST + FARTHEST) / 2, random.uniform(45, 60, (len(phase), 1))
    distance = middle + swing * np.sin(phase) + _DISTANCE_NOISE * random.standard_normal(phase.shape)
    session = np.repeat(np.arange(len(phase)), phase.shape[1])
    kept = _kept(random, options.drop_rate, phase.size)
    rounded = np.clip(np.rint(distance), NEAREST, FARTHEST).astype(np.int64)
    return Steps(session[kept], sessions.instants.ravel()[kept], rounded.ravel()[kept])


def _feel(random: np.random.Generator, options: SimulationOptions, sessions: Sessions, phase: FloatArray) -> Movements:
    """Return the readings of the phones."""
    cell, turn = _readings(random, phase.size)
    kept = _kept(random, options.drop_rate, len(cell))
    cell, turn = cell[kept], turn[kept]
    swings = (30 * np.sin(phase / 2), 90 * np.sin(phase), 50 * np.cos(phase))
    x, y, z = (_noisy(random, swing.astype(np.float32).ravel()[cell]) for swing in swings)
    # The remainder by three tells readings of one instant apart: otherwise two might be equal, which are one.
    distinct_x = x - x % _READINGS_PER_INSTANT + turn
    return Movements(cell // phase.shape[1], _phone_instants(random, options, sessions).ravel()[cell], distinct_x, y, z)


def _readings(random: np.random.Generator, instants: int) -> tuple[IntArray, Hundredths]:
    """Return per reading of the phones its instant's position, and its turn among those of that instant."""
    draw = random.random(instants)
    at_most_two, one = draw < _ONE_READING_SHARE + _TWO_READINGS_SHARE, draw < _ONE_READING_SHARE
    readings = _READINGS_PER_INSTANT - at_most_two.astype(np.int64) - one
    cell = np.repeat(np.arange(instants), readings)
    return cell, (np.arange(len(cell)) - (np.cumsum(readings) - readings)[cell]).astype(np.int32)


def _noisy(random: np.random.Generator, swing: npt.NDArray[np.float32]) -> Hundredths:
    """Add noise, and round to hundredths."""
    noise = _NOISE_HUNDREDTHS * random.standard_normal(len(swing), dtype=np.float32)
    most = STRONGEST_HUNDREDTHS - _READINGS_PER_INSTANT
    return np.clip(np.rint(swing + noise), -most, most).astype(np.int32)


def _phone_instants(random: np.random.Generator, options: SimulationOptions, sessions: Sessions) -> IntArray:
    """Return the sessions' instants by the clocks of the phones: a skew per person, a jitter per instant."""
    if not (options.clock_skew_ms or options.jitter_ms):
        return sessions.instants
    skew_ms = _error(random, options.clock_skew_ms, (int(sessions.owner.max()) + 1, 1))[sessions.owner]
    return strictly_ascending(sessions.instants + skew_ms + _error(random, options.jitter_ms, sessions.instants.shape))


def _error(random: np.random.Generator, most_ms: int, shape: tuple[int, int]) -> IntArray:
    """Return errors of a clock, evenly spread, ms."""
    return random.integers(-most_ms, most_ms, shape, endpoint=True)


def _kept(random: np.random.Generator, drop_rate: float, count: int) -> BoolArray:
    """Return which readings are not lost."""
    return random.random(count) >= drop_rate if drop_rate else np.ones(count, dtype=np.bool_)
