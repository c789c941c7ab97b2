"""A service account of one name is another in each cluster: what it is used to in one is nothing that it is used to in another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from licet.events import LifecycleEvent, UseEvent
from licet.inventory.store import Inventory
from licet.inventory.trace import trace
from licet.monitor.explain import holds
from licet.monitor.run import monitor
from licet.monitor.signal import Signal
from licet.monitor.stored import signals_of
from licet.monitor.world import Settings
from stories import DAY, HOUR, NOW, happened, use

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

WEB = "system:serviceaccount:shop:web"
PROD, DEV = "eks-prod", "eks-dev"


def does(time: float, cluster: str, operation: str = "core:get/configmaps", **more: Any) -> UseEvent:
    about = {"identity": WEB, "region": "", "credential_kind": "service_account_token", "credential": f"cred:{cluster}", **more}
    return use(time, account=cluster, operation=operation, **about)._replace(source="kubernetes")


def days(cluster: str, first: int, last: int, operation: str = "core:get/configmaps", **more: Any) -> list[UseEvent]:
    return [does(day * DAY + hour * HOUR, cluster, operation, **more) for day in range(first, last) for hour in range(4)]


def judged(*pieces: Sequence[UseEvent]) -> Inventory:
    inventory = Inventory(":memory:")
    for piece in pieces:
        inventory.keep(list(piece), [])
        monitor(inventory, Settings(), NOW)
    return inventory


def told(inventory: Inventory) -> list[Signal]:
    return [each for each in signals_of(inventory, WEB) if each.code not in ("UNOWNED_ACTIVE", "STALE_ACTIVE")]


def test_what_somebody_does_in_another_cluster_does_not_make_it_usual_here() -> None:
    trained = days(DEV, 1, 9, "core:create/pods", network="203.0.113.0/24", agent="curl/8")
    here = does(10 * DAY, PROD, "core:create/pods", network="203.0.113.0/24", agent="curl/8")
    inventory = judged([*days(PROD, 0, 10), *trained, here])
    assert {each.code for each in told(inventory)} == {"NEW_API", "NEW_NETWORK", "NEW_AGENT"}
    assert all(here.uid in {cited.uid for cited in each.evidence} for each in told(inventory))


def test_what_is_new_in_the_other_cluster_is_told_of_that_and_explains_itself() -> None:
    new = does(12 * DAY, DEV, "core:create/pods")
    inventory = judged([*days(PROD, 0, 10), *days(PROD, 3, 10, "core:create/pods"), *days(DEV, 2, 12), new])
    (found,) = told(inventory)
    assert (found.code, found.observed.startswith("in eks-dev: ")) == ("NEW_API", True)
    assert {each.role for each in found.evidence} == {"baseline", "use"}
    assert holds(found, inventory, Settings(), NOW) == (True, True)


def test_a_habit_of_one_cluster_is_none_of_another() -> None:
    secret = {"operation": "core:get/secrets", "access": "admin"}
    alone = judged(days(PROD, 0, 1), [does(14 * DAY, PROD, **secret)])
    trained = judged(days(PROD, 0, 1), days(DEV, 1, 14, **secret), [does(14 * DAY, PROD, **secret)])
    both = [
        [each.points for each in told(of) if each.code == "SENSITIVE_ACTION" and "eks-dev" not in each.value] for of in (alone, trained)
    ]
    assert both == [[30.0], [30.0]]


def test_who_rests_in_one_cluster_is_revived_there_whatever_goes_on_in_another() -> None:
    inventory = judged([*days(PROD, 0, 1), *(does(day * DAY, DEV) for day in range(1, 120)), does(120 * DAY, PROD)])
    assert [each.code for each in told(inventory) if each.alert] == ["REVIVED"]


@pytest.mark.parametrize("cut", [1, 7, 30])
def test_in_pieces_the_same_is_told(cut: int) -> None:
    events = [*days(PROD, 0, 10), *days(DEV, 1, 9, "core:create/pods"), does(10 * DAY, PROD, "core:create/pods")]
    events += [does(12 * DAY, DEV, "core:get/secrets", access="admin"), does(12 * DAY, DEV, network="203.0.113.0/24")]
    events.sort(key=lambda each: (each.time, each.uid))
    pieces = [events[at : at + cut] for at in range(0, len(events), cut)]
    assert told(judged(*pieces)) == told(judged(events))
    assert {each.value.endswith(" in eks-dev") for each in told(judged(events))} == {True, False}


def test_a_name_that_is_somebodys_everywhere_is_one() -> None:
    """A person's name comes from outside, and a role's is AWS's."""
    events = [*days(PROD, 0, 10), does(10 * DAY, DEV, "core:create/pods")]
    for name in ("k8s:ann@example.com", "arn:aws:iam::111122223333:role/ops"):
        inventory = judged([each._replace(identity=name) for each in events])
        assert [each.code for each in signals_of(inventory, name) if each.code.startswith("NEW")] == ["NEW_API"]


@pytest.mark.parametrize("cluster, late", [(PROD, "after"), (DEV, "")])
def test_the_trace_of_a_token_ends_by_its_accounts_deletion_in_its_cluster(cluster: str, late: str) -> None:
    inventory = Inventory(":memory:")
    deleted = happened(HOUR, "deleted", identity=WEB)._replace(source="kubernetes", account=cluster)
    inventory.keep([does(0, PROD), does(3 * HOUR, PROD)], [deleted])
    lines = trace(inventory, [f"cred:{PROD}"], NOW).lines
    assert [line.late for line in lines if line.kind == "used"][-1] == late


@pytest.mark.parametrize("first", [False, True])
def test_an_account_is_not_deleted_because_its_name_is_elsewhere(first: bool) -> None:
    """However late it comes out in which cluster the name was seen first."""
    deleted = happened(HOUR, "deleted", identity=WEB)._replace(source="kubernetes", account=DEV)
    made = happened(0, "created", identity=WEB)._replace(source="kubernetes", account=PROD)
    inventory = Inventory(":memory:")
    steps = [([does(0, PROD)], []), ([does(HOUR / 2, DEV)], [made]), ([], [deleted])]
    for uses, lifecycle in reversed(steps) if first else steps:
        inventory.keep(uses, lifecycle)
    known = inventory.identity(WEB)
    assert (known.status, known.created) == ("active", made.time)
    inventory.keep([], [deleted._replace(native_id="there", account=PROD)])
    assert inventory.identity(WEB).status == "deleted"


TOKEN = f"cred:{PROD}"


def says(cluster: str, time: float, kind: str, **said: Any) -> LifecycleEvent:
    """What a cluster tells of the token that is used in `PROD`."""
    return happened(time, kind, credential=TOKEN, identity=WEB, **said)._replace(source="kubernetes", account=cluster)


def ends(story: Sequence[LifecycleEvent], *, inventory: Inventory, turned: bool) -> tuple[list[str], list[str]]:
    """The codes of what is told of uses after an end, and what the trace says of the last use."""
    steps: list[Any] = [([does(0, PROD), does(5 * HOUR, PROD)], []), *(([], [each]) for each in story)]
    for uses, lifecycle in reversed(steps) if turned else steps:
        inventory.keep(uses, lifecycle)
        monitor(inventory, Settings(), NOW)
    late = [line.late for line in trace(inventory, [TOKEN], NOW).lines if line.kind == "used"]
    return [each.code for each in told(inventory)], late[-1:]


ISSUED = says(PROD, 0, "issued", expires=HOUR, credential_kind="service_account_token")


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    "foreign",
    [says(DEV, 60, "issued", expires=900 * DAY), says(DEV, 60, "renewed", expires=900 * DAY), says(DEV, 2 * HOUR, "activated")],
    ids=["issued", "renewed", "activated"],
)  # fmt: skip
def test_a_cluster_does_not_prolong_the_token_of_another(foreign: LifecycleEvent, turned: bool) -> None:
    """Its id is no secret, and whoever rules a cluster can let it say what he likes."""
    inventory = Inventory(":memory:")
    assert ends([ISSUED, foreign], inventory=inventory, turned=turned) == (["EXPIRED_ACCEPTED"], ["after"])
    known = inventory.credential(TOKEN)
    assert known is not None
    assert known.expires == ISSUED.expires


@pytest.mark.parametrize("turned", [False, True])
def test_nor_takes_back_its_revocation_or_unbinds_it(turned: bool) -> None:
    inventory = Inventory(":memory:")
    bound = says(DEV, 2 * HOUR, "bound", workload="pod:eks-dev/shop/other")
    assert ends([says(PROD, HOUR, "job_ended"), bound], inventory=inventory, turned=turned) == (["POST_JOB_USE"], ["after"])
    inventory = Inventory(":memory:")
    story = [says(PROD, HOUR, "revoked"), says(DEV, 2 * HOUR, "activated")]
    assert ends(story, inventory=inventory, turned=turned) == (["POST_REVOCATION_USE"], ["after"])
    known = inventory.credential(TOKEN)
    assert known is not None
    assert known.status == "revoked"


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", ["revoked", "suspended", "expired", "job_ended"])
def test_nor_ends_it(kind: str, turned: bool) -> None:
    inventory = Inventory(":memory:")
    issued = ISSUED._replace(expires=ISSUED.time + 9 * DAY)
    assert ends([issued, says(DEV, HOUR, kind)], inventory=inventory, turned=turned) == ([], [""])
    known = inventory.credential(TOKEN)
    assert known is not None
    assert (known.expires, known.status, known.ended, known.revoked) == (issued.expires, "unknown", 0.0, 0.0)


@pytest.mark.parametrize("turned", [False, True])
def test_what_an_operator_calls_expired_no_cluster_prolongs_and_he_does(turned: bool) -> None:
    over = happened(HOUR, "expired", credential=TOKEN)
    longer = [says(PROD, 2 * HOUR, "issued", expires=900 * DAY), says(DEV, 2 * HOUR, "issued", expires=900 * DAY)]
    inventory = Inventory(":memory:")
    assert ends([over, *longer], inventory=inventory, turned=turned) == (["EXPIRED_ACCEPTED"], ["after"])
    known = inventory.credential(TOKEN)
    assert known is not None
    assert known.expires == over.time
    renewed = happened(2 * HOUR, "renewed", credential=TOKEN, expires=900 * DAY)
    assert ends([ISSUED, over, renewed], inventory=Inventory(":memory:"), turned=turned) == ([], [""])
