"""A mapping that holds so many keys and no more, whatever is counted: which of them does not depend on the order in which they came.

Kept are the first of all keys by a fixed order: those that are known beforehand (the tools of a manifest), then by digest. A key that is
among them at the end was among them all the time, so that what is counted for it is exact; of the others it is only known that there were
some. The k smallest by digest are the "bottom-k" of Cohen and Kaplan (PODC 2007).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Hashable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MAX_KEY = 500  # characters of a key; a longer one finds no room

_Rank = tuple[bool, bytes]


class Bounded(dict[K, V]):
    """At most `limit` keys. `known` come before all others; `left_out`: whether some key found no room."""

    __slots__ = ("_last", "known", "left_out", "limit")

    def __init__(self, limit: int, known: Collection[object] = ()) -> None:
        super().__init__()
        self.limit = limit
        self.known = known
        self.left_out = False
        self._last: tuple[_Rank, K] | None = None  # the last of the kept ones, once there is no more room

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
            self._last = None
            return True
        self.left_out = True
        if self._last is None:
            self._last = max(((self._rank(other), other) for other in self), key=lambda pair: pair[0])
        if self._rank(key) > self._last[0]:
            return False
        del self[self._last[1]]
        self._last = None
        return True

    def _rank(self, key: K) -> _Rank:
        known = all(part in self.known for part in key) if isinstance(key, tuple) else key in self.known
        return not known, hashlib.blake2b(repr(key).encode("utf-8", "backslashreplace"), digest_size=16).digest()


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
