"""What drills show of parts: a passed one proves all that it went through, a failed one blames some of it. And how sure a rate is. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Final

from licet.drill.audit import Audited
from licet.drill.blind import Look
from licet.drill.book import Result
from licet.drill.guarded import GUARD, OWN
from licet.drill.hops import HOPS
from licet.drill.parts import part_names
from licet.drill.scenarios import SCENARIOS
from licet.monitor.exits import EXPORTERS

Kind = tuple[str, str, bool, bool]
"""Scenario, source, whether it is a twin, whether it is a shadow."""

BESIDE: Final = " (beside)"
"""Behind the name of a part, where it was tried beside the live pipeline: as somebody who is known for no drill."""

SINK: Final = "sink "
"""Before the name of a sink, as parts name it."""

SURE: Final = 0.95
_ALONE: Final = frozenset(each.id for each in SCENARIOS if each.apart)
_ALWAYS: Final = ("owners", "attribution", "explanation", "evidence", "time", "sink")
_STEPS: Final = 60  # of a bisection: as exact as a float is


def kind_of(result: Result) -> Kind:
    """Of which kind a drill was: what one shows of its kind, the next of that kind shows too."""
    return result.scenario, result.source, result.twin, result.shadow


def looks(drills: Iterable[Audited]) -> Iterator[Look]:
    """What each drill shows, of those whose result is what was signed.

    What is played beside the live pipeline shows nothing of that, and the other way: its parts have names of their own.
    """
    blamed: dict[Kind, set[str]] = {}
    known = [(each.row.result, each.row.announced) for each in drills if not each.wrong and not each.open]
    ordered = sorted((pair for pair in known if pair[0] is not None), key=lambda pair: pair[0].began if pair[0] else 0.0)
    for result, announced in ordered:
        if result is None:
            continue
        kind = kind_of(result)
        track = BESIDE if result.shadow or result.scenario in _ALONE else ""
        if result.passed:
            proved = {f"{part}{track}" for part in _proved(result, announced.codes if announced is not None else ())}
            # Whatever a drill blamed works again once one of its kind passes; but a sink once that sink took a finding.
            healed = {part for part in blamed.get(kind, ()) if track or not part.startswith(SINK)}
            yield Look(result.began, frozenset(proved | healed), frozenset())
        else:
            # A twin that has a finding is a false alarm: nothing is blind by it.
            parts = {f"{part}{track}" for part in result.parts if not result.twin or part.startswith("reader ")}
            blamed.setdefault(kind, set()).update(parts)
            yield Look(result.began, frozenset(), frozenset(parts))


def _proved(result: Result, codes: Iterable[str]) -> Iterator[str]:
    yield OWN if result.source == GUARD else f"reader {result.source}"
    if result.twin:
        return
    for code in codes:
        yield from part_names(code)
    yield from _ALWAYS
    yield from (f"exporter {name}" for name in EXPORTERS)
    yield from (f"hop {name}" for name in HOPS)
    yield from (f"{SINK}{name}" for name in result.sinks)


def taken_by(results: Iterable[Result]) -> dict[str, float]:
    """By sink, when the last misuse was let in that passed with it (seconds since the epoch)."""
    found: dict[str, float] = {}
    for each in results:
        if each.passed and not each.twin and not each.shadow:
            found |= {name: max(each.began, found.get(name, 0.0)) for name in each.sinks}
    return dict(sorted(found.items()))


def lowest(hits: int, of: int, sure: float = SURE) -> float:
    """The rate that is exceeded at this confidence, after `hits` of `of`: the one-sided exact bound of Clopper and Pearson (1934).

    30 of 30 show 90.5 % at 95 %, and no more.
    """
    if not hits:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_least(hits, of, middle) < 1 - sure else (low, middle)
    return low


def _at_least(hits: int, of: int, rate: float) -> float:
    """How likely so many hits or more are at this rate."""
    if rate <= 0.0:
        return 0.0
    if rate >= 1.0:
        return 1.0
    few = of - hits < hits
    numbers = range(hits, of + 1) if few else range(hits)
    total = sum(
        math.exp(
            math.lgamma(of + 1) - math.lgamma(k + 1) - math.lgamma(of - k + 1) + k * math.log(rate) + (of - k) * math.log1p(-rate)
        )
        for k in numbers
    )  # fmt: skip
    return total if few else 1 - total
