"""`licet monitor`: however events are cut and whatever their order of arrival, the same is said; nothing is lost, nothing is said twice."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from licet.errors import StoreError
from licet.events import UseEvent
from licet.inventory.model import Credential, Declared, Environment, Identity, Ownership
from licet.inventory.store import Inventory
from licet.monitor.detectors import DETECTORS
from licet.monitor.detectors.ends import Ends
from licet.monitor.fold import Item, fold
from licet.monitor.known import Known
from licet.monitor.stored import signals_of
from licet.monitor.world import Settings
from stories import DAY, HOUR, ME, MINUTE, NOW, Story, happened, use

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

EXAMPLES = int(os.environ.get("LICET_EXAMPLES", "60"))
FEW = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def told(inventory: Inventory) -> list[tuple[Any, ...]]:
    """All that a run wrote of signals and folds, but for words that a store gives by itself."""
    signals = inventory.rows(
        "SELECT signals.id, uid, code, alert, points, body FROM signals JOIN identities ON identities.id=subject ORDER BY 1"
    )
    folds = inventory.rows("SELECT uid, time, detectors, state FROM folds JOIN identities ON id=subject ORDER BY 1")
    return [*signals, *((uid, time, made, json.loads(state)) for uid, time, made, state in folds), *inventory.rows("SELECT * FROM dirty")]


TIMES = st.sampled_from([0, MINUTE, 4 * MINUTE, HOUR, 5 * HOUR, DAY, 2 * DAY, 95 * DAY, 96 * DAY, 300 * DAY])
CREDENTIALS = st.sampled_from(["cred:one", "cred:two", ""])


@st.composite
def an_item(draw: st.DrawFn) -> Item:
    time = draw(TIMES) + draw(st.sampled_from([0, 0, 1, 30]))
    if draw(st.booleans()) or draw(st.booleans()):
        where = draw(
            st.sampled_from(
                [{}, {"network": "203.0.113.0/24", "ip": "203.0.113.9", "agent": "curl/8", "country": "KR"}, {"account": "444455556666"}]
            )
        )
        return use(
            time, credential=draw(CREDENTIALS), outcome=draw(st.sampled_from(["success", "success", "denied", "failed"])),
            workload=draw(st.sampled_from(["", "run:a/1", "run:b/2"])), operation=draw(st.sampled_from(["s3:GetObject", "iam:CreateUser"])),
            interactive=draw(st.booleans()), identity=draw(st.sampled_from([ME, ME, "another"])), **where,
        )  # fmt: skip
    kind = draw(st.sampled_from([
        "issued", "activated", "rotated", "renewed", "bound", "job_started", "job_ended", "suspended", "revoked", "deleted", "granted", "scope_widened", "owner_changed",
        "created", "logging_stopped",
    ]))  # fmt: skip
    said: dict[str, Any] = {
        "identity": draw(st.sampled_from([ME, ME, "another"])),
        "by": draw(st.sampled_from([ME, "admin"])),
        "outcome": draw(st.sampled_from(["success", "success", "denied"])),
        "workload": draw(st.sampled_from(["", "run:a/1", "run:b/2"])),
    }
    if kind not in ("granted", "scope_widened", "owner_changed", "created", "logging_stopped"):
        said |= {"credential": draw(st.sampled_from(["cred:one", "cred:two", "cred:three"]))}
    if kind == "rotated":
        said |= {"credential": "cred:two", "supersedes": "cred:one"}
    if kind == "renewed":
        said |= {"generation": draw(st.integers(0, 4)), "presented": draw(st.integers(-1, 4))}
    if kind == "issued":
        said |= {"expires": time + draw(st.sampled_from([HOUR, 3 * DAY]))} if draw(st.booleans()) else {}
    if kind in ("job_started", "job_ended") and draw(st.booleans()):
        said |= {"identity": "", "credential": "", "workload": "run:a/1"}
    return happened(time, kind, **said)._replace(source=draw(st.sampled_from(["lifecycle", "lifecycle", "cloudtrail"])))


@st.composite
def a_story(draw: st.DrawFn) -> tuple[Story, list[list[Item]]]:
    """A short history, and pieces of it as they arrive: in any order and any cut, some of them twice."""
    items = draw(st.lists(an_item(), min_size=1, max_size=14))
    order = draw(st.permutations(items))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=4)))
    pieces = [list(order[begin:end]) for begin, end in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    if draw(st.booleans()):
        pieces.append(pieces[0])
    declared = Declared(environment=draw(st.sampled_from(["", "prod"])), uses=draw(st.sampled_from([(), ("s3:*",)])))
    story = Story(
        items, declared, kind=draw(st.sampled_from(["service_account", "oauth_app", "human"])), owned=draw(st.booleans()),
        credentials=[Credential("cred:two", identity=ME, canary=draw(st.booleans()))], others=[Identity("another", "bot")],
        environments=[Environment("prod", ("111122223333",)), Environment("dev", ("444455556666",))], now=NOW + 400 * DAY,
    )  # fmt: skip
    return story, pieces


@FEW
@given(a_story())
def test_in_pieces_and_in_any_order_of_arrival_the_same_is_said_as_at_once(drawn: tuple[Story, list[list[Item]]]) -> None:
    """LICET_EXAMPLES=2000 in the environment tries so many: what is rare (two who share a workload) is not in every 60."""
    at_once_and_in_pieces(*drawn)


def at_once_and_in_pieces(story: Story, pieces: Sequence[Sequence[Item]]) -> Inventory:
    """The inventory that had all of it at once."""
    whole, parts = Inventory(":memory:"), Inventory(":memory:")
    story.declare(whole)
    story.keep(whole)
    story.run(whole)
    story.declare(parts)
    for piece in pieces:
        story.keep(parts, piece)
        story.run(parts)
    assert told(parts) == told(whole)
    return whole


def in_one_workload() -> list[Item]:
    """Two identities with a credential each, and what happened to the first one's, and by it, where both run."""
    ran = {"workload": "run:a/1"}
    mine: dict[str, Any] = {"identity": ME, "credential": "cred:one", "by": "admin", **ran}
    return [
        use(0, identity="another", credential="cred:two", **ran), use(0, **ran), happened(0, "issued", **mine),
        happened(10, "renewed", generation=3, presented=2, **mine), happened(20, "renewed", generation=4, presented=1, **mine),
        happened(30, "logging_stopped", identity=ME, reason="the-trail", **ran), happened(40, "bound", **mine),
        happened(50, "bound", **(mine | {"workload": "run:b/2"})),
    ]  # fmt: skip


@pytest.mark.parametrize("begin", range(8))
@pytest.mark.parametrize("step", [1, -1])
def test_what_happened_in_a_workload_is_said_of_whom_it_happened_to_and_not_of_who_runs_there_too(begin: int, step: int) -> None:
    """Whichever of it came first: it was said of the other one only where all came at once."""
    items = in_one_workload()
    order = [*items[begin:], *items[:begin]][::step]
    story = Story(items, others=[Identity("another", "bot")], owners=[Ownership("another", "team", "manifest", 1.0, 0.0)])
    whole = at_once_and_in_pieces(story, [order[:1], order[1:3], order[3:]])
    assert {each.code for each in signals_of(whole, ME)} == {"GENERATION_MISMATCH", "LOGGING_DISABLED", "SHARED_CREDENTIAL"}
    assert signals_of(whole, "another") == []


@pytest.mark.parametrize("kind", ["job_started", "job_ended"])
@pytest.mark.parametrize("first", [{}, {"workload": "run:a/1"}])
def test_what_became_of_a_workload_before_it_was_ones_own_is_not_kept(kind: str, first: dict[str, str]) -> None:
    """Neither where a use is the binding nor where one is told."""
    over = happened(HOUR, kind, workload="run:a/1", reason="the name comes again")
    begun = use(3 * HOUR, workload="run:a/1") if not first else happened(3 * HOUR, "bound", credential="cred:one", **first)
    items = [use(0), over, use(2 * HOUR), begun, use(4 * HOUR, workload="run:a/1")]
    for pieces in ([items[:3], items[3:]], [items[2:], items[:2]], [[each] for each in items], [[each] for each in items[::-1]]):
        assert signals_of(at_once_and_in_pieces(Story(items), pieces), ME) == []


@FEW
@given(a_story())
def test_a_second_run_changes_nothing_and_a_rebuild_comes_to_the_same(drawn: tuple[Story, list[list[Item]]]) -> None:
    story, _ = drawn
    inventory = Inventory(":memory:")
    story.declare(inventory)
    story.keep(inventory)
    story.run(inventory)
    before = told(inventory)
    again = story.run(inventory)
    assert (again.identities, again.events, again.changed) == (0, 0, 0)
    story.run(inventory, rebuild=True)
    assert told(inventory) == before


@FEW
@given(a_story(), st.data())
def test_a_fold_that_goes_on_from_its_state_as_json_comes_to_the_same(drawn: tuple[Story, list[list[Item]]], data: st.DataObject) -> None:
    story, _ = drawn
    inventory = Inventory(":memory:")
    story.declare(inventory)
    world = Known(inventory, Settings(), story.now)
    items = sorted(story.items, key=lambda each: (each.time, each.uid))
    cut = data.draw(st.integers(0, len(items)))
    whole = fold(DETECTORS, items, world, ME)
    first = fold(DETECTORS, items[:cut], world, ME)
    second = fold(DETECTORS, items[cut:], world, ME, json.loads(json.dumps(first.state)))
    assert json.loads(json.dumps(second.state)) == json.loads(json.dumps(whole.state))
    latest = {each.id: each for each in (*first.signals, *second.signals)}
    assert {each.id: each for each in whole.signals} == latest


def test_what_is_later_is_judged_without_reading_what_was_judged(tmp_path: Path) -> None:
    story = Story([use(number * HOUR) for number in range(50)])
    inventory = Inventory(tmp_path / "inventory.db")
    story.declare(inventory)
    story.keep(inventory)
    assert story.run(inventory).events == 50
    story.keep(inventory, [use(60 * HOUR)])
    assert story.run(inventory).events == 1
    story.keep(inventory, [use(30 * MINUTE)])
    assert story.run(inventory).events == 52


def test_another_version_of_a_detector_or_another_setting_judges_all_anew(tmp_path: Path) -> None:
    class Next(Ends):
        version = Ends.version + 1

    story = Story([use(0), use(HOUR)])
    inventory = Inventory(tmp_path / "inventory.db")
    story.declare(inventory)
    story.keep(inventory)
    assert story.run(inventory, detectors=[Ends()]).events == 2
    assert story.run(inventory, detectors=[Ends()]).events == 0
    assert story.run(inventory, detectors=[Next()]).events == 2


def test_a_late_activation_takes_back_what_was_said(tmp_path: Path) -> None:
    story = Story([use(0), happened(HOUR, "suspended", credential="cred:one"), use(3 * HOUR)])
    inventory = Inventory(tmp_path / "inventory.db")
    assert "POST_REVOCATION_USE" in {each.code for each in story.signals(inventory)}
    story.keep(inventory, [happened(2 * HOUR, "activated", credential="cred:one")])
    assert "POST_REVOCATION_USE" not in story.run(inventory).signals


def test_what_comes_while_an_identity_is_judged_is_judged_next_time(tmp_path: Path) -> None:
    """Earlier or later than what is being judged: its mark stays."""
    for number, late in enumerate((30 * MINUTE, 5 * HOUR)):
        story = Story([use(0), happened(20 * MINUTE, "revoked", credential="cred:one")])
        inventory = Inventory(tmp_path / f"{number}.db")
        story.declare(inventory)
        story.keep(inventory)

        class Meanwhile(Ends):
            def settle(self, state: dict[str, Any], *, when: float = late, into: Inventory = inventory, of: Story = story) -> None:
                if not into.rows("SELECT 1 FROM uses LIMIT 1 OFFSET 1"):
                    of.keep(into, [use(when)])

        assert "POST_REVOCATION_USE" not in story.run(inventory, detectors=[Meanwhile()]).signals
        assert story.run(inventory, detectors=[Meanwhile()]).signals["POST_REVOCATION_USE"] == 1


class _Cut(Exception):
    pass


@contextmanager
def cut_after(inventory: Inventory, steps: int) -> Iterator[None]:
    """The process ends in the step after so many: what that one wrote is undone, as SQLite does it."""
    original, done = inventory.step, 0

    @contextmanager
    def step() -> Iterator[sqlite3.Connection]:
        nonlocal done
        with original() as db:
            yield db
            done += 1
            if done > steps:
                raise _Cut

    inventory.step = step  # type: ignore[method-assign]
    try:
        yield
    finally:
        inventory.step = original  # type: ignore[method-assign]


@pytest.mark.parametrize("steps", range(6))
@pytest.mark.parametrize("late", [False, True])
def test_a_run_that_is_cut_off_at_any_step_loses_nothing(tmp_path: Path, steps: int, late: bool) -> None:
    """Also where something new came between the cut and the next run."""
    first, then = [use(0), happened(HOUR, "revoked", credential="cred:one")], [use(2 * HOUR), use(30 * MINUTE if late else 3 * HOUR)]
    story = Story([*first, *then])
    whole, cut = Inventory(tmp_path / "whole.db"), Inventory(tmp_path / "cut.db")
    for inventory in (whole, cut):
        story.declare(inventory)
        story.keep(inventory, first)
        story.run(inventory)
        story.keep(inventory, then[:1])
    story.keep(whole, then[1:])
    with cut_after(cut, steps):
        try:
            story.run(cut)
        except _Cut:
            pass
        else:
            assert steps > 3
    story.keep(cut, then[1:])
    story.run(cut)
    story.run(whole)
    assert told(cut) == told(whole)


@pytest.mark.parametrize("steps", range(4))
def test_what_came_late_is_not_lost_if_the_run_is_cut_off_and_more_comes_in_time(tmp_path: Path, steps: int) -> None:
    """Its mark was taken, and what comes later must not hide that all is to be judged anew."""
    first, late, later = [use(0), use(3 * HOUR)], [happened(HOUR, "revoked", credential="cred:one")], [use(4 * HOUR)]
    story = Story([*first, *late, *later])
    inventory = Inventory(tmp_path / "inventory.db")
    story.declare(inventory)
    story.keep(inventory, first)
    story.run(inventory)
    story.keep(inventory, late)
    with cut_after(inventory, steps), contextlib.suppress(_Cut):
        story.run(inventory)
    story.keep(inventory, later)
    story.run(inventory)
    (found,) = [each for each in signals_of(inventory, ME) if each.code == "POST_REVOCATION_USE"]
    assert [each.role for each in found.evidence] == ["revocation", "use", "use"]


@pytest.mark.parametrize("steps", range(5))
def test_who_becomes_another_ones_face_after_a_run_was_cut_off_leaves_no_signals(tmp_path: Path, steps: int) -> None:
    """Its fold goes when it is taken, so that what it said before must go also where there is no fold any more."""
    did = {"operation": "iam:PutUserPolicy", "access": "admin", "credential": ""}
    story = Story([use(HOUR, **did), use(2 * HOUR, identity="another", **did)])
    inventory = Inventory(tmp_path / "inventory.db")
    story.declare(inventory)
    story.keep(inventory)
    story.run(inventory)
    assert signals_of(inventory, "another")
    story.keep(inventory, [use(0, identity="another", **did)])
    with cut_after(inventory, steps), contextlib.suppress(_Cut):
        story.run(inventory)
    inventory.declare(identities=[Identity("another", same_as=ME, same_confidence=1.0)])
    story.run(inventory)
    assert signals_of(inventory, "another") == []
    assert len(signals_of(inventory, ME)) >= 1


_KILLED = """
import os, sys
from licet.inventory.store import Inventory
from licet.monitor.run import monitor
from licet.monitor.world import Settings
left = int(sys.argv[2])
def told(done, total, events):
    if done >= left:
        os.kill(os.getpid(), 9)
monitor(Inventory(sys.argv[1]), Settings(), float(sys.argv[3]), told)
"""


def test_a_run_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    story = Story([use(number * MINUTE, identity=f"i{number % 200:03}", credential="") for number in range(600)])
    whole, killed = Inventory(tmp_path / "whole.db"), Inventory(tmp_path / "killed.db")
    for inventory in (whole, killed):
        story.declare(inventory)
        story.keep(inventory)
    story.run(whole)
    killed.close()
    for left in (60, 100):
        ended = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path / "killed.db"), str(left), str(story.now)], check=False)
        assert ended.returncode == -9
    killed = Inventory(tmp_path / "killed.db")
    assert 0 < story.run(killed).identities < 202
    assert told(killed) == told(whole)


def test_a_credential_of_two_identities_is_shared_and_one_of_two_names_is_not(tmp_path: Path) -> None:
    story = Story([use(0), use(HOUR, identity="another")], others=[Identity("another", "bot")])
    inventory = Inventory(tmp_path / "inventory.db")
    (found,) = [each for each in story.signals(inventory) if each.code == "SHARED_CREDENTIAL"]
    assert found.observed == f"used by 2 identities: {ME}, another"
    assert [each.identity for each in found.evidence] == [ME, "another"]
    inventory.declare(identities=[Identity("another", same_as=ME, same_confidence=1.0)])
    assert "SHARED_CREDENTIAL" not in story.run(inventory).signals


def test_a_source_is_silent_after_three_times_its_longest_pause_and_speaks_again(tmp_path: Path) -> None:
    story = Story([use(0), use(5 * HOUR), use(10 * HOUR)], now=use(20 * HOUR).time)
    inventory = Inventory(tmp_path / "inventory.db")
    story.declare(inventory)
    inventory.keep([each for each in story.items if isinstance(each, UseEvent)], now=use(11 * HOUR).time)
    assert "SOURCE_SILENT" not in story.run(inventory, lags={"cloudtrail": HOUR}).signals
    story.now = use(30 * HOUR).time
    assert story.run(inventory, lags={"cloudtrail": HOUR}).signals["SOURCE_SILENT"] == 1
    assert story.run(inventory, lags={"cloudtrail": HOUR}).changed == 0
    story.keep(inventory, [use(29 * HOUR)])
    assert "SOURCE_SILENT" not in story.run(inventory, lags={"cloudtrail": HOUR}).signals


def test_time_alone_makes_an_identity_stale_and_a_newcomer_unowned(tmp_path: Path) -> None:
    story = Story([use(0)], owned=False, now=use(HOUR).time)
    inventory = Inventory(tmp_path / "inventory.db")
    assert story.signals(inventory) == []
    story.now = use(2 * DAY).time
    assert set(story.run(inventory).signals) == {"UNOWNED_ACTIVE", "SOURCE_SILENT"}
    story.now = use(91 * DAY).time
    assert story.run(inventory).signals["STALE_ACTIVE"] == 1


def test_an_inventory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.close()
    with pytest.raises(StoreError):
        Story([]).run(inventory)
