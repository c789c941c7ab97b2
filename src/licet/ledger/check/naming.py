"""What was done to a sequence of records, told from what should stand there and what does. No file is touched here.

Records are compared by what names them: their leaf hashes where these can be had from tiles that lead to the signed root, else the
numbers and links that they hold themselves.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from licet.ledger.check.faults import Fault, numbered


@dataclass(slots=True)
class Difference:
    """What it takes to get from the true sequence to the one that stands. Numbers are records', from 1, and rise.

    `altered`, `removed`, `moved`: by their place in the true sequence. `inserted`, `doubled`: by where they stand. `cut`: how many at the
    end are missing. `beyond`: how many follow behind the last.
    """

    altered: list[int] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    moved: list[int] = field(default_factory=list)
    inserted: list[int] = field(default_factory=list)
    doubled: list[int] = field(default_factory=list)
    cut: int = 0
    beyond: int = 0

    def faults(self, count: int, where: str = "") -> list[Fault]:
        """In words. `count`: how many records there should be, up to and with those cut off; `where`: which copy of them (` in live/`)."""
        told = [
            ("altered", self.altered, "{} was altered{}", "{} were altered{}"),
            ("removed", self.removed, "{} was removed{}", "{} were removed{}"),
            ("reordered", self.moved, "{} was moved{} from its place", "{} were moved{} from their places"),
            ("inserted", self.inserted, "what stands as {} was inserted{}", "what stands as {} was inserted{}"),
            ("inserted", self.doubled, "what stands as {} is there twice{}", "what stands as {} is there twice{}"),
        ]
        found = [
            Fault(code, (one if len(numbers) == 1 else many).format(numbered(numbers), where), numbers[0])
            for code, numbers, one, many in told
            if numbers
        ]
        if self.cut:
            first = count - self.cut + 1
            missing = numbered(list(range(first, count + 1))) if self.cut <= 2 else f"records {first} to {count}"
            found.append(Fault("truncated", f"the end is cut off{where}: {missing} {'is' if self.cut == 1 else 'are'} missing", first))
        return found


def difference(true: Sequence[Hashable], stands: Sequence[Hashable], first: int = 0) -> Difference:
    """Name what was done. `first`: the index of the first of both, from 0. The true ones are all different from each other.

    What can be kept in place is the longest rising subsequence; the rest was moved, put in, taken out, or, where one that is missing and
    one that is too many stand in the same gap, altered. In O(n log n).
    """
    low = 0
    shorter = min(len(true), len(stands))
    while low < shorter and true[low] == stands[low]:
        low += 1
    places = {item: at for at, item in enumerate(true)}
    known: list[tuple[int, int]] = []  # its place in the true sequence, where it stands
    new: set[int] = set()
    seen: set[int] = set()
    for at in range(low, len(stands)):
        place = places.get(stands[at])
        if place is None:
            new.add(at)
        elif place >= low and place not in seen:
            seen.add(place)
            known.append((place, at))
    anchors = _rising(known)
    moved = set(known) - set(anchors)
    away, here = {place for place, _ in moved}, {at for _, at in moved}
    found = Difference(moved=sorted(first + place + 1 for place in away))
    before = (low - 1, low - 1)
    for place, at in [*anchors, (len(true), len(stands))]:
        missing = [each for each in range(before[0] + 1, place) if each not in away]
        many = [each for each in range(before[1] + 1, at) if each not in here]
        strange = [each for each in many if each in new]
        pairs = min(len(missing), len(strange))
        found.altered += [first + each + 1 for each in missing[:pairs]]
        found.doubled += [first + each + 1 for each in many if each not in new]
        if place == len(true):
            found.cut, found.beyond = len(missing) - pairs, len(strange) - pairs
        else:
            found.removed += [first + each + 1 for each in missing[pairs:]]
            found.inserted += [first + each + 1 for each in strange[pairs:]]
        before = (place, at)
    return found


def _rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest subsequence whose first numbers rise (patience sorting)."""
    tops: list[int] = []  # the smallest last number of a rising subsequence, by its length
    ends: list[int] = []  # which pair that is
    before: list[int] = []
    for at, (number, _) in enumerate(pairs):
        length = bisect_left(tops, number)
        before.append(ends[length - 1] if length else -1)
        if length == len(tops):
            tops.append(number)
            ends.append(at)
        else:
            tops[length], ends[length] = number, at
    found = []
    at = ends[-1] if ends else -1
    while at >= 0:
        found.append(pairs[at])
        at = before[at]
    return found[::-1]
