"""What one step writes into `inventory.db`: uses, lifecycle events, declarations, and who is to be judged because of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from licet.events import LifecycleEvent, UseEvent
from licet.inventory.counted import Counts
from licet.inventory.kept_lives import Lives
from licet.inventory.kept_uses import Uses
from licet.inventory.marked import Marks
from licet.inventory.remembered import Known, Numbers
from licet.inventory.shapes import Shapes
from licet.inventory.stated import Stated


class Kept(NamedTuple):
    """What one step kept: of how many events, and how many of them stood there already. `same_id`: how many of the kept ones have an id
    that another record has.
    """

    uses: int = 0
    lifecycle: int = 0
    again: int = 0
    same_id: int = 0


class Refused(NamedTuple):
    """Records that no reader could use: the cause in few words, where the first of them stands, and how many there are."""

    cause: str
    file: str
    line: int
    number: int = 1


class Step:
    """What is written in one transaction. `stated`: where declarations go; `close` comes last."""

    def __init__(self, db: sqlite3.Connection, shapes: Shapes, known: Known) -> None:
        if known.renew(db):
            shapes.forget()
        known.bound()
        numbers = Numbers(db, known)
        self._marks, self._counts = Marks(db), Counts(db)
        self._uses = Uses(db, shapes, numbers, self._marks, self._counts)
        self._lives = Lives(db, numbers, self._marks, self._counts)
        self.stated = Stated(db, numbers, self._marks)

    def keep(self, uses: Sequence[UseEvent], lifecycle: Sequence[LifecycleEvent], *, anew: bool = False) -> Kept:
        """Keep events. `anew`: a lifecycle event that stands there is replaced."""
        new_uses = self._uses.keep(uses)
        new_lifecycle, names = self._lives.keep(lifecycle, anew=anew)
        again = len(uses) + len(lifecycle) - new_uses - new_lifecycle - names
        return Kept(new_uses, new_lifecycle, again, self._uses.same_id + self._lives.same_id)

    def count(self, passed: Mapping[str, int], now: float) -> None:
        """Keep how fresh and how well attributed each source is. `passed`: by source, how many records were none of our affair."""
        self._counts.write(passed, now)

    def close(self) -> None:
        """Write down who is to be judged."""
        self._marks.write()
