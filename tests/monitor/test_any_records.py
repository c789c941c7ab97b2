"""Records of one identity that say different things of it, and several sources that speak of one credential: whatever their order of
arrival and however they are cut, the same inventory and the same signals.
"""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from licet.events import LifecycleEvent, LifecycleKind, UseEvent
from licet.inventory.model import Credential, Identity, Owner, Ownership
from licet.inventory.store import Inventory
from licet.monitor.fold import Item
from licet.monitor.run import monitor
from licet.monitor.world import DAY, Settings

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

T = 1_750_000_000.0
MANY = settings(
    max_examples=int(os.environ.get("LICET_EXAMPLES", "80")), deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)  # fmt: skip
WHO = ["a", "b", "agent:c"]
KEYS = ["cred:one", "cred:two", ""]
KINDS = ["unknown", "service_account", "human", "bot", "service", "pipeline", "oauth_app"]


@st.composite
def an_item(draw: st.DrawFn) -> Item:
    number, time = draw(st.integers(0, 60)), T + draw(st.one_of(st.integers(0, 3), st.integers(0, 190 * 86_400)))
    who, key, digest = draw(st.sampled_from(WHO)), draw(st.sampled_from(KEYS)), f"{draw(st.integers(1, 3)):064x}"
    source = draw(st.sampled_from(["cloudtrail", "kubernetes", "licet"]))
    if draw(st.booleans()):
        if source == "licet" or who.startswith("agent:"):
            source, who = "licet", "agent:c"
        return UseEvent(
            source, f"u{number}", time, who, draw(st.sampled_from(["s3:GetObject", "iam:PutUserPolicy"])), draw(st.sampled_from(["success", "denied"])),
            draw(st.sampled_from(["read", "admin"])), draw(st.sampled_from(KINDS)), draw(st.sampled_from(["", "name", "other"])), key,
            draw(st.sampled_from(["access_key", "temporary_key", ""])) if key else "", account=draw(st.sampled_from(["", "1", "2"])),
            interactive=draw(st.booleans()), workload=draw(st.sampled_from(["", "run:1"])), digest=digest, place="log:1",
        )  # fmt: skip
    kind: LifecycleKind = draw(st.sampled_from([
        "issued", "rotated", "renewed", "revoked", "suspended", "activated", "expired", "bound", "job_ended", "created", "deleted", "granted",
    ]))  # fmt: skip
    source = draw(st.sampled_from([source, "entra", "m365", "lifecycle"]))
    of: dict[str, Any] = {"credential": "" if kind == "granted" else key, "supersedes": "cred:three" if kind == "rotated" and key else ""}
    return LifecycleEvent(
        source, f"l{number}", time, kind, who, by=draw(st.sampled_from(WHO)), workload=draw(st.sampled_from(["", "run:1"])),
        credential_kind=draw(st.sampled_from(["", "access_key", "password"])) if key else "",
        expires=time + DAY if draw(st.booleans()) else 0.0, privilege="p" if kind == "granted" else "", access=draw(st.sampled_from(["", "admin"])),
        outcome=draw(st.sampled_from(["success", "success", "denied"])), digest=digest, place="log:2", **of,
    )  # fmt: skip


def keep(inventory: Inventory, items: list[Item]) -> None:
    inventory.keep([each for each in items if isinstance(each, UseEvent)], [each for each in items if isinstance(each, LifecycleEvent)])


def judged(inventory: Inventory) -> None:
    monitor(inventory, Settings(), T + 400 * DAY)


def opened() -> Inventory:
    inventory = Inventory(":memory:")
    inventory.declare(owners=[Owner("team")], ownerships=[Ownership("a", "team", "manifest", 1.0, T)])
    return inventory


_TABLES = (
    "SELECT uid, kind, name, source, account, created, first_seen, last_seen, uses, status FROM identities",
    (
        "SELECT uid, kind, identity, generation, supersedes, issued_by, issued, expires, rotated, revoked, ended, workload, first_seen,"
        " last_used, uses, status FROM credentials"
    ),
    "SELECT uid, body FROM lifecycle", "SELECT uid, body FROM unheard", "SELECT * FROM said",
    "SELECT id, body FROM signals WHERE code<>'SOURCE_SILENT'",
)  # fmt: skip


def told(inventory: Inventory) -> list[list[tuple[Any, ...]]]:
    """All but how long a source was silent between two runs, and which id a finding has: that is kept as it was first told."""
    findings = [json.loads(body) | {"id": ""} for (body,) in inventory.rows("SELECT body FROM findings WHERE status<>'withdrawn'")]
    silent = [each for each in findings if "SOURCE_SILENT" not in json.dumps(each)]
    return [*(sorted(inventory.rows(query), key=repr) for query in _TABLES), sorted((json.dumps(each, sort_keys=True),) for each in silent)]


@MANY
@given(
    st.lists(an_item(), min_size=1, max_size=12, unique_by=lambda each: (each.uid, each.digest)), st.randoms(use_true_random=False),
    st.integers(0, 3),
)  # fmt: skip
def test_in_any_order_and_any_pieces_the_inventory_and_what_is_said_are_the_same(items: list[Item], chance: Any, declared_at: int) -> None:
    said: dict[str, Any] = {
        "identities": [Identity("b", kind="oauth_app", account="7")],
        "credentials": [Credential("cred:two", kind="secret")],
    }
    whole, parts = opened(), opened()
    if declared_at:
        whole.declare(**said)
    keep(whole, items)
    judged(whole)
    rest = [*items, *items[:2]]
    chance.shuffle(rest)
    step = 0
    while rest or step < declared_at:
        step += 1
        if step == declared_at:
            parts.declare(**said)
        size = chance.randrange(1, len(rest) + 1) if rest else 0
        keep(parts, rest[:size])
        rest = rest[size:]
        judged(parts)
    assert told(parts) == told(whole)
    whole.close()
    parts.close()


def test_who_is_found_to_be_a_person_late_is_judged_anew_as_one() -> None:
    """The record that says it is earlier, and so it holds: no owner is asked for."""
    inventory = Inventory(":memory:")
    inventory.declare(owners=[Owner("team")], ownerships=[Ownership("z", "team", "manifest", 1.0, T)])
    base = UseEvent("github", "u1", T, "github:eve", "github:repo.create", identity_kind="bot", digest="1" * 64, place="log:1")
    keep(inventory, [base, base._replace(native_id="u2", time=T + 2 * DAY, digest="2" * 64)])
    judged(inventory)
    assert inventory.rows("SELECT 1 FROM signals WHERE code='UNOWNED_ACTIVE'")
    keep(inventory, [base._replace(native_id="u0", time=T - 9, identity_kind="human", digest="3" * 64)])
    judged(inventory)
    assert not inventory.rows("SELECT 1 FROM signals WHERE code='UNOWNED_ACTIVE'")
    inventory.close()


def test_what_a_pipeline_did_to_others_is_judged_anew_where_it_is_known_late_that_it_is_one() -> None:
    """Either way of arrival comes to the same."""
    did = LifecycleEvent("cloudtrail", "l1", T, "issued", "a", "cred:one", by="a", digest="1" * 64, place="log:1")
    act = UseEvent("cloudtrail", "u1", T - 60, "a", "iam:CreateAccessKey", identity_kind="service", digest="2" * 64, place="log:2")
    found = []
    orders: list[list[list[Item]]] = [[[did], [act]], [[act], [did]], [[did, act]]]
    for pieces in orders:
        inventory = opened()
        for piece in pieces:
            keep(inventory, piece)
            judged(inventory)
        found.append(told(inventory))
        inventory.close()
    assert found[0] == found[1] == found[2]
