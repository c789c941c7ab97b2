"""What tokens have in common: used once, revoked, ended with their task. One contract, kept by the memory and by the store alike."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from licet import Guard
from licet.errors import StoreError, TokenRefused
from licet.records import Finding, Mark, MarkKind, Revocation, ToolCall
from licet.store import SqliteStore
from licet.testing import guard_for
from licet.tokens import MemoryState, Proof, TokenState, Verifier

NOW = 1_795_300_000.0
BOT: Mark = ("agent", "bot")
KEY: Mark = ("key", "k")
TASK: Mark = ("task", "t")
URL, AUDIENCE = "https://mail.acme.example/send", "https://mail.acme.example"
SENT: dict[str, Any] = {"to": "ada@acme.example"}
MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work], may_delegate_to: [bot]}}
tools: {send: {access: write, egress: true, audience: "https://mail.acme.example", arguments: {to: {origin: [intent, trusted, nowhere]}}}}
tasks: {work: {intent: Work, ttl: 10m, tools: {send: {}}}}
checks: {origin.unanchored: {then: flag}}
"""
KINDS: dict[str, Callable[[Path], Any]] = {"memory": lambda _: MemoryState(), "sqlite": SqliteStore}


@pytest.fixture(params=KINDS)
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TokenState]:
    made = KINDS[request.param](tmp_path / "state.db")
    yield made
    if isinstance(made, SqliteStore):
        made.close()


def revoked(mark: Mark, time: float = NOW, until: float = NOW + 100, reason: str = "lost") -> Revocation:
    return Revocation(mark, time, until, reason, "grace")


# The contract ----------------------------------------------------------------------------------------------------------------


def test_a_token_is_used_once(state: TokenState):
    assert [state.spend("a", NOW + 60, (BOT,), NOW) for _ in range(3)] == [True, False, False]
    assert state.spend("b", NOW + 60, (BOT,), NOW) is True


def test_a_used_token_is_forgotten_when_it_is_dead_and_not_before(state: TokenState):
    state.spend("a", NOW + 60, (), NOW)
    assert state.spend("a", NOW + 120, (), NOW + 59.9) is False
    assert state.spend("a", NOW + 120, (), NOW + 60) is True


def test_what_is_forgotten_does_not_depend_on_how_much_there_is(state: TokenState):
    for number in range(90):
        state.spend(f"old {number}", NOW + 1, (), NOW)
    assert [state.spend(f"old {number}", NOW + 60, (), NOW + 2) for number in range(90)] == [True] * 90


def test_the_store_does_not_grow_with_what_is_dead(tmp_path: Path):
    store = SqliteStore(tmp_path / "state.db")
    for number in range(200):
        store.spend(str(number), NOW + number + 1, (), NOW + number)
    assert store._read("SELECT count(*) FROM spent", ())[0][0] <= 2
    store.close()


@pytest.mark.parametrize("which", [0, 1, 2])
def test_any_mark_that_is_revoked_refuses_and_does_not_use_the_token_up(state: TokenState, which: int):
    """So that what was presented in good faith can be presented when the mistake is mended."""
    marks = (TASK, BOT, KEY)
    entry = revoked(marks[which])
    assert state.revoke(entry)
    assert state.spend("a", NOW + 500, marks, NOW) == entry
    assert state.spend("a", NOW + 500, marks, NOW + 99.9) == entry
    assert state.spend("a", NOW + 500, marks, NOW + 100) is True


def test_the_first_revoked_mark_is_told(state: TokenState):
    """The task comes first, so that a use after its end is seen for what it is, whatever else is revoked."""
    state.revoke(revoked(KEY))
    state.revoke(revoked(TASK, NOW + 1))
    assert state.revoked((TASK, BOT, KEY), NOW + 2) == revoked(TASK, NOW + 1)
    assert state.revoked((BOT, KEY), NOW + 2) == revoked(KEY)
    assert state.revoked((BOT,), NOW + 2) is None


def test_a_mark_is_its_kind_and_its_name(state: TokenState):
    state.revoke(revoked(("agent", "x")))
    for kind in get_args(MarkKind):
        assert (state.revoked(((kind, "x"),), NOW) is None) == (kind != "agent")


def test_a_used_token_that_is_revoked_is_told_as_revoked(state: TokenState):
    state.spend("a", NOW + 60, (BOT,), NOW)
    state.revoke(revoked(BOT))
    assert state.spend("a", NOW + 60, (BOT,), NOW) == revoked(BOT)


def test_a_second_revocation_lengthens_the_first_and_never_shortens_it(state: TokenState):
    """The time and the reason of the first stay: how long after it a token was used counts from there."""
    assert state.revoke(revoked(BOT, NOW, NOW + 100, "first")) is True
    assert state.revoke(revoked(BOT, NOW + 10, NOW + 50, "shorter")) is False
    assert state.revoked((BOT,), NOW + 60) == revoked(BOT, NOW, NOW + 100, "first")
    assert state.revoke(revoked(BOT, NOW + 20, NOW + 200, "longer")) is False
    assert state.revoked((BOT,), NOW + 150) == revoked(BOT, NOW, NOW + 200, "first")


def test_a_revocation_that_is_over_gives_way_to_a_new_one(state: TokenState):
    state.revoke(revoked(BOT, NOW, NOW + 10, "first"))
    assert state.revoke(revoked(BOT, NOW + 10, NOW + 50, "second")) is True
    assert state.revoked((BOT,), NOW + 20) == revoked(BOT, NOW + 10, NOW + 50, "second")


def test_names_are_texts_and_no_patterns(state: TokenState):
    for name in ("%", "_", "'; DROP TABLE spent; --", "\N{SNOWMAN}", "A", "a"):
        assert state.spend(name, NOW + 60, (), NOW) is True
        state.revoke(revoked(("jti", name)))
    assert state.revoked((("jti", "b"),), NOW) is None


def test_of_many_threads_that_use_one_token_up_one_does(state: TokenState):
    for round_ in range(20):
        barrier, accepted = threading.Barrier(8), []

        def use(barrier: threading.Barrier = barrier, accepted: list[object] = accepted, name: str = str(round_)) -> None:
            barrier.wait()
            accepted.append(state.spend(name, NOW + 60, (BOT,), NOW))

        threads = [threading.Thread(target=use) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(map(bool, accepted)) == [False] * 7 + [True]


def test_a_finding_is_kept(state: TokenState):
    finding = Finding("f", NOW, "token.replay", "high", "again", task_id="t")
    state.add_finding(finding)
    kept = state.findings() if isinstance(state, SqliteStore) else state.findings  # type: ignore[attr-defined]
    assert list(kept) == [finding]


def test_both_kinds_say_the_same_of_anything_that_is_done():
    """Spending, revoking and asking in any order, over any times, by few names, so that they meet."""
    names = st.sampled_from(["a", "b", "c"])
    marks = st.sampled_from([TASK, BOT, KEY, ("jti", "a"), ("agent", "other")])
    lives = st.sampled_from([0.5, 1.0, 30.0, 60.0, 100.0, 300.0])

    class Both(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.memory, self.store, self.now = MemoryState(), SqliteStore(":memory:"), NOW

        @rule(seconds=st.sampled_from([0.5, 1.0, 29.5, 60.0, 100.0]))
        def later(self, seconds: float) -> None:
            self.now += seconds

        @rule(name=names, life=lives, some=st.lists(marks, max_size=3))
        def spend(self, name: str, life: float, some: list[Mark]) -> None:
            given = (name, self.now + life, some, self.now)
            assert self.memory.spend(*given) == self.store.spend(*given)

        @rule(mark=marks, life=lives, reason=names, early=st.sampled_from([0.0, 0.0, 5.0]))
        def revoke(self, mark: Mark, life: float, reason: str, early: float) -> None:
            entry = Revocation(mark, self.now - early, self.now + life, reason, "grace")
            assert self.memory.revoke(entry) == self.store.revoke(entry)

        @invariant()
        def the_same_is_revoked(self) -> None:
            for mark in (TASK, BOT, KEY, ("jti", "a"), ("agent", "other")):
                assert self.memory.revoked((mark,), self.now) == self.store.revoked((mark,), self.now)

        def teardown(self) -> None:
            self.store.close()

    run_state_machine_as_test(Both, settings=settings(max_examples=60, stateful_step_count=30, deadline=None))


# With the guard and the verifier -------------------------------------------------------------------------------------------------


class Side:
    """A tool's side that shares the guard's store, as another process would: by its file."""

    def __init__(self, folder: Path) -> None:
        self.guard: Guard = guard_for(MANIFEST, folder)
        self.clock: Any = self.guard._clock
        self.store = SqliteStore(self.guard.state / "licet.db")
        self.verifier = Verifier(self.guard.jwks(), issuer=self.guard.issuer, audience=AUDIENCE, state=self.store, clock=self.clock)

    def token(self, task: Any) -> tuple[str, Proof]:
        ticket = self.guard.begin(ToolCall("send", SENT), task=task)
        assert ticket.token, ticket.message
        self.jti = ticket.jti
        return ticket.token, Proof(ticket.current().headers_for("POST", URL)["DPoP"], "POST", URL)

    def shows(self, token: str, proof: Proof) -> str:
        """`ok`, or the check by which it is refused."""
        try:
            self.verifier.verify(token, tool="send", arguments=SENT, proof=proof)
        except TokenRefused as refusal:
            return refusal.check
        return "ok"


@pytest.fixture
def side(tmp_path: Path) -> Iterator[Side]:
    made = Side(tmp_path)
    yield made
    made.store.close()
    made.guard.close()


def work(side: Side) -> Any:
    return side.guard.task("work", intent="Write to Ada", agent="bot", principal="user:grace")


def test_a_use_after_the_tasks_end_is_a_finding_that_names_task_credential_and_how_long_after(side: Side):
    with work(side) as task:
        held = side.token(task)
    side.clock.advance(42)
    assert side.shows(*held) == "token.ended"
    [finding] = [found for found in side.store.findings(task.id) if found.check == "token.ended"]
    assert (finding.severity, finding.task_id, finding.time) == ("high", task.id, side.clock.now())
    assert side.jti in finding.sentence
    assert task.id[:8] in finding.sentence
    assert "42 s after" in finding.sentence
    assert held[0] not in finding.sentence


def test_the_end_of_a_task_ends_the_tokens_of_all_below_it_and_of_none_beside_it(side: Side):
    with work(side) as other:
        beside = side.token(other)
        sub_task = {"agent": "bot", "intent": "Write to Ada"}
        with work(side) as top, side.guard.delegate("work", **sub_task), side.guard.delegate("work", **sub_task) as deepest:
            below = side.token(deepest)
            assert side.store.end_task(top.id, side.clock.now(), "another process")
            assert side.shows(*below) == "token.ended"
        assert side.shows(*beside) == "ok"


def test_the_end_of_a_sub_task_leaves_the_tokens_of_those_above_it(side: Side):
    with work(side) as top:
        above = side.token(top)
        with side.guard.delegate("work", agent="bot", intent="Write to Ada") as sub:
            below = side.token(sub)
        assert (side.shows(*below), side.shows(*above)) == ("token.ended", "ok")


def test_a_replay_is_a_finding(side: Side):
    with work(side) as task:
        held = side.token(task)
        assert [side.shows(*held), side.shows(*held)] == ["ok", "token.replay"]
    [finding] = [found for found in side.store.findings(task.id) if found.check == "token.replay"]
    assert "presented again" in finding.sentence


@pytest.mark.parametrize("kind", ["agent", "key", "jti", "task"])
def test_what_is_revoked_by_any_mark_is_refused_at_the_tools_side(side: Side, kind: MarkKind):
    with work(side) as task:
        held = side.token(task)
        kid = side.guard.jwks()["keys"][0]["kid"]
        value = {"agent": "bot", "key": kid, "jti": side.jti, "task": task.id}[kind]
        side.guard._store.revoke(Revocation((kind, value), side.clock.now(), side.clock.now() + 600, "lost", "grace"))
        side.clock.advance(7)
        assert side.shows(*held) == ("token.ended" if kind == "task" else "token.revoked")
    finding = side.store.findings(task.id)[-1]
    assert "7 s after" in finding.sentence
    assert side.jti in finding.sentence


def test_a_store_that_does_not_answer_refuses_the_token(side: Side):
    """Could not decide is deny."""
    with work(side) as task:
        held = side.token(task)
        side.store.close()
        assert side.shows(*held) == "token.undecided"


@pytest.mark.parametrize("call", ["spend", "revoke", "revoked"])
def test_every_failure_of_the_store_is_one_kind_of_error(tmp_path: Path, call: str):
    store = SqliteStore(tmp_path / "state.db", busy_seconds=0.05)
    store._write("DROP TABLE spent" if call == "spend" else "DROP TABLE revoked", ())
    given = {"spend": ("a", NOW, (BOT,), NOW), "revoke": (revoked(BOT),), "revoked": ((BOT,), NOW)}[call]
    with pytest.raises(StoreError):
        getattr(store, call)(*given)
    store.close()
