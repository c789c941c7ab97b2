"""One difference between two manifests, and the place at which it is found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

Way = Literal["widened", "narrowed", "changed"]
_SHOWN, _LONG = 5, 60  # names in one sentence, characters of one value


@dataclass(frozen=True, slots=True)
class Difference:
    """`widened`: more is allowed; `narrowed`: less, for certain; `changed`: otherwise, or it cannot be told.

    `path` is that of the manifest's keys; of what has no name (a budget, a flow, an edge) the last part says which it is. `kind` and
    `tool` are empty where it speaks of all of them. `decides`: whether the decision on a call can depend on it.
    """

    way: Way
    path: tuple[str, ...]
    sentence: str
    kind: str = ""
    tool: str = ""
    decides: bool = True

    @property
    def stops(self) -> bool:
        """Whether somebody must look before the change goes on: it may allow more."""
        return self.decides and self.way != "narrowed"


@dataclass(frozen=True, slots=True)
class At:
    """A place in both manifests."""

    path: tuple[str, ...] = ()
    kind: str = ""
    tool: str = ""

    def under(self, *parts: str, kind: str = "", tool: str = "") -> At:
        """A place below this one."""
        return replace(self, path=(*self.path, *parts), kind=kind or self.kind, tool=tool or self.tool)

    def widened(self, sentence: str, *, decides: bool = True) -> Difference:
        """More is allowed."""
        return Difference("widened", self.path, sentence, self.kind, self.tool, decides)

    def narrowed(self, sentence: str, *, decides: bool = True) -> Difference:
        """Less is allowed."""
        return Difference("narrowed", self.path, sentence, self.kind, self.tool, decides)

    def changed(self, sentence: str, *, decides: bool = True) -> Difference:
        """It is otherwise, or cannot be told."""
        return Difference("changed", self.path, sentence, self.kind, self.tool, decides)

    def weighed(self, old: Any, new: Any, sentence: str, *, decides: bool = True) -> Iterator[Difference]:
        """Nothing if both weigh the same, `widened` if the new weighs more, `changed` if the two cannot be compared."""
        if old == new:
            return
        way = self.widened if new > old else self.narrowed if new < old else self.changed
        yield way(sentence, decides=decides)

    def told(self, old: object, new: object, what: str) -> Iterator[Difference]:
        """A text or the like on which no decision depends."""
        if old != new:
            yield self.changed(f"{what} {_was(old, new)}", decides=False)

    def other(self, old: object, new: object, what: str) -> Iterator[Difference]:
        """Of two values neither of which is more."""
        if old != new:
            yield self.changed(f"{what} {_was(old, new)}")


def _was(old: object, new: object) -> str:
    if old is None:
        return f"is {shown(new)}, and was not said"
    return f"is no longer said, and was {shown(old)}" if new is None else f"is {shown(new)}, was {shown(old)}"


def shown(value: object) -> str:
    """A value in a sentence, cut."""
    text = str(value)
    return f"`{text if len(text) <= _LONG else f'{text[: _LONG - 1]}…'}`"


def listed(values: Iterable[object]) -> str:
    """Several values in a sentence; after some their number."""
    several = list(values)
    more = f" and {len(several) - _SHOWN} more" if len(several) > _SHOWN else ""
    return ", ".join(map(shown, several[:_SHOWN])) + more


def both(old: Iterable[str], new: Iterable[str]) -> list[str]:
    """The names of both, each once, the new ones in their order first."""
    return list(dict.fromkeys([*new, *old]))
