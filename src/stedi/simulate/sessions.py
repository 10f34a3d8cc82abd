"""Who used which device when, and from which instant on the customers share.

1. Every customer has a first session; the first ones of a chunk are spread over its time range.
2. A guest follows on the same device, and a second device follows on the first, more than 60 s later.
3. Simultaneous sessions begin in the second of their neighbour's and take over some of its instants.
4. A late consent is laid among the readings of its customer.
5. Unless difficulty is asked for, sessions move by some ms until no wrong pair of session and customer could
   be eligible (SPEC section 5): then every owner is found, and the truth is exact by construction.
"""

from dataclasses import dataclass, replace

import numpy as np

from stedi.simulate.chunks import (
    SESSION_GAP_MS,
    SPACING_MS,
    Chunk,
    IntArray,
    Stream,
    random_stream,
)
from stedi.simulate.options import SimulationOptions
from stedi.simulate.people import People

_NEVER = np.iinfo(np.int64).max
_COINCIDING_SHARES = (0.0, 0.5, 0.9, 1.0)


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of a chunk. Grain: one element per session; the first ones of all customers come first.

    Attributes:
        owner: Who used the device, as an index of the chunk's customers.
        device: Code of the device.
        instants: When it measured, ms since the epoch (UTC): a row per session, distinct and ascending.
    """

    owner: IntArray
    device: IntArray
    instants: IntArray


def draw_sessions(options: SimulationOptions, chunk: Chunk, people: People) -> tuple[Sessions, IntArray]:
    """Draw the sessions of a chunk and lay the consent instants.

    Args:
        options: Number and spacing of readings, difficulty.
        chunk: The time range.
        people: Who has which devices.

    Returns:
        The sessions, and per customer the consent instant, ms since the epoch (UTC). It has no meaning for
        those who never shared.
    """
    sessions = _lay_out(options, chunk, people)
    if options.evidence_is_clean:
        sessions = _tell_apart(people, sessions)
    return sessions, consent_instants(people, sessions)


def consent_instants(people: People, sessions: Sessions) -> IntArray:
    """Return per customer the consent instant, ms: the registration, or for late ones amid the readings."""
    customers = np.arange(people.count)
    readings = sessions.instants.shape[1]
    instants = np.full((people.count, 2 * readings), _NEVER)
    instants[:, :readings] = sessions.instants[: people.count]
    instants[sessions.owner[people.count :], readings:] = sessions.instants[people.count :]
    total = np.where(people.has_second_device, 2 * readings, readings)
    first_usable = 1 + (people.late_rank * total).astype(np.int64)
    before = instants[customers, first_usable - 1]
    after = instants[customers, np.minimum(first_usable, total - 1)]
    late = after - (people.late_lead * (after - before)).astype(np.int64)
    late = np.where(first_usable == total, before + 1, late)  # nothing was measured after it
    return np.where(people.late, late, people.registration_ms)


def strictly_ascending(instants: IntArray) -> IntArray:
    """Sort each row and move equal instants apart, by 1 ms each."""
    steps = np.arange(instants.shape[1])
    return np.maximum.accumulate(np.sort(instants, axis=1) - steps, axis=1) + steps


def _lay_out(options: SimulationOptions, chunk: Chunk, people: People) -> Sessions:
    """Place first sessions, guests, simultaneous and second sessions."""
    random = random_stream(options, Stream.SESSIONS, chunk.number)
    starts = chunk.opens_at_ms + np.sort(random.integers(0, chunk.count * SPACING_MS, chunk.count))
    first = starts[:, np.newaxis] + _elapsed(random, options, chunk.count)
    pairs = random.random(chunk.count // 2) < options.simultaneous_share
    _begin_together(random, first, 1 + 2 * np.flatnonzero(pairs & ~people.guest[1::2]))
    guests = np.flatnonzero(people.guest)
    first[guests] += (_later(random, first[guests - 1]) - first[guests, 0])[:, np.newaxis]
    owners = np.flatnonzero(people.has_second_device)
    second = _later(random, first[owners])[:, np.newaxis] + _elapsed(random, options, len(owners))
    return Sessions(
        owner=np.concatenate([np.arange(chunk.count), owners]),
        device=np.concatenate([people.device, people.second_device[owners]]),
        instants=np.concatenate([first, second]),
    )


def _elapsed(random: np.random.Generator, options: SimulationOptions, sessions: int) -> IntArray:
    """Return the ms since the start of each session: at a pace of its own, irregular, at most 10 s apart."""
    pace = random.uniform(0.8, 1.1, (sessions, 1)) * options.interval_ms
    gaps = np.rint(pace * random.uniform(0.9, 1.1, (sessions, options.readings_per_session))).astype(np.int64)
    gaps[:, 0] = 0
    return np.cumsum(gaps, axis=1)


def _later(random: np.random.Generator, sessions: IntArray) -> IntArray:
    """Return a start for each session's successor, with some room above the gap that divides sessions."""
    return sessions[:, -1] + SESSION_GAP_MS * 3 // 2 + random.integers(0, 2 * SESSION_GAP_MS, len(sessions))


def _begin_together(random: np.random.Generator, instants: IntArray, rows: IntArray) -> None:
    """Let these sessions begin in the second of the one before, with some of its instants, in place."""
    neighbour = instants[rows - 1]
    second = neighbour[:, 0] // 1000 * 1000 + random.integers(0, 1000, len(rows))
    moved = instants[rows] + (second - instants[rows, 0])[:, np.newaxis]
    share = random.choice(_COINCIDING_SHARES, (len(rows), 1))
    instants[rows] = strictly_ascending(np.where(random.random(moved.shape) < share, neighbour, moved))


def _tell_apart(people: People, sessions: Sessions) -> Sessions:
    """Move sessions by some ms until none could be taken for another customer's."""
    while len(doubtful := _doubtful(people, sessions)):
        instants = sessions.instants.copy()
        instants[doubtful] += np.arange(1, len(doubtful) + 1)[:, np.newaxis]
        sessions = replace(sessions, instants=instants)
    return sessions


def _doubtful(people: People, sessions: Sessions) -> IntArray:
    """Return the sessions that evidence, or a registration with little of it, could give to a wrong customer.

    M is exact; J is overestimated by M / D, so that no wrong pair is missed (SPEC section 5).
    """
    since = consent_instants(people, sessions)
    session, person, instant = _coincidences(sessions)
    usable = people.consents[person] & (instant >= since[person])
    pairs, matches = np.unique(session[usable] * people.count + person[usable], return_counts=True)
    session, person = pairs // people.count, pairs % people.count
    device_readings = (sessions.instants[session] >= since[person][:, np.newaxis]).sum(axis=1)
    registered = people.registered[person] == sessions.device[session]
    alike = 5 * matches >= 4 * device_readings
    return np.unique(session[alike & ((matches >= 3) | registered)])


def _coincidences(sessions: Sessions) -> tuple[IntArray, IntArray, IntArray]:
    """Return (session, another person, instant) for every instant that both have."""
    order = np.argsort(sessions.instants, axis=None, kind="stable")
    instants, rows = sessions.instants.ravel()[order], order // sessions.instants.shape[1]
    found: list[IntArray] = []
    distance = 1
    while len(left := np.flatnonzero(instants[distance:] == instants[:-distance])):
        pair = rows[left], rows[left + distance]
        found += [np.stack([one, sessions.owner[other], instants[left]]) for one, other in (pair, pair[::-1])]
        distance += 1
    session, person, instant = np.concatenate(found, axis=1) if found else np.empty((3, 0), dtype=np.int64)
    other = sessions.owner[session] != person
    return session[other], person[other], instant[other]
