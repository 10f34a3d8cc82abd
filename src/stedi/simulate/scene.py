"""What happens in a chunk: who the people are, when they walk, what is measured, which sessions it shows."""

from dataclasses import dataclass

import numpy as np

from stedi.simulate.chunks import SESSION_GAP_MS, BoolArray, Chunk, IntArray
from stedi.simulate.options import SimulationOptions
from stedi.simulate.people import People, draw_people
from stedi.simulate.sessions import Sessions, draw_sessions
from stedi.simulate.signals import Movements, Steps, measure


@dataclass(frozen=True, slots=True)
class SessionSpans:
    """The sessions as the devices reported them. Grain: one element per session; instants in ms.

    Attributes:
        session: Which simulated session: one that lost many readings may be reported as two.
        start: First reading.
        end: Last reading.
        usable_readings: Readings of a consenting owner at or after the consent instant.
    """

    session: IntArray
    start: IntArray
    end: IntArray
    usable_readings: IntArray


@dataclass(frozen=True, slots=True)
class Scene:
    """A chunk of the simulated world.

    Attributes:
        people: The customers.
        consent_ms: Per customer the consent instant, ms since the epoch (UTC); for those who shared.
        sessions: Who used which device when.
        steps: The devices' readings that arrive, each once.
        movements: The phones' readings that arrive, each once.
    """

    people: People
    consent_ms: IntArray
    sessions: Sessions
    steps: Steps
    movements: Movements

    def may_be_used(self, session: IntArray, instant: IntArray) -> BoolArray:
        """Return which readings `strict` allows: from the consent of their taker on (SPEC section 3)."""
        owner = self.sessions.owner[session]
        return self.people.consents[owner] & (instant >= self.consent_ms[owner])

    def spans(self) -> SessionSpans:
        """Cut the devices' readings into sessions: where another begins, or after a gap of more than 60 s."""
        session, instant = self.steps.session, self.steps.instant
        begins = np.ones(len(instant), dtype=np.bool_)
        begins[1:] = (np.diff(session) != 0) | (np.diff(instant) > SESSION_GAP_MS)
        first = np.flatnonzero(begins)
        last = np.append(first, len(instant))[1:] - 1
        usable = np.append(0, np.cumsum(self.may_be_used(session, instant)))
        return SessionSpans(session[first], instant[first], instant[last], usable[last + 1] - usable[first])


def draw_scene(options: SimulationOptions, chunk: Chunk) -> Scene:
    """Simulate a chunk; it depends on the options and the chunk alone."""
    people = draw_people(options, chunk)
    sessions, consent_ms = draw_sessions(options, chunk, people)
    steps, movements = measure(options, chunk, sessions)
    return Scene(people, consent_ms, sessions, steps, movements)
