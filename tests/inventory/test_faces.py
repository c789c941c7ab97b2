"""One identity under several names is found to be one: by what records show, and by what was done in a row."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from licet.events import LifecycleEvent, UseEvent
from licet.ingest import entra, m365
from licet.ingest.recognised import Recognised
from licet.inventory.faces import GRANTED, RECORDED, USED, FirstUse, face, faces_of, same_as
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.joined import join
from licet.inventory.model import Identity
from licet.inventory.store import Inventory

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

SHARED = Path(__file__).parents[3] / "shared" / "data" / "nhi" / "otrf_goldensaml"


class At:
    """Where the records are from."""

    account = ""
    fingerprint = staticmethod(Fingerprints(bytes(32)).of)


def widened(uid: str, time: float, by: str = "ada", privilege: str = "graph:Mail.Read") -> LifecycleEvent:
    return LifecycleEvent("entra", f"{uid}@{time}", time, "scope_widened", uid, by=by, privilege=privilege)


def told(*events: LifecycleEvent, uses: tuple[FirstUse, ...] = ()) -> dict[str, tuple[str, float]]:
    return {found.uid: (found.same_as, found.confidence) for found in faces_of(events, uses)}


def test_what_a_record_shows_is_followed_to_its_end() -> None:
    found = told(face("entra", "object", "application"), face("entra", "application", "principal"))
    assert found == {"object": ("principal", RECORDED), "application": ("principal", RECORDED)}


def test_a_circle_ends() -> None:
    assert told(face("entra", "a", "b"), face("entra", "b", "a")) == {"a": ("b", RECORDED), "b": ("a", RECORDED)}


def test_an_application_with_two_service_principals_is_neither() -> None:
    assert told(face("entra", "app", "one"), face("entra", "app", "two")) == {}


def test_a_permission_asked_for_and_granted_by_one_person_in_a_row_joins_the_two() -> None:
    assert told(widened("app", 0.0), widened("principal", 60.0)) == {"app": ("principal", GRANTED)}


@pytest.mark.parametrize(
    "second",
    [widened("principal", 7_200.0), widened("principal", 60.0, by="bob"), widened("principal", 60.0, privilege="graph:Mail.Send")],
    ids=["long after", "by another", "of another permission"],
)
def test_what_is_not_in_a_row_joins_nothing(second: LifecycleEvent) -> None:
    assert told(widened("app", 0.0), second) == {}


def test_of_two_at_once_nobody_can_tell_which_is_whose() -> None:
    assert told(widened("app", 0.0), widened("other", 1.0), widened("principal", 60.0)) == {}


def test_the_first_use_of_what_was_just_granted_for_whoever_granted_it_joins_too() -> None:
    use = FirstUse("client", 300.0, "exchange:MailItemsAccessed", ("ada",), "u")
    events = (widened("app", 0.0), widened("principal", 60.0))
    assert told(*events, uses=(use,)) == {"app": ("principal", GRANTED), "client": ("principal", USED)}
    for other in (
        use._replace(on_behalf_of=("bob",)), use._replace(time=200_000.0), use._replace(time=30.0),
        use._replace(operation="sharepoint:FileAccessed"),
    ):  # fmt: skip
        assert "client" not in told(*events, uses=(other,))


def test_only_events_without_a_time_are_faces() -> None:
    """What a log says has one, so that no log can make one identity of two."""
    made = face("entra", "a", "b")
    assert same_as(made) == "b"
    assert not same_as(made._replace(time=1_790_000_000.0))


def otrf() -> list[Recognised]:
    read = {"AADAuditEvents.json": entra.read, "OfficeActivityEvents.json": m365.read}
    return [
        reader(json.loads(line), At()) for name, reader in read.items() for line in (SHARED / name).read_text(encoding="utf-8").splitlines()
    ]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the third-party logs are not here")
def test_the_takeover_of_an_application_is_about_one_identity(tmp_path: Path) -> None:
    """Golden SAML: asked for, granted, a secret added, mail read; three names, and no record has two of them. In each order of arrival."""
    principal = "entra:0d2f5969-011b-460d-ac74-3291d227d49f"
    for number, order in enumerate(itertools.permutations(otrf())):
        if number % 24:
            continue
        inventory = Inventory(tmp_path / f"{number}.db")
        for found in order:
            inventory.keep(
                [use._replace(digest="00" * 32, place="x:1") for use in found.uses],
                [event._replace(digest="00" * 32, place="x:1") for event in found.lifecycle],
            )
            join(inventory)
        faces = {uid for (uid,) in inventory.rows("SELECT uid FROM identities WHERE same_as=?", (principal,))}
        uids = [principal, *sorted(faces)]
        lifecycle = [event for uid in uids for event in inventory.lifecycle_of(uid)]
        told = [(event.time, event.kind) for event in lifecycle] + [
            (use.time, use.operation) for uid in uids for use in inventory.uses(uid)
        ]
        inventory.close()
        assert [what for _, what in sorted(told)] == ["scope_widened", "scope_widened", "issued", "exchange:MailItemsAccessed"]


def test_what_somebody_declared_is_left_alone_and_what_was_likely_is_taken_back(tmp_path: Path) -> None:
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.declare(identities=[Identity("app", same_as="declared", same_confidence=1.0)])
    inventory.keep([], [widened("app", 1.0), widened("principal", 60.0)])
    join(inventory)
    assert (found := inventory.identity("app")) is not None
    assert found.same_as == "declared"
    inventory.keep([], [widened("app2", 1.0, by="bob"), widened("principal2", 60.0, by="bob")])
    join(inventory)
    assert (found := inventory.identity("app2")) is not None
    assert (found.same_as, found.same_confidence) == ("principal2", GRANTED)
    inventory.keep([], [widened("app3", 2.0, by="bob")])
    join(inventory)
    assert (found := inventory.identity("app2")) is not None
    assert (found.same_as, found.same_confidence) == ("", 0.0)
    inventory.close()


def test_joining_twice_judges_nobody_twice(tmp_path: Path) -> None:
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.keep([], [widened("app", 1.0), widened("principal", 60.0)])
    with inventory.step() as db:
        db.execute("DELETE FROM dirty")
    assert join(inventory)
    assert {uid for uid, _ in inventory.dirty()} == {"app", "principal"}
    with inventory.step() as db:
        db.execute("DELETE FROM dirty")
    join(inventory)
    assert inventory.dirty() == []
    inventory.close()


def test_a_use_is_what_a_face_did(tmp_path: Path) -> None:
    """The first use is found in the inventory, and one that works for nobody is none of its affair."""
    inventory = Inventory(tmp_path / "inventory.db")
    use = UseEvent(
        "m365", "1", 300.0, "client", "exchange:MailItemsAccessed", identity_kind="oauth_app", on_behalf_of=("ada",), place="x:1"
    )
    inventory.keep([use._replace(digest="00" * 32)], [widened("principal", 60.0)])
    assert [(each.uid, each.same_as) for each in join(inventory)] == [("client", "principal")]
    inventory.close()


def test_a_name_says_nothing_of_when_an_identity_was_made(tmp_path: Path) -> None:
    """Whichever of the two comes first."""
    made = LifecycleEvent("entra", "1", 1_790_000_000.0, "created", "app")
    for number, order in enumerate(itertools.permutations((made, face("entra", "app", "principal")))):
        inventory = Inventory(tmp_path / f"{number}.db")
        for event in order:
            inventory.keep([], [event])
        assert (found := inventory.identity("app")) is not None
        assert found.created == made.time
        inventory.close()


def test_a_name_of_what_was_declared_to_be_a_face_stands_under_the_same_whole(tmp_path: Path) -> None:
    """An application's id, its service principal, and the role that somebody said the principal is."""
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.keep([], [face("entra", "client", "principal")])
    join(inventory)
    inventory.declare(identities=[Identity("role"), Identity("principal", same_as="role", same_confidence=1.0)])
    join(inventory)
    assert [(each.uid, each.same_as) for each in inventory.identities() if each.same_as] == [("client", "role"), ("principal", "role")]
    inventory.close()


def test_a_name_that_each_record_shows_again_did_not_come_twice(tmp_path: Path) -> None:
    inventory = Inventory(tmp_path / "inventory.db")
    assert inventory.keep([], [face("entra", "client", "principal")]).lifecycle == 0  # it is a name, and no event
    kept = inventory.keep([], [face("entra", "client", "principal"), widened("principal", 60.0)])
    assert (kept.lifecycle, kept.again) == (1, 0)
    assert inventory.keep([], [widened("principal", 60.0)]).again == 1
    inventory.close()
