"""What is judged once for both manifests is what each of them says by itself."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from licet.guard.alike import Alike
from licet.guard.rehearsal import Rehearsal
from licet.manifest import Manifest, loads
from licet.replay import Backtest, Moving, RecordedCall, Session, told
from made_sessions import CHANGES, OLD, made

UNTIL = (datetime.now(UTC) + timedelta(days=20)).date().isoformat()


def manifest(text: str) -> Manifest:
    return loads(text.replace("UNTIL", UNTIL), now=time.time())


def outcomes(old: Manifest, new: Manifest, sessions: list[Session], *, shared: bool, **options: Any) -> tuple[list[Any], int]:
    """All that is said, and for how many sessions it was judged once."""
    clock = Moving(1_790_000_000.0)
    once = 0
    both = Alike.both

    def counted(self: Alike) -> Any:
        nonlocal once
        once += 1
        return both(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Alike, "both", counted)
        sides = [Rehearsal(each, clock=clock, secret=bytes(32)) for each in (old, new)]
        backtest = Backtest(*sides, clock=clock, shared=shared, **options)
        found: list[Any] = []
        for session in sessions:
            outcome = backtest.run(session)
            found.append((outcome.id, outcome.old_kind, outcome.new_kind))
            for call in outcome.calls:
                found += [
                    (call.number, call.tool, call.change, side.outcome, side.why, side.ran, told(side.reasons))
                    for side in (call.old, call.new)
                ]
    written = [sorted(side.remembered()) for side in sides]
    return [found, backtest.coverage.kept(), written], once


@pytest.mark.parametrize("seed", range(8))
def test_judged_once_or_apart_the_outcome_is_the_same(seed: int) -> None:
    """Any of the changes, one or several, on random sessions that write into stores and read from them."""
    rng = random.Random(seed)
    text = OLD
    for old, new in rng.sample(CHANGES, rng.choice([0, 1, 1, 2])):
        assert old in text
        text = text.replace(old, new)
    sessions, approve = made(60, seed=100 + seed), rng.random() < 0.5
    apart, none = outcomes(manifest(OLD), manifest(text), sessions, shared=False, approve=approve)
    shared, once = outcomes(manifest(OLD), manifest(text), sessions, shared=True, approve=approve)
    assert shared == apart
    assert none == 0
    assert once > 0 or text != OLD


@pytest.mark.parametrize("change", CHANGES, ids=[new for _, new in CHANGES])
def test_each_change_alone_is_seen_where_it_decides(change: tuple[str, str]) -> None:
    """Some sessions are judged once, and the change is not lost in those."""
    sessions = made(80, seed=5)
    old, new = manifest(OLD), manifest(OLD.replace(*change))
    apart, _ = outcomes(old, new, sessions, shared=False)
    shared, once = outcomes(old, new, sessions, shared=True)
    assert shared == apart
    assert 0 < once < len(sessions) or "then" in change[1]


def test_true_is_not_one_when_manifests_are_compared() -> None:
    """Python says that they are equal, and a schema does not."""
    text = OLD.replace("limit: {}", "limit: {enum: [1]}")
    other = OLD.replace("limit: {}", "limit: {enum: [true]}")
    clock = Moving()
    alike = Alike(*(Rehearsal(manifest(each), clock=clock, secret=bytes(32)) for each in (text, other)))
    assert not alike.can_only("tickets", "bot", frozenset({"find"}))
    assert alike.can_only("tickets", "bot", frozenset({"mail"}))


def test_nothing_is_shared_where_the_two_do_not_remember_by_the_same_secret_or_clock() -> None:
    one = manifest(OLD)
    clock = Moving()
    same = Alike(Rehearsal(one, clock=clock, secret=bytes(32)), Rehearsal(one, clock=clock, secret=bytes(32)))
    assert same.can_only("tickets", "bot", frozenset({"read"}))
    for other in (
        Rehearsal(one, clock=clock),
        Rehearsal(one, clock=Moving(), secret=bytes(32)),
        Rehearsal(one, clock=clock, secret=bytes(32), probes=1),
    ):
        assert not Alike(Rehearsal(one, clock=clock, secret=bytes(32)), other).can_only("tickets", "bot", frozenset({"read"}))


def test_a_store_that_differs_is_not_shared_again_and_others_are() -> None:
    one = manifest(OLD)
    clock = Moving()
    sides = [Rehearsal(one, clock=clock, secret=bytes(32)) for _ in range(2)]
    sides[0].remember([("crm", "a")])
    alike = Alike(*sides)
    assert not alike.can_only("tickets", "bot", frozenset({"read", "mail"}))
    assert alike.can_only("tickets", "bot", frozenset({"mail"}))


def test_an_argument_that_only_the_grant_of_another_kind_names_is_known_in_every_kind() -> None:
    """So that a call with it is decided otherwise, though its own kind and tool are the same in both."""
    old, new = manifest(OLD), manifest(OLD.replace("read: {}, fetch: {}}", "read: {}, fetch: {arguments: {extra: {}}}}"))
    calls = (RecordedCall("fetch", {"url": "https://acme.example/x", "extra": None}, "{}", None, executed=True),)
    sessions = [Session("s", "tickets", ("Fetch https://acme.example/x",), calls, "f:1")]
    apart, _ = outcomes(old, new, sessions, shared=False)
    shared, once = outcomes(old, new, sessions, shared=True)
    assert (once, shared) == (0, apart)
    assert [row[2] for row in apart[0][1:]] == ["newly allowed"] * 2
