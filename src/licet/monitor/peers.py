"""Peers: identities of one owner, of one kind, in one environment. What several of them have too is less strange with one of them.

Who they are is declared, so that a person can read why they are peers; what they had, and since when, is what was learned of each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from licet.inventory.model import Owner, Ownership
from licet.inventory.owners import STATED_SQL
from licet.inventory.rows import SELECT_IDENTITY, identity_of
from licet.inventory.store import Inventory
from licet.monitor.detectors.novelty import CODES, Novelty
from licet.monitor.states import state_of

_MOST: Final = 64  # peers that are asked, by their names in order
_Group = tuple[str, str, str]
_OWNED: Final = f"uid IN (SELECT identity FROM ownerships WHERE {STATED_SQL}) AND kind NOT IN ('unknown', 'human', 'service')"  # noqa: S608
_WITH_OWNER: Final = f"{SELECT_IDENTITY} WHERE {_OWNED} ORDER BY uid"


class Owners(Protocol):
    """Who knows the owners."""

    def owner(self, uid: str) -> tuple[Owner, Ownership] | None:
        """Who answers for an identity."""


class Peers:
    """The groups of an inventory, as they stand when they are first asked for."""

    def __init__(self, inventory: Inventory, owners: Owners) -> None:
        self._inventory, self._owners = inventory, owners
        self._groups: dict[_Group, list[str]] | None = None
        self._of: dict[str, _Group] = {}
        self._seen: dict[str, list[dict[str, list[float]]]] = {}

    def number_with(self, uid: str, code: str, value: str, before: float) -> int:
        """How many peers had a value, of which a signal with this code tells, before a time (seconds since the epoch)."""
        which = CODES.index(code)
        return sum(value in (seen := self._learned(peer)[which]) and seen[value][0] < before for peer in self.of(uid))

    def of(self, uid: str) -> list[str]:
        """Its peers, without itself."""
        groups = self._all()
        group = self._of.get(uid)
        return [] if group is None else [each for each in groups[group] if each != uid][:_MOST]

    def concerned(self, uids: Iterable[str]) -> set[str]:
        """All peers of these."""
        groups = self._all()
        return {peer for group in {self._of[uid] for uid in uids if uid in self._of} for peer in groups[group]}

    def _all(self) -> dict[_Group, list[str]]:
        if self._groups is None:
            self._groups = {}
            for each in map(identity_of, self._inventory.rows(_WITH_OWNER)):
                owner = self._owners.owner(each.uid)
                if owner is not None:
                    group = (owner[0].uid, each.kind, each.declared.environment)
                    self._of[each.uid] = group
                    self._groups.setdefault(group, []).append(each.uid)
        return self._groups

    def _learned(self, uid: str) -> list[dict[str, list[float]]]:
        found = self._seen.get(uid)
        if found is None:
            rows = self._inventory.rows("SELECT state FROM folds JOIN identities ON id=subject WHERE uid=?", (uid,))
            state = state_of(rows[0][0]).get(Novelty.name) if rows else None
            found = self._seen[uid] = state["seen"] if state else [{} for _ in CODES]
        return found
