"""Who the customers are: their devices, what is registered for them, whether they share.

Devices are known by a code, an index into `serial_numbers`: 0 to 29 are the numbers that fulfilment reuses,
then follows one code per customer for the device they got, and one for a second device. The thirty numbers
are real ones: those of the devices of the first thirty customers of all.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stedi.simulate.chunks import (
    REUSED_NUMBERS,
    BoolArray,
    Chunk,
    FloatArray,
    IntArray,
    Stream,
    random_stream,
)
from stedi.simulate.options import SimulationOptions

_HOUR_MS = 3_600_000
_LONGEST_MEMBERSHIP_MS = 60 * 24 * _HOUR_MS
_ON_THE_INSTANT_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class People:
    """The customers of a chunk. Grain: one element per customer, in order.

    Attributes:
        first: Index of the first of them among all customers.
        device: Code of the device of their first session.
        registered: Code of the device that fulfilment registered.
        guest: Uses the device of the customer before (a household).
        has_second_device: Has a later session with another device.
        shares: Gave consent, perhaps withdrawn later.
        withdrawn: Withdrew it with a later record.
        late: Gave it when some readings were already taken.
        late_rank: Which of the readings is the first after a late consent, 0 to 1.
        late_lead: How far the consent instant lies before that reading: 0 (on it) to 1 (on the one before).
        registration_ms: Registration, ms since the epoch (UTC), before every reading of the chunk.
        serial_numbers: Text of every device code (not per customer).
    """

    first: int
    device: IntArray
    registered: IntArray
    guest: BoolArray
    has_second_device: BoolArray
    shares: BoolArray
    withdrawn: BoolArray
    late: BoolArray
    late_rank: FloatArray
    late_lead: FloatArray
    registration_ms: IntArray
    serial_numbers: pa.StringArray

    @property
    def count(self) -> int:
        """Number of customers."""
        return len(self.device)

    @property
    def consents(self) -> BoolArray:
        """Whose holding record carries the consent (SPEC section 2)."""
        return self.shares & ~self.withdrawn

    @property
    def second_device(self) -> IntArray:
        """Codes of the second devices."""
        return REUSED_NUMBERS + self.count + np.arange(self.count)


def draw_people(options: SimulationOptions, chunk: Chunk) -> People:
    """Draw the customers of a chunk.

    Args:
        options: The shares.
        chunk: Which customers.

    Returns:
        One element per customer.
    """
    random = random_stream(options, Stream.PEOPLE, chunk.number)
    count = chunk.count
    guest = _draw_guests(random, count, options.shared_device_share)
    device = _own_devices(chunk)
    device[guest] = device[np.flatnonzero(guest) - 1]
    reused = random.random(count) < options.reused_serial_share
    shares = random.random(count) < options.consent_share
    lead = random.random(count)
    return People(
        first=chunk.first,
        device=device,
        registered=np.where(reused, random.integers(0, REUSED_NUMBERS, count), device),
        guest=guest,
        has_second_device=random.random(count) < options.second_device_share,
        shares=shares,
        withdrawn=shares & (random.random(count) < options.withdrawn_share),
        late=shares & (random.random(count) < options.late_consent_share),
        late_rank=random.random(count),
        late_lead=np.where(random.random(count) < _ON_THE_INSTANT_SHARE, 0.0, lead),
        registration_ms=chunk.opens_at_ms - random.integers(_HOUR_MS, _LONGEST_MEMBERSHIP_MS, count),
        serial_numbers=_draw_serial_numbers(options, random, 2 * count),
    )


def _draw_guests(random: np.random.Generator, count: int, share: float) -> BoolArray:
    """Return who is the second of a household: the pairs are the customers 0 and 1, 2 and 3, and so on."""
    guest = np.zeros(count, dtype=np.bool_)
    guest[1::2] = random.random(count // 2) < share
    return guest


def _own_devices(chunk: Chunk) -> IntArray:
    """Return the code of the device that each customer got."""
    codes = REUSED_NUMBERS + np.arange(chunk.count)
    if chunk.number == 0:
        codes[:REUSED_NUMBERS] -= REUSED_NUMBERS
    return codes


def _draw_serial_numbers(options: SimulationOptions, random: np.random.Generator, count: int) -> pa.StringArray:
    """Return the thirty numbers, which are the same in every chunk, and `count` new ones."""
    reused = random_stream(options, Stream.WORLD).integers(0, 256, (REUSED_NUMBERS, 16), dtype=np.uint8)
    return _uuids(np.concatenate([reused, random.integers(0, 256, (count, 16), dtype=np.uint8)]))


def _uuids(numbers: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> pa.StringArray:
    """Write rows of 16 random bytes as version 4 UUIDs."""
    numbers[:, 6] = numbers[:, 6] & 0x0F | 0x40
    numbers[:, 8] = numbers[:, 8] & 0x3F | 0x80
    digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
    text = np.full((len(numbers), 36), ord("-"), dtype=np.uint8)
    places = [place for place in range(36) if place not in (8, 13, 18, 23)]
    text[:, places[0::2]] = digits[numbers >> 4]
    text[:, places[1::2]] = digits[numbers & 0x0F]
    offsets = np.arange(0, text.size + 1, 36, dtype=np.int32)
    buffers = pa.py_buffer(offsets.tobytes()), pa.py_buffer(text.tobytes())
    return pa.StringArray.from_buffers(len(numbers), *buffers)
