"""As whom shadows act: real identities of machines for whom somebody answers. Nothing of what they do there comes near them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from licet.drill.stage import Actor
from licet.inventory.model import MACHINES
from licet.inventory.owners import STATED_SQL
from licet.inventory.store import Inventory

_MOST: Final = 500
_OWNED: Final = (
    "SELECT DISTINCT identities.uid, identities.source, identities.account, owner FROM identities"  # noqa: S608 - words of our own
    f" JOIN ownerships ON ownerships.identity=identities.uid WHERE {STATED_SQL} AND same_as='' AND uses>0"
    f" AND kind IN ({', '.join(repr(each) for each in MACHINES)}) ORDER BY random() LIMIT {_MOST}"
)


def actors_of(inventory: Inventory) -> Mapping[str, Sequence[Actor]]:
    """Some of them, by the source on which they act."""
    found: dict[str, list[Actor]] = {}
    for uid, source, account, owner in inventory.rows(_OWNED):
        found.setdefault(source, []).append(Actor(uid, account, owner))
    return found
