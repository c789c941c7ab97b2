"""Call tokens: what is in them, that any JWT library can verify them, and that nothing but an allowed call gets one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import licet
from licet import UsageError
from licet.canonical import digest
from licet.records import Decision, TaskRecord, ToolCall
from licet.testing import ephemeral_key, guard_for
from licet.tokens import FixedKeys, Issuer, Minting
from world import MANIFEST, World

AUDIENCE = "urn:licet:tool:send"
SEND = ToolCall("send", {"to": "ada@acme.example"})


def minting(tool: str = "x", expires: float = 60.0) -> Minting:
    """What the guard hands to the issuer for one call."""
    return Minting(
        tool=tool, audience="urn:x", args_digest="", expires=expires, step=1, purpose="", intent_digest="", actors=["a"], context={}
    )


def verified(token: str, jwks: dict[str, Any], now: float, audience: str = AUDIENCE) -> dict[str, Any]:
    """As a resource server does it, with nothing but PyJWT and the JWK set."""
    header = jwt.get_unverified_header(token)
    assert header["typ"] == "licet-call+jwt"
    key = jwt.PyJWKSet.from_dict(jwks)[header["kid"]]
    claims: dict[str, Any] = jwt.decode(token, key, algorithms=["EdDSA"], audience=audience, options={"verify_exp": False, "verify_nbf": False, "verify_iat": False})  # fmt: skip
    assert claims["nbf"] <= now < claims["exp"]
    return claims


def test_the_claims_of_one_call(world: World):
    """RFC 9068 and draft-ietf-oauth-transaction-tokens in one set: who, for whom, what, why, for how long, for which call."""
    seen: list[Any] = []

    def send(to: str) -> None:
        seen.append(licet.current_call())

    tool = world.tool("send", send)
    with world.task() as task:
        tool("ada@acme.example")
        tool("ada@acme.example")
    first, second = (verified(call.token, world.guard.jwks(), world.clock.now()) for call in seen)
    now = int(world.clock.now())
    assert (first["iat"], first["nbf"], first["exp"]) == (now, now, now + 60)
    assert (first["sub"], first["client_id"], first["act"]) == ("user:grace", "bot", {"sub": "bot"})
    assert (first["aud"], first["scope"], first["txn"]) == (AUDIENCE, "tool:send", task.id)
    assert first["authorization_details"][0]["identifier"] == "send"
    tctx = first["tctx"]
    assert tctx["args_digest"] == digest({"to": "ada@acme.example"})
    assert (tctx["intent"], tctx["intent_id"], tctx["max_calls"]) == ("Work", world.guard.pseudonyms.text("A test"), 1)
    assert first["rctx"]["policy_version"] == world.guard.manifest.digest
    assert first["jti"] != second["jti"]
    assert (tctx["step"], second["tctx"]["step"]) == (1, 2)
    assert seen[0].headers["Licet-Call-Token"] == seen[0].token
    assert licet.current_call() is None


def test_the_chain_of_actors(world: World):
    """RFC 8693: the present actor outermost, those who delegated nested inside; one transaction."""
    with world.task() as top, world.guard.delegate("work", agent="helper", intent="x") as task:
        ticket = world.guard.begin(SEND, task=task)
    claims = verified(ticket.token or "", world.guard.jwks(), world.clock.now())
    assert claims["act"] == {"sub": "helper", "act": {"sub": "bot"}}
    assert (claims["txn"], claims["tctx"]["task_id"], claims["client_id"]) == (top.id, task.id, "helper")


def test_a_declared_audience(tmp_path: Path):
    manifest = MANIFEST.replace("note: {access: read", "note: {audience: 'https://crm.example/api', access: read", 1)
    world = World(tmp_path, manifest)
    with world.guard, world.task() as task:
        ticket = world.guard.begin(ToolCall("note", {}), task=task)
        verified(ticket.token or "", world.guard.jwks(), world.clock.now(), "https://crm.example/api")


def test_a_token_outlives_no_task(world: World):
    with world.task() as task:
        world.clock.advance(590)
        ticket = world.guard.begin(SEND, task=task)
    claims = verified(ticket.token or "", world.guard.jwks(), world.clock.now())
    assert claims["exp"] - claims["iat"] == 10


def test_a_sub_tasks_token_outlives_no_task_above_it(world: World):
    with world.task("narrow"):
        world.clock.advance(280)
        with world.guard.delegate("work", agent="helper", intent="x") as task:
            ticket = world.guard.begin(SEND, task=task)
    claims = verified(ticket.token or "", world.guard.jwks(), world.clock.now())
    assert claims["exp"] - claims["iat"] == 20


@pytest.mark.parametrize("seconds", [0, -1, 301, 10**9])
def test_no_token_lives_longer_than_five_minutes(tmp_path: Path, seconds: int):
    with pytest.raises(UsageError, match="300"):
        guard_for(MANIFEST, tmp_path, token_seconds=seconds)


@pytest.mark.parametrize("tool, action", [("spare", "deny"), ("nothing", "deny"), ("risky", "ask")])
def test_only_an_allowed_call_gets_a_token(world: World, tool: str, action: str):
    with world.task("asking") as task:
        ticket = world.guard.begin(ToolCall(tool, {}), task=task)
        assert (ticket.action, ticket.token) == (action, None)
        if action == "ask":
            assert world.guard.resolve(ticket, approved=True).token


@pytest.mark.parametrize("outcome", ["ask", "deny"])
def test_the_issuer_mints_from_nothing_but_an_allow(outcome: Any):
    issuer = Issuer(FixedKeys(ephemeral_key()), "i", "w")
    task = TaskRecord("t", "k", "a", "p", "i", "m", 0.0, 60.0)
    with pytest.raises(UsageError, match="allows"):
        issuer.mint(Decision(outcome), task, minting(), now=0.0)
    with pytest.raises(UsageError, match="allows"):
        issuer.bind(Decision(outcome), task, minting(), now=0.0)


def test_another_key_another_audience_and_a_changed_token_do_not_verify(world: World, tmp_path: Path):
    with world.task() as task:
        token = world.guard.begin(SEND, task=task).token or ""
    with pytest.raises(KeyError):
        verified(token, {"keys": [ephemeral_key().jwk]}, world.clock.now())
    with pytest.raises(jwt.InvalidAudienceError):
        verified(token, world.guard.jwks(), world.clock.now(), "urn:licet:tool:sender")
    head, body, signature = token.split(".")
    for changed in (f"{head}.{body}.{signature[:-4]}AAAA", f"{head}.{body[:-4]}AAAA.{signature}"):
        with pytest.raises((jwt.InvalidTokenError, UnicodeDecodeError)):
            verified(changed, world.guard.jwks(), world.clock.now())


def test_the_key_file_is_taken_up_again_and_its_name_is_its_thumbprint(tmp_path: Path):
    sets = []
    for _ in range(2):
        with guard_for(MANIFEST, tmp_path, key=None) as guard:
            sets.append(guard.jwks())
    assert sets[0] == sets[1]
    (key,) = sets[0]["keys"]
    assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("OKP", "Ed25519", "sig", "EdDSA")
    assert set(key) == {"kty", "crv", "use", "alg", "kid", "x"}, "nothing private"
    assert jwt.PyJWK.from_dict(key).key_id == key["kid"]


@settings(max_examples=40, deadline=None)
@given(
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.floats(1, 4e9),
    st.floats(0, 900),
)
def test_any_names_and_times_make_a_token_that_verifies(principal: str, tool: str, now: float, left: float):
    key = ephemeral_key()
    task = TaskRecord("t", "k", "a", principal, "i", "m", 0.0, 60.0)
    token = Issuer(FixedKeys(key), "i", "w").mint(Decision("allow"), task, minting(tool=tool, expires=now + left), now=now)
    claims = verified(token.jwt, {"keys": [key.jwk]}, int(now), "urn:x")
    assert 1 <= claims["exp"] - claims["iat"] <= 60
    assert json.loads(json.dumps(claims)) == claims
    assert token.jwt not in repr(token)
