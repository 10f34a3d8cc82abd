"""STEDI feeds of any size, with every defect of the real ones and the truth to check against.

`simulate` writes a folder of feeds (SPEC section 1), and what the lakehouse must make of them (sections 4
and 5).
"""

from stedi.simulate.options import SimulationOptions
from stedi.simulate.simulator import simulate
from stedi.simulate.truth import Truth

__all__ = ["SimulationOptions", "Truth", "simulate"]
