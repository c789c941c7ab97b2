"""Delegation: what a sub-task's token claims is at most what its parent's says, and that is seen from the tokens alone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licet import Denied, Guard, UsageError, current_call
from licet.errors import StoreError, TokenRefused
from licet.records import MAX_ACTORS, Revocation
from licet.testing import guard_for
from licet.tokens import KeySet, Proof, SigningKey, Verifier, prove
from licet.tokens.algorithms import OURS
from licet.tokens.delegation import TaskClaims, check_call, check_narrowing, read_task, verify_chain

MAIL = "https://mail.acme.example"
URL = "https://licet.acme.example/token"
MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents:
  bot: {owner: o, tasks: [work, small], may_delegate_to: [helper, bot]}
  helper: {owner: o, tasks: [work, small], may_delegate_to: [helper]}
  stranger: {owner: o, tasks: [work]}
tools:
  note: {access: read, egress: false}
  send: {access: write, egress: true, audience: "https://mail.acme.example", arguments: {to: {origin: [intent, trusted, nowhere]}}}
  risky: {access: write, egress: true, arguments: {what: {origin: [intent, trusted, nowhere]}}}
tasks:
  work: {intent: Work, ttl: 10m, tools: {note: {}, send: {at_most: 3}, risky: {ask: true}}}
  small: {intent: Little, ttl: 2m, tools: {send: {at_most: 1, arguments: {to: {enum: [ada@acme.example]}}}}}
checks: {origin.unanchored: {then: flag}}
"""
BOT, HELPER = SigningKey.generate("ES256"), SigningKey.generate()


@pytest.fixture
def guard(tmp_path: Path) -> Any:
    with guard_for(MANIFEST, tmp_path) as made:
        yield made


def shown(guard: Guard, token: str, key: SigningKey = BOT) -> tuple[str, Proof]:
    """A task's token with a fresh proof by its holder."""
    return token, Proof(prove(key, "POST", URL, token=token, now=guard._clock.now()), "POST", URL)


def opened(guard: Guard, kind: str = "work", **more: Any) -> str:
    return guard.authority.open(kind=kind, intent="Write to ada@acme.example", agent="bot", holder=BOT.kid, **more).token


def sub_task(guard: Guard, token: str, kind: str = "small", **more: Any) -> str:
    wanted = {"kind": kind, "agent": "helper", "intent": "Write it", "holder": HELPER.kid} | more
    return guard.authority.delegate(*shown(guard, token), **wanted).token


def read(guard: Guard, token: str) -> TaskClaims:
    return read_task(token, keys=KeySet.of(guard.jwks()), issuer=guard.issuer, algorithms=OURS, now=guard._clock.now())


def verified(guard: Guard, token: str, key: SigningKey, to: str = "ada@acme.example") -> Any:
    verifier = Verifier(guard.jwks(), issuer=guard.issuer, audience=MAIL, state=guard._store, clock=guard._clock)
    proof = Proof(prove(key, "POST", f"{MAIL}/send", token=token, now=guard._clock.now()), "POST", f"{MAIL}/send")
    return verifier.verify(token, tool="send", arguments={"to": to}, proof=proof)


def chain(guard: Guard, *tokens: str, call: Any = None) -> tuple[TaskClaims, ...]:
    keys = KeySet.of(guard.jwks())
    return verify_chain(tokens, keys=keys, issuer=guard.issuer, algorithms=OURS, now=guard._clock.now(), call=call)


def refused(check: str, what: Callable[[], Any]) -> TokenRefused:
    with pytest.raises(TokenRefused) as refusal:
        what()
    assert refusal.value.check == check, refusal.value.why
    assert str(refusal.value) == "the token was refused"
    return refusal.value


def test_a_sub_task_and_its_call_are_verified_from_the_tokens_alone(guard: Guard):
    top = opened(guard)
    below = sub_task(guard, top)
    token = guard.authority.call(*shown(guard, below, HELPER), tool="send", arguments={"to": "ada@acme.example"}).token
    call = verified(guard, token, HELPER)
    first, second = chain(guard, top, below, call=call)
    assert (first.actors, second.actors, call.actors) == (("bot",), ("helper", "bot"), ("helper", "bot"))
    assert second.layers[: len(first.layers)] == first.layers == call.layers[: len(first.layers)]
    assert second.budgets[: len(first.budgets)] == first.budgets
    assert second.tools < first.tools
    assert second.ends <= first.ends


def test_tokens_that_are_over_are_evidence_still(guard: Guard):
    top = opened(guard)
    below = sub_task(guard, top)
    guard._clock.advance(400)
    assert len(chain(guard, top, below)) == 2
    refused("token.time", lambda: read(guard, top))


@pytest.mark.parametrize(
    "change, why",
    [
        ({"layers": ()}, "scope"),
        ({"layers": ("sha256:0", "sha256:1", "sha256:2")}, "scope"),
        ({"tools": frozenset({"send", "pay"})}, "scope"),
        ({"budgets": ()}, "budgets"),
        ({"budgets": ("sha256:0",)}, "budgets"),
        ({"ends": 10**11}, "lasts longer"),
        ({"actors": ("helper",)}, "agents"),
        ({"actors": ("helper", "stranger")}, "agents"),
        ({"actors": ("helper", "bot", "bot")}, "agents"),
        ({"agent": "stranger"}, "agents"),
        ({"parent": "0" * 32}, "not of the task above"),
        ({"parent": ""}, "not of the task above"),
        ({"root": "0" * 32}, "not of the task above"),
        ({"principal": "user:eve"}, "not of the task above"),
        ({"issuer": "https://evil.example"}, "not of the task above"),
        ({"principal_is": "proved"}, "proved"),
    ],
)
def test_a_sub_task_that_claims_more_than_its_parent_is_refused(guard: Guard, change: dict[str, Any], why: str):
    top = read(guard, first := opened(guard))
    below = read(guard, sub_task(guard, first))
    check_narrowing(top, below)
    assert why in refused("delegation.widened", lambda: check_narrowing(top, replace(below, **change))).why


@pytest.mark.parametrize(
    "change",
    [{"task": "0" * 32}, {"root": "0" * 32}, {"principal": "eve"}, {"issuer": "x"}, {"actors": ("helper",)}, {"tool": "note"}, {"layers": ()}, {"expires": 10**11}, {"agent_is": "proved"}],
)  # fmt: skip
def test_a_call_that_is_not_within_its_task_is_refused(guard: Guard, change: dict[str, Any]):
    below = sub_task(guard, opened(guard))
    task = read(guard, below)
    token = guard.authority.call(*shown(guard, below, HELPER), tool="send", arguments={"to": "ada@acme.example"}).token
    call = verified(guard, token, HELPER)
    check_call(task, call)
    refused("delegation.widened", lambda: check_call(task, replace(call, **change)))


def test_a_chain_begins_at_its_root_and_leaves_nothing_out(guard: Guard):
    top = opened(guard)
    middle = sub_task(guard, top, kind="work")
    last = guard.authority.delegate(*shown(guard, middle, HELPER), kind="small", agent="helper", intent="x").token
    assert [task.kind for task in chain(guard, top, middle, last)] == ["work", "work", "small"]
    for tokens in ((), (middle, last), (last,), (top, last), (last, middle, top), (top, middle, middle)):
        refused("delegation.widened", lambda tokens=tokens: chain(guard, *tokens))


@given(extra=st.lists(st.sampled_from(["note", "send", "risky", "pay"]), unique=True), kept=st.integers(0, 4), ends=st.integers(-2, 2))
@settings(max_examples=200, deadline=None)
def test_narrowing_is_transitive_and_never_adds_a_tool(extra: list[str], kept: int, ends: int) -> None:
    """Whatever passes below what passes has no more than the top: no order of delegations widens."""

    def task(**more: Any) -> TaskClaims:
        known = {
            "issuer": "i", "principal": "p", "agent": "a", "actors": ("a",), "task": "1", "parent": "", "root": "1", "kind": "k", "tools": frozenset({"note", "send"}), "layers": ("x", "y"),
            "budgets": ("b",), "ends": 100, "expires": 50, "jti": "j", "kid": "k", "holder": "h", "principal_is": "asserted", "agent_is": "asserted",
        }  # fmt: skip
        return TaskClaims(**(known | more))

    top = task()
    middle = task(
        task="2", parent="1", agent="b", actors=("b", "a"), tools=frozenset(extra), layers=("x", "y", "z")[:kept], ends=100 + ends
    )
    last = task(
        task="3", parent="2", agent="c", actors=("c", "b", "a"), tools=frozenset(extra), layers=("x", "y", "z", "w"), ends=100 + ends
    )
    try:
        check_narrowing(top, middle)
        check_narrowing(middle, last)
    except TokenRefused:
        assert not (frozenset(extra) <= top.tools and kept >= 2 and ends <= 0)
        return
    assert last.tools <= top.tools
    assert last.layers[:2] == top.layers
    assert last.ends <= top.ends


# The authority ---------------------------------------------------------------------------------------------------------


def test_a_sub_task_gets_at_most_what_its_parent_has(guard: Guard):
    top = opened(guard, "small")
    for wanted in ({"tools": ["note"]}, {"ttl": "1h"}, {"agent": "stranger"}):
        with pytest.raises(Denied) as denial:
            sub_task(guard, top, "work", **wanted)
        assert "delegation.widened" in denial.value.decision.checks


def test_a_sub_tasks_calls_are_counted_in_its_parents_budget(guard: Guard):
    top = opened(guard, "small")
    below = sub_task(guard, top, "work")
    guard.authority.call(*shown(guard, below, HELPER), tool="send", arguments={"to": "ada@acme.example"})
    with pytest.raises(Denied) as denial:
        guard.authority.call(*shown(guard, top), tool="send", arguments={"to": "ada@acme.example"})
    assert denial.value.decision.checks == ("scope.budget",)


def test_the_arguments_that_the_parent_refuses_are_refused_below(guard: Guard):
    below = sub_task(guard, opened(guard, "small"), "work")
    with pytest.raises(Denied) as denial:
        guard.authority.call(*shown(guard, below, HELPER), tool="send", arguments={"to": "eve@evil.example"})
    assert "scope.argument" in denial.value.decision.checks


def test_the_chain_of_agents_is_capped(guard: Guard):
    token = opened(guard)
    for _ in range(MAX_ACTORS - 1):
        token = guard.authority.delegate(*shown(guard, token), kind="work", agent="bot", intent="again").token
    assert len(read(guard, token).actors) == MAX_ACTORS
    with pytest.raises(Denied, match=r"delegation\.widened"):
        guard.authority.delegate(*shown(guard, token), kind="work", agent="bot", intent="again")


def test_a_token_is_issued_from_nothing_but_an_allow(guard: Guard):
    """A call that asks has nobody to ask here, and one that is denied is denied: neither has a token."""
    top = opened(guard)
    for tool, arguments in (("risky", {"what": "x"}), ("pay", {}), ("send", {"to": "ada@acme.example", "extra": 1})):
        with pytest.raises(Denied):
            guard.authority.call(*shown(guard, top), tool=tool, arguments=arguments)
    assert [call.jti for task in guard._store.tasks() for call in guard._store.calls(task.id)] == ["", "", ""]


def test_a_tasks_token_names_nothing_without_its_holders_proof(guard: Guard):
    token = opened(guard)
    other = SigningKey.generate()
    for proof in (None, shown(guard, token, other)[1], shown(guard, opened(guard))[1], Proof("x.y.z", "POST", URL)):
        refused("token.proof", lambda proof=proof: guard.task_by_token(token, proof))
    refused("token.type", lambda: guard.task_by_token(call_token(guard, token), shown(guard, token)[1]))
    assert guard.task_by_token(*shown(guard, token)).record.agent == "bot"


def call_token(guard: Guard, token: str) -> str:
    return guard.authority.call(*shown(guard, token), tool="send", arguments={"to": "ada@acme.example"}).token


def test_a_proof_is_good_once(guard: Guard):
    token, proof = shown(guard, opened(guard))
    guard.task_by_token(token, proof)
    refused("token.proof", lambda: guard.task_by_token(token, proof))


def test_a_task_is_renewed_until_it_is_over(guard: Guard):
    token = opened(guard)
    for _ in range(2):
        guard._clock.advance(250)
        token = guard.authority.renew(*shown(guard, token)).token
    assert read(guard, token).expires <= read(guard, token).ends
    guard._clock.advance(120)
    refused("token.ended", lambda: guard.authority.renew(*shown(guard, token)))


def test_revoking_a_task_ends_it_with_all_below(guard: Guard):
    """A later use of what it issued is refused, and is a finding that names task, credential, and how long after."""
    top = opened(guard)
    below = sub_task(guard, top)
    call = guard.authority.call(*shown(guard, below, HELPER), tool="send", arguments={"to": "ada@acme.example"}).token
    assert guard.authority.revoke(top, by="its client") is True
    guard._clock.advance(12)
    refused("token.ended", lambda: verified(guard, call, HELPER))
    for token, key in ((top, BOT), (below, HELPER)):
        refused("token.ended", lambda token=token, key=key: guard.task_by_token(*shown(guard, token, key)))
    [found] = [found for found in guard._store.findings() if found.check == "token.ended"]
    claims = json.loads(_payload(call))
    for part in (claims["jti"], claims["tctx"]["task_id"][:8], "12 s after"):
        assert part in found.sentence
    assert found.task_id == claims["tctx"]["task_id"]


def _payload(token: str) -> bytes:
    from licet.tokens.jws import parse

    return parse(token).payload


def test_revoking_a_call_denies_that_call_alone(guard: Guard):
    top = opened(guard)
    one, other = call_token(guard, top), call_token(guard, top)
    assert guard.authority.revoke(one, by="its client") is True
    refused("token.revoked", lambda: verified(guard, one, BOT))
    assert verified(guard, other, BOT).tool == "send"
    assert guard.authority.revoke("x.y.z", by="its client") is False


def test_what_is_active_is_told_without_using_it_up(guard: Guard):
    top = opened(guard)
    call = call_token(guard, top)
    assert guard.authority.active(call)["scope"] == "tool:send"  # type: ignore[index]
    assert verified(guard, call, BOT).tool == "send"
    assert guard.authority.active(call) is None  # used
    assert guard.authority.active(top) is not None
    call = call_token(guard, top)
    guard.authority.revoke(top, by="its client")
    assert (guard.authority.active(call), guard.authority.active(top), guard.authority.active("x")) == (None, None, None)


def test_a_task_that_another_process_holds_trusts_no_field(guard: Guard):
    """What its calls were shown is not seen here."""
    task = guard.task_by_token(*shown(guard, opened(guard)))
    assert guard._gate._p.origins._of(task).index.full


def test_no_token_without_a_holder_and_no_audience_that_is_not_declared(guard: Guard):
    with pytest.raises(UsageError, match="holder"):
        guard.authority.open(kind="work", intent="x", agent="bot", holder="")
    with pytest.raises(UsageError, match="no tool"):
        opened(guard, tools=[])
    with pytest.raises(UsageError, match="federation"):
        guard.authority.federate(*shown(guard, opened(guard)), audience="https://sts.example")


def test_a_task_of_this_process_can_be_handed_to_a_holder(guard: Guard):
    with guard.task("work", intent="Write to ada@acme.example", agent="bot", principal="user:grace", detached=True) as task:
        token = guard.authority.issue(task, HELPER.kid).token
    assert read(guard, token).principal == "user:grace"
    assert guard.task_by_token(*shown(guard, token, HELPER)) is task


# What a review found ---------------------------------------------------------------------------------------------------


@contextmanager
def locked(guard: Guard) -> Iterator[None]:
    """Another process holds the store's write lock for longer than anybody waits."""
    guard._store._db().execute("PRAGMA busy_timeout=50")
    other = sqlite3.connect(guard.state / "licet.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
    finally:
        other.close()


def test_an_end_that_the_store_cannot_take_is_told_and_holds_here_and_is_stored_later(guard: Guard):
    """The answer to a revocation is not `done` while other processes cannot know of it."""
    top = opened(guard)
    call = call_token(guard, top)
    task = guard.task_by_token(*shown(guard, top))
    with locked(guard), pytest.raises(StoreError, match="tried again"):
        guard.authority.revoke(top, by="its client")
    assert guard._store.task(task.id).ended is None  # type: ignore[union-attr]
    with pytest.raises((TokenRefused, UsageError)):
        guard.authority.call(*shown(guard, top), tool="send", arguments={"to": "ada@acme.example"})
    assert guard._store.task(task.id).ended is not None  # type: ignore[union-attr]
    refused("token.ended", lambda: verified(guard, call, BOT))


def test_an_end_that_could_not_be_stored_is_stored_though_nothing_more_is_done_here(guard: Guard):
    with guard.task("work", intent="x", agent="bot", principal="user:grace", detached=True) as task:
        pass
    with locked(guard):
        task.end()
        assert guard._store.task(task.id).ended is None  # type: ignore[union-attr]
    for _ in range(200):
        if guard._store.task(task.id).ended is not None:  # type: ignore[union-attr]
            return
        sleep(0.05)
    pytest.fail("the store was never told")


def test_what_is_below_a_task_that_ended_elsewhere_gets_no_token(guard: Guard):
    """Ended by another process, and begun here a moment later: the deny list knows the tasks above, not yet this one."""
    middle = sub_task(guard, opened(guard), kind="work")
    last = guard.authority.delegate(*shown(guard, middle, HELPER), kind="small", agent="helper", intent="x").token
    now = guard.clock.now()
    guard._store.revoke(Revocation(("task", read(guard, middle).task), now, now + 60))
    refused("token.ended", lambda: guard.authority.renew(*shown(guard, last, HELPER)))


def test_the_end_of_a_detached_task_holds_here_though_the_store_is_locked(guard: Guard):
    with guard.task("work", intent="x", agent="bot", principal="user:grace", detached=True) as task:
        pass
    with locked(guard):
        task.end()
        with pytest.raises(UsageError, match="has ended"):
            guard.resume_task(task.id)
    with pytest.raises(UsageError, match="has ended"):
        guard.resume_task(task.id)


def test_two_holders_of_one_task_get_tokens_bound_to_their_own_keys(guard: Guard):
    """At once, from many threads: the key belongs to the call, and not to the task."""
    with guard.task("work", intent="Write to ada@acme.example", agent="bot", principal="user:grace", detached=True, tools=["note"]) as task:
        held = {key: guard.authority.issue(task, key.kid).token for key in (BOT, HELPER)}

        def bound(key: SigningKey) -> bool:
            token = guard.authority.call(*shown(guard, held[key], key), tool="note", arguments={}).token
            return json.loads(_payload(token))["cnf"] == {"jkt": key.kid}

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(bound, [BOT, HELPER] * 20))


def test_a_task_that_is_named_from_outside_runs_its_own_calls_here(tmp_path: Path):
    """Its calls are bound to this process's key, and what they were shown is known here."""
    with guard_for(MANIFEST, tmp_path) as guard:
        send = guard.wrap(lambda to: dict(current_call().headers_for("POST", f"{MAIL}/send")), name="send")  # type: ignore[union-attr]
        with guard.task("work", intent="Write to ada@acme.example", agent="bot", principal="user:grace", detached=True) as task:
            token = guard.authority.issue(task, HELPER.kid).token
            assert guard.task_by_token(*shown(guard, token, HELPER)) is task
            assert {"Licet-Call-Token", "DPoP"} <= send("ada@acme.example").keys()
            assert not guard._gate._p.origins._of(task).index.full


def test_tasks_whose_time_is_long_over_are_let_go(guard: Guard):
    """A holder that never ends its tasks does not fill the memory."""
    for _ in range(5):
        opened(guard)
    guard._clock.advance(600 + 601)
    opened(guard)
    assert len(guard._tasks._open) == 1
    assert len(guard._gate._p.origins._trees) == 1


def test_a_call_that_runs_stands_in_the_store_with_its_tokens_id(guard: Guard):
    """Whoever wants to revoke it while it runs finds it."""
    seen: list[list[str]] = []

    def send(to: str) -> None:
        seen.append([call.jti for call in guard._store.calls(task.id)])
        seen.append([json.loads(_payload(current_call().token))["jti"]])  # type: ignore[union-attr]

    guarded = guard.wrap(send, name="send")
    with guard.task("work", intent="Write to ada@acme.example", agent="bot", principal="user:grace") as task:
        guarded("ada@acme.example")
    assert seen[0] == seen[1] == [call.jti for call in guard._store.calls(task.id)]
