"""What several identities of one owner, kind and environment have is less strange with one more of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from licet.events import UseEvent
from licet.inventory.model import Declared, Identity, Owner, Ownership
from licet.inventory.store import Inventory
from licet.monitor.run import monitor
from licet.monitor.world import Settings
from stories import DAY, HOUR, ME, MINUTE, NOW, use

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

PEERS = ("peer-1", "peer-2")
MOVED = {"network": "203.0.113.0/24", "ip": "203.0.113.9", "agent": "curl/8", "region": "sa-east-1"}


def steady(uid: str, days: int = 200) -> list[UseEvent]:
    return [use(day * DAY + number * HOUR, identity=uid, credential=f"cred:{uid}") for day in range(days) for number in range(3)]


def moved(uid: str, at: float) -> UseEvent:
    return use(200 * DAY + at, identity=uid, credential=f"cred:{uid}", **MOVED)


def story(before: Sequence[str], after: Sequence[str] = ()) -> list[UseEvent]:
    """Who moved before it did, and who after."""
    items = [item for uid in (ME, *PEERS) for item in steady(uid)]
    return [*items, moved(ME, HOUR), *(moved(uid, MINUTE) for uid in before), *(moved(uid, 2 * HOUR) for uid in after)]


def declare(inventory: Inventory, owner: str = "team", kind: str = "service_account", environment: str = "") -> None:
    """Owner, kind and environment of the peers; it is itself the team's, a service account, in no environment."""
    inventory.declare(
        identities=[Identity(ME, "service_account"), *(Identity(uid, kind, declared=Declared(environment)) for uid in PEERS)],  # type: ignore[arg-type]
        owners=[Owner("team"), Owner("others")],
        ownerships=[Ownership(ME, "team", "manifest", 1.0, 0.0), *(Ownership(uid, owner, "manifest", 1.0, 0.0) for uid in PEERS)],
    )


def found(inventory: Inventory) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = inventory.rows("SELECT id, status FROM findings WHERE identity=? AND status<>'withdrawn'", (ME,))
    return rows


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return Inventory(tmp_path / "inventory.db")


def judge(inventory: Inventory) -> None:
    monitor(inventory, Settings(), NOW + 200 * DAY)


@pytest.mark.parametrize("before, number", [((), 1), (PEERS[:1], 1), (PEERS, 0)], ids=["nobody", "one", "two"])
def test_what_two_peers_had_before_counts_a_quarter(inventory: Inventory, before: Sequence[str], number: int) -> None:
    declare(inventory)
    inventory.keep(story(before), ())
    judge(inventory)
    assert len(found(inventory)) == number


def test_what_they_have_later_does_not_matter(inventory: Inventory) -> None:
    declare(inventory)
    inventory.keep(story((), PEERS), ())
    judge(inventory)
    assert len(found(inventory)) == 1


@pytest.mark.parametrize(
    "other", [{"owner": "others"}, {"kind": "bot"}, {"environment": "dev"}], ids=["owner", "kind", "environment"]
)  # fmt: skip
def test_who_differs_in_one_thing_is_no_peer(inventory: Inventory, other: dict[str, str]) -> None:
    declare(inventory, **other)
    inventory.keep(story(PEERS), ())
    judge(inventory)
    assert len(found(inventory)) == 1


def test_it_does_not_matter_when_the_peers_logs_arrive(inventory: Inventory) -> None:
    declare(inventory)
    items = story(PEERS)
    inventory.keep([each for each in items if each.identity == ME], ())
    judge(inventory)
    assert len(found(inventory)) == 1
    inventory.keep([each for each in items if each.identity != ME], ())
    judge(inventory)
    assert found(inventory) == []
