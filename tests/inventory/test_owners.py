"""Who answers for an identity: what somebody said, and then what can be guessed from who made it."""

from __future__ import annotations

from pathlib import Path

import pytest

from licet.events import LifecycleEvent
from licet.inventory.model import Identity, Owner, Ownership
from licet.inventory.owners import confirmed, owners_of, stated
from licet.inventory.store import Inventory

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

NOW = 1_790_000_000.0


def created(uid: str, by: str, outcome: str = "success") -> LifecycleEvent:
    return LifecycleEvent("t", f"created {uid} {by}", NOW - 100.0, "created", uid, by=by, outcome=outcome)  # type: ignore[arg-type]


def issued(uid: str, by: str) -> LifecycleEvent:
    return LifecycleEvent("t", f"issued {uid} {by}", NOW - 50.0, "issued", uid, f"cred:{uid}", by=by)


def told(inventory: Inventory, uid: str) -> list[tuple[str, str, float]]:
    return [(own.owner, own.source, round(own.confidence, 3)) for _, own in owners_of(inventory, uid)]


def test_what_somebody_said_stands_before_what_is_guessed(tmp_path: Path) -> None:
    """The person who issued its credential and the one who made it are shown behind it, with less confidence."""
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.declare(identities=[Identity("ada", "human"), Identity("bob", "human"), Identity("bot", "role")])
    inventory.keep([], [created("bot", "ada"), issued("bot", "bob")])
    assert told(inventory, "bot") == [("bob", "issuer", 0.5), ("ada", "creator", 0.4)]
    assert stated(inventory, "bot") is None
    inventory.declare(owners=[Owner("ops")], ownerships=[Ownership("bot", "ops", "imported", 0.3, NOW)])
    assert told(inventory, "bot") == [("ops", "imported", 0.3), ("bob", "issuer", 0.5), ("ada", "creator", 0.4)]
    inventory.close()


def test_a_maker_that_is_a_machine_is_its_owners(tmp_path: Path) -> None:
    """A pipeline that belongs to a team: the team, the less surely; one that nobody owns, or that is gone, is nobody."""
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.declare(identities=[Identity("pipe", "pipeline"), Identity("stray", "pipeline"), Identity("gone", "human")])
    inventory.declare(ownerships=[Ownership("pipe", "ops", "imported", 0.8, NOW)])
    inventory.keep([], [created("a", "pipe"), created("b", "stray"), created("c", "gone"), created("d", "a"), created("e", "never seen")])
    inventory.keep([], [LifecycleEvent("t", "x", NOW, "deleted", "gone")])
    assert told(inventory, "a") == [("ops", "creator", 0.32)]
    assert told(inventory, "d") == [("ops", "creator", 0.128)]
    assert [told(inventory, uid) for uid in "bce"] == [[], [], []]
    inventory.close()


def test_what_was_tried_makes_nobody_an_owner_and_a_circle_ends(tmp_path: Path) -> None:
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.declare(identities=[Identity("ada", "human")])
    inventory.keep([], [created("a", "ada", "denied"), created("b", "c"), created("c", "b")])
    assert [told(inventory, uid) for uid in "abc"] == [[], [], []]
    inventory.close()


def test_a_face_is_owned_by_whoever_owns_the_whole_unless_it_has_an_owner_of_its_own(tmp_path: Path) -> None:
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.declare(
        identities=[Identity("face", same_as="whole", same_confidence=1.0)], ownerships=[Ownership("whole", "ops", "manifest", 1.0, NOW)]
    )
    assert told(inventory, "face") == [("ops", "manifest", 1.0)]
    inventory.declare(ownerships=[Ownership("face", "dev", "imported", 0.8, NOW)])
    assert told(inventory, "face") == [("dev", "imported", 0.8), ("ops", "manifest", 1.0)]
    assert (own := inventory.owner_of("face")) is not None
    assert own[0].uid == "dev"  # as findings name it
    inventory.close()


def test_only_what_was_said_in_the_last_90_days_is_confirmed() -> None:
    day = 86_400.0
    own = Ownership("bot", "ops", "imported", 0.8, NOW)
    assert confirmed(own, NOW + 90 * day)
    assert not confirmed(own, NOW + 91 * day)
    assert not confirmed(Ownership("bot", "ada", "creator", 0.4, NOW), NOW)
