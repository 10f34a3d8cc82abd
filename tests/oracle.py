"""What the lakehouse must hold: sections 1 to 5 of the specification, slow and plain.

This is the independent oracle of the tests. It is written from `shared/SPEC.md` and
`docs/decisions/0001-what-the-spec-leaves-open.md` alone and shares no code with the product. In order:

1. `read_records` reads one landing file into records and quarantined records (section 1).
2. `expected` lands every delivered file and picks each customer's holding record (section 2).
3. The readings of consenting customers that the policy allows become `accelerometer_trusted` (section 3).
4. Under `strict`, sessions are cut, evidence is counted and each session is judged (section 5).
5. The other tables follow from these (section 4); `withheld` counts what was kept out.
6. `history_of` replays the runs to say what was known of each customer's decision when (section 6).

Only the standard library is needed; `zstandard` is imported when a `.zst` file is read.
"""

import gzip
import importlib
import io
import json
import math
import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

Value = str | int | float | None
Row = tuple[Value, ...]
Delivery = Sequence[tuple[str, Path]]


@dataclass(frozen=True)
class Settings:
    """The choices that `stedi.toml` offers and that change what the tables hold (sections 3 and 5)."""

    policy: str = "strict"
    session_gap_ms: int = 60_000
    min_matches: int = 3
    min_jaccard: float = 0.8
    tolerance_ms: int = 0
    identity_rule: str = "jaccard"  # or "likelihood", docs/decisions/0002
    skew_ms: int = 0
    min_evidence: float = 3
    min_margin: float = 10

    def __post_init__(self) -> None:
        """Refuse a policy that the specification does not name."""
        if self.policy not in ("strict", "seed"):
            raise ValueError("policy must be 'strict' or 'seed'")


@dataclass(frozen=True)
class Record:
    """One record that could be read: exactly the fields of its feed, `None` for an absent one."""

    values: dict[str, Value]
    file: str
    line: int


@dataclass(frozen=True)
class Quarantined:
    """One record that could not be read or breaks its contract; the reason shows no value."""

    file: str
    line: int
    reason: str


@dataclass(frozen=True)
class FileRecords:
    """Everything that one file brought: read or quarantined, nothing else."""

    records: list[Record]
    quarantined: list[Quarantined]


# --- Section 1: values ------------------------------------------------------------------------------------


class Unreadable(ValueError):
    """A record cannot be read without guessing; the message is the reason."""


class _Number(str):
    """A JSON number as it was written (also `NaN` and `Infinity`, which match no number pattern below)."""


class _Object(list[tuple[str, object]]):
    """A JSON object as its keys and values in order, so that a key that comes twice is seen."""


_NUMBER = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
_WHOLE_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)")


_LARGEST_EXACT = 2**53  # up to here a double holds every integer


def _to_integer(value: object) -> int:
    """Read a whole number that fits 64 bits: 123, "123", 123.0 or 1.23e2; a string takes no exponent."""
    text = _number_text(value)
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise Unreadable("not an integer")
    _, _, fraction, exponent = match.groups()
    if fraction is None and exponent is None:
        integer = int(text)
    elif isinstance(value, _Number):
        integer = _whole_double(float(text))
    elif exponent is None and set(fraction) == {"0"}:
        integer = int(text.split(".")[0])
    else:
        raise Unreadable("not a whole number")
    if not -(2**63) <= integer < 2**63:
        raise Unreadable("does not fit 64 bits")
    return integer


def _whole_double(number: float) -> int:
    """Return a number written with a fraction or an exponent, which is a double in JSON, as an integer."""
    if not number.is_integer() or abs(number) >= _LARGEST_EXACT:
        raise Unreadable("not a whole number")
    return int(number)


def _to_double(value: object) -> float:
    """Read a finite number, or a string that holds one in JSON's notation."""
    text = _number_text(value)
    if _NUMBER.fullmatch(text) is None or not math.isfinite(float(text)):
        raise Unreadable("not a finite number")
    return float(text)


def _number_text(value: object) -> str:
    """Return a number as written, or a trimmed string; `true`, an object or an array is neither."""
    if not isinstance(value, str):
        raise Unreadable("not a number")
    return value if isinstance(value, _Number) else value.strip()


def _to_text(value: object) -> str:
    """Read a string as it is, or a whole number as its digits."""
    if not isinstance(value, str) or (isinstance(value, _Number) and not _WHOLE_NUMBER.fullmatch(value)):
        raise Unreadable("not a text")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise Unreadable("half of a surrogate pair") from None
    return str(value)


_Reader = Callable[[object], Value]

# Each feed's fields in the order of section 1.
FIELDS: dict[str, dict[str, _Reader]] = {
    "customer": {
        "customerName": _to_text,
        "email": _to_text,
        "phone": _to_text,
        "birthDay": _to_text,
        "serialNumber": _to_text,
        "registrationDate": _to_integer,
        "lastUpdateDate": _to_integer,
        "shareWithResearchAsOfDate": _to_integer,
        "shareWithPublicAsOfDate": _to_integer,
        "shareWithFriendsAsOfDate": _to_integer,
    },
    "accelerometer": {
        "user": _to_text,
        "timestamp": _to_integer,
        "x": _to_double,
        "y": _to_double,
        "z": _to_double,
    },
    "step_trainer": {
        "sensorReadingTime": _to_integer,
        "serialNumber": _to_text,
        "distanceFromObject": _to_integer,
    },
}

REQUIRED: dict[str, set[str]] = {
    "customer": {"email", "lastUpdateDate"},
    "accelerometer": set(FIELDS["accelerometer"]),
    "step_trainer": set(FIELDS["step_trainer"]),
}


def _read_values(found: object, feed: str) -> dict[str, Value]:
    """Read one parsed JSON value by the contract of its feed.

    Raises:
        Unreadable: It is not an object, or any field of the contract breaks its rule.
    """
    if not isinstance(found, _Object):
        raise Unreadable("not an object")
    by_name: dict[str, list[tuple[str, object]]] = defaultdict(list)
    for key, value in found:
        by_name[key.lower()].append((key, value))
    return {
        field: _read_field(field, _choose(field, by_name[field.lower()]), reader, field in REQUIRED[feed])
        for field, reader in FIELDS[feed].items()
    }


def _choose(field: str, spellings: list[tuple[str, object]]) -> object:
    """Return the value of a field, whose key may come in several spellings; `None` where it is absent."""
    exact = [value for key, value in spellings if key == field]
    candidates = exact or [value for _, value in spellings]
    if len(candidates) > 1:
        raise Unreadable(f"{field}: duplicate key")
    return candidates[0] if candidates else None


def _read_field(field: str, value: object, reader: _Reader, required: bool) -> Value:
    """Read one field; null is the same as absent, and a required text holds more than white space."""
    if value is None and required:
        raise Unreadable(f"{field}: missing")
    if value is None:
        return None
    try:
        read = reader(value)
    except Unreadable as error:
        raise Unreadable(f"{field}: {error}") from None
    if required and isinstance(read, str) and not read.strip():
        raise Unreadable(f"{field}: blank")
    return read


# --- Section 1: files -------------------------------------------------------------------------------------

_JSON_SPACE = " \t\r\n"
_NO_RECORD = ("", "[", "]", "],", ",")


def _decoder(parse_constant: Callable[[str], object]) -> json.JSONDecoder:
    """Return a JSON parser that loses nothing: numbers as written, objects with every key."""
    return json.JSONDecoder(
        object_pairs_hook=_Object,
        parse_int=_Number,
        parse_float=_Number,
        parse_constant=parse_constant,
    )


_DECODER = _decoder(_Number)  # NaN in a line spoils its field, not its line


class _Found(NamedTuple):
    """One record of a file before its contract was asked; `broken` says why it is no JSON."""

    line: int
    value: object
    broken: str | None = None


def read_records(path: Path, feed: str) -> FileRecords:
    """Read one landing file (section 1).

    Args:
        path: `.json`, `.jsonl` or `.ndjson`, plain or `.gz` or `.zst`.
        feed: `customer`, `accelerometer` or `step_trainer`.

    Returns:
        Every record that arrived, read or quarantined, in the order of the file.
    """
    data = _read_bytes(path).removeprefix(b"\xef\xbb\xbf")
    array = _whole_array(data)
    found = _read_lines(data) if array is None else [_Found(at, item) for at, item in enumerate(array, 1)]
    result = FileRecords([], [])
    for line, value, broken in found:
        try:
            if broken is not None:
                raise Unreadable(broken)
            result.records.append(Record(_read_values(value, feed), str(path), line))
        except Unreadable as error:
            result.quarantined.append(Quarantined(str(path), line, str(error)))
    return result


def _read_bytes(path: Path) -> bytes:
    """Return the bytes of a file, unpacked."""
    data = path.read_bytes()
    if path.suffix.lower() == ".gz":
        return gzip.decompress(data)
    if path.suffix.lower() == ".zst":
        unpacker = importlib.import_module("zstandard").ZstdDecompressor()
        return bytes(unpacker.stream_reader(io.BytesIO(data), read_across_frames=True).read())
    return data


def _whole_array(data: bytes) -> list[object] | None:
    """Return the items of a file that is one valid JSON array, or `None`."""
    if not data.lstrip(_JSON_SPACE.encode()).startswith(b"["):
        return None
    try:
        value = _DECODER.decode(data.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def _scan(text: str) -> tuple[list[object], str]:
    """Read objects that stand one after another, with only commas and brackets around them.

    Returns:
        The objects that can be read from the left, and the rest that cannot ("" when nothing is left).
    """
    objects: list[object] = []
    at = 0
    while True:
        start = text.find("{", at)
        between = text[at:] if start < 0 else text[at:start]
        if any(part.strip(_JSON_SPACE) not in _NO_RECORD for part in between.split("\n")):
            return objects, text[at:]
        if start < 0:
            return objects, ""
        try:
            value, at = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            return objects, text[start:]
        objects.append(value)


def _read_lines(data: bytes) -> list[_Found]:
    """Read a file line by line; lines that cannot be read alone may be a record spread over several."""
    found: list[_Found] = []
    pieces: list[tuple[int, str]] = []  # the lines read so far that may belong to one spread record
    for number, raw in enumerate(data.split(b"\n"), 1):
        try:
            text = raw.decode("utf-8").strip(_JSON_SPACE)
        except UnicodeDecodeError:
            found += [*_join(pieces), _Found(number, None, "not UTF-8")]
            pieces = []
            continue
        objects, rest = _scan(text)
        if objects:
            found += [*_join(pieces), *(_Found(number, value) for value in objects)]
            found += [_Found(number, None, "not JSON")] if rest else []
            pieces = []
        elif text.startswith("{"):
            found += _join(pieces)
            pieces = [(number, text)]
        else:
            pieces.append((number, text))
    return found + _join(pieces)


def _join(pieces: list[tuple[int, str]]) -> list[_Found]:
    """Read lines as one record that is spread over them, or quarantine each of them that is not blank."""
    joined = "\n".join(text for _, text in pieces)
    objects, rest = _scan(joined)
    if joined.startswith("{") and len(objects) == 1 and not rest:
        return [_Found(pieces[0][0], objects[0])]
    return [_Found(number, None, "not JSON") for number, text in pieces if text not in _NO_RECORD]


# --- Section 2: who is who --------------------------------------------------------------------------------


class Customer(NamedTuple):
    """The record that holds, of one customer. Key: `email`, normalised."""

    email: str
    source_email: str
    serial_number: str | None
    consent_ms: int | None
    row: Row
    decided_ms: int | None
    place: tuple[str, int]


class Movement(NamedTuple):
    """One accelerometer reading, as it came."""

    user: str
    timestamp: int
    x: float
    y: float
    z: float


class Step(NamedTuple):
    """One step trainer reading, as it came."""

    sensor_reading_time: int
    serial_number: str
    distance_from_object: int


@dataclass(frozen=True)
class _Landed:
    """A record and the number of the run that landed it."""

    record: Record
    run: int

    def text(self, field: str) -> str:
        """Return a required text."""
        value = self.record.values[field]
        assert isinstance(value, str)
        return value

    def integer(self, field: str) -> int | None:
        """Return an integer, or `None` where it is absent."""
        value = self.record.values[field]
        assert value is None or isinstance(value, int)
        return value

    def row(self) -> Row:
        """Return the source fields in the order of section 1."""
        return tuple(self.record.values.values())

    def landing_row(self) -> Row:
        """Return the source fields, file and line."""
        return (*self.row(), self.record.file, self.record.line)


def normalised(email: str) -> str:
    """Return an email as customers are compared by: trimmed, lower case."""
    return email.strip().lower()


def _given(instant_ms: int | None) -> int | None:
    """Return the instant since which a customer shares; 0, null and negative numbers mean not given."""
    return instant_ms if instant_ms is not None and instant_ms > 0 else None


def _holds(landed: _Landed) -> tuple[object, ...]:
    """Rank the records of one customer: the greatest holds."""
    last_update = landed.integer("lastUpdateDate")
    registration = landed.integer("registrationDate")
    shares = [
        _given(landed.integer(field))
        for field in ("shareWithResearchAsOfDate", "shareWithPublicAsOfDate", "shareWithFriendsAsOfDate")
    ]
    return (
        last_update,
        (registration is not None, registration),
        landed.run,
        landed.record.file,
        landed.record.line,
        [math.inf if instant is None else instant for instant in shares],  # never or later is less
        _row_order(landed.row()),  # the specification is silent here; only makes the oracle deterministic
    )


def _customers(landed: list[_Landed]) -> dict[str, Customer]:
    """Return every customer by normalised email, consenting or not."""
    by_email: dict[str, list[_Landed]] = defaultdict(list)
    for one in landed:
        by_email[normalised(one.text("email"))].append(one)
    customers = {}
    for email, records in by_email.items():
        record = max(records, key=_holds)
        serial_number = record.record.values["serialNumber"]
        customers[email] = Customer(
            email,
            record.text("email"),
            None if serial_number is None else str(serial_number),
            _given(record.integer("shareWithResearchAsOfDate")),
            record.row(),
            record.integer("lastUpdateDate"),
            (record.record.file, record.record.line),
        )
    return customers


# --- Sections 2 and 6: when a decision became known -------------------------------------------------------


def history_of(runs: Sequence[Sequence[Record]]) -> list[Row]:
    """Return the rows of `consent_history`: after every run, look again at all that was known until then.

    Args:
        runs: The customer records that each run landed, oldest run first.
    """
    rows: list[Row] = []
    landed: list[_Landed] = []
    consents_before: dict[str, int | None] = {}
    for number, records in enumerate(runs):
        landed += [_Landed(record, number) for record in records]
        for email, customer in _customers(landed).items():
            known, before_ms = email in consents_before, consents_before.get(email)
            if not known or before_ms != customer.consent_ms:
                decision = _decision(known, before_ms, customer.consent_ms)
                rows.append((email, decision, customer.consent_ms, customer.decided_ms, *customer.place, number))
            consents_before[email] = customer.consent_ms
    return rows


def _by_run(landed: list[_Landed]) -> list[list[Record]]:
    """Return the records of each run that landed any."""
    return [[one.record for one in landed if one.run == run] for run in sorted({one.run for one in landed})]


def _decision(known: bool, before_ms: int | None, now_ms: int | None) -> str:
    """Name what a customer decided, by what was known of them before."""
    if now_ms is None:
        return "withdrew" if known else "not given"
    return "consented" if before_ms is None else "instant changed"


# --- Section 5: whose device is it ------------------------------------------------------------------------


class Session(NamedTuple):
    """A maximal run of one device's readings. Key: device and start."""

    serial_number: str
    instants: tuple[int, ...]  # distinct, ascending

    @property
    def start(self) -> int:
        """Return the first instant."""
        return self.instants[0]

    @property
    def end(self) -> int:
        """Return the last instant."""
        return self.instants[-1]

    def overlaps(self, other: "Session") -> bool:
        """Tell whether the two closed intervals share an instant."""
        return self.start <= other.end and other.start <= self.end


class Pair(NamedTuple):
    """What speaks for one customer as the user of one session."""

    session: Session
    customer: Customer
    matched: tuple[tuple[int, int], ...]  # (device instant, customer instant)
    device_readings: int
    customer_readings: int
    registered: bool  # this device is registered to this customer, and to nobody else
    eligible: bool  # enough evidence; a candidate that is not eligible is a stand-in
    offset_ms: int  # by which the phone's clock is ahead
    evidence_digits: float  # zeros in the odds that chance matches as many

    @property
    def matches(self) -> int:
        """Return M."""
        return len(self.matched)

    @property
    def jaccard(self) -> Fraction:
        """Return J, exactly."""
        return Fraction(self.matches, self.device_readings + self.customer_readings - self.matches)

    @property
    def evidence(self) -> tuple[bool, Fraction, int]:
        """Return the rank without the registration."""
        return (self.eligible, self.jaccard, self.matches)

    @property
    def rank(self) -> tuple[bool, Fraction, int, bool]:
        """Return the rank: the greater the better."""
        return (*self.evidence, self.registered)


class Judged(NamedTuple):
    """A session that has a candidate: assigned to one customer, or ambiguous."""

    session: Session
    assigned: Pair | None
    registered: bool  # the registration decided


def cut_sessions(steps: Iterable[Step], gap_ms: int) -> list[Session]:
    """Cut each device's readings where two neighbours are more than `gap_ms` apart."""
    by_device: dict[str, set[int]] = defaultdict(set)
    for step in steps:
        by_device[step.serial_number].add(step.sensor_reading_time)
    sessions = []
    for serial_number, instants in by_device.items():
        run: list[int] = []
        for instant in sorted(instants):
            if run and instant - run[-1] > gap_ms:
                sessions.append(Session(serial_number, tuple(run)))
                run = []
            run.append(instant)
        sessions.append(Session(serial_number, tuple(run)))
    return sessions


def match_instants(
    device: Sequence[int], person: Sequence[int], tolerance_ms: int, offset_ms: int = 0, reach_ms: int | None = None
) -> list[tuple[int, int]]:
    """Match ascending instants one to one, as many as possible, each pair at most `tolerance_ms` apart.

    The person's instants are `offset_ms` ahead; as they stand, they must lie within `reach_ms` as well.
    """
    low, high = offset_ms - tolerance_ms, offset_ms + tolerance_ms
    if reach_ms is not None:
        low, high = max(low, -reach_ms), min(high, reach_ms)
    # Earliest first is optimal. Let d and a be the earliest instants left.
    # - More than t apart: the earlier of them is too early for everything left on the other side. Drop it.
    # - At most t apart: some maximum matching holds (d, a). Where it holds (d, a') and (d', a) instead, with
    #   a' >= a and d' >= d, then (d, a) and (d', a') do as well, because d' - a' <= d' - a <= t and
    #   a' - d' <= a' - d <= t. Where it uses only one of the two, put (d, a) in the place of that pair.
    matched = []
    d = a = 0
    while d < len(device) and a < len(person):
        if low <= person[a] - device[d] <= high:
            matched.append((device[d], person[a]))
            d += 1
            a += 1
        elif person[a] - device[d] > high:
            d += 1
        else:
            a += 1
    return matched


def _between(instants: Sequence[int], first: int, last: int) -> Sequence[int]:
    """Return the ascending instants from `first` to `last`, both included."""
    return instants[bisect_left(instants, first) : bisect_right(instants, last)]


class _Evidence:
    """The usable instants of the consenting customers, and what they say about a session."""

    def __init__(self, customers: dict[str, Customer], movements: set[Movement], settings: Settings) -> None:
        self._customers = customers
        self._settings = settings
        self._carriers = Counter(customer.serial_number for customer in customers.values())
        by_email: dict[str, set[int]] = defaultdict(set)
        by_instant: dict[int, set[str]] = defaultdict(set)
        for movement in movements:
            by_email[normalised(movement.user)].add(movement.timestamp)
            by_instant[movement.timestamp].add(normalised(movement.user))
        self._instants_of = {email: sorted(instants) for email, instants in by_email.items()}
        self._emails_at = by_instant
        self._all_instants = sorted(by_instant)

    def candidates(self, session: Session) -> list[Pair]:
        """Return the eligible pairs of a session; where it has none, the registered pair that stands in."""
        alike = self.alike(session)
        most, least = self._settings.min_matches, Fraction(str(self._settings.min_jaccard))
        return [pair for pair in alike if pair.eligible] or [
            pair for pair in alike if pair.registered and pair.matches < most and pair.jaccard >= least
        ]

    def alike(self, session: Session) -> list[Pair]:
        """Return the pairs of a session whose J is great enough (or that do better than chance), however small M is."""
        pairs = [self._pair(session, self._customers[email]) for email in self._emails_near(session)]
        if self._settings.identity_rule == "likelihood":
            return [pair for pair in pairs if pair is not None and pair.evidence_digits > 0]
        least = Fraction(str(self._settings.min_jaccard))
        return [pair for pair in pairs if pair is not None and pair.jaccard >= least]

    def _emails_near(self, session: Session) -> set[str]:
        """Return who has a usable instant that could match one of the session's: all others have M = 0."""
        t = self._settings.tolerance_ms + self._settings.skew_ms
        return {
            email
            for device_instant in session.instants
            for instant in _between(self._all_instants, device_instant - t, device_instant + t)
            for email in self._emails_at[instant]
        }

    def _pair(self, session: Session, customer: Customer) -> Pair | None:
        """Count M, D and A over the window; `None` where nothing matches."""
        assert customer.consent_ms is not None
        t, reach = self._settings.tolerance_ms, self._settings.tolerance_ms + self._settings.skew_ms
        instants = self._instants_of[customer.email]
        offset = self._offset(session, instants, customer.consent_ms) if self._settings.skew_ms else 0
        if offset is None:
            return None
        likelihood = self._settings.identity_rule == "likelihood"
        edge = t if likelihood else 0
        first = max(session.start, customer.consent_ms, customer.consent_ms - offset)
        device = _between(session.instants, first, session.end)
        person = _between(instants, first + offset - edge, session.end + offset + edge)
        matched = match_instants(device, person, t, offset, reach)
        if not matched:
            return None
        digits = self._digits(len(matched), len(device), len(person), session.end - first + 1)
        serial_number = session.serial_number
        registered = customer.serial_number == serial_number and self._carriers[serial_number] == 1
        eligible = len(matched) >= self._settings.min_matches and (
            not likelihood or digits >= self._settings.min_evidence
        )
        return Pair(session, customer, tuple(matched), len(device), len(person), registered, eligible, offset, digits)

    def _offset(self, session: Session, instants: Sequence[int], consent_ms: int) -> int | None:
        """Let every two instants vote for their difference; return the middle of the window with most votes."""
        t, reach = self._settings.tolerance_ms, self._settings.tolerance_ms + self._settings.skew_ms
        differences = sorted(
            p - d for d in session.instants if d >= consent_ms for p in instants if abs(p - d) <= reach
        )
        choices = []
        for first in set(differences):
            window = _between(differences, first, first + 2 * t)
            middle = first + (window[-1] - first) // 2
            choices.append((-len(window), abs(middle), middle))
        return min(choices)[2] if choices else None

    def _digits(self, matches: int, device: int, person: int, window_ms: int) -> float:
        """Return how many zeros the odds have that so many instants match by chance, by Chernoff's bound."""
        t, skew = self._settings.tolerance_ms, self._settings.skew_ms
        chance = (5 if skew else 2) * (2 * t + 1) * person / window_ms
        share = matches / device
        if share <= chance or chance >= 1:
            surprise = 0.0
        else:
            surprise = share * math.log(share / chance)
            if share < 1:
                surprise += (1 - share) * math.log((1 - share) / (1 - chance))
        tried = 1 + 2 * skew // (t + 1)
        return math.floor(1000 * (device * surprise - math.log(tried)) / math.log(10)) / 1000


def judge(sessions: Sequence[Session], evidence: _Evidence, settings: Settings) -> list[Judged]:
    """Judge every session that has a candidate; the others are unmatched and get no row."""
    if settings.identity_rule == "likelihood":
        return _judge_by_likelihood(sessions, evidence, settings)
    by_session = [(session, pairs) for session in sessions if (pairs := evidence.candidates(session))]
    by_email: dict[str, list[Pair]] = defaultdict(list)
    for _, pairs in by_session:
        for pair in pairs:
            by_email[pair.customer.email].append(pair)
    return [_judge_one(session, pairs, by_email) for session, pairs in by_session]


def _judge_by_likelihood(sessions: Sequence[Session], evidence: _Evidence, settings: Settings) -> list[Judged]:
    """Assign a session to the candidate that outdoes every other pair of the session, and of the customer meanwhile."""
    alike = {session: evidence.alike(session) for session in sessions}
    every = [pair for pairs in alike.values() for pair in pairs]
    judged = []
    for session in sessions:
        candidates = evidence.candidates(session)
        reach_ms = 2 * settings.skew_ms
        winners = []
        for pair in candidates:
            met = [other for other in alike[session] if other != pair]
            met += [
                other
                for other in every
                if other.customer == pair.customer
                and other.session != session
                and other.session.start <= session.end + reach_ms
                and session.start <= other.session.end + reach_ms
            ]
            outcomes = [_outcome(pair, other, settings) for other in met]
            if all(outcomes):
                winners.append((pair, not pair.eligible or "registration" in outcomes))
        assert len(winners) <= 1
        if candidates:
            judged.append(Judged(session, *(winners[0] if winners else (None, False))))
    return judged


def _outcome(pair: Pair, other: Pair, settings: Settings) -> str:
    """Return by what a pair outdoes another: `evidence`, `registration`, or nothing."""
    if _clearly_better(pair, other, settings):
        return "evidence"
    may = pair.registered and not other.registered and pair.eligible >= other.eligible
    return "registration" if may and not _clearly_better(other, pair, settings) else ""


def _clearly_better(pair: Pair, other: Pair, settings: Settings) -> bool:
    """Tell whether J is greater by more than luck explains, or one match is perfect and the other is not."""
    if pair.jaccard <= other.jaccard:
        return False
    union = [one.device_readings + one.customer_readings - one.matches for one in (pair, other)]
    both = Fraction(pair.matches + other.matches, sum(union))
    variance = both * (1 - both) * (Fraction(1, union[0]) + Fraction(1, union[1]))
    if (pair.jaccard - other.jaccard) ** 2 >= Fraction(str(settings.min_margin)) * variance:
        return True
    side = other.customer_readings if other.session == pair.session else other.device_readings
    return pair.jaccard == 1 and pair.matches >= 10 and side - other.matches >= 2


def _judge_one(session: Session, pairs: list[Pair], by_email: dict[str, list[Pair]]) -> Judged:
    """Assign a session when its best customer's best session among those that overlap it is this one."""
    best = _single_best(pairs)
    if best is None:
        return Judged(session, None, False)
    rivals = [pair for pair in by_email[best.customer.email] if pair.session.overlaps(session)]
    if _single_best(rivals) != best:
        return Judged(session, None, False)
    ties = [pair for pair in pairs + rivals if pair != best and pair.evidence == best.evidence]
    return Judged(session, best, not best.eligible or bool(ties))


def _single_best(pairs: list[Pair]) -> Pair | None:
    """Return the pair that ranks above all others, or `None` where a tie is left."""
    greatest = max(pair.rank for pair in pairs)
    best = [pair for pair in pairs if pair.rank == greatest]
    return best[0] if len(best) == 1 else None


# --- Section 4: the tables --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _People:
    """What both policies start from: consenting customers, their usable readings, all distinct steps."""

    customers: dict[str, Customer]
    consenting: list[Customer]
    movements: set[Movement]
    steps: set[Step]

    def with_movements(self) -> list[Customer]:
        """Return the consenting customers who have at least one usable accelerometer reading."""
        users = {normalised(movement.user) for movement in self.movements}
        return [customer for customer in self.consenting if customer.email in users]


def expected(deliveries: Sequence[Delivery], settings: Settings) -> dict[str, list[Row]]:
    """Return what every table of section 4 holds after the deliveries.

    Args:
        deliveries: One list of (feed, path) per run, in order. Files are read as they are now. A path that is
            listed again replaces what it brought before (section 6), so list a file that was delivered again
            unchanged only where it came first.
        settings: The policy and the numbers of section 5.

    Returns:
        Per table the sorted rows; the columns are those of the source feeds, in the order of section 1, and:
        landing tables end with file and line; `quarantine` is (feed, file, line); `consent_history` is
        (normalised email, decision, consent instant, lastUpdateDate, file, line, number of the run among those
        that landed the customer records there are, from 0); `session_evidence` is
        (serialNumber, sessionStart, sessionEnd, normalised email, M, D, A, clockOffsetMs, evidence); `device_sessions` is
        (serialNumber, sessionStart, sessionEnd, status, normalised email, M, D, A, registered), with `None`
        after the status `ambiguous`; under `strict` `customers_curated` is (email, serialNumber,
        assignedSerialNumber, assignedDevices) and `machine_learning_curated` is (normalised email,
        serialNumber, sessionStart, sensorReadingTime, distanceFromObject, x, y, z).
    """
    landed, quarantine = _land(deliveries)
    people = _people(landed, settings.policy)
    curated = _strict_tables(people, settings) if settings.policy == "strict" else _seed_tables(people)
    tables: dict[str, Iterable[Row]] = {
        **{f"{feed}_landing": [one.landing_row() for one in landed[feed]] for feed in FIELDS},
        "quarantine": quarantine,
        "consent_history": history_of(_by_run(landed["customer"])),
        "customer_trusted": [customer.row for customer in people.consenting],
        "accelerometer_trusted": people.movements,
        **curated,
    }
    return {name: in_order(rows) for name, rows in tables.items()}


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Sort rows, absent values first."""
    return sorted((tuple(row) for row in rows), key=_row_order)


def _row_order(row: Row) -> list[tuple[bool, Value]]:
    """Return what rows are sorted by: `None` has no order of its own."""
    return [(value is not None, value) for value in row]


def _land(deliveries: Sequence[Delivery]) -> tuple[dict[str, list[_Landed]], list[Row]]:
    """Read every delivered file once, as of the last run that brought it."""
    run_of = {(feed, path): run for run, delivery in enumerate(deliveries) for feed, path in delivery}
    landed: dict[str, list[_Landed]] = {feed: [] for feed in FIELDS}
    quarantine: list[Row] = []
    for (feed, path), run in run_of.items():
        read = read_records(path, feed)
        landed[feed] += [_Landed(record, run) for record in read.records]
        quarantine += [(feed, one.file, one.line) for one in read.quarantined]
    return landed, quarantine


def _people(landed: dict[str, list[_Landed]], policy: str) -> _People:
    """Decide who consents and which readings may be used; equal records of a feed are one."""
    customers = _customers(landed["customer"])
    movements = {Movement(*one.row()) for one in landed["accelerometer"]}  # type: ignore[arg-type]
    steps = {Step(*one.row()) for one in landed["step_trainer"]}  # type: ignore[arg-type]
    return _People(
        customers,
        [customer for customer in customers.values() if customer.consent_ms is not None],
        {movement for movement in movements if _usable(movement, customers, policy)},
        steps,
    )


def _usable(movement: Movement, customers: dict[str, Customer], policy: str) -> bool:
    """Tell whether the policy allows an accelerometer reading."""
    customer = customers.get(normalised(movement.user))
    if customer is None or customer.consent_ms is None:
        return False
    return policy == "seed" or movement.timestamp >= customer.consent_ms


def _seed_tables(people: _People) -> dict[str, list[Row]]:
    """Return the curated tables, and the steps, by recorded serial number and instant alone."""
    curated = people.with_movements()
    serial_numbers = {customer.serial_number for customer in curated}
    steps = [step for step in people.steps if step.serial_number in serial_numbers]
    movements_at: dict[int, list[Movement]] = defaultdict(list)
    for movement in people.movements:
        movements_at[movement.timestamp].append(movement)
    return {
        "session_evidence": [],
        "device_sessions": [],
        "customers_curated": [customer.row for customer in curated],
        "step_trainer_trusted": list(steps),
        "machine_learning_curated": [
            (*step, *movement) for step in steps for movement in movements_at[step.sensor_reading_time]
        ],
    }


def _strict_tables(people: _People, settings: Settings) -> dict[str, list[Row]]:
    """Return the curated tables, and the steps, by the evidence."""
    evidence = _Evidence(people.customers, people.movements, settings)
    sessions = cut_sessions(people.steps, settings.session_gap_ms)
    judged = judge(sessions, evidence, settings)
    assigned = [one.assigned for one in judged if one.assigned is not None]
    steps_of: dict[str, list[Step]] = defaultdict(list)
    for step in people.steps:
        steps_of[step.serial_number].append(step)
    movements_of: dict[tuple[str, int], list[Movement]] = defaultdict(list)
    for movement in people.movements:
        movements_of[normalised(movement.user), movement.timestamp].append(movement)
    learning = [_learning_rows(pair, steps_of, movements_of) for pair in assigned]
    return {
        "session_evidence": [_evidence_row(pair) for session in sessions for pair in evidence.alike(session)],
        "device_sessions": [_session_row(one) for one in judged],
        "customers_curated": [_curated_row(customer, assigned) for customer in people.with_movements()],
        "step_trainer_trusted": [step for pair in assigned for step in _usable_steps(pair, steps_of)],
        "machine_learning_curated": [row for rows in learning for row in rows],
    }


def _evidence_row(pair: Pair) -> Row:
    """Return the row of `session_evidence`."""
    session = pair.session
    counts = (pair.matches, pair.device_readings, pair.customer_readings, pair.offset_ms, pair.evidence_digits)
    return (session.serial_number, session.start, session.end, pair.customer.email, *counts)


def _session_row(judged: Judged) -> Row:
    """Return the row of `device_sessions`."""
    session, pair, registered = judged
    key = (session.serial_number, session.start, session.end)
    if pair is None:
        return (*key, "ambiguous", None, None, None, None, None)
    counts = (pair.matches, pair.device_readings, pair.customer_readings)
    return (*key, "assigned", pair.customer.email, *counts, registered)


def _curated_row(customer: Customer, assigned: list[Pair]) -> Row:
    """Return the row of `customers_curated`: the latest assigned device beside the registered one."""
    sessions = [pair.session for pair in assigned if pair.customer.email == customer.email]
    latest = max(((one.start, one.serial_number) for one in sessions), default=None)
    devices = {one.serial_number for one in sessions}
    return (customer.source_email, customer.serial_number, latest[1] if latest else None, len(devices))


def _usable_steps(pair: Pair, steps_of: dict[str, list[Step]]) -> list[Step]:
    """Return the session's readings at or after the consent instant of its customer."""
    session, consent_ms = pair.session, pair.customer.consent_ms
    assert consent_ms is not None
    first = max(session.start, consent_ms)
    return [s for s in steps_of[session.serial_number] if first <= s.sensor_reading_time <= session.end]


def _learning_rows(
    pair: Pair, steps_of: dict[str, list[Step]], movements_of: dict[tuple[str, int], list[Movement]]
) -> list[Row]:
    """Return each usable reading of a session with its customer's readings of the matched instant."""
    session, email = pair.session, pair.customer.email
    partner = dict(pair.matched)
    return [
        (
            *(email, session.serial_number, session.start),
            *(step.sensor_reading_time, step.distance_from_object),
            *(movement.x, movement.y, movement.z),
        )
        for step in _usable_steps(pair, steps_of)
        if step.sensor_reading_time in partner
        for movement in movements_of[email, partner[step.sensor_reading_time]]
    ]


class Withheld(NamedTuple):
    """What became of one feed's readings: arrived = duplicates + kept + withheld."""

    arrived: int
    duplicates: int
    kept: int
    withheld: int


def withheld(tables: dict[str, list[Row]]) -> dict[str, Withheld]:
    """Count per reading feed what `expected` kept out of its trusted table."""
    counts = {}
    for feed in ("accelerometer", "step_trainer"):
        landing, kept = tables[f"{feed}_landing"], len(tables[f"{feed}_trusted"])
        distinct = len({row[:-2] for row in landing})
        counts[feed] = Withheld(len(landing), len(landing) - distinct, kept, distinct - kept)
    return counts
