"""What a manifest declares, as the inventory keeps it.

An agent is the identity `agent:NAME`, and its `identities` are other faces of it. A credential is found by what logs show of it, and by its
name where the guard's own calls use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import NamedTuple

from licet.events import LifecycleEvent
from licet.inventory.model import CONFIDENCE, Credential, Declared, Environment, Identity, Owner, Ownership
from licet.manifest import Manifest
from licet.manifest.models import Agent, end_of
from licet.manifest.models import Credential as Stated

SOURCE = "declared"
"""The source of lifecycle events that somebody declared."""


class Declarations(NamedTuple):
    """The arguments of `Inventory.declare`."""

    identities: tuple[Identity, ...]
    credentials: tuple[Credential, ...]
    owners: tuple[Owner, ...]
    ownerships: tuple[Ownership, ...]
    environments: tuple[Environment, ...]
    edges: tuple[tuple[str, str], ...]
    lifecycle: tuple[LifecycleEvent, ...]


def agent_uid(name: str) -> str:
    """The identity that an agent of a manifest is."""
    return f"agent:{name}"


def credential_id(name: str) -> str:
    """What stands for the id of a credential of a manifest where only its name is known; to be fingerprinted as ids are."""
    return f"credential:{name}"


def declarations(manifest: Manifest, fingerprint: Callable[[str], str], now: float) -> Declarations:
    """All that a manifest says of identities and credentials. `now`: what lies after it has not happened yet."""
    identities: list[Identity] = []
    credentials: list[Credential] = []
    ownerships: list[Ownership] = []
    lifecycle: list[LifecycleEvent] = []
    for name, agent in manifest.agents.items():
        uid, declared = agent_uid(name), _declared(manifest, agent)
        identities.append(Identity(uid, "ai_agent", name, declared=declared))
        identities += [Identity(face, declared=declared, same_as=uid, same_confidence=1.0) for face in agent.identities]
        ownerships += _owned(uid, agent.owner, now)
    for name, stated in manifest.credentials.items():
        for shown in (credential_id(name), *stated.ids):
            uid = fingerprint(shown)
            every = stated.rotate_every.total_seconds() if stated.rotate_every else 0.0
            credentials.append(
                Credential(
                    uid, stated.kind or "", name=name, declared=_declared(manifest, stated), rotate_every=every, canary=stated.canary
                )
            )
            ownerships += _owned(uid, stated.owner, now)
            lifecycle += _life(uid, stated, now)
    return Declarations(
        tuple(identities), tuple(credentials), tuple(Owner(uid, said.name, said.contact) for uid, said in manifest.owners.items()),
        tuple(ownerships), tuple(Environment(uid, place.accounts) for uid, place in manifest.environments.items()), manifest.edges,
        tuple(lifecycle),
    )  # fmt: skip


def _declared(manifest: Manifest, stated: Agent | Stated) -> Declared:
    return Declared(manifest.environment_of(stated), stated.purpose or "", stated.uses, stated.regions, stated.networks)


def _owned(uid: str, owner: str | None, now: float) -> Iterator[Ownership]:
    if owner is not None:
        yield Ownership(uid, owner, "manifest", CONFIDENCE["manifest"], now)


def _life(uid: str, stated: Stated, now: float) -> Iterator[LifecycleEvent]:
    """Days that were declared, as events: a day begins at midnight, UTC, and an `expires` counts to its end."""
    expires = end_of(stated.expires) if stated.expires else 0.0
    if stated.issued or expires:
        yield LifecycleEvent(SOURCE, uid, _begin(stated.issued) if stated.issued else 0.0, "issued", credential=uid, expires=expires)
    if stated.rotated:
        yield LifecycleEvent(SOURCE, uid, _begin(stated.rotated), "renewed", credential=uid, expires=expires)
    if stated.revoked and _begin(stated.revoked) <= now:
        yield LifecycleEvent(SOURCE, uid, _begin(stated.revoked), "revoked", credential=uid)


def _begin(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
