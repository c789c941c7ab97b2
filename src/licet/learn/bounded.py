"""Mappings that hold so many keys and no more, whatever is counted.

`Bounded` keeps the first of all keys by a fixed order: those that are known beforehand (the tools of a manifest), then by digest. A key
that is among them at the end was among them all the time, so that what is counted for it is exact; of the others it is only known that
there were some. The k smallest by digest are the "bottom-k" of Cohen and Kaplan (PODC 2007).

`Frequent` keeps the keys that came most often, so that nobody can push a frequent one out by making up rare ones.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Collection, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MAX_KEY = 500  # characters of a key; a longer one finds no room
_UNKNOWN = 1 << 128  # above every digest


class Bounded(dict[K, V]):
    """At most `limit` keys. `known` come before all others; `left_out`: whether some key found no room."""

    __slots__ = ("_last", "known", "left_out", "limit")

    def __init__(self, limit: int, known: Collection[object] = ()) -> None:
        super().__init__()
        self.limit = limit
        self.known = known
        self.left_out = False
        self._last: list[tuple[int, K]] | None = None  # a heap of the keys, the last of them on top; None as long as there is room

    def at(self, key: K, make: Callable[[], V]) -> V | None:
        """What is held for `key`, made by `make` where it is new; None where there is no room for it."""
        found = self.get(key)
        if found is None and _is_too_long(key):
            self.left_out = True
        elif found is None and self._admits(key):
            found = self[key] = make()
        return found

    def _admits(self, key: K) -> bool:
        if len(self) < self.limit:
            return True
        self.left_out = True
        if self._last is None:
            self._last = [(-self._rank(other), other) for other in self]
            heapq.heapify(self._last)
        if not self._last or (rank := self._rank(key)) > -self._last[0][0]:
            return False
        _, last = heapq.heapreplace(self._last, (-rank, key))
        del self[last]
        return True

    def _rank(self, key: K) -> int:
        known = all(part in self.known for part in key) if isinstance(key, tuple) else key in self.known
        digest = hashlib.blake2b(repr(key).encode("utf-8", "backslashreplace"), digest_size=16).digest()
        return (0 if known else _UNKNOWN) + int.from_bytes(digest, "big")


def _is_too_long(key: Hashable) -> bool:
    return sum(len(part) for part in (key if isinstance(key, tuple) else (key,)) if isinstance(part, str)) > MAX_KEY


class Counts(Bounded[str, int]):
    """How often each of at most `limit` keys came."""

    __slots__ = ()

    def count(self, key: str, number: int = 1) -> None:
        """The key came `number` times (more than 0)."""
        found = self.at(key, int)
        if found is not None:
            self[key] = found + number

    def merge(self, other: Counts) -> None:
        """What another has counted is counted here too."""
        for key, number in other.items():
            self.count(key, number)
        self.left_out = self.left_out or other.left_out

    def most_common(self) -> list[tuple[str, int]]:
        """All of them, from the most frequent; of equal ones by name."""
        return sorted(self.items(), key=lambda pair: (-pair[1], pair[0]))


class Frequent(Generic[K]):
    """How often each of the most frequent keys came: one key for each session.

    Exact as long as no more than `limit` different ones come. Beyond that each count is too small by no more than the number of rare keys
    by `limit`, and never too large (Misra and Gries 1982; merged as Agarwal et al., PODS 2012): what came often stays, whatever else comes.
    """

    __slots__ = ("counts", "limit", "total")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.counts: dict[K, int] = {}
        self.total = 0

    def add(self, key: K, number: int = 1) -> None:
        """The key came `number` times (more than 0)."""
        self.total += number
        self.counts[key] = self.counts.get(key, 0) + number
        self._cut()

    def merge(self, other: Frequent[K]) -> None:
        """What another has counted is counted here too."""
        self.total += other.total
        for key, number in other.counts.items():
            self.counts[key] = self.counts.get(key, 0) + number
        self._cut()

    def number(self, holds: Callable[[K], bool]) -> int:
        """How often a key came of which this holds, at least."""
        return sum(number for key, number in self.counts.items() if holds(key))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frequent) and (self.counts, self.total) == (other.counts, other.total)

    __hash__ = None  # type: ignore[assignment]

    def _cut(self) -> None:
        if len(self.counts) > self.limit:
            less = sorted(self.counts.values(), reverse=True)[self.limit]
            self.counts = {key: number - less for key, number in self.counts.items() if number > less}
