"""How long properties are searched: a fixed number of examples, each run's seed printed on failure."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "stedi",
    max_examples=int(os.environ.get("STEDI_EXAMPLES", "40")),
    deadline=None,
    # Shrinking runs the product hundreds of times: ask for it, with STEDI_SHRINK=1, when there is something to shrink.
    phases=[p for p in Phase if p != Phase.shrink or os.environ.get("STEDI_SHRINK")],
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("stedi")
