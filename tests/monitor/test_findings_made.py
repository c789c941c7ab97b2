"""From signals to findings: one chain is one finding, points decay, and the order in which signals come says nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licet.inventory.model import Owner, Ownership
from licet.inventory.store import Inventory
from licet.monitor.codes import CODES
from licet.monitor.findings import MOST_OF_ONE, Seen, findings_of, grouped, merged
from licet.monitor.known import Known
from licet.monitor.signal import Cited, Signal
from licet.monitor.world import DAY, Settings, World

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

HOUR, START = 3_600.0, 1_750_000_000.0
LEARNED = ("NEW_NETWORK", "NEW_REGION", "NEW_AGENT", "NEW_API", "SENSITIVE_ACTION")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    inventory = Inventory(Path(tmp_path_factory.mktemp("world")) / "inventory.db")
    yield Known(inventory, Settings(), START)
    inventory.close()


def signal(time: float, code: str, *, points: float | None = None, value: str = "", identity: str = "me") -> Signal:
    """One that alerts, or with `points` one that has only these."""
    about = CODES[code]
    cited = Cited(f"cloudtrail/{code}-{time:.0f}-{value}", "use", identity, START + time)
    return Signal(
        code, points is None, points or 0.0, about.severity, START + time, identity, "cred:one", value, f"saw {code}", "nothing of it",
        "lifecycle" if points is None else "baseline", (cited,),
    )  # fmt: skip


def seen(*signals: Signal) -> list[Seen]:
    return [Seen(each, each.time) for each in signals]


@pytest.mark.parametrize("identity, owner", [("", "keepers"), ("me", "team"), ("somebody", "")])
def test_what_is_told_of_a_credential_that_is_nobodys_is_its_owners_and_else_the_identitys(
    tmp_path: Path, identity: str, owner: str
) -> None:
    inventory = Inventory(tmp_path / "inventory.db")
    said = [Ownership(uid, of, "manifest", 1.0, 0.0) for uid, of in (("cred:one", "keepers"), ("me", "team"))]
    inventory.declare(owners=[Owner("keepers"), Owner("team")], ownerships=said)
    (found,) = findings_of(identity, seen(signal(0, "PROBE_AUTHENTICATES", identity=identity)), Known(inventory, Settings(), START))
    assert found.owner == owner
    inventory.close()


def test_alerts_within_a_day_of_each_other_are_one_finding_in_their_order(world: World) -> None:
    """However long the chain becomes."""
    codes = ("APP_SCOPE_WIDENED", "APP_CREDENTIAL_ADDED", "APP_FIRST_RESOURCE")
    chain = [signal(number * 23 * HOUR, code) for number, code in enumerate(codes)]
    (found,) = findings_of("me", seen(*chain), world)
    assert found.explanation is not None
    assert found.explanation.codes == codes
    assert [each.uid for each in found.explanation.evidence] == [each.evidence[0].uid for each in chain]
    assert found.time == START


def test_an_alert_a_day_later_is_another_finding(world: World) -> None:
    first, second = signal(0, "REVIVED"), signal(DAY + 1, "POST_REVOCATION_USE")
    assert [each.explanation.codes for each in findings_of("me", seen(first, second), world) if each.explanation] == [
        ("REVIVED",),
        ("POST_REVOCATION_USE",),
    ]


def test_the_gravest_reason_leads_and_each_action_is_named_once(world: World) -> None:
    (found,) = findings_of("me", seen(signal(0, "REVIVED"), signal(1, "POST_REVOCATION_USE"), signal(2, "REVIVED", value="2")), world)
    assert (found.severity, found.check) == ("critical", "monitor.post-revocation-use")
    assert found.sentence == "saw POST_REVOCATION_USE (2 reasons)"
    assert found.explanation is not None
    assert found.explanation.actions == (CODES["REVIVED"].action, CODES["POST_REVOCATION_USE"].action)


@pytest.mark.parametrize("number, words", [(1, ""), (2, " (and 1 more alike)"), (36, " (and 35 more alike)")])
def test_one_reason_on_several_values_is_one_reason(world: World, number: int, words: str) -> None:
    (found,) = findings_of("me", seen(*(signal(each, "REVIVED", value=str(each)) for each in range(number))), world)
    assert found.sentence == f"saw REVIVED{words}"


@pytest.mark.parametrize(
    "points, times, codes, number",
    [
        ((60, 60), (0, 0), ("NEW_NETWORK", "NEW_API"), 1),
        ((60, 60), (0, 0), ("NEW_NETWORK", "NEW_NETWORK"), 0),
        ((60, 60), (0, DAY), ("NEW_NETWORK", "NEW_API"), 0),
        ((90, 60), (0, DAY), ("NEW_NETWORK", "NEW_API"), 1),
        ((50, 50), (0, 0), ("NEW_NETWORK", "NEW_API"), 0),
        ((50, 51), (0, 0), ("NEW_NETWORK", "NEW_API"), 1),
    ],
    ids=["two kinds", "one kind", "halved after a day", "enough after a day", "a hundred", "more than a hundred"],
)
def test_points_of_two_kinds_come_together_and_halve_each_day(
    points: tuple[float, float], times: tuple[float, float], codes: tuple[str, str], number: int, world: World
) -> None:
    both = [signal(time, code, points=of, value=str(at)) for at, (of, time, code) in enumerate(zip(points, times, codes, strict=True))]
    assert len(findings_of("me", seen(*both), world)) == number


def test_what_has_only_points_is_less_sure_than_a_fact(world: World) -> None:
    (learned,) = findings_of("me", seen(signal(0, "NEW_NETWORK", points=80), signal(0, "NEW_API", points=80)), world)
    (fact,) = findings_of("me", seen(signal(0, "POST_REVOCATION_USE")), world)
    assert learned.explanation is not None
    assert fact.explanation is not None
    assert (fact.explanation.confidence, fact.explanation.points) == (1.0, 0.0)
    assert learned.explanation.confidence < 1
    assert (learned.explanation.points, learned.severity) == (2 * MOST_OF_ONE, "medium")


def test_one_kind_of_weak_signal_counts_only_so_much(world: World) -> None:
    """However often it comes: somebody who moved house is new everywhere."""
    many = [signal(number, "NEW_NETWORK", points=90, value=str(number)) for number in range(10)]
    assert findings_of("me", seen(*many, signal(10, "NEW_API", points=30)), world) == []
    assert len(findings_of("me", seen(*many, signal(10, "NEW_API", points=50)), world)) == 1


def test_however_much_is_cited_each_reason_keeps_what_it_stands_on(world: World) -> None:
    """A reason that was seen a thousand times takes no room away from one that comes after it."""
    often = [signal(number, "POST_REVOCATION_USE", value=str(number)) for number in range(5)]
    often = [
        each._replace(evidence=tuple(Cited(f"a/{each.value}-{at}", "use", "me", each.time + at) for at in range(64))) for each in often
    ]
    (found,) = findings_of("me", seen(*often, signal(HOUR, "ENV_CROSSING")), world)
    assert found.explanation is not None
    uids = [each.uid for each in found.explanation.evidence]
    assert len(uids) == 200
    assert {*(f"a/{number}-0" for number in range(5)), f"cloudtrail/ENV_CROSSING-{HOUR:.0f}-"} <= set(uids)
    assert [each.time for each in found.explanation.evidence] == sorted(each.time for each in found.explanation.evidence)


@st.composite
def signals(draw: st.DrawFn) -> list[Signal]:
    """Times meet, and so do the chains' and heaps' edges."""
    found = []
    for _ in range(draw(st.integers(1, 12))):
        time = draw(st.sampled_from([0, 1, HOUR, 12 * HOUR, DAY, DAY + 1, 2 * DAY, 3 * DAY, 9 * DAY]))
        identity, value = draw(st.sampled_from(["me", "my other face"])), draw(st.sampled_from(["", "a", "b"]))
        if draw(st.booleans()):
            found.append(signal(time, draw(st.sampled_from(["REVIVED", "ENV_CROSSING"])), value=value, identity=identity))
        else:
            found.append(
                signal(time, draw(st.sampled_from(LEARNED)), points=draw(st.sampled_from([20, 60, 90])), value=value, identity=identity)
            )
    return list({each.id: each for each in found}.values())


@settings(max_examples=200, deadline=None)
@given(signals(), st.integers(0, 2**32))
def test_the_same_signals_in_any_order_give_the_same_findings(world: World, every: list[Signal], seed: int) -> None:
    wanted = findings_of("me", seen(*every), world)
    Random(seed).shuffle(every)
    assert findings_of("me", seen(*every), world) == wanted
    assert len({each.id for each in wanted}) == len(wanted)


@settings(max_examples=100, deadline=None)
@given(signals())
def test_every_alert_is_in_one_finding_and_no_signal_in_two(world: World, every: list[Signal]) -> None:
    parts = [each.id for _, heap in grouped("me", seen(*every), world) for each in heap]
    assert len(set(parts)) == len(parts)
    assert {each.id for each in every if each.alert} <= set(parts)


def test_the_same_thing_seen_again_is_one_signal_with_its_number() -> None:
    """The first, as what was seen first began it."""
    first, again = signal(0, "REVIVED"), signal(HOUR, "REVIVED")
    assert merged([again, first]) == [Seen(first, again.time, 2)]
