"""What the lakehouse must make of the feeds: counted from what the generator knows, not from what it wrote.

1. Each chunk counts what is its own: its readings, its consents, who used its devices.
2. Whether one of the thirty reused numbers is carried by one customer, or by any, is known when all chunks
   are: what hangs on it is counted per number.
3. `complete` adds both up for the policies `strict` and `seed` (SPEC sections 3 to 5, with the default gap,
   M, J and tolerance).
"""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from stedi.simulate.chunks import FEEDS, REUSED_NUMBERS, BoolArray, IntArray
from stedi.simulate.options import SimulationOptions
from stedi.simulate.people import People
from stedi.simulate.scene import Scene, SessionSpans

_LEAST_MATCHES = 3
_BY_DEVICE = ("device_sessions", "step_trainer_trusted", "machine_learning_curated")


@dataclass(frozen=True)
class Truth:
    """The row counts to check a lakehouse against.

    Attributes:
        options: What was simulated.
        arrived: Per feed the records that arrived: read and quarantined.
        read: Per feed the records that can be read, those delivered twice counted twice.
        quarantined: Per feed the records that cannot.
        expected: Per policy (`strict`, `seed`) and table of SPEC section 4 the number of rows, once all files
            were read, late ones too, with the default settings of section 5. `None`: the options make sessions hard to
            tell apart, and only the true owners are known. `device_sessions` has no rows under `seed`.
        facts: Numbers of customers, sessions and the like, for people to read.
    """

    options: SimulationOptions
    arrived: dict[str, int]
    read: dict[str, int]
    quarantined: dict[str, int]
    expected: dict[str, dict[str, int | None]]
    facts: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return what `truth/truth.json` holds."""
        return asdict(self)


def _per_number() -> IntArray:
    return np.zeros(REUSED_NUMBERS, dtype=np.int64)


def _per_table_and_number() -> dict[str, IntArray]:
    return {name: _per_number() for name in _BY_DEVICE}


@dataclass(slots=True)
class Tally:
    """What is counted, of one chunk or of several.

    Attributes:
        facts: See `Truth.facts`.
        strict: Rows per table under `strict`.
        seed: Rows per table under `seed`.
        carriers: Per reused number the customers whose holding record carries it.
        curated_carriers: Those of them who are in `customers_curated` under `seed`.
        stand_ins: Per table and number the rows under `strict` if exactly one customer carries the number.
        matches: Per table and number the rows under `seed` if any curated customer carries it.
    """

    facts: Counter[str] = field(default_factory=Counter)
    strict: Counter[str] = field(default_factory=Counter)
    seed: Counter[str] = field(default_factory=Counter)
    carriers: IntArray = field(default_factory=_per_number)
    curated_carriers: IntArray = field(default_factory=_per_number)
    stand_ins: dict[str, IntArray] = field(default_factory=_per_table_and_number)
    matches: dict[str, IntArray] = field(default_factory=_per_table_and_number)

    def add(self, other: "Tally") -> None:
        """Add what another chunk counted."""
        self.facts.update(other.facts)
        self.strict.update(other.strict)
        self.seed.update(other.seed)
        self.carriers += other.carriers
        self.curated_carriers += other.curated_carriers
        for name in _BY_DEVICE:
            self.stand_ins[name] += other.stand_ins[name]
            self.matches[name] += other.matches[name]


def count_scene(scene: Scene, spans: SessionSpans) -> Tally:
    """Count the rows that a chunk brings to the tables.

    Args:
        scene: What happened.
        spans: The sessions as the devices reported them.

    Returns:
        The counts of this chunk.
    """
    tally = Tally()
    session, instant = scene.movements.session, scene.movements.instant
    owner = scene.sessions.owner[session]
    usable = scene.may_be_used(session, instant)
    shared = scene.people.consents[owner]
    tally.facts.update(_facts(scene.people, spans))
    _count_people(tally.strict, scene.people, owner[usable])
    _count_people(tally.seed, scene.people, owner[shared])
    _count_assigned(tally, scene, spans, np.bincount(session[usable], minlength=len(scene.sessions.owner)))
    _count_registered(tally, scene, _found(scene.people, owner[shared]), np.sort(instant[shared]))
    return tally


def complete(options: SimulationOptions, tally: Tally, read: dict[str, int], quarantined: dict[str, int]) -> Truth:
    """Settle what hangs on the reused numbers, and put everything together.

    Args:
        options: What was simulated.
        tally: The counts of all chunks.
        read: Per feed the records that can be read.
        quarantined: Per feed the records that cannot.

    Returns:
        The truth.
    """
    alone, any_curated = tally.carriers == 1, tally.curated_carriers > 0
    landed = {f"{feed}_landing": read[feed] for feed in FEEDS} | {"quarantine": sum(quarantined.values())}
    strict: dict[str, int | None] = {**landed, **_plain(tally.strict)}
    seed: dict[str, int | None] = {**landed, **_plain(tally.seed)}
    for name in _BY_DEVICE:
        settled = tally.strict[name] + int(tally.stand_ins[name][alone].sum())
        strict[name] = settled if options.evidence_is_clean else None
        seed[name] = tally.seed[name] + int(tally.matches[name][any_curated].sum())
    return Truth(
        options=options,
        arrived={feed: read[feed] + quarantined[feed] for feed in FEEDS},
        read=read,
        quarantined=quarantined,
        expected={"strict": strict, "seed": seed},
        facts=_plain(tally.facts),
    )


def _facts(people: People, spans: SessionSpans) -> dict[str, int]:
    """Return numbers for people to read."""
    return {
        "customers": people.count,
        "consentingCustomers": int(people.consents.sum()),
        "lateConsents": int((people.late & people.consents).sum()),
        "withdrawals": int(people.withdrawn.sum()),
        "households": int(people.guest.sum()),
        "secondDevices": int(people.has_second_device.sum()),
        "sessions": len(spans.session),
    }


def _found(people: People, customers: IntArray) -> BoolArray:
    """Return per customer whether they are among these."""
    return np.bincount(customers, minlength=people.count) > 0


def _count_people(tables: Counter[str], people: People, movers: IntArray) -> None:
    """Count what needs no device, from the customer of each allowed accelerometer reading."""
    tables["consent_history"] = people.count  # one run, so one decision each
    tables["customer_trusted"] = int(people.consents.sum())
    tables["accelerometer_trusted"] = len(movers)
    tables["customers_curated"] = int(_found(people, movers).sum())


def _count_assigned(tally: Tally, scene: Scene, spans: SessionSpans, usable_movements: IntArray) -> None:
    """Count, under `strict`, the sessions that go to their owners, and their readings (SPEC section 5).

    That nobody else is a candidate, and that the owner's sessions do not overlap, is the generator's doing.
    """
    people, usable_steps = scene.people, spans.usable_readings
    device, owner = scene.sessions.device[spans.session], scene.sessions.owner[spans.session]
    carriers = np.bincount(people.registered, minlength=len(people.serial_numbers))
    tally.carriers += carriers[:REUSED_NUMBERS]
    enough = usable_steps >= _LEAST_MATCHES
    # One or two usable readings will do where the owner alone is registered with the very device.
    scarce = (usable_steps > 0) & ~enough & (people.registered[owner] == device)
    reused = device < REUSED_NUMBERS
    assigned = enough | (scarce & ~reused & (carriers[device] == 1))
    open_yet = scarce & reused
    rows = (np.ones_like(device), usable_steps, usable_movements[spans.session])
    for name, each in zip(_BY_DEVICE, rows, strict=True):
        tally.strict[name] = int(each[assigned].sum())
        np.add.at(tally.stand_ins[name], device[open_yet], each[open_yet])


def _count_registered(tally: Tally, scene: Scene, curated: BoolArray, shared_instants: IntArray) -> None:
    """Count, under `seed`, the steps of registered devices, and each with all movements of its instant.

    Every movement that shares an instant with a step is of the same chunk, whoever moved.
    """
    registered = scene.people.registered[curated]
    reused = registered < REUSED_NUMBERS
    tally.curated_carriers += np.bincount(registered[reused], minlength=REUSED_NUMBERS)
    device, instant = scene.sessions.device[scene.steps.session], scene.steps.instant
    until = np.searchsorted(shared_instants, instant, "right")
    movements = until - np.searchsorted(shared_instants, instant, "left")
    known = np.isin(device, registered[~reused])
    open_yet = device < REUSED_NUMBERS
    rows = (np.zeros_like(device), np.ones_like(device), movements)
    for name, each in zip(_BY_DEVICE, rows, strict=True):
        tally.seed[name] = int(each[known].sum())
        np.add.at(tally.matches[name], device[open_yet], each[open_yet])


def _plain(counts: Counter[str]) -> dict[str, int]:
    """Return counts as a plain dictionary, in the order of their names."""
    return {name: int(counts[name]) for name in sorted(counts)}
