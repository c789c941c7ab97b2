"""What is declared, out of the inventory: looked up once and kept while a run lasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Final

from licet.inventory.faces import is_sure
from licet.inventory.model import Credential, Declared, Identity, Owner, Ownership
from licet.inventory.owners import STATED_SQL, stated
from licet.inventory.rows import SELECT_CREDENTIAL, credential_of
from licet.inventory.store import Inventory
from licet.monitor.history import faces
from licet.monitor.peers import Peers
from licet.monitor.world import Settings

_MOST: Final = 20_000  # identities and owners that are kept
_UNDECLARED: Final = Credential("")
_UNKNOWN: Final = object()


class Known:
    """A `licet.monitor.world.World` over an inventory, as it stands when it is made."""

    def __init__(self, inventory: Inventory, settings: Settings, now: float) -> None:
        self.settings, self.now = settings, now
        self._inventory = inventory
        # Only those of which something was declared: the others, of which there can be very many, have nothing to say.
        rows = inventory.rows(f"{SELECT_CREDENTIAL} WHERE canary=1 OR declared<>'{{}}'")
        self._credentials: Mapping[str, Credential] = {found.uid: found for found in map(credential_of, rows)}
        self._environments = {account: each.uid for each in inventory.environments() for account in each.accounts}
        self._edges = inventory.edges()
        self._identities: dict[str, Identity] = {}
        self._owners: dict[str, Any] = {}
        self.peers = Peers(inventory, self)
        self.owners = bool(inventory.rows(f"SELECT 1 FROM ownerships WHERE {STATED_SQL} LIMIT 1"))  # noqa: S608 - our own words

    def identity(self, uid: str) -> Identity:
        """An identity as it was declared, with what it has of the one that it is a face of; one that nobody knows has no declarations."""
        found = self._identities.get(uid)
        if found is None:
            found = self._inventory.identity(uid) or Identity(uid)
            if is_sure(found) and (whole := self._inventory.identity(found.same_as)) is not None:
                found = _with(found, whole)
            if len(self._identities) >= _MOST:
                self._identities.clear()
            self._identities[uid] = found
        return found

    def credential(self, uid: str) -> Credential:
        """What was declared of a credential, and nothing else of it."""
        return self._credentials.get(uid, _UNDECLARED)

    def owner(self, uid: str) -> tuple[Owner, Ownership] | None:
        """Who answers for an identity, under whichever of its names that is known."""
        found = self._owners.get(uid, _UNKNOWN)
        if found is _UNKNOWN:
            names = faces(self._inventory, uid)
            found = next((owner for name in names if (owner := stated(self._inventory, name)) is not None), None)
            if len(self._owners) >= _MOST:
                self._owners.clear()
            self._owners[uid] = found
        return found  # type: ignore[no-any-return]

    def environment(self, account: str) -> str:
        """The environment of an account, cluster, organisation or tenant; empty if none was declared."""
        return self._environments.get(account, "")

    def edge(self, origin: str, target: str) -> bool:
        """Whether one may go from one environment into another."""
        return (origin, target) in self._edges

    def peers_with(self, uid: str, code: str, value: str, before: float) -> int:
        """How many peers had the value before, by what was learned of them."""
        return self.peers.number_with(uid, code, value, before)


def _with(found: Identity, whole: Identity) -> Identity:
    """What nobody said of a face is as it was said of the identity that it stands under."""
    said = {each.name: getattr(found.declared, each.name) or getattr(whole.declared, each.name) for each in fields(Declared)}
    return replace(
        found, declared=Declared(**said), kind=found.kind if found.kind != "unknown" else whole.kind,
        third_party=found.third_party or whole.third_party,
    )  # fmt: skip
