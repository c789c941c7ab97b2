"""At which leaves two or more paths with `*` meet. There the one that says most decides, so that each such leaf is looked at by itself."""

from __future__ import annotations

from collections.abc import Iterable

from licet.manifest.labels import ITEM, KEY, LeafPath

MOST = 2_000  # leaves that are looked at: paths that all overlap have more than one could read


class Crowded(Exception):
    """More than `MOST` leaves."""


def overlaps(paths: Iterable[LeafPath]) -> list[LeafPath]:
    """Every leaf at which a set of the paths meets that no other leaf stands for: `*.note` and `ticket.*` meet at `ticket.note`.

    A `*` that is left stands for every key that no path writes out.

    Raises:
        Crowded: see there.
    """
    own = dict.fromkeys(paths)
    wild = [path for path in own if "*" in path]
    found = dict.fromkeys(wild)
    waiting = list(found)
    while waiting:
        leaf = waiting.pop()
        for path in own:
            met = _met(leaf, path)
            if met is not None and met not in found:
                if len(found) >= MOST:
                    raise Crowded
                found[met] = None
                waiting.append(met)
    return [leaf for leaf in found if leaf not in own]


def _met(one: LeafPath, other: LeafPath) -> LeafPath | None:
    """The leaf that both name, as narrow as both together; None where they name none together."""
    if len(one) != len(other):
        return None
    out = []
    for here, there in zip(one, other, strict=True):
        if there in (here, "*"):
            both = here
        elif here == "*":
            both = there
        else:
            return None
        if both in (ITEM, KEY) and "*" in (here, there):
            return None  # an item, or a key itself, is no key
        out.append(both)
    return tuple(out)


def shown_leaf(leaf: LeafPath) -> str:
    """A leaf as a path is written: `comments[].note`."""
    return "".join(part if part in (ITEM, KEY) else f".{part}" for part in leaf).removeprefix(".")
