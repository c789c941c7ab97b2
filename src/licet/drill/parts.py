"""Which part of the pipeline a failure points to: by the registries of what there is, so that a new part has a name the day it comes."""

from __future__ import annotations

from typing import Final

from licet.catalogue import CHECKS
from licet.drill.forgery import FORGERY
from licet.drill.scenario import PROBE
from licet.monitor.detectors import DETECTORS
from licet.monitor.passes import PASSES

PROBES: Final = f"reader {PROBE}"
"""What tries ended credentials, as failures name it."""

_OF_PROBES: Final = ("PROBE_AUTHENTICATES",)


def part_names(code: str) -> tuple[str, ...]:
    """The parts that can give a reason code, or the id of one of the guard's checks."""
    if code in CHECKS:
        return (f"check {code}",)
    passes = [(each.name, each.codes) for each in PASSES] + [(FORGERY, ("DRILL_FORGERY",))]
    found = [f"detector {each.name}" for each in DETECTORS if code in each.codes]
    found += [PROBES] if code in _OF_PROBES else []
    return (*found, *(f"pass {name}" for name, codes in passes if code in codes))
