"""One drill in each slot, day by day. Which drill is due when follows from the drills' key and the day: it stands in no file.

A day's slots are drawn and committed to before it begins, those of the first day before the first of them; they are told when it is over.
Who starts it again goes on with the slots that are left. One that was missed meanwhile is missed.
"""

from __future__ import annotations

import hashlib
import hmac
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Final, NamedTuple

from licet.canonical import Plain
from licet.clock import Clock, iso
from licet.drill.book import Day, Result
from licet.drill.committing import enrolled, signed
from licet.drill.days import LATE
from licet.drill.keys import DrillKey
from licet.drill.live import Choice, Live
from licet.drill.run import run
from licet.drill.said import DAY as DAY_KIND
from licet.drill.said import SLOTS as SLOTS_KIND
from licet.drill.scenarios import SCENARIOS
from licet.drill.slots import DAY, SLOT, Slot, day_of, drawn, name_of, root
from licet.errors import LicetError

LEAD: Final = 5.0
"""Seconds from a first day's commitment to the first of its slots that counts."""


class Due(random.Random):
    """Draws out of a secret, by HMAC-SHA-256 over a counter: whoever saw a thousand of them cannot tell the next."""

    def __init__(self, secret: bytes) -> None:
        self._secret, self._count = secret, 0
        super().__init__(0)

    def getrandbits(self, k: int, /) -> int:
        """So many bits."""
        bits = b""
        while len(bits) * 8 < k:
            bits += hmac.digest(self._secret, self._count.to_bytes(8, "big"), hashlib.sha256)
            self._count += 1
        return int.from_bytes(bits, "big") >> (len(bits) * 8 - k)

    def random(self) -> float:
        """From 0 up to 1."""
        return float(self.getrandbits(53) * 2.0**-53)


class Done(NamedTuple):
    """What came of one slot.

    Attributes:
        slot: which.
        results: of its drill, the twin and the shadow; none: it was missed.
        why: it was missed, in a sentence; empty: it was not.
    """

    slot: Slot
    results: tuple[Result, ...] = ()
    why: str = ""

    @property
    def passed(self) -> bool:
        """All of it did."""
        return bool(self.results) and all(each.passed for each in self.results)


def cells_of() -> list[tuple[str, str]]:
    """Every scenario on each of its sources."""
    return [(each.id, source) for each in SCENARIOS for source in each.sources]


def slots_of(key: DrillKey, day: float, begins: float, cells: Sequence[tuple[str, str]]) -> list[Slot]:
    """The slots of a day, from `begins` on: the same whenever they are asked for, by whoever holds the key, and by nobody else."""
    return [each for each in drawn(day, cells, Due(key.derived(f"schedule {name_of(day)}"))) if each.time >= begins]


def prepare(live: Live, cells: Sequence[tuple[str, str]]) -> list[Day]:
    """Commit to this day and the next, if nobody did, and reveal those that are over; all that are not over, in order.

    Raises:
        LicetError: the ledger or the book cannot be written.
    """
    enrolled(live)
    now = live.clock.now()
    known = {each.day: each for each in live.book.days()}
    for over in known.values():
        if not over.revealed and over.day + DAY <= now:
            _reveal(live, over)
    today = day_of(now)
    for day in (today, today + DAY):
        if day not in known:
            known[day] = _commit(live, day, max(day, now + LEAD), cells)
    live.ledger.sync()
    return [known[day] for day in sorted(known) if day + DAY > now]


def _commit(live: Live, day: float, begins: float, cells: Sequence[tuple[str, str]]) -> Day:
    begins = round(begins, 3)
    told = root(slots_of(live.key, day, begins, cells))
    said: dict[str, Plain] = {
        "day": name_of(day),
        "time_of_day": day,
        "begins": begins,
        "cells": [list(each) for each in cells],
        "root": told,
    }
    seq = live.ledger.append(DAY_KIND, signed(said, live.key), time=iso(live.clock.now()), durable=True)
    made = Day(day, begins, tuple(cells), told, seq)
    live.book.day_committed(made)
    return made


def _reveal(live: Live, over: Day) -> None:
    slots: list[Plain] = [[round(each.time, 3), *each[1:]] for each in slots_of(live.key, over.day, over.begins, over.cells)]
    said: dict[str, Plain] = {"day": name_of(over.day), "slots": slots}
    seq = live.ledger.append(SLOTS_KIND, signed(said, live.key), time=iso(live.clock.now()), durable=True)
    live.book.day_revealed(over, seq)


def left(live: Live, days: Iterable[Day], now: float) -> tuple[list[Slot], list[Slot]]:
    """The slots that can still be played, in order, and those that were missed."""
    slots = [slot for each in days for slot in slots_of(live.key, each.day, each.begins, each.cells)]
    played = live.book.played_slots(min((each.time for each in slots), default=0.0))
    unplayed = [each for each in slots if each.time not in played]
    return [each for each in unplayed if each.time + LATE > now], [each for each in unplayed if each.time + LATE <= now]


def scheduled(
    opened: Callable[[float], AbstractContextManager[Live]], clock: Clock, wait: Callable[[float], object], until: float,
    say: Callable[[Done], None], *, cells: Sequence[tuple[str, str]] | None = None, once: bool = False,
    none: Callable[[float], None] | None = None,
) -> list[Done]:  # fmt: skip
    """Play what is due, until a time; each slot is told as it is over.

    What goes wrong in a slot is that slot's: it is missed, and said, and the next one is played.

    Args:
        opened: all that a drill goes through, for so long as it is played; waits so many seconds for others that are at work.
        wait: for so many seconds.
        until: no drill begins after it (seconds since the epoch).
        cells: scenario and source of what is drawn on new days; without it all there is.
        once: end after one.
        none: told at the beginning if no drill is due until then: when the slot of the next one begins, which everybody may know.

    Raises:
        LicetError: the first days cannot be committed to.
    """
    of = cells_of() if cells is None else cells
    done: list[Done] = []
    told: set[float] = set()
    with opened(LATE) as live:
        due, missed = left(live, prepare(live, of), clock.now())
    done += _said([Done(each, why="nothing ran when it was due") for each in missed], say, told)
    if none is not None and due and due[0].time > until:
        none(due[0].time - due[0].time % SLOT)
    while due and due[0].time <= until:
        slot = due[0]
        wait(max(0.0, slot.time - clock.now()))
        done += _said([_played(opened, clock, slot)], say, told)
        if once:
            break
        due, missed = _onwards(opened, clock, of, due[1:])
        due = [each for each in due if each.time not in told]
        done += _said([Done(each, why="what was due before took too long") for each in missed if each.time not in told], say, told)
    wait(max(0.0, until - clock.now()) if not once and until < float("inf") else 0.0)
    return done


def _onwards(
    opened: Callable[[float], AbstractContextManager[Live]], clock: Clock, cells: Sequence[tuple[str, str]], rest: list[Slot]
) -> tuple[list[Slot], list[Slot]]:
    """What is due next; where that cannot be read, what was known of it."""
    try:
        with opened(LATE) as live:
            return left(live, prepare(live, cells), clock.now())
    except LicetError:
        return rest, []


def _said(found: list[Done], say: Callable[[Done], None], told: set[float]) -> list[Done]:
    for each in found:
        told.add(each.slot.time)
        say(each)
    return found


def _played(opened: Callable[[float], AbstractContextManager[Live]], clock: Clock, slot: Slot) -> Done:
    choice = _BY_CELL.get((slot.scenario, slot.source))
    if choice is None:
        return Done(slot, why=f"{slot.scenario} on {slot.source} can no longer be played; the next days are drawn without it")
    try:
        with opened(max(0.0, slot.time + LATE - clock.now() - LEAD)) as live:
            results = run([_BY_CELL[each] for each in cells_in(slot)], live)
            whole = next(each for each in results if _is_of(each, slot))
            live.book.slot_played(slot.time, whole.drill)
    except LicetError as error:
        return Done(slot, why=str(error))
    return Done(slot, tuple(results))


def cells_in(slot: Slot) -> list[tuple[str, str]]:
    """What is played in a slot: what was drawn. Where that is played in an inventory of its own, one more with it that is not: each slot
    proves the live pipeline.
    """
    cell = (slot.scenario, slot.source)
    if cell not in _BY_CELL or not _BY_CELL[cell].scenario.apart:
        return [cell]
    return [cell, _LIVE[int(slot.salt, 16) % len(_LIVE)]]


def _is_of(result: Result, slot: Slot) -> bool:
    return (result.scenario, result.source, result.twin, result.shadow) == (slot.scenario, slot.source, False, False)


_BY_CELL = {(each.id, source): Choice(each, source) for each in SCENARIOS for source in each.sources}
_LIVE = [cell for cell, each in _BY_CELL.items() if not each.scenario.apart and not each.scenario.after]
