"""What the ledger has of whole days, held against the drills: a slot without its drill is a failed one. Pure.

A day's root stands in the ledger before it; its slots follow when it is over. So nobody could choose when to be ready, and nobody can leave
out what would have failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from licet.drill.slots import DAY, SLOT, Slot, root

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
) -> tuple[list[str], list[Slot]]:
    """What is wrong with days that were committed to, a sentence each; and the slots whose drill was not played. Of a day
    that goes on nobody knows the slots: one within whose time no drill was played at all stands there without scenario and source.

    Args:
        commits, reveals: records of the ledger, well signed; each with `at`, its time.
        now: seconds since the epoch.
        since: of the first day that is looked at.
    """
    told: dict[str, Mapping[str, Any]] = {}
    for each in reveals:
        told.setdefault(str(each.get("day")), each)
    wrong: list[str] = []
    missed: list[Slot] = []
    seen: set[str] = set()
    by_cell: dict[tuple[str, str], list[float]] = {}
    for drill in played:
        by_cell.setdefault((drill.scenario, drill.source), []).append(drill.begins)
    for each in commits:
        day, name = _number(each.get("time_of_day")), str(each.get("day"))
        if name in seen:
            wrong.append(f"{name}: the day was committed to a second time: one of the two was made to fit")
            continue
        seen.add(name)
        begins = _number(each.get("begins"))
        if begins < since:
            continue
        if begins < _number(each.get("at")) - _EARLY:
            wrong.append(f"{name}: the day was committed to after it had begun")
        if now < day + DAY + _TO_REVEAL and name not in told:
            missed += empty(day, begins, [time for times in by_cell.values() for time in times], now)
            continue
        why, slots = _revealed(day, each, told.get(name))
        wrong += [f"{name}: {why}"] if why else []
        missed += missing(slots, by_cell)
    return wrong, missed


def _revealed(day: float, commit: Mapping[str, Any], reveal: Mapping[str, Any] | None) -> tuple[str, list[Slot]]:
    """What is wrong with what was told of a day's slots, and these."""
    if reveal is None:
        return "the day is over, and its slots were never revealed", []
    slots = slots_of(reveal.get("slots"))
    if slots is None or root(slots) != commit.get("root"):
        return "the slots that were revealed are not those that were committed to", []
    if _number(reveal.get("at")) < day + DAY - _EARLY:
        return "the slots were revealed before the day was over: who read them could be ready", slots
    return "", slots


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


def empty(day: float, begins: float, played: Sequence[float], now: float) -> list[Slot]:
    """Ten minutes of a day in which a drill was due, whichever it was, and none began. `played`: when drills began."""
    found = []
    for number in range(int(DAY // SLOT)):
        first, last = day + number * SLOT + SLOT / 4, day + (number + 3 / 4) * SLOT + LATE  # drills are drawn into the middle half
        if begins <= first and last + _TO_REVEAL <= now and not any(first - _EARLY <= each <= last for each in played):
            found.append(Slot(first, "", "", ""))
    return found


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
