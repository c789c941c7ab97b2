"""Whose word counts for a credential that several sources tell of."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from licet.events import LifecycleEvent, UseEvent
from licet.ingest.forms import platforms_of, told_of
from licet.ingest.kubernetes import read
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.heard import unheard
from licet.inventory.model import Credential, Identity
from licet.inventory.store import Inventory
from licet.inventory.trace import trace
from licet.monitor.kept import kept
from licet.monitor.run import monitor
from licet.monitor.stored import signals_of
from licet.monitor.world import DAY, Settings

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

T = 1_772_323_200.0
KEY = "cred:" + "0" * 32


def told(source: str, kind: Any, time: float = T, **more: Any) -> LifecycleEvent:
    return LifecycleEvent(source, f"{source}-{kind}", time, kind, credential=KEY, digest="1" * 64, place="f:1")._replace(**more)


class Place:
    account = "dev"
    fingerprint = staticmethod(Fingerprints(b"k" * 32).of)


def used(source: str, identity: str, time: float) -> UseEvent:
    return UseEvent(source, f"u{time}", time, identity, "s3:GetObject", credential=KEY, digest="2" * 64, place="f:2", identity_kind="role")


def names(events: list[LifecycleEvent]) -> list[str]:
    return [each.native_id for each in events]


@pytest.mark.parametrize(
    "events, left_out",
    [
        ([told("cloudtrail", "issued"), told("kubernetes", "renewed")], ["kubernetes-renewed"]),
        ([told("cloudtrail", "issued"), told("kubernetes", "bound", workload="pod:a")], ["kubernetes-bound"]),
        ([told("cloudtrail", "revoked", T), told("kubernetes", "issued", T - 9)], []),
        ([told("cloudtrail", "issued", T, expires=T + 9), told("kubernetes", "issued", T - 9)], []),
        ([told("cloudtrail", "activated", T), told("kubernetes", "issued", T - 9)], []),
        ([told("cloudtrail", "issued"), told("lifecycle", "revoked"), told("declared", "issued")], []),
        ([told("cloudtrail", "revoked"), told("kubernetes", "revoked")], []),
        ([told("cloudtrail", "issued", outcome="denied"), told("kubernetes", "renewed")], []),
        ([told("entra", "issued"), told("m365", "renewed")], []),
        ([told("licet", "issued"), told("licet", "revoked"), told("lifecycle", "revoked")], []),
        ([told("licet", "issued", T - 9), told("lifecycle", "issued")], ["licet-issued"]),
        ([told("licet", "issued", T - 9), told("licet", "revoked"), told("kubernetes", "revoked")], ["licet-issued", "licet-revoked"]),
    ],
    ids=lambda value: " ".join(names(value)) if value and isinstance(value[0], LifecycleEvent) else "",
)  # fmt: skip
def test_a_platform_prolongs_what_it_issued_an_operator_all_and_a_span_what_nobody_else_tells_of_and_an_end_counts(
    events: list[LifecycleEvent], left_out: list[str]
) -> None:
    for order in itertools.permutations(events):
        assert sorted(names(unheard(KEY, order))) == sorted(left_out)


def keep(inventory: Inventory, *events: UseEvent | LifecycleEvent) -> None:
    uses = [each for each in events if isinstance(each, UseEvent)]
    inventory.keep(uses, [each for each in events if isinstance(each, LifecycleEvent)])


STORY: tuple[UseEvent | LifecycleEvent, ...] = (
    told("lifecycle", "issued", expires=T + 9 * DAY), told("licet", "issued", T - 5 * DAY, expires=T + 400 * DAY, identity="agent:victim"),
    used("cloudtrail", "arn:user", T + 10 * DAY), used("licet", "agent:victim", T - 5 * DAY),
)  # fmt: skip


@pytest.mark.parametrize("order", list(itertools.permutations(range(len(STORY)))), ids=str)
def test_a_span_neither_prolongs_nor_takes_over_whatever_came_first(order: tuple[int, ...]) -> None:
    inventory = Inventory(":memory:")
    for at in order:
        keep(inventory, STORY[at])
        monitor(inventory, Settings(), T + 30 * DAY)
    found = inventory.credential(KEY)
    assert found is not None
    assert (found.identity, found.expires, found.issued) == ("arn:user", T + 9 * DAY, T)
    assert "EXPIRED_ACCEPTED" in {each.code for each in signals_of(inventory, "arn:user")}
    late = [line.late for line in trace(inventory, [KEY], T + 30 * DAY).lines if line.identity == "arn:user"]
    assert late == ["after"]
    inventory.close()


def test_what_had_no_effect_has_one_again_when_it_turns_out_who_issued_it() -> None:
    """And is kept once, however often it comes."""
    inventory = Inventory(":memory:")
    bound = told("kubernetes", "bound", T + 1, workload="pod:a")
    ended = LifecycleEvent("kubernetes", "end", T + 2, "job_ended", workload="pod:a", digest="3" * 64)
    keep(inventory, told("cloudtrail", "issued", T), bound, ended, used("kubernetes", "arn:user", T + DAY))
    monitor(inventory, Settings(), T + 2 * DAY)
    assert signals_of(inventory, "arn:user") == []
    keep(inventory, bound)
    assert inventory.rows("SELECT uid FROM unheard") == [(bound.uid,)]
    keep(inventory, told("kubernetes", "issued", T - 1))
    monitor(inventory, Settings(), T + 2 * DAY)
    assert inventory.rows("SELECT uid FROM unheard") == []
    assert [each.code for each in signals_of(inventory, "arn:user")] == ["POST_JOB_USE"]
    inventory.close()


def test_a_finding_that_goes_since_its_event_has_no_effect_says_which_event_that_is_and_why() -> None:
    inventory = Inventory(":memory:")
    keep(inventory, told("licet", "revoked", T), used("cloudtrail", "arn:user", T + DAY))
    monitor(inventory, Settings(), T + 2 * DAY)
    assert not any(each.withdrawn for each in kept(inventory))
    keep(inventory, told("cloudtrail", "issued", T - 5))
    monitor(inventory, Settings(), T + 2 * DAY)
    [gone] = [each for each in kept(inventory) if each.withdrawn]
    assert gone.finding.explanation is not None
    assert gone.finding.explanation.counter == (
        "licet/licet-revoked!revoked has no effect, as another source tells of the credential: cloudtrail/cloudtrail-issued!issued",
    )
    inventory.close()


def test_what_a_rotation_ended_has_not_ended_once_the_rotation_has_no_effect() -> None:
    """The old version is looked at again too, though nothing new is told of it."""
    inventory, old = Inventory(":memory:"), "cred:" + "1" * 32
    keep(inventory, told("licet", "rotated", T, supersedes=old))
    assert inventory.rows("SELECT rotated FROM credentials WHERE uid=?", (old,)) == [(T,)]
    keep(inventory, told("entra", "suspended", T + 5))
    assert inventory.rows("SELECT rotated FROM credentials WHERE uid=?", (old,)) == [(0.0,)]
    inventory.close()


CLAIMED = ["AKIACIEXAMPLE0000001", "JTI=AKIACIEXAMPLE0000001", "00Tabcdefghijklmnopq", "q83v" * 10 + "q80=", "github:token_id:7"]


@pytest.mark.parametrize("shown", CLAIMED)
def test_a_cluster_does_not_speak_of_a_credential_of_which_the_id_shows_that_it_is_anothers(shown: str) -> None:
    def of(text: str) -> str:
        return Fingerprints(b"k" * 32).of(text)

    assert told_of("kubernetes", shown, of) not in ("", of(shown))
    [own] = {"cloudtrail", "okta", "github"} & {*platforms_of(shown)}
    assert told_of(own, shown, of) == of(shown)


@pytest.mark.parametrize("source", ["kubernetes", "entra", "m365"])
def test_a_uuid_can_be_of_each_platform_that_makes_them(source: str) -> None:
    shown = "aaaaaaaa-1111-4222-8333-444444444444"
    assert told_of(source, shown, Fingerprints(b"k" * 32).of) == Fingerprints(b"k" * 32).of(f"JTI={shown}")
    assert told_of("okta", shown, Fingerprints(b"k" * 32).of) != Fingerprints(b"k" * 32).of(shown)


def test_a_record_of_a_cluster_takes_no_revocation_of_aws_back() -> None:
    """The log of the one who rules it says that it issued the key, long before: the same with and without that record."""
    inventory, place = Inventory(":memory:"), Place()
    key = "AKIACIEXAMPLE0000001"
    record = {
        "kind": "Event", "level": "Metadata", "auditID": "a-1", "stage": "ResponseComplete", "verb": "create", "user": {"username": "eve"},
        "requestReceivedTimestamp": "2018-01-01T00:00:00Z", "stageTimestamp": "2018-01-01T00:00:00Z", "responseStatus": {"code": 201},
        "objectRef": {"resource": "serviceaccounts", "subresource": "token", "namespace": "x", "name": "y", "apiVersion": "v1"},
        "annotations": {"authentication.kubernetes.io/issued-credential-id": key},
    }  # fmt: skip
    ends = told("cloudtrail", "deleted", T, credential=place.fingerprint(key), identity="arn:user")
    use = used("cloudtrail", "arn:user", T + DAY)._replace(credential=place.fingerprint(key))
    found = read(record, place)
    assert [each.kind for each in found.lifecycle] == ["issued"]
    keep(inventory, ends, use)
    before = inventory.credential(place.fingerprint(key))
    keep(inventory, *found.lifecycle)
    monitor(inventory, Settings(), T + 2 * DAY)
    assert inventory.credential(place.fingerprint(key)) == before
    assert [each.code for each in signals_of(inventory, "arn:user")] == ["POST_REVOCATION_USE"]
    inventory.close()


def test_what_is_declared_otherwise_than_before_is_judged_from_the_earlier_of_both_times() -> None:
    """The day of a revocation that was moved to later: the uses between both were said to be after it."""
    inventory = Inventory(":memory:")
    keep(inventory, used("cloudtrail", "arn:user", T + DAY), used("cloudtrail", "arn:user", T + 7 * DAY))
    said: dict[str, Any] = {"credentials": [Credential(KEY)], "identities": [Identity("arn:user")]}

    def late() -> list[float]:
        return [each.time for each in signals_of(inventory, "arn:user") if each.code == "POST_REVOCATION_USE"]

    inventory.declare(**said, lifecycle=[told("declared", "revoked", T)])
    monitor(inventory, Settings(), T + 9 * DAY)
    assert late() == [T + DAY, T + 7 * DAY]
    inventory.declare(**said, lifecycle=[told("declared", "revoked", T + 8 * DAY)])
    monitor(inventory, Settings(), T + 9 * DAY)
    assert late() == []
    inventory.close()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_whether_an_identity_is_there_goes_by_the_last_that_is_told_of_it(order: tuple[int, ...]) -> None:
    events = [
        LifecycleEvent("cloudtrail", f"l{number}", T + number, kind, "arn:user", outcome=outcome, digest=f"{number:064}")  # type: ignore[arg-type]
        for number, (kind, outcome) in enumerate([("created", "success"), ("deleted", "success"), ("created", "denied")])
    ]
    inventory = Inventory(":memory:")
    for at in order:
        keep(inventory, events[at])
    found = inventory.identity("arn:user")
    assert found is not None
    assert (found.status, found.created) == ("deleted", T)
    inventory.close()
