"""An end that somebody told of stands: nothing that others say, and nothing that happens beside it, takes it back."""

from __future__ import annotations

from typing import Any

import pytest

from licet.events import LifecycleEvent
from licet.inventory.store import Inventory
from licet.inventory.trace import trace
from licet.monitor.detectors import ends as module
from licet.monitor.explain import holds
from licet.monitor.signal import Signal
from licet.monitor.world import Settings
from stories import DAY, HOUR, ME, NOW, START, Story, happened, use

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

ONE = {"credential": "cred:one"}


def told(kind: str, time: float, source: str, **said: Any) -> LifecycleEvent:
    return happened(time, kind, **said)._replace(source=source)


def late(story: Story, inventory: Inventory) -> list[Signal]:
    return [each for each in story.signals(inventory) if each.code == "POST_REVOCATION_USE"]


@pytest.mark.parametrize("of", [ONE, {"identity": ME}])
@pytest.mark.parametrize("kind", ["suspended", "revoked", "deleted"])
def test_what_one_told_to_be_ended_is_not_active_because_another_calls_it_active(kind: str, of: dict[str, str]) -> None:
    """AWS was never told of `licet credential revoke`, so that the key is active there, and whoever holds it can say so once more."""
    inventory = Inventory(":memory:")
    items = [use(0), told(kind, HOUR, "lifecycle", **of), told("activated", 2 * HOUR, "cloudtrail", **of), use(3 * HOUR)]
    (found,) = late(Story(items), inventory)
    assert found.since == START + HOUR
    if of is ONE:
        known = inventory.life("cred:one")[0]
        assert (known.revoked, known.status) == (START + HOUR, kind)


@pytest.mark.parametrize("of", [ONE, {"identity": ME}])
def test_what_a_platform_suspended_is_active_when_the_same_platform_says_so(of: dict[str, str]) -> None:
    items = [use(0), told("suspended", HOUR, "cloudtrail", **of), told("activated", 2 * HOUR, "cloudtrail", **of), use(3 * HOUR)]
    assert late(Story(items), Inventory(":memory:")) == []


@pytest.mark.parametrize("of", [ONE, {"identity": ME}])
def test_another_account_of_the_same_platform_takes_nothing_back(of: dict[str, str]) -> None:
    """Each of them has a log of its own, and who writes one of them writes no other."""
    inventory = Inventory(":memory:")
    other = told("activated", 2 * HOUR, "cloudtrail", account="999999999999", **of)
    items = [use(0), told("suspended", HOUR, "cloudtrail", account="111122223333", **of), other, use(3 * HOUR)]
    signals = Story(items).signals(inventory)
    assert {each.code for each in signals if each.alert} == {"POST_REVOCATION_USE", "REACTIVATED"}
    (again,) = [each for each in signals if each.code == "REACTIVATED"]
    assert "at cloudtrail in 999999999999" in again.observed
    inventory = Inventory(":memory:")
    story = Story([items[0], items[1], other._replace(account="111122223333"), items[3]])
    assert late(story, inventory) == []


def test_of_two_who_ended_it_the_one_that_was_not_taken_back_is_said() -> None:
    inventory = Inventory(":memory:")
    items = [
        use(0), told("suspended", HOUR, "cloudtrail", **ONE), told("revoked", 2 * HOUR, "lifecycle", **ONE),
        told("activated", 3 * HOUR, "cloudtrail", **ONE), use(4 * HOUR),
    ]  # fmt: skip
    (found,) = late(Story(items), inventory)
    assert (found.since, found.evidence[0].uid) == (START + 2 * HOUR, items[2].uid)
    assert (inventory.life("cred:one")[0].revoked, inventory.life("cred:one")[0].status) == (START + 2 * HOUR, "revoked")


def test_a_late_word_of_another_source_withdraws_no_finding() -> None:
    inventory = Inventory(":memory:")
    story = Story([use(0), told("revoked", HOUR, "lifecycle", **ONE), use(3 * HOUR)])
    before = late(story, inventory)
    story.keep(inventory, [told("activated", 2 * HOUR, "cloudtrail", **ONE)])
    assert story.run(inventory).findings.withdrawn == 0
    assert late(Story([]), inventory) == before != []


@pytest.mark.parametrize("of", [ONE, {"identity": ME}])
def test_however_many_are_issued_an_end_is_not_forgotten(of: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each session of a role is a credential that will end by itself; a few thousand of them are a day's work."""
    monkeypatch.setattr(module, "_MOST", 16)
    issued = [happened(2 * HOUR + number, "issued", credential=f"cred:{number}", identity=ME, expires=DAY) for number in range(40)]
    assert late(Story([use(0), happened(HOUR, "revoked", **of), *issued, use(5 * HOUR)]), Inventory(":memory:"))


@pytest.mark.parametrize("kind", ["revoked", "expired"])
@pytest.mark.parametrize("of", [ONE, {"identity": ME}])
def test_however_many_ends_somebody_makes_at_a_platform_the_operators_word_is_not_forgotten(
    of: dict[str, str], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """Who may delete secrets of his namespace can make thousands of them end in minutes."""
    if kind == "expired" and of is not ONE:
        return
    monkeypatch.setattr(module, "_MOST", 16)
    made_up = [
        happened(2 * HOUR + number, end, credential=f"cred:{number}", identity=ME)._replace(source="cloudtrail")
        for number in range(40) for end in ("revoked", "expired")
    ]  # fmt: skip
    found = Story([use(0), happened(HOUR, kind, **of), *made_up, use(5 * HOUR)]).signals(Inventory(":memory:"))
    assert {"revoked": "POST_REVOCATION_USE", "expired": "EXPIRED_ACCEPTED"}[kind] in {each.code for each in found}


def test_a_platforms_end_of_the_identity_itself_is_not_forgotten_for_ends_of_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 16)
    made_up = [happened(2 * HOUR + number, "revoked", credential=f"cred:{number}", identity=ME) for number in range(40)]
    items = [use(0), told("suspended", HOUR, "cloudtrail", identity=ME), *made_up, use(5 * HOUR)]
    assert late(Story(items), Inventory(":memory:"))


def test_what_a_platform_told_first_is_still_known_when_an_operator_tells_of_it_too() -> None:
    items = [use(0), told("suspended", HOUR, "cloudtrail", **ONE), happened(2 * HOUR, "revoked", **ONE), use(5 * HOUR)]
    assert [each.since for each in late(Story(items), Inventory(":memory:"))] == [START + HOUR]


@pytest.mark.parametrize("of", [{**ONE, "identity": ME}, {"identity": ME}])
@pytest.mark.parametrize(
    "ended_by, taken_up_by, found",
    [("security", ME, True), ("security", "security", False), ("security", "another", False), (ME, ME, False), ("", ME, False)],
)
def test_who_was_suspended_by_another_and_takes_it_up_himself_alerts(
    of: dict[str, str], ended_by: str, taken_up_by: str, *, found: bool
) -> None:  # fmt: skip
    """With another key of his, which nobody suspended: the commonest way back in."""
    inventory = Inventory(":memory:")
    again = told("activated", 2 * HOUR, "cloudtrail", by=taken_up_by, **of)
    story = Story([use(0), told("suspended", HOUR, "cloudtrail", by=ended_by, **of), again, use(3 * HOUR)])
    signals = [each for each in story.signals(inventory) if each.code == "REACTIVATED"]
    assert [each.alert for each in signals] == [True] * found
    for each in signals:
        assert (f"by {ME} itself" in each.observed, "after security had it suspended" in each.observed) == (True, True)
        assert [cited.uid for cited in each.evidence] == [story.items[1].uid, again.uid]
        assert holds(each, inventory, Settings(), story.now) == (True, True)


def test_who_suspended_himself_before_another_did_is_not_free_to_take_it_up_again() -> None:
    by = {**ONE, "identity": ME}
    items = [
        use(0), told("suspended", HOUR, "cloudtrail", by=ME, **by), told("suspended", 2 * HOUR, "cloudtrail", by="security", **by),
        told("activated", 3 * HOUR, "cloudtrail", by=ME, **by), told("suspended", 4 * HOUR, "cloudtrail", by=ME, **by),
        told("activated", 5 * HOUR, "cloudtrail", by=ME, **by),
    ]  # fmt: skip
    (found,) = [each for each in Story(items).signals(Inventory(":memory:")) if each.code == "REACTIVATED"]
    assert found.time == START + 3 * HOUR


@pytest.mark.parametrize("outcome, words", [("failed", "and it failed"), ("denied", "and was denied")])
def test_what_was_tried_with_an_ended_credential_is_told_whatever_came_of_it(outcome: str, words: str) -> None:
    signals = Story([use(0), happened(HOUR, "revoked", **ONE), use(3 * HOUR, outcome=outcome)]).signals(Inventory(":memory:"))
    (found,) = [each for each in signals if each.code == "DENIED_AFTER_END"]
    assert words in found.observed
    assert not found.alert


@pytest.mark.parametrize(
    "source, error, found",
    [("cloudtrail", "Client.DryRunOperation", True), ("cloudtrail", "NoSuchKey", True), ("kubernetes", "NotFound", True),
     ("cloudtrail", "ThrottlingException", False), ("okta", "NotFound", False)],
    ids=["dry run", "no key", "not found", "throttled", "another source"],
)  # fmt: skip
def test_what_only_fails_for_whom_the_platform_let_in_shows_that_the_credential_holds(source: str, error: str, *, found: bool) -> None:
    """`NoSuchKey` is said to nobody whom the platform does not know; the trace of the credential says the same."""
    inventory = Inventory(":memory:")
    tried = use(3 * HOUR, outcome="failed", error=error)._replace(source=source)
    told = late(Story([use(0), happened(HOUR, "revoked", **ONE), tried]), inventory)
    assert [f"was let in ({error})" in each.observed for each in told] == [True] * found
    assert [line.late for line in trace(inventory, ["cred:one"], NOW).lines if line.kind == "used"][-1] == ("after" if found else "failed")


@pytest.mark.parametrize("ended_in, since", [("eks-prod", HOUR), ("eks-dev", None)])
def test_a_service_account_that_is_deleted_or_made_in_one_cluster_is_as_it_was_in_another(ended_in: str, since: float | None) -> None:
    """Whoever rules a cluster can make and delete accounts there by the names that others have in theirs."""

    def in_cluster(event: Any, account: str) -> Any:
        return event._replace(source="kubernetes", account=account)

    items = [
        in_cluster(use(0), "eks-prod"), in_cluster(happened(HOUR, "deleted", identity=ME), ended_in),
        in_cluster(happened(2 * HOUR, "created", identity=ME), "eks-dev"), in_cluster(use(3 * HOUR), "eks-prod"),
    ]  # fmt: skip
    assert [each.since for each in late(Story(items), Inventory(":memory:"))] == ([] if since is None else [START + since])


def test_a_cluster_that_ends_an_identity_ends_it_however_late_another_makes_it_again() -> None:
    items = [
        use(0), happened(HOUR, "deleted", identity=ME)._replace(source="kubernetes", account="eks-prod"),
        use(3 * HOUR)._replace(source="kubernetes", account="eks-prod"), use(4 * HOUR)._replace(source="kubernetes", account="eks-dev"),
    ]  # fmt: skip
    found = late(Story(items), Inventory(":memory:"))
    assert [[each.uid for each in one.evidence] for one in found] == [[items[1].uid, items[2].uid]]
