"""What the inventory says of real things, by small inventories of which the truth is known; drills are in none of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from licet.drill.standing import Attributed, Heard, Standing, standing
from licet.events import LifecycleEvent, UseEvent
from licet.inventory.model import Identity, Owner, Ownership
from licet.inventory.store import Inventory
from licet.inventory.trace import trace
from licet.monitor.kept import kept
from licet.monitor.run import monitor
from licet.monitor.verdicts import Verdict, say
from licet.monitor.world import Settings

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

HOUR, DAY = 3_600.0, 86_400.0
NOW = 1_750_000_000.0
LAGS = {"cloudtrail": 1_200.0, "okta": 3_600.0, "github": 3_600.0}


@pytest.fixture
def inventory(tmp_path: Path) -> Iterator[Inventory]:
    made = Inventory(tmp_path / "inventory.db")
    yield made
    made.close()


def use(number: int, ago: float, who: str, credential: str = "", **said: Any) -> UseEvent:
    about: dict[str, Any] = {"identity": who, "operation": "s3:GetObject", "credential": credential, "account": "1", "digest": "00"}
    return UseEvent(said.pop("source", "cloudtrail"), f"use-{number}", NOW - ago, **(about | {"identity_kind": "service_account"} | said))


def issued(number: int, ago: float, credential: str, **said: Any) -> LifecycleEvent:
    return LifecycleEvent("lifecycle", f"life-{number}", NOW - ago, said.pop("kind", "issued"), credential=credential, **said)


def of(inventory: Inventory, drills: tuple[str, ...] = ()) -> Standing:
    return standing(inventory, NOW, NOW - 7 * DAY, LAGS, drills)


def test_owned_are_active_machines_whose_owner_people_stated_in_90_days(inventory: Inventory):
    own = {
        "fresh": ("confirmed", 1 * DAY), "old": ("confirmed", 91 * DAY), "tagged": ("tag", 1 * DAY), "asleep": ("confirmed", 1 * DAY),
        "person": ("confirmed", 1 * DAY), "declared": ("manifest", 5 * DAY),
    }  # fmt: skip
    inventory.declare(
        identities=[Identity(name, "human" if name == "person" else "service_account") for name in (*own, "nobodys")],
        owners=[Owner("team")],
        ownerships=[Ownership(name, "team", source, 1.0, NOW - ago) for name, (source, ago) in own.items()],  # type: ignore[arg-type]
    )
    inventory.keep([
        use(number, 100 * DAY if name == "asleep" else HOUR, name, identity_kind="human" if name == "person" else "service_account")
        for number, name in enumerate((*own, "nobodys"))
    ])  # fmt: skip
    found = of(inventory)
    assert (found.machines, found.active, found.owned) == (6, 5, 2)
    assert found.as_of == NOW - HOUR


def test_attributed_is_what_one_credential_did_at_a_workload_for_an_owner(inventory: Inventory):
    inventory.declare(
        identities=[Identity("a", "service_account"), Identity("b", "service_account")], owners=[Owner("team")],
        ownerships=[Ownership("a", "team", "manifest", 1.0, 0.0)],
    )  # fmt: skip
    inventory.keep([
        use(1, 9, "a", "cred:1", workload="job-1"), use(2, 8, "a", "cred:1", workload="job-1"),  # whole
        use(3, 7, "a", "cred:1"), use(4, 6, "a", "", workload="job-1"), use(5, 5, "b", "cred:2", workload="job-1"),  # a part is missing
        use(6, 4, "a", "cred:3", workload="job-1"), use(7, 3, "b", "cred:3", workload="job-1"),  # of two: nobody's
        use(8, 2, "platform", "cred:4", identity_kind="service"),  # is nobody who is asked for
        use(9, 1, "a", "cred:1", workload="job-1", source="okta"),
    ])  # fmt: skip
    assert of(inventory).attributed == [Attributed("cloudtrail", 7, 2, 4, 6, 5), Attributed("okta", 1, 1, 1, 1, 1)]


def test_a_credential_is_whole_where_its_trace_has_no_hole(inventory: Inventory):
    """Held against `licet trace`, of which each hole is one."""
    steady = [use(1_000 + hour, hour * HOUR, "busy", source="cloudtrail") for hour in range(24 * 20) if not 240 <= hour < 320]
    inventory.keep(
        [
            *steady,
            use(1, 2 * DAY, "a", "cred:whole"), use(2, DAY, "a", "cred:whole"),
            use(3, 2 * DAY, "a", "cred:unissued"),
            use(4, 2 * DAY, "a", "cred:early"),
            use(5, 15 * DAY, "a", "cred:silent"), use(6, DAY, "a", "cred:silent"),
            use(7, 2 * DAY, "a", "cred:tried"),
        ],
        [
            issued(1, 3 * DAY, "cred:whole"), issued(2, DAY, "cred:early"), issued(3, 16 * DAY, "cred:silent"),
            issued(4, 3 * DAY, "cred:unused"), issued(5, 3 * DAY, "cred:tried", outcome="denied"),
        ],
    )  # fmt: skip
    found = of(inventory)
    uids = [uid for (uid,) in inventory.rows("SELECT uid FROM credentials ORDER BY uid")]
    holes = {uid: [hole.what for hole in trace(inventory, [uid], NOW).holes] for uid in uids}
    assert holes == {
        "cred:early": ["early"], "cred:silent": ["silence"], "cred:tried": ["issuance"], "cred:unissued": ["issuance"],
        "cred:unused": [], "cred:whole": [],
    }  # fmt: skip
    assert (found.credentials, found.whole) == (6, 2)


def test_sources_that_speak_when_something_happens_are_no_sources_that_can_be_late(inventory: Inventory):
    inventory.keep([use(1, 500, "a"), use(2, 7_000, "a", source="okta")], [issued(1, 20, "cred:1")])
    assert of(inventory).heard == [Heard("cloudtrail", NOW - 500, 1_200.0), Heard("okta", NOW - 7_000, 3_600.0)]


def test_findings_of_drills_and_older_ones_are_no_alarms_and_suppressed_ones_are(inventory: Inventory):
    inventory.keep(
        [use(number, ago, f"id{number}", f"cred:{number}") for number, ago in ((1, DAY), (2, 2 * DAY), (3, 3 * DAY), (4, 20 * DAY))],
        [issued(number, 30 * DAY, f"cred:{number}", kind="revoked") for number in (1, 2, 3, 4)],
    )
    monitor(inventory, Settings(), NOW)
    by = {each.finding.explanation.identity: each.finding for each in kept(inventory) if each.finding.explanation}
    say(inventory, Verdict(by["id2"].id, NOW, "suppressed", "ada", "known", NOW + DAY, ()))
    assert (of(inventory).alarms, of(inventory).suppressed) == (3, 1)
    assert of(inventory, (by["id1"].id,)).alarms == 2
