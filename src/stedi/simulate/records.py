"""Records of the three feeds as lines of JSON, in the layout of the feeds of 2023.

Lines are built by the column: fragments are looked up in tables of text and joined. Each line ends with its
newline.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stedi.simulate.chunks import BoolArray, Chunk, IntArray, Stream, random_stream
from stedi.simulate.names import FIRST_NAMES, LAST_NAMES
from stedi.simulate.options import SimulationOptions
from stedi.simulate.people import People
from stedi.simulate.scene import Scene, SessionSpans
from stedi.simulate.sessions import Sessions
from stedi.simulate.signals import FARTHEST, STRONGEST_HUNDREDTHS, Movements, Steps

Text: TypeAlias = pa.StringArray

_HOUR_MS = 3_600_000
_LONGEST_REGRET_MS = 30 * 24 * _HOUR_MS
_FIRST_BIRTHDAY_DAYS = -14_600  # 1930, in days since the epoch
_LAST_BIRTHDAY_DAYS = 13_500  # 2006
_SPELLINGS = 4
# Of this many accelerometer readings, one each comes in upper case, in lower case and padded.
_READINGS_PER_SPELLING = 400


def _text(array: object) -> Text:
    """Tell the type checker what PyArrow's annotations leave open."""
    return cast(Text, array)


def _hundredths(key: str, end: str = "") -> Text:
    """Return `,"key":value` for every value that a phone reports, from the smallest."""
    values = range(-STRONGEST_HUNDREDTHS, STRONGEST_HUNDREDTHS + 1)
    return _text(pa.array([f',"{key}":{value / 100}{end}' for value in values]))


_X, _Y, _Z = _hundredths("x"), _hundredths("y"), _hundredths("z", "}\n")
_DISTANCES = _text(pa.array([f',"distanceFromObject":{value}}}\n' for value in range(FARTHEST + 1)]))


@dataclass(frozen=True, slots=True)
class Identities:
    """Who the customers say they are. Grain: one element per customer; `email` is in no other chunk."""

    name: Text
    email: Text
    phone: Text
    birthday: Text


def _draw_identities(random: np.random.Generator, people: People) -> Identities:
    """Invent names; the number of the customer makes the email unique."""
    count = people.count
    first = _pick(_text(pa.array(FIRST_NAMES)), random.integers(0, len(FIRST_NAMES), count))
    last = _pick(_text(pa.array(LAST_NAMES)), random.integers(0, len(LAST_NAMES), count))
    number = _digits(np.arange(people.first, people.first + count))
    days = random.integers(_FIRST_BIRTHDAY_DAYS, _LAST_BIRTHDAY_DAYS, count).astype(np.int32)
    return Identities(
        name=_joined(first, " ", last),
        email=_joined(first, ".", last, number, "@test.com"),
        phone=_digits(random.integers(8_015_550_000, 8_015_560_000, count)),
        birthday=_text(pa.array(days, pa.date32()).cast(pa.string())),
    )


def write_records(options: SimulationOptions, chunk: Chunk, scene: Scene) -> tuple[dict[str, Text], Identities]:
    """Write what a chunk reports.

    Args:
        options: Whose random numbers.
        chunk: Which chunk.
        scene: What happened in it.

    Returns:
        Per feed a line for each record, and who the customers are.
    """
    random = random_stream(options, Stream.RECORDS, chunk.number)
    identities = _draw_identities(random, scene.people)
    feeds = {
        "customer": _customer_lines(random, scene.people, identities, scene.consent_ms),
        "accelerometer": _accelerometer_lines(random, scene.sessions, scene.movements, identities.email),
        "step_trainer": _step_trainer_lines(scene.people, scene.sessions, scene.steps),
    }
    return feeds, identities


def write_session_rows(scene: Scene, spans: SessionSpans, identities: Identities) -> Text:
    """Write lines of `truth/sessions.ndjson`: one per session that the devices reported; instants in ms."""
    people, owner = scene.people, scene.sessions.owner[spans.session]
    return _joined(
        '{"serialNumber":"',
        _pick(people.serial_numbers, scene.sessions.device[spans.session]),
        '","sessionStart":',
        _digits(spans.start),
        ',"sessionEnd":',
        _digits(spans.end),
        ',"email":"',
        _pick(identities.email, owner),
        '","consents":',
        _pick(_text(pa.array(["false", "true"])), people.consents[owner].astype(np.int64)),
        ',"usableReadings":',
        _digits(spans.usable_readings),
        "}\n",
    )


def _customer_lines(random: np.random.Generator, people: People, identities: Identities, consent_ms: IntArray) -> Text:
    """Write the record of each customer, and a later one without consent of those who withdrew; shuffled."""
    who = np.concatenate([np.arange(people.count), np.flatnonzero(people.withdrawn)])
    is_later = np.arange(len(who)) >= people.count
    registration_ms = people.registration_ms[who]
    shares = people.shares[who]
    update_ms = np.where(shares, consent_ms[who], registration_ms)
    update_ms += np.where(is_later, random.integers(_HOUR_MS, _LONGEST_REGRET_MS, len(who)), 0)
    public, friends = random.random((2, people.count)) < 0.5
    lines = _joined(
        '{"customerName": "',
        _pick(identities.name, who),
        '", "email": "',
        _pick(identities.email, who),
        '", "phone": "',
        _pick(identities.phone, who),
        '", "birthDay": "',
        _pick(identities.birthday, who),
        '", "serialNumber": "',
        _pick(people.serial_numbers, people.registered[who]),
        '", "registrationDate": ',
        _digits(registration_ms),
        ', "lastUpdateDate": ',
        _digits(update_ms),
        _given("shareWithResearchAsOfDate", consent_ms[who], shares & ~is_later),
        _given("shareWithPublicAsOfDate", registration_ms, public[who]),
        _given("shareWithFriendsAsOfDate", registration_ms, friends[who]),
        "}\n",
    )
    return _pick(lines, random.permutation(len(who)))


def _given(key: str, instant_ms: IntArray, given: BoolArray) -> Text:
    """Return `, "key": instant` where it is given, else nothing."""
    return _text(pc.if_else(pa.array(given), _joined(f', "{key}": ', _digits(instant_ms)), ""))


def _accelerometer_lines(random: np.random.Generator, sessions: Sessions, movements: Movements, email: Text) -> Text:
    """Write the readings of the phones; now and then the app spells the email its own way."""
    spellings = [email, pc.utf8_upper(email), pc.utf8_lower(email), _joined("  ", email, " ")]
    beginnings = _joined('{"user":"', pa.concat_arrays(spellings), '","timestamp":')
    spelling = random.integers(0, _READINGS_PER_SPELLING, len(movements.instant), dtype=np.int16)
    spelling[spelling >= _SPELLINGS] = 0
    return _joined(
        _pick(beginnings, sessions.owner[movements.session] + spelling * np.int64(len(email))),
        _digits(movements.instant),
        _pick(_X, movements.x + STRONGEST_HUNDREDTHS),
        _pick(_Y, movements.y + STRONGEST_HUNDREDTHS),
        _pick(_Z, movements.z + STRONGEST_HUNDREDTHS),
    )


def _step_trainer_lines(people: People, sessions: Sessions, steps: Steps) -> Text:
    """Write the readings of the devices."""
    middles = _joined(',"serialNumber":"', people.serial_numbers, '"')
    return _joined(
        '{"sensorReadingTime":',
        _digits(steps.instant),
        _pick(middles, sessions.device[steps.session]),
        _pick(_DISTANCES, steps.distance),
    )


def _pick(texts: Text, index: npt.NDArray[np.signedinteger]) -> Text:
    """Return the text at each index."""
    return _text(texts.take(pa.array(index)))


def _digits(numbers: IntArray) -> Text:
    """Return whole numbers as text."""
    return _text(pa.array(numbers).cast(pa.string()))


def _joined(*parts: Text | str) -> Text:
    """Join columns and constants, row by row."""
    join = cast(Callable[..., Text], pc.binary_join_element_wise)
    return join(*parts, "")
