"""What is judged once for both manifests is what each of them says by itself."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from licet.guard.alike import Alike
from licet.guard.rehearsal import Rehearsal
from licet.manifest import Manifest, loads
from licet.replay import Backtest, Moving, RecordedCall, Session, told
from made_sessions import CHANGES, OLD, made

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

UNTIL = (datetime.now(UTC) + timedelta(days=20)).date().isoformat()


def manifest(text: str) -> Manifest:
    return loads(text.replace("UNTIL", UNTIL), now=time.time())


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many tasks a side has entered, and how many it has parted from."""
    counts: Counter[str] = Counter()

    def counting(name: str) -> Any:
        real = getattr(Rehearsal, name)

        def counted(self: Rehearsal, *args: Any) -> Any:
            counts[name] += 1
            return real(self, *args)

        return counted

    for name in ("enter", "part"):
        monkeypatch.setattr(Rehearsal, name, counting(name))
    return counts


OPEN = OLD.replace("expires: 2020-01-31", "expires: 2099-01-31").replace(", reveals: [customer-data]", "")
OPEN = OPEN.replace("  fetch: {access: read,", "  fetch: {access: read, reveals: [customer-data],")
OPEN = OPEN.replace("{distinct: to, of: mail, at_most: 1}", "{distinct: to, of: mail, at_most: 9}")
"""In which `read` runs, and reveals nothing."""
GRANTS = ["{}", "{}", "{ask: true}", "{at_most: 1}", "{at_most: 2}", "{arguments: {id: {pattern: '4.*'}, number: {enum: [77]}}}"]
OF_KINDS = [
    ("    chain: [start -> find, find -> read, read -> read,", "    chain: [start -> read, read -> find, find -> read, read -> read,"),
    ("    intent: Answer tickets\n    ttl: 10m\n", "    intent: Answer tickets\n    ttl: 10m\n    checks: {chain.order: {mode: observe, until: UNTIL, reason: r}, origin.argument: {then: ask}}\n"),
    ("at_most: 100}", "at_most: 60}"),
    ("{distinct: to, of: mail, at_most: 1}", "{distinct: to, of: mail, at_most: 2}"),
]  # fmt: skip


GIVEN = {
    "tickets": {"read": "{at_most: 4}", "find": "{}", "note": "{}", "mail": "{at_most: 2}", "pay": "{ask: true}", "fetch": "{}"},
    "orders": {"read": "{}", "find": "{}", "mail": "{}", "pay": "{}"},
    "notes": {"note": "{}", "read": "{}", "fetch": "{}"},
}
"""The grants of OLD."""


def granting(given: dict[str, dict[str, str]]) -> str:
    """The old manifest with these grants, and with a credential that has not expired."""
    text = OLD.replace("expires: 2020-01-31", "expires: 2099-01-31")
    for kind, grants in given.items():
        old, new = ("{" + ", ".join(f"{tool}: {grant}" for tool, grant in each.items()) + "}" for each in (GIVEN[kind], grants))
        assert old in text
        text = text.replace(f"tools: {old}", f"tools: {new}")
    return text


def other_grants(rng: random.Random, given: dict[str, dict[str, str]], most: int) -> dict[str, dict[str, str]]:
    """Others for up to so many tools of each kind."""
    out = {kind: dict(grants) for kind, grants in given.items()}
    for grants in out.values():
        for tool in rng.sample(list(grants), rng.randrange(most + 1)):
            grants[tool] = rng.choice(GRANTS if tool in ("read", "note") else GRANTS[:-1])
    return out


@pytest.mark.parametrize("seed", range(24))
def test_two_sides_in_step_say_what_each_says_by_itself(seed: int, steps: Counter[str]) -> None:
    """Whatever grants, budgets, orders and checks differ, and where in a session; what they remember of stores is the same too."""
    rng = random.Random(1_000 + seed)
    before = other_grants(rng, GIVEN, 2)
    texts = [granting(before), granting(other_grants(rng, before, 1))]
    if rng.random() < 0.3:
        texts[1] = texts[1].replace(*rng.choice(OF_KINDS))
    old, new = map(manifest, texts)
    sessions, approve, alone = made(60, seed=200 + seed), rng.random() < 0.5, rng.random() < 0.2
    apart, _ = outcomes(old, new, sessions, shared=False, approve=approve, apart=alone)
    assert not steps
    shared, _ = outcomes(old, new, sessions, shared=True, approve=approve, apart=alone)
    assert shared == apart


def test_most_sessions_are_judged_in_step_and_some_part(steps: Counter[str]) -> None:
    """So that the test above is of that; and a side enters only where it can differ."""
    sessions = made(60, seed=3)
    outcomes(manifest(OPEN), manifest(OPEN.replace("{at_most: 4}", "{at_most: 1}")), sessions, shared=True)
    reading = [each for each in sessions if each.suite == "tickets" and any(call.tool == "read" for call in each.calls)]
    assert 0 < steps["part"] < steps["enter"] <= len(reading)


READ = {"ada": {"id": 1, "from": "ada@acme.example"}, "bob": {"id": 2, "from": "bob@acme.example"}}


def read(name: str) -> RecordedCall:
    return RecordedCall("read", {"number": 4312}, READ[name], None, executed=True)


def mail(name: str) -> RecordedCall:
    return RecordedCall("mail", {"to": f"{name}@acme.example"}, "sent", None, executed=True)


@pytest.mark.parametrize("turn", [None, 1])
def test_the_one_that_parts_is_shown_no_more_of_what_the_other_is_shown(turn: int | None) -> None:
    """Whether both reads were issued one after the other or side by side. What both let run before is known to both after."""
    old, new = manifest(OPEN), manifest(OPEN.replace("{at_most: 4}", "{at_most: 1}"))
    calls = (replace(read("ada"), turn=turn), replace(read("bob"), turn=turn), mail("bob"), mail("ada"))
    session = Session("s", "tickets", ("Answer 4312",), calls, "f:1")
    shared, _ = outcomes(old, new, [session], shared=True)
    assert shared == outcomes(old, new, [session], shared=False)[0]
    assert [row[3] for row in shared[0][1:]] == ["allow", "allow", "allow", "deny", "allow", "deny", "allow", "allow"]


PAY = RecordedCall("pay", {"amount": 5, "account": "x", "memo": "y"}, "ok", None, executed=True)
FIND = RecordedCall("find", {"query": "x"}, [{"id": "ORD-1", "email": "bob@acme.example"}], None, executed=True)
IN_THE_MIDDLE = {
    "what a person refused": ("tickets", ("read: {at_most: 4}", "read: {at_most: 1}"), (PAY, read("ada"), PAY)),
    "what came before": ("orders", ("{read: {}, find: {}", "{read: {at_most: 1}, find: {}"), (FIND, read("ada"), read("bob"))),
    "what is used up": ("tickets", ("read: {at_most: 4}", "read: {at_most: 1}"), (mail("eve"), mail("eve"), read("ada"), mail("eve"))),
}


@pytest.mark.parametrize("case", IN_THE_MIDDLE)
def test_the_one_that_enters_knows_what_was_before(case: str) -> None:
    kind, change, calls = IN_THE_MIDDLE[case]
    old, new = manifest(OPEN), manifest(OPEN.replace(*change))
    session = Session("s", kind, ("Mail ada@acme.example, bob@acme.example, eve@acme.example",), calls, "f:1")
    shared, _ = outcomes(old, new, [session], shared=True)
    assert shared == outcomes(old, new, [session], shared=False)[0]


def test_what_a_person_vouches_for_on_one_side_alone_is_the_users_own_on_that_side_alone() -> None:
    """Both let it be written, and what a source then hands back was written here by nobody who vouches for it on the new side."""
    text = OPEN.replace("account: {}", "account: {origin: ['find:[].id']}")
    asks = text.replace(
        "note: {}, mail: {at_most: 2}",
        "note: {arguments: {text: {origin: {from: [intent], ask: [nowhere], else: deny}}}}, mail: {at_most: 2}",
    )
    calls = (
        RecordedCall("note", {"text": "ACC-12345"}, "ok", None, executed=True),
        RecordedCall("find", {"query": "x"}, [{"id": "ACC-12345"}], None, executed=True),
        replace(PAY, arguments=PAY.arguments | {"account": "ACC-12345"}),
    )
    session = Session("s", "tickets", ("Pay 5",), calls, "f:1")
    shared, _ = outcomes(manifest(asks), manifest(text), [session], shared=True, approve=True)
    apart, _ = outcomes(manifest(asks), manifest(text), [session], shared=False, approve=True)
    assert [row[3] for row in apart[0][1:]] == ["ask", "allow", "allow", "allow", "ask", "deny"]
    assert shared == apart


def test_where_the_user_said_nothing_the_words_are_each_kinds_own() -> None:
    old, new = manifest(OPEN), manifest(OPEN.replace("intent: Answer tickets", "intent: Answer ada@acme.example"))
    session = Session("s", "tickets", (), (mail("ada"),), "f:1")
    shared, _ = outcomes(old, new, [session], shared=True)
    assert shared == outcomes(old, new, [session], shared=False)[0]
    assert [row[3] for row in shared[0][1:]] == ["deny", "allow"]


def test_what_a_session_of_two_kinds_writes_is_not_taken_for_the_same_in_both() -> None:
    """The suite names a kind of the new manifest alone, which lets nothing be written; the old one has one kind, which does."""
    only = OPEN.replace("tasks: [tickets, orders, notes]", "tasks: [tickets]")
    only = only[: only.index("  orders:\n")] + only[only.index("flows:\n") :]
    other = only.replace("tasks: [tickets]", "tasks: [tickets, odd]")
    other = other.replace("flows:\n", "  odd: {intent: Nothing, ttl: 10m, tools: {read: {}}}\nflows:\n")
    wrote = RecordedCall("note", {"text": "ada@acme.example"}, "ok", None, executed=True)
    sessions = [
        Session("a", "odd", ("Note it",), (wrote,), "f:1"),
        Session("b", "tickets", ("Answer 4312",), (read("ada"), mail("ada")), "f:2"),
    ]
    shared, _ = outcomes(manifest(only), manifest(other), sessions, shared=True)
    apart, _ = outcomes(manifest(only), manifest(other), sessions, shared=False)
    assert shared == apart
    assert [row[3] for row in apart[0] if len(row) == 7] == ["allow", "deny", "allow", "allow", "deny", "allow"]


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
