"""One step on the way from readings to the evidence for whose device it is: a model, and what takes more than a model."""

from __future__ import annotations

from stedi.config import DeviceSettings
from stedi.devices.matching import match_instants
from stedi.devices.offsets import find_offsets
from stedi.engines.base import Engine


def keep_step(engine: Engine, step: str, select: str, devices: DeviceSettings) -> None:
    """Compute a step and keep it. `clock_offsets` follows from `near_instants`, and `instant_matches` from `instant_pairs`."""
    if step == "near_instants":  # may be many times the readings: it is computed where it is read
        engine.define(step, select)
        find_offsets(engine, devices)
        return
    engine.keep(step, select)
    if step == "instant_pairs":
        match_instants(engine, devices.clock_tolerance_ms)
