"""What the ledger has of whole days, held against the drills: a slot without its drill is a failed one. Pure.

A day's root stands in the ledger before it; its slots follow when it is over. So nobody could choose when to be ready, and nobody can leave
out what would have failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from licet.clock import iso
from licet.drill.slots import DAY, SLOT, Slot, root
from licet.escape import counted

LATE: Final = SLOT / 2
"""Seconds after its time within which the drill of a slot begins: so long what runs has to let it in."""

_EARLY: Final = 1.0  # seconds: a curtain is a whole one
_TO_REVEAL: Final = 2 * SLOT  # seconds from the end of a day until its slots are told


class Played(NamedTuple):
    """A drill that was revealed, neither twin nor shadow."""

    scenario: str
    source: str
    begins: float


def wrong_days(
    commits: Sequence[Mapping[str, Any]], reveals: Sequence[Mapping[str, Any]], played: Iterable[Played], now: float, since: float = 0.0
) -> Iterator[str]:
    """What is wrong with days that were committed to, a sentence each.

    Args:
        commits, reveals: records of the ledger, well signed; each with `at`, its time.
        now: seconds since the epoch.
        since: of the first day that is looked at.
    """
    told: dict[str, Mapping[str, Any]] = {}
    for each in reveals:
        told.setdefault(str(each.get("day")), each)
    seen: dict[str, float] = {}
    by_cell: dict[tuple[str, str], list[float]] = {}
    for drill in played:
        by_cell.setdefault((drill.scenario, drill.source), []).append(drill.begins)
    for each in commits:
        day, name = _number(each.get("time_of_day")), str(each.get("day"))
        if name in seen:
            yield f"{name}: the day was committed to a second time: one of the two was made to fit"
            continue
        seen[name] = day
        begins = _number(each.get("begins"))
        if begins < since:
            continue
        if begins < _number(each.get("at")) - _EARLY:
            yield f"{name}: the day was committed to after it had begun"
        if begins > day and day - DAY in seen.values():
            yield f"{name}: was committed to only from {iso(begins)} on, and the day before had drills: what was before is missing"
        if now < day + DAY + _TO_REVEAL and name not in told:
            continue
        yield from _of_day(name, day, each, told.get(name), by_cell)


def _of_day(
    name: str, day: float, commit: Mapping[str, Any], reveal: Mapping[str, Any] | None, played: Mapping[tuple[str, str], list[float]]
) -> Iterator[str]:  # fmt: skip
    if reveal is None:
        yield f"{name}: the day is over, and its slots were never revealed"
        return
    slots = slots_of(reveal.get("slots"))
    if slots is None or root(slots) != commit.get("root"):
        yield f"{name}: the slots that were revealed are not those that were committed to"
        return
    if _number(reveal.get("at")) < day + DAY - _EARLY:
        yield f"{name}: the slots were revealed before the day was over: who read them could be ready"
    missed = missing(slots, played)
    if missed:
        first = missed[0]
        what = f"the first is {first.scenario} on {first.source}, due at {iso(first.time)}"
        yield f"{name}: {len(missed)} of {counted(len(slots), 'drill')} that were due were not played; {what}"


def missing(slots: Sequence[Slot], played: Mapping[tuple[str, str], Sequence[float]]) -> list[Slot]:
    """Slots in whose time no drill of their kind began. `played`: by scenario and source, when drills began; each is for one slot."""
    left = {cell: sorted(times) for cell, times in played.items()}
    missed = []
    for slot in slots:
        times = left.get((slot.scenario, slot.source), [])
        found = next((each for each in times if slot.time - _EARLY <= each <= slot.time + LATE), None)
        if found is None:
            missed.append(slot)
        else:
            times.remove(found)
    return missed


def slots_of(plain: Any) -> list[Slot] | None:
    """Slots as the ledger has them; None if they are none."""
    if not isinstance(plain, list):
        return None
    found = []
    for each in plain:
        if not isinstance(each, list) or len(each) != 4 or not isinstance(each[0], int | float) or isinstance(each[0], bool):
            return None
        found.append(Slot(float(each[0]), *map(str, each[1:])))
    return found


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
