"""Where the way up from a span ends, in time that grows with the number of spans, whatever they are to each other. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Ways(Generic[Key]):
    """Each step is taken once: spans can be each other's parents, in any number and depth.

    `above`: what stands above one, None: nothing that is known; `goal`: whether the way ends there.
    """

    def __init__(self, above: Callable[[Key], Key | None], goal: Callable[[Key], bool]) -> None:
        self._above, self._goal = above, goal
        self._ends: dict[Key, Key | None] = {}

    def end(self, start: Key) -> Key | None:
        """The first that is a goal, else the last before the way breaks off; None where it goes round in a circle."""
        way: dict[Key, None] = {}
        at: Key | None = start
        while at is not None and at not in self._ends and at not in way:
            way[at] = None
            at = None if self._goal(at) else self._above(at)
        found = next(reversed(way), start) if at is None else self._ends.get(at)
        for each in way:
            self._ends[each] = found
        return found
