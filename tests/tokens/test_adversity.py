"""What holds when something goes wrong around tokens: clocks, keys that cannot sign, revoked agents, reprs, floods."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from forge import URL, Desk
from licet import Denied
from licet.errors import KeyFileError, TokenRefused
from licet.records import Revocation
from licet.server.answers import Refused
from licet.server.token import MAX_PATTERNS, _task
from licet.store.sqlite import SqliteStore
from licet.testing import FakeClock, guard_for
from licet.tokens import MemoryState, Proof, SigningKey, TokenState, prove
from licet.tokens.jws import parse
from licet.tokens.ring import KeyRing

MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work], may_delegate_to: [helper]}, helper: {owner: o, tasks: [work]}}
tools:
  note: {access: read, egress: false}
  keep: {access: write, egress: false}
tasks: {work: {intent: Work, ttl: 10m, tools: {note: {}, keep: {}}}}
checks: {origin.unanchored: {then: flag}}
"""
HOLDER = SigningKey.generate("ES256")


@pytest.mark.parametrize("kind", ["memory", "file"])
@pytest.mark.parametrize("back", [100, 300, 590])
def test_a_clock_that_is_set_back_makes_no_used_token_unused(kind: str, back: int, tmp_path: Path):
    """What was used is remembered for ten minutes longer than the token lives, whatever else is swept meanwhile."""
    state: TokenState = MemoryState() if kind == "memory" else SqliteStore(tmp_path / "s.db")
    desk = Desk(state=state)
    token = desk.token()
    proof = Proof(desk.proof(token), "POST", URL)
    desk.verify(token, proof=proof)
    desk.clock.advance(back)
    for _ in range(50):
        desk.verify(desk.token())
    # Within a process no clock goes back; one that is started anew begins with what the machine says.
    desk.refuses(token, "token.replay", desk.verifier(clock=FakeClock()), proof=proof)


def test_a_compromised_key_does_not_come_back_with_the_clock(tmp_path: Path):
    ring = KeyRing(tmp_path, now=1_000.0)
    first = ring.keys()[0].kid
    ring.rotate(1_000.0, wait=0.0)
    ring.retire(first, 1_100.0, compromised=True)
    for now in (0.0, 999.0, 1_099.0, 1_100.0):
        assert first not in {key["kid"] for key in ring.published(now)}
        signer = ring.signer(now, ("EdDSA",))
        assert signer is None or signer.kid != first
    assert KeyRing(tmp_path, now=1_099.0).published(1_099.0)  # a process that starts with the clock set back


@pytest.mark.parametrize("who", ["bot", "helper"])
def test_a_revoked_agent_does_nothing_more_in_its_own_process_either(who: str, tmp_path: Path):
    """Whoever revokes an agent expects it to stop: tools that nobody checks outside are refused too, and of sub-agents all above count."""
    with guard_for(MANIFEST, tmp_path) as guard:
        ran: list[str] = []
        keep, note = (guard.wrap(lambda name=name: ran.append(name), name=name) for name in ("keep", "note"))
        with guard.task("work", intent="x", agent="bot", principal="user:grace"):
            with guard.delegate("work", agent="helper", intent="y"):
                keep()
                now = guard.clock.now()
                guard._store.revoke(Revocation(("agent", who), now, now + 60, "left", "test"))
                for tool in (keep, note):
                    with pytest.raises(Denied) as denial:
                        tool()
                    assert "token.revoked" in denial.value.decision.checks
            if who == "helper":
                keep()
            else:
                with pytest.raises(Denied, match=r"token\.revoked"):
                    keep()
        assert ran == ["keep"] * (2 if who == "helper" else 1)


def test_the_authority_issues_nothing_to_a_revoked_agent(tmp_path: Path):
    with guard_for(MANIFEST, tmp_path) as guard:
        now = guard.clock.now()
        guard._store.revoke(Revocation(("agent", "bot"), now, now + 60))
        with pytest.raises(TokenRefused) as refusal:
            guard.authority.open(kind="work", intent="x", agent="bot", holder=HOLDER.kid)
        assert refusal.value.check == "token.revoked"
        assert guard._tasks._open == {}


class Broken:
    """A key management service that does not answer."""

    def __init__(self) -> None:
        self.kid, self.jwk = HOLDER.kid, HOLDER.jwk

    def sign(self, data: bytes) -> bytes:
        raise ConnectionError("no route to the key service")


def test_a_key_that_cannot_sign_refuses_the_call_and_leaves_no_task_behind(tmp_path: Path):
    with guard_for(MANIFEST, tmp_path, key=Broken()) as guard:
        ran: list[int] = []
        keep = guard.wrap(lambda: ran.append(1), name="keep")
        with guard.task("work", intent="x", agent="bot", principal="user:grace"), pytest.raises(Denied, match=r"guard\.undecided"):
            keep()
        with pytest.raises(KeyFileError, match="could not sign: ConnectionError"):
            guard.authority.open(kind="work", intent="x", agent="bot", holder=HOLDER.kid)
        assert (ran, guard._tasks._open) == ([], {})
        assert all(task.ended is not None for task in guard._store.tasks())


def test_an_identity_token_for_a_cloud_does_not_outlive_its_task(tmp_path: Path):
    with guard_for(MANIFEST, tmp_path, key=HOLDER) as guard:
        now = guard.clock.now()
        issued = guard._issuer.federated("agent:bot", "sts.example", now=now, expires=now + 5, extra={})
        assert (issued.exp - int(now), json.loads(parse(issued.jwt).payload)["exp"]) == (5, issued.exp)


def test_no_token_and_no_proof_shows_in_a_repr():
    """Tools that print a traceback with its variables print these."""
    desk = Desk()
    token = desk.token()
    proof = Proof(prove(HOLDER, "POST", "https://x.example", token=token, now=0), "POST", "https://x.example")
    found = desk.verify(token)
    for thing in (parse(token), proof, found, HOLDER):
        for part in token.split(".") + proof.jwt.split("."):
            assert part not in repr(thing)


def test_bad_identity_tokens_without_end_leave_a_finding_a_minute(tmp_path: Path):
    issuer = "issuers: {sso: {kind: oidc, issuer: 'https://sso.example', audiences: [licet], jwks_file: keys.json, proves: principal}}\n"
    keys = {"keys": [dict(HOLDER.jwk)]}
    (tmp_path / "keys.json").write_text(json.dumps(keys), encoding="utf-8")
    (tmp_path / "licet.yaml").write_text(MANIFEST + issuer, encoding="utf-8")
    with guard_for(tmp_path / "licet.yaml", tmp_path) as guard:
        for minute in (1, 2):
            for _ in range(20):
                with pytest.raises(Denied):
                    guard.task("work", intent="x", agent="bot", subject_token="a.b.c")
            assert len(guard._store.findings()) == minute
            guard.clock.advance(60)


@pytest.mark.parametrize("count, good", [(MAX_PATTERNS, True), (MAX_PATTERNS + 1, False)])
def test_a_request_cannot_make_the_service_compile_without_end(count: int, good: bool):
    arguments: Mapping[str, Any] = {f"a{number}": {"items": {"pattern": "x"}} for number in range(count)}
    detail = {"kind": "work", "intent": "x", "agent": "bot", "tools": {"send": {"arguments": arguments}}}
    if good:
        assert _task(detail, "agent", "kind", "intent", "tools")["tools"] == detail["tools"]
        return
    with pytest.raises(Refused, match="patterns"):
        _task(detail, "agent", "kind", "intent", "tools")
