"""What `licet inventory` shows: a line for each identity with its faces, and sums with their denominators."""

from __future__ import annotations

from pathlib import Path

import pytest

from licet.events import LifecycleEvent, UseEvent
from licet.inventory.life import status_at
from licet.inventory.model import Credential, Environment, Identity, Ownership
from licet.inventory.rows import SELECT_CREDENTIAL, credential_of
from licet.inventory.store import Inventory
from licet.inventory.trace import trace
from licet.inventory.views import STALE, Line, Viewer, attributions, doings, sums

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

NOW = 1_790_000_000.0
DAY = 86_400.0


def use(identity: str, days_ago: float, credential: str = "", kind: str = "role", outcome: str = "success", **more: str) -> UseEvent:
    return UseEvent(
        "cloudtrail", f"{identity} {days_ago} {credential}", NOW - days_ago * DAY, identity, "s3:ListBuckets", identity_kind=kind,  # type: ignore[arg-type]
        outcome=outcome, credential=credential, account="1", digest="00", place="x:1", **more,  # type: ignore[arg-type]
    )  # fmt: skip


def lines(inventory: Inventory) -> dict[str, Line]:
    return {line.identity.uid: line for line in Viewer(inventory, NOW).lines()}


def test_each_identity_has_one_line_and_a_face_stands_under_its_own(tmp_path: Path) -> None:
    """Nothing is lost: not a face of somebody unknown, not a circle, not a face of a face."""
    inventory = Inventory(tmp_path / "inventory.db")
    of = {"face": "whole", "lost": "nobody", "a": "b", "b": "a", "second": "face"}
    inventory.declare(identities=[Identity("whole"), *(Identity(uid, same_as=same, same_confidence=1.0) for uid, same in of.items())])
    inventory.keep([use("whole", 3), use("face", 1)], [])
    found = lines(inventory)
    assert sorted(found) == ["a", "b", "lost", "second", "whole"]
    assert [face.uid for face in found["whole"].faces] == ["face"]
    assert (found["whole"].uses, found["whole"].last, found["whole"].first) == (2, NOW - DAY, NOW - 3 * DAY)
    inventory.close()


def test_credentials_are_counted_by_what_they_are_now(tmp_path: Path) -> None:
    """As `status_at` says of each."""
    inventory = Inventory(tmp_path / "inventory.db")
    life = [("issued", "active"), ("revoked", "revoked"), ("suspended", "suspended"), ("deleted", "deleted"), ("job_ended", "ended")]
    events = [
        LifecycleEvent("t", f"{kind} {status}", NOW - 5, kind, "bot", f"cred:{status}")  # type: ignore[arg-type]
        for kind, status in life
    ]  # fmt: skip
    events += [
        LifecycleEvent("t", "r", NOW - 5, "rotated", "bot", "cred:new", supersedes="cred:superseded"),
        LifecycleEvent("t", "e", NOW - 9, "issued", "bot", "cred:expired", expires=NOW - 1),
        LifecycleEvent("t", "f", NOW - 9, "issued", "bot", "cred:future", expires=NOW + 1),
    ]
    inventory.keep(
        [use("bot", 3, "cred:t", credential_kind="temporary_key"), use("bot", 1, "cred:u", credential_kind="temporary_key")], events
    )
    every = [credential_of(row) for row in inventory.rows(SELECT_CREDENTIAL)]
    wanted: dict[str, int] = {}
    for each in every:
        wanted[status_at(each, NOW)] = wanted.get(status_at(each, NOW), 0) + 1
    (line,) = lines(inventory).values()
    assert dict(line.credentials) == wanted
    assert wanted == {"active": 4, "revoked": 1, "suspended": 1, "deleted": 1, "ended": 1, "superseded": 1, "expired": 2}
    inventory.close()


def test_stale_is_who_rests_or_has_a_kept_credential_that_does(tmp_path: Path) -> None:
    """A key that was issued and never used counts; a session's key that was seen once does not."""
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.keep(
        [use("fresh", 1), use("resting", 91), use("keeper", 1), use("ended", 1), use("sessions", 1),
         use("sessions", 200, "cred:s", credential_kind="temporary_key")],
        [LifecycleEvent("t", "k", NOW - 200 * DAY, "issued", "keeper", "cred:k"),
         LifecycleEvent("t", "e", NOW - 200 * DAY, "issued", "ended", "cred:e"), LifecycleEvent("t", "r", NOW, "revoked", "ended", "cred:e")],
    )  # fmt: skip
    assert {uid for uid, line in lines(inventory).items() if line.stale} == {"resting", "keeper"}
    inventory.close()


def test_a_pods_token_of_which_nobody_knows_the_end_is_never_stale_and_has_ended_after_a_year(tmp_path: Path) -> None:
    """A log of level Metadata does not tell until when it was issued. What somebody gave a name is kept, and counts on."""
    inventory = Inventory(tmp_path / "inventory.db")
    token = "service_account_token"
    inventory.keep(
        [use("pod", 1, "cred:now", credential_kind=token), use("pod", 300, "cred:used", credential_kind=token)],
        [LifecycleEvent("t", f"{days}", NOW - days * DAY, "issued", "pod", f"cred:{days}", token) for days in (300, 367, 400)],
    )  # fmt: skip
    inventory.declare(credentials=[Credential("cred:400", token, name="kept by hand", identity="pod")])
    assert lines(inventory)["pod"].credentials == {"active": 4, "expired": 1}
    every = {row[0]: status_at(credential_of(row), NOW) for row in inventory.rows(SELECT_CREDENTIAL)}
    assert [uid for uid, status in every.items() if status == "expired"] == ["cred:367"]
    assert lines(inventory)["pod"].stale
    inventory.keep([use("pod", 0.5, "cred:400", credential_kind=token)], [])
    assert not lines(inventory)["pod"].stale
    inventory.close()


def test_shared_is_a_credential_of_several_and_not_of_one_under_two_names(tmp_path: Path) -> None:
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.declare(identities=[Identity("face", same_as="whole", same_confidence=1.0), Identity("whole")])
    inventory.keep([use("whole", 1, "cred:w"), use("face", 1, "cred:w"), use("a", 1, "cred:x"), use("b", 1, "cred:x")], [])
    assert {uid for uid, line in lines(inventory).items() if line.shared} == {"a", "b"}
    inventory.close()


def test_the_environment_is_what_was_declared_else_that_of_the_account(tmp_path: Path) -> None:
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.declare(environments=[Environment("prod", ("1",))])
    inventory.keep([use("bot", 1)], [])
    assert lines(inventory)["bot"].environment == "prod"
    inventory.close()


def test_ownership_coverage_is_of_machines_that_were_active_and_of_owners_that_are_confirmed(tmp_path: Path) -> None:
    """As of the latest event, however old the logs are; people and what rests are in no denominator."""
    inventory = Inventory(tmp_path / "inventory.db")
    old = 1_000.0
    names = ("confirmed", "long ago", "nobody's")
    inventory.keep([*(use(name, old) for name in names), use("rests", old + 91), use("ada", old, kind="human")], [])
    inventory.declare(
        ownerships=[Ownership("confirmed", "o", "imported", 0.8, NOW), Ownership("long ago", "o", "manifest", 1.0, NOW - 2 * STALE)]
    )
    total = sums(inventory, NOW)
    for line in lines(inventory).values():
        total.add(line, NOW)
    assert (total.identities, total.machines, total.active, total.owned) == (5, 4, 3, 1)
    inventory.close()


def test_a_use_with_a_shared_credential_is_attributed_to_none(tmp_path: Path) -> None:
    """And the platform's own services are in no denominator."""
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.declare(ownerships=[Ownership("a", "o", "imported", 0.8, NOW)])
    inventory.keep(
        [use("a", 1, "cred:a"), use("a", 2, "cred:x"), use("b", 1, "cred:x"), use("b", 2, workload="i-1"), use("aws:ec2", 1, kind="service")], []
    )  # fmt: skip
    total = sums(inventory, NOW)
    for line in lines(inventory).values():
        total.add(line, NOW)
    (found,) = attributions(inventory, total.by_source)
    assert tuple(found) == ("cloudtrail", 4, 1, 1, 2)
    inventory.close()


def test_what_was_done_is_counted_and_what_was_denied_apart(tmp_path: Path) -> None:
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.keep([use("a", 1, region="eu"), use("a", 2, region="eu"), use("a", 3, outcome="denied")], [])
    did = doings(inventory, ("a",))
    assert (dict(did.operations), dict(did.denied), dict(did.regions)) == ({"s3:ListBuckets": 2}, {"s3:ListBuckets": 1}, {"eu": 2})
    inventory.close()


def test_the_newest_credentials_come_first(tmp_path: Path) -> None:
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.keep([use("a", 5, "cred:old"), use("a", 1, "cred:new")], [])
    found: list[Credential] = Viewer(inventory, NOW).credentials("a", 1)
    assert [each.uid for each in found] == ["cred:new"]
    inventory.close()


def test_what_was_done_is_counted_by_network_program_and_for_whom_it_was(tmp_path: Path) -> None:
    """What was refused and what went wrong are two things; and who was refused is the one for whom it was tried."""
    inventory = Inventory(tmp_path / "inventory.db")
    uses = [
        use("bot", 1, network="192.0.2.0/24", agent="Terraform/1", country="DE", region="eu-west-1"),
        use("bot", 2, network="192.0.2.0/24", agent="curl/8"),
        use("bot", 3, network="198.51.100.0/24", agent="curl/8", outcome="denied")._replace(on_behalf_of=("alice",)),
        use("bot", 4, outcome="failed"),
    ]
    inventory.keep(uses, [])
    found = doings(inventory, ["bot"])
    assert found.networks == {"192.0.2.0/24": 2, "198.51.100.0/24": 1}
    assert found.agents == {"Terraform/1": 1, "curl/8": 2}
    assert (found.regions, found.accounts) == ({"eu-west-1": 1}, {"1": 4})
    assert found.acted_for == {"alice": 1}
    assert (found.operations, found.failed) == ({"s3:ListBuckets": 2}, {"s3:ListBuckets": 1})
    assert found.denied == {"s3:ListBuckets (for alice)": 1}
    inventory.close()


def test_the_active_and_most_used_credentials_of_an_identity_come_first(tmp_path: Path) -> None:
    """A session's key that was used last does not hide the key that stays."""
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.keep(
        [use("bot", 9, "cred:kept"), use("bot", 8, "cred:kept"), use("bot", 7, "cred:seldom"), use("bot", 3, "cred:ended"),
         use("bot", 0.1, "cred:session", credential_kind="temporary_key")],
        [LifecycleEvent("t", "r", NOW - DAY, "revoked", "bot", "cred:ended")],
    )  # fmt: skip
    found = [each.uid for each in Viewer(inventory, NOW).credentials("bot", 3)]
    assert found == ["cred:kept", "cred:seldom", "cred:session"]
    inventory.close()


def test_nothing_of_a_deleted_identity_is_active(tmp_path: Path) -> None:
    """Its password went with it, though no record says so."""
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.keep(
        [use("gone", 2, "cred:g")], [LifecycleEvent("t", "c", NOW - 3 * DAY, "created", "gone"), LifecycleEvent("t", "d", NOW - DAY, "deleted", "gone")]
    )  # fmt: skip
    assert dict(lines(inventory)["gone"].credentials) == {"deleted": 1}
    assert trace(inventory, ["cred:g"], NOW).versions[0].status == "deleted"
    inventory.close()


def test_uses_of_who_may_be_a_machine_count_in_the_sums(tmp_path: Path) -> None:
    """An IAM user with an access key is a machine or a person: it is not called either, and its uses are not passed over."""
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.keep([*(use("user", day, kind="unknown") for day in (1, 2, 3)), use("role", 1), use("ada", 1, kind="human")], [])
    inventory.declare(ownerships=[Ownership("user", "o", "imported", 0.8, NOW)])
    total = sums(inventory, NOW)
    for line in lines(inventory).values():
        total.add(line, NOW)
    assert (total.machines, total.unknown) == (1, 1)
    assert (total.uses, total.unknown_uses, total.owned_uses) == (4, 3, 3)
    inventory.close()
