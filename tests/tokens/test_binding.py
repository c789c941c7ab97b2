"""`token: task`: one signature for a task and an audience, and a proof of each call that is good once and in this process only."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

import licet
from licet.errors import TicketSpent, TokenRefused, UsageError
from licet.guard.minter import RENEW_SECONDS
from licet.ledger import Ledger
from licet.records import ToolCall
from licet.testing import FakeClock, guard_for
from licet.tokens import MemoryState, SigningKey, Verifier
from licet.tokens.binding import Binding
from licet.tokens.claims import BINDING_TYPE, MAX_SECONDS

MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work], may_delegate_to: [bot]}}
tools:
  note: {access: read, egress: false}
  look: {access: read, egress: false}
  every: {access: read, egress: false, token: call}
  afar: {access: read, egress: false, audience: "https://crm.acme.example"}
  keep: {access: write, egress: false, token: task, arguments: {what: {origin: [intent, trusted, nowhere]}}}
  send: {access: write, egress: false, arguments: {what: {origin: [intent, trusted, nowhere]}}}
tasks: {work: {intent: Work, ttl: 1h, tools: {note: {}, look: {}, every: {}, afar: {}, keep: {}, send: {}}}}
checks: {origin.unanchored: {then: flag}}
"""


class Counting:
    """A signer that keeps what it signed."""

    def __init__(self) -> None:
        self._key = SigningKey.generate()
        self.kid, self.jwk = self._key.kid, self._key.jwk
        self.signed: list[bytes] = []

    def sign(self, data: bytes) -> bytes:
        self.signed.append(data)
        return self._key.sign(data)


class World:
    def __init__(self, folder: Path) -> None:
        self.signer = Counting()
        self.guard = guard_for(MANIFEST, folder, key=self.signer)
        self.clock: FakeClock = self.guard._clock  # type: ignore[assignment]

    def task(self) -> Any:
        return self.guard.task("work", intent="x", agent="bot", principal="user:a")

    def begin(self, tool: str, **arguments: Any) -> Any:
        ticket = self.guard.begin(ToolCall(tool, arguments, known=tuple(arguments)))
        assert ticket.allowed, ticket.message
        return ticket

    def call(self, tool: str, **arguments: Any) -> Any:
        ticket = self.begin(tool, **arguments)
        ticket.redeem()
        self.guard.end(ticket, result="ok")
        return ticket


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.guard.close()


def test_one_signature_for_a_task_and_an_audience(world: World):
    with world.task():
        calls = [world.call("note", value=number) for number in range(20)]
        assert len(world.signer.signed) == 1
        world.call("look")
        assert len(world.signer.signed) == 2
    with world.task():
        world.call("note")
        assert len(world.signer.signed) == 3, "another task is another binding"
    assert len({call.jti for call in calls}) == 1
    assert len({call.token_fields["mac"] for call in calls}) == 20


def test_a_sub_task_is_bound_by_itself(world: World):
    with world.task():
        above = world.call("note")
        with world.guard.delegate("work", agent="bot", intent="x"):
            below = world.call("note")
    assert above.jti != below.jti


@pytest.mark.parametrize("tool, tokens", [("note", 0), ("keep", 0), ("every", 2), ("send", 2), ("afar", 2)])
def test_what_a_tool_says_or_is_decides_how_its_calls_are_proved(world: World, tool: str, tokens: int):
    """`token:` counts; else reading inside this process is proved by the task, and writing, or whatever is checked afar, by itself."""
    with world.task():
        calls = [world.call(tool, what="x") for _ in range(2)]
    assert len({call.token for call in calls if call.token}) == tokens
    assert len(world.signer.signed) == max(1, tokens)


def test_a_call_that_the_task_proves_has_no_token_to_send(world: World):
    """The binding is for this process: it is in no header, and asking for one says what to do."""
    seen: list[Any] = []
    tool = world.guard.wrap(lambda: seen.append(licet.current_call()), name="note")
    with world.task():
        tool()
    [call] = seen
    assert call.token == ""
    assert set(call.headers) == {"traceparent"}
    with pytest.raises(UsageError, match="audience"):
        call.headers_for("GET", "https://crm.acme.example")


def test_the_binding_is_no_call_token(world: World):
    """Even who got hold of it could present it nowhere: no verifier takes its type, and it names no arguments."""
    with world.task():
        ticket = world.begin("note")
        token = ticket._minted.binding.jwt
        assert jwt.get_unverified_header(token)["typ"] == BINDING_TYPE
        verifier = Verifier(
            world.guard.jwks(),
            issuer=world.guard.issuer,
            audience="urn:licet:tool:note",
            state=MemoryState(),
            bound=False,
            clock=world.clock,
        )
        with pytest.raises(TokenRefused) as refusal:
            verifier.verify(token, tool="note", arguments={})
    assert refusal.value.check == "token.type"


def test_the_records_hold_the_proof_and_neither_token_nor_key(world: World):
    with world.task():
        ticket = world.call("note")
        binding = ticket._minted.binding
    world.guard.close()
    kept = b"".join(path.read_bytes() for path in world.guard.state.rglob("*") if path.is_file())
    assert ticket.token_fields["mac"].encode() in kept
    assert binding.jti.encode() in kept
    assert binding.jwt.encode() not in kept
    for secret in (binding._key, binding._key.hex().encode()):
        assert secret not in kept
    assert binding.jwt not in repr(ticket._minted)
    assert repr(binding._key) not in repr(binding)
    assert isinstance(world.guard._ledger, Ledger)


def test_a_binding_is_renewed_before_it_is_over(world: World):
    """A call has a call token's life before it whenever it begins."""
    with world.task():
        first = world.call("note")
        world.clock.advance(MAX_SECONDS - RENEW_SECONDS)
        assert world.call("note").jti == first.jti
        world.clock.advance(1)
        second = world.begin("note")
        assert second.jti != first.jti
        world.clock.advance(RENEW_SECONDS)
        second.redeem()
    assert len(world.signer.signed) == 2


def test_a_tasks_last_minute_needs_no_signature_for_each_call(tmp_path: Path):
    """The binding ends with the task, whatever fraction of a second that is."""
    world = World(tmp_path)
    world.clock.advance(0.7)
    with world.guard, world.task():
        world.clock.advance(3600 - 30)
        for _ in range(5):
            world.call("note")
    assert len(world.signer.signed) == 1


def test_a_binding_outlives_no_task_and_is_forgotten_with_it(world: World):
    with world.task() as task:
        world.clock.advance(3600 - 90)
        ticket = world.begin("note")
        assert ticket.token_fields["exp"] == int(world.clock.now()) + 90
        assert any(key[0] == task.id for key in world.guard._gate._p.minter._bindings)
    assert not world.guard._gate._p.minter._bindings
    with pytest.raises(TicketSpent):
        ticket.redeem()


@pytest.mark.parametrize("part", ["tool", "arguments", "number", "proof", "another call's proof"])
def test_a_ticket_that_was_tampered_with_is_refused(world: World, part: str):
    with world.task():
        ticket, other = world.begin("note", value=1), world.begin("look", value=1)
        if part == "tool":
            ticket.call = dataclasses.replace(ticket.call, tool="look")
        elif part == "arguments":
            ticket.args_digest = other.args_digest = world.begin("note", value=2).args_digest
        elif part == "number":
            ticket.seq = other.seq
        else:
            proof = "0" * 64 if part == "proof" else other._minted.mac
            ticket._minted = dataclasses.replace(ticket._minted, mac=proof)
        with pytest.raises(TicketSpent, match="another call"):
            ticket.redeem()


def test_a_proof_is_good_once(world: World):
    """A second ticket for the same call, made of the first one's parts, does not run."""
    with world.task():
        ticket = world.begin("note")
        copy = type(ticket)(ticket.id, ticket.call, ticket.decision, task=ticket.task, bound=ticket._bound, digest=ticket.args_digest)
        copy.seq, copy._minted = ticket.seq, ticket._minted
        copy.move("open", "ended")
        ticket.redeem()
        with pytest.raises(TicketSpent, match="used before"):
            copy.redeem()


def test_a_ticket_that_waits_longer_than_the_binding_holds_is_refused(world: World):
    with world.task():
        ticket = world.begin("note")
        world.clock.advance(MAX_SECONDS)
        with pytest.raises(TicketSpent, match="over"):
            ticket.redeem()


def test_an_inner_layer_is_the_call_that_its_outer_one_proved(world: World):
    call = ToolCall("note", {}, call_id="c1", framework="outer")
    ran: list[Any] = []

    def run(ticket: Any) -> str:
        inner = world.guard.begin(dataclasses.replace(call, framework="inner"))
        assert inner.joins is ticket
        inner.redeem()
        ran.append(inner)
        return "ok"

    with world.task():
        world.guard.around(call, run, lambda ticket: pytest.fail(ticket.message))
    assert len(ran) == len(world.signer.signed) == 1


def test_a_call_that_was_suspended_goes_on_once(world: World):
    """It keeps its number in the task, and is proved anew; the proof from before the pause is used."""
    call = ToolCall("note", {}, call_id="c1", framework="f")
    with world.task():
        first = world.guard.begin(call)
        first.redeem()
        world.guard.end(first, suspended=True)
        again = world.guard.begin(call)
        assert (again.seq, again.resumed) == (first.seq, True)
        again.redeem()
        with pytest.raises(TicketSpent):
            again.redeem()
        with pytest.raises(TokenRefused) as refusal:
            first._minted.binding.check(first._minted.mac, first.seq, "note", first.args_digest, world.clock.now())
    assert refusal.value.check == "token.replay"


def test_the_token_of_a_call_that_goes_on_is_known_to_the_store_at_once(world: World):
    """`licet token revoke --jti` finds it while the call runs, and not only when it has ended."""
    call = ToolCall("every", {}, call_id="c1", framework="f")
    with world.task():
        first = world.guard.begin(call)
        first.redeem()
        world.guard.end(first, suspended=True)
        again = world.guard.begin(call)
        assert again.jti not in ("", first.jti)
        assert world.guard._store.issued(("jti", again.jti), 0.0) == 1
        world.guard.end(again, result="ok")


# Other processes -------------------------------------------------------------------------------------------------------------


def binding() -> Binding:
    return Binding("a.b.c", "j", 2_000_000_000, b"k" * 32)


def _in_child(work: Any) -> Any:
    """What `work` answers in a fork of this process."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()

    def run() -> None:
        there.send(work())
        os._exit(0)

    child = context.Process(target=run)
    child.start()
    assert here.poll(30)
    answer = here.recv()
    child.join(30)
    return answer


def test_the_key_is_of_no_use_in_a_fork():
    """It has a copy of the key, and does not see which proofs were used here."""
    mine = binding()
    mac = mine.prove(1, "note", "sha256:0")

    def work() -> str:
        try:
            mine.check(mac, 1, "note", "sha256:0", 0.0)
        except TokenRefused as refusal:
            return refusal.check
        return "ok"

    assert _in_child(work) == "token.binding"
    assert work() == "ok"


def test_a_forks_own_calls_are_proved_by_a_binding_of_its_own(world: World):
    with world.task():
        mine = world.begin("note")

        def work() -> tuple[str, str]:
            try:
                mine.redeem()
                inherited = "ran"
            except TicketSpent:
                inherited = "refused"
            return inherited, world.call("note").jti

        inherited, jti = _in_child(work)
        assert inherited == "refused"
        assert jti not in ("", mine.jti)
        mine.redeem()


def test_a_fork_holds_its_tokens_by_a_key_of_its_own(world: World):
    minter = world.guard._gate._p.minter
    mine = minter.holder.kid
    assert _in_child(lambda: minter.holder.kid) != mine
    assert minter.holder.kid == mine


# Binding by itself -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed", [{"step": 2}, {"tool": "look"}, {"args_digest": "sha256:1"}, {"mac": "0" * 64}, {"mac": ""}, {"mac": "\N{SNOWMAN}"}]
)
def test_a_proof_is_of_one_call(changed: dict[str, Any]):
    bound = binding()
    given = {"mac": bound.prove(1, "note", "sha256:0"), "step": 1, "tool": "note", "args_digest": "sha256:0", "now": 0.0}
    bound.prove(2, "look", "sha256:1")
    with pytest.raises(TokenRefused) as refusal:
        bound.check(**(given | changed))
    assert refusal.value.check == "token.binding"
    bound.check(**given)  # and what was tried in vain has not used it up
    with pytest.raises(TokenRefused) as refusal:
        bound.check(**given)
    assert refusal.value.check == "token.replay"


def test_two_keys_prove_differently():
    assert binding().prove(1, "note", "d") != Binding("a.b.c", "j", 2_000_000_000, b"l" * 32).prove(1, "note", "d")


def test_the_parts_of_a_call_do_not_run_into_each_other():
    bound = binding()
    assert len({bound.prove(1, "a", "bc"), bound.prove(1, "ab", "c"), bound.prove(11, "a", "bc"), bound.prove(1, "1a", "bc")}) == 4
