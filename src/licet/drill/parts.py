"""Which part of the pipeline a failure points to: by the registries of what there is, so that a new part has a name the day it comes."""

from __future__ import annotations

from licet.monitor.detectors import DETECTORS


def part_names(code: str) -> tuple[str, ...]:
    """The parts that can give a reason code."""
    return tuple(f"detector {each.name}" for each in DETECTORS if code in each.codes)
