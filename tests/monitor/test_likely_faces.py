"""What is only likely, or only a tag, judges nobody: an identity that may be another one stands for itself."""

from __future__ import annotations

import itertools

import pytest

from licet.events import LifecycleEvent
from licet.inventory.faces import GRANTED, RECORDED, face, faces_of
from licet.inventory.model import Declared, Identity, Owner, Ownership
from licet.inventory.store import Inventory
from licet.monitor.kept import kept
from licet.monitor.known import Known
from licet.monitor.run import monitor
from licet.monitor.stored import signals_of
from licet.monitor.world import Settings
from stories import DAY, HOUR, MINUTE, NOW, START, use

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

ROGUE, PAYROLL, CLIENT = "entra:rogue", "entra:payroll", "entra:client"


def widened(uid: str, time: float) -> LifecycleEvent:
    return LifecycleEvent("entra", f"{uid}@{time}", START + time, "scope_widened", uid, by="eve", privilege="graph:Mail.Read")


def secret(uid: str, time: float) -> LifecycleEvent:
    return LifecycleEvent("entra", f"secret@{time}", START + time, "issued", uid, credential="cred:new", by="eve")


def acting(time: float, uid: str = ROGUE, operation: str = "exchange:MailItemsAccessed") -> object:
    return use(time, identity=uid, identity_kind="oauth_app", operation=operation, on_behalf_of=("eve",))._replace(source="m365")


def payroll(inventory: Inventory) -> None:
    said = Declared(uses=("exchange:*", "entra:*"), networks=("192.0.2.0/24",))
    inventory.declare(
        identities=[Identity(PAYROLL, "oauth_app", declared=said)], owners=[Owner("fin")],
        ownerships=[Ownership(PAYROLL, "fin", "manifest", 1.0, NOW)],
    )  # fmt: skip


def judged(inventory: Inventory) -> dict[str, set[str]]:
    monitor(inventory, Settings(), NOW)
    found: dict[str, set[str]] = {}
    for each in kept(inventory):
        if each.finding.explanation is not None and each.finding.explanation.identity and not each.withdrawn:
            found.setdefault(each.finding.explanation.identity, set()).update(each.finding.explanation.codes)
    return found


def test_who_grants_to_another_what_his_own_application_asked_for_takes_nothing_of_it() -> None:
    """Its findings stay, nobody owns it, and the other is blamed for nothing of it."""
    rogue = [widened(ROGUE, 0), secret(ROGUE, MINUTE)]
    for pieces in (
        [[*rogue, widened(PAYROLL, 20 * MINUTE)]],
        [rogue, [widened(PAYROLL, 20 * MINUTE)]],
        [[widened(PAYROLL, 20 * MINUTE)], rogue],
    ):
        inventory = Inventory(":memory:")
        payroll(inventory)
        inventory.keep([acting(HOUR), acting(3 * DAY)], [])  # type: ignore[list-item]
        for piece in pieces:
            inventory.keep([], piece)
            found = judged(inventory)
        assert inventory.rows("SELECT same_as, same_confidence FROM identities WHERE uid=?", (ROGUE,)) == [(PAYROLL, GRANTED)]
        assert found[ROGUE] >= {"APP_SCOPE_WIDENED", "APP_CREDENTIAL_ADDED", "UNOWNED_ACTIVE"}
        assert PAYROLL not in found
        world = Known(inventory, Settings(), NOW)
        assert world.owner(ROGUE) is None
        assert world.identity(ROGUE).declared == Declared()


def test_the_first_use_of_what_was_just_granted_belongs_to_the_change_in_any_order() -> None:
    """The scope of one name, a secret of a second, and the use by a third: one finding, of whom the change is."""
    ids = set()
    parts = ([widened(ROGUE, 0), secret(ROGUE, MINUTE)], [widened(PAYROLL, 2 * MINUTE)], [acting(5 * MINUTE, CLIENT)])
    for order in itertools.permutations(parts):
        inventory = Inventory(":memory:")
        for part in order:
            inventory.keep(
                [each for each in part if not isinstance(each, LifecycleEvent)], [each for each in part if isinstance(each, LifecycleEvent)]
            )  # type: ignore[misc]
            found = judged(inventory)
        assert found[ROGUE] == {"APP_SCOPE_WIDENED", "APP_CREDENTIAL_ADDED", "APP_FIRST_RESOURCE"}
        (told,) = [each for each in signals_of(inventory, ROGUE) if each.code == "APP_FIRST_RESOURCE"]
        assert [each.identity for each in told.evidence] == [ROGUE, ROGUE, PAYROLL, CLIENT]
        ids.add(told.id)
        before = inventory.rows("SELECT * FROM signals ORDER BY id")
        assert judged(inventory) == found
        assert inventory.rows("SELECT * FROM signals ORDER BY id") == before
    assert len(ids) == 1


def test_what_records_show_does_not_hang_on_what_is_likely() -> None:
    """Else who makes one of two names likely to be a third one's takes it away from the other."""
    found = {
        each.uid: (each.same_as, each.confidence)
        for each in faces_of([face("entra", "client", "app"), widened("app", 0), widened("principal", 60)])
    }
    assert found == {"client": ("app", RECORDED)}
    inventory = Inventory(":memory:")
    inventory.keep(
        [acting(day * DAY, "client", "graph:read") for day in range(3)],  # type: ignore[misc]
        [face("entra", "client", "app"), widened("app", 0), widened("principal", 60)],
    )
    inventory.declare(owners=[Owner("fin")], ownerships=[Ownership("app", "fin", "manifest", 1.0, NOW)])
    judged(inventory)
    assert Known(inventory, Settings(), NOW).owner("client") is not None
    assert signals_of(inventory, "client") == []


def test_a_tag_is_no_owner() -> None:
    """Whoever may write it would make himself one; it is shown as a guess."""
    inventory = Inventory(":memory:")
    payroll(inventory)
    inventory.declare(owners=[Owner("evil")], ownerships=[Ownership(ROGUE, "evil", "tag", 0.3, NOW)])
    inventory.keep([acting(0), acting(3 * DAY)], [])  # type: ignore[list-item]
    assert judged(inventory)[ROGUE] == {"UNOWNED_ACTIVE"}
    assert inventory.owner_of(ROGUE) is None
    alone = Inventory(":memory:")
    alone.declare(owners=[Owner("evil")], ownerships=[Ownership(ROGUE, "evil", "tag", 0.3, NOW)])
    assert not Known(alone, Settings(), NOW).owners
