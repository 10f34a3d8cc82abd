"""What a simulation shall look like: one frozen value, checked when it is made."""

from dataclasses import dataclass, fields

_MOST_CLOCK_ERROR_MS = 10_000
_MOST_READINGS = 100_000
_RANGES: dict[str, tuple[int, int]] = {
    "customers": (1, 1_000_000_000),
    "seed": (0, 2**63 - 1),
    "clock_skew_ms": (0, _MOST_CLOCK_ERROR_MS),
    "jitter_ms": (0, _MOST_CLOCK_ERROR_MS),
    "readings_per_session": (1, _MOST_READINGS),
    "records_per_file": (1, 1_000_000_000),
    "interval_ms": (20, 8_000),
}
# Only every other record may become dirty, so that two kinds of dirt never meet in one line.
_GREATEST_SHARE = {"dirty_share": 0.5, "drop_rate": 0.99}


@dataclass(frozen=True, slots=True)
class SimulationOptions:
    """How many customers, how the feeds misbehave, and how they are cut into files.

    The same options give the same bytes. Shares and rates lie between 0 and 1.

    Attributes:
        customers: Number of customers.
        seed: Start of all randomness.
        reused_serial_share: Share of customers whose registered `serialNumber` is one of the same 30 numbers;
            the others are registered with the device they use.
        consent_share: Share of customers who give `shareWithResearchAsOfDate`.
        late_consent_share: Share of the consenting ones whose consent instant lies among their readings: at
            least one reading came before it, and now and then all of them did.
        withdrawn_share: Share of the consenting ones who withdraw with a later record.
        drop_rate: Share of readings lost, on either side on its own (at most 0.99).
        clock_skew_ms: Each phone's clock is off from the device's by up to this much, ms.
        jitter_ms: Each instant of the phone is off by up to this much more, ms.
        simultaneous_share: Share of sessions that begin in the same second as another one; some of their
            instants, sometimes all, coincide.
        shared_device_share: Share of customers who live in a household of two that uses one device, at times
            more than 60 s apart.
        second_device_share: Share of customers who have a later session with a second device.
        duplicate_rate: Share of records that are delivered twice, half of them in another file.
        dirty_share: Share of records that get dirt (at most 0.5). Above 0 and from 100 customers on, each
            feed shows every kind at least once.
        compressed_share: Share of the files that are `.gz` or `.zst`, in turns.
        late_share: Share of the files that come later, and lie in `late/` until then.
        readings_per_session: Step trainer instants per session.
        records_per_file: Records of a file before the next one begins.
        interval_ms: Nominal time between two instants of a session, ms. The default shows the steps; 3000 is
            what the feeds of 2023 have, too slow to see a step.

    Raises:
        ValueError: A value is outside its range.
    """

    customers: int = 1000
    seed: int = 0
    reused_serial_share: float = 1.0
    consent_share: float = 0.5
    late_consent_share: float = 0.2
    withdrawn_share: float = 0.02
    drop_rate: float = 0.0
    clock_skew_ms: int = 0
    jitter_ms: int = 0
    simultaneous_share: float = 0.0
    shared_device_share: float = 0.02
    second_device_share: float = 0.02
    duplicate_rate: float = 0.002
    dirty_share: float = 0.002
    compressed_share: float = 0.2
    late_share: float = 0.0
    readings_per_session: int = 30
    records_per_file: int = 250_000
    interval_ms: int = 140

    def __post_init__(self) -> None:
        """Refuse values that no feed could have."""
        for field in fields(self):
            _check(field.name, getattr(self, field.name))

    @property
    def evidence_is_clean(self) -> bool:
        """Whether phone and device agree and sessions are told apart, so that every assignment is known."""
        return not (self.drop_rate or self.clock_skew_ms or self.jitter_ms or self.simultaneous_share)

    @property
    def shows_every_dirt(self) -> bool:
        """Whether each feed must show every kind of dirt."""
        return self.dirty_share > 0 and self.customers >= 100


def _check(name: str, value: object) -> None:
    """Refuse a value of the wrong type or outside its range."""
    if name in _RANGES:
        low, high = _RANGES[name]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{name} must be a whole number from {low} to {high}")
        return
    greatest = _GREATEST_SHARE.get(name, 1.0)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= greatest:
        raise ValueError(f"{name} must be a number from 0 to {greatest:g}")
