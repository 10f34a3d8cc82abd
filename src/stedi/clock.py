"""The only place that asks what time it is, so that tests can say."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The current instant, in UTC, with a time zone."""
    return datetime.now(UTC)


def stopwatch_s() -> float:
    """Seconds on a clock that never goes back; only differences mean anything."""
    return time.perf_counter()
