"""Which part of the pipeline a failure points to: by the registries of what there is, so that a new part has a name the day it comes."""

from __future__ import annotations

from licet.drill.forgery import FORGERY
from licet.monitor.detectors import DETECTORS
from licet.monitor.passes import PASSES


def part_names(code: str) -> tuple[str, ...]:
    """The parts that can give a reason code."""
    passes = [(each.name, each.codes) for each in PASSES] + [(FORGERY, ("DRILL_FORGERY",))]
    found = [f"detector {each.name}" for each in DETECTORS if code in each.codes]
    return (*found, *(f"pass {name}" for name, codes in passes if code in codes))
