"""When which drill is due: one in each slot, at a time and of a kind that are drawn a day ahead, and committed to by a Merkle root.

Nobody who runs the pipeline can be ready for a drill, and nobody can leave out one that would fail: the day's root stands in the ledger
before the day, and a slot without its drill is a failed one.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final, NamedTuple

from licet.canonical import canonical
from licet.clock import iso
from licet.ledger import merkle

DAY: Final = 86_400.0
SLOT: Final = 600.0
"""Seconds of one slot; within it is one drill."""
CADENCE: Final = 1.5 * SLOT
"""Seconds within which there is a result, or the monitoring counts as blind: two drills are never further apart, whatever is drawn."""

_MIDDLE: Final = 0.5  # of a slot, in which its drill begins: two drills are between half and one and a half of a slot apart


class Slot(NamedTuple):
    """One drill that is due.

    Attributes:
        time: when it begins (seconds since the epoch).
        scenario, source: what is played.
        salt: hex, so that a leaf of the tree says nothing before it is shown.
    """

    time: float
    scenario: str
    source: str
    salt: str

    @property
    def leaf(self) -> bytes:
        """What the day's tree has of it."""
        return canonical([round(self.time, 3), self.scenario, self.source, self.salt])


def drawn(day: float, cells: Sequence[tuple[str, str]], rng: random.Random, slot: float = SLOT) -> list[Slot]:
    """The slots of a day that begins at `day`: every cell (scenario and source) in turn, in an order that is drawn anew each round."""
    slots: list[Slot] = []
    queue: list[tuple[str, str]] = []
    for number in range(int(DAY // slot)):
        if not queue:
            queue = list(cells)
            rng.shuffle(queue)
        time = day + (number + (1 - _MIDDLE) / 2 + _MIDDLE * rng.random()) * slot
        slots.append(Slot(time, *queue.pop(), rng.randbytes(16).hex()))
    return slots


def root(slots: Sequence[Slot]) -> str:
    """The Merkle tree hash over them (RFC 9162 section 2.1), in hex."""
    return merkle.root_of(merkle.leaf_hash(each.leaf) for each in slots).hex()


def day_of(time: float) -> float:
    """When the day of a time begins, in UTC."""
    return time - time % DAY


def name_of(day: float) -> str:
    """`2026-03-01`."""
    return iso(day)[:10]
