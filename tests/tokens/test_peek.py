"""Whose token it is can be known before the rest of a request is read, and that uses nothing up."""

from __future__ import annotations

import pytest

from forge import ABSENT, AGENT, TASK, TOOL, Desk, Key
from licet.errors import StoreError, TokenRefused
from licet.records import Revocation
from licet.tokens import MemoryState


def refused(desk: Desk, token: str) -> TokenRefused:
    with pytest.raises(TokenRefused) as caught:
        desk.usual.peek(token)
    return caught.value


def test_a_look_uses_nothing_up(desk: Desk):
    token = desk.token()
    for _ in range(3):
        assert desk.usual.peek(token).task == TASK
    assert desk.verify(token).task == TASK
    assert desk.usual.peek(token).tool == TOOL  # it is used, and still whose it is


def test_a_look_is_enough_for_what_is_not_the_issuers_for_us_and_in_its_time(desk: Desk):
    for token, check in (
        ("x", "token.malformed"),
        (desk.token(header={"typ": "at+jwt"}), "token.type"),
        (desk.token(Key.make("EdDSA")), "token.key"),
        (desk.token(header={"kid": desk.second.kid}), "token.key"),
        (desk.token()[:-4] + "AAAA", "token.signature"),
        (desk.token(iss="https://evil.example"), "token.issuer"),
        (desk.token(aud="https://other.acme.example"), "token.audience"),
        (desk.token(exp=desk.now - 100, iat=desk.now - 160, nbf=desk.now - 160), "token.time"),
        (desk.token(tctx=ABSENT), "token.claims"),
    ):
        assert refused(desk, token).check == check


def test_a_refusal_says_whose_token_it_is_where_the_issuer_signed_it_and_never_otherwise(desk: Desk):
    late = desk.token(exp=desk.now - 100, iat=desk.now - 160, nbf=desk.now - 160)
    assert all(word in refused(desk, late).whose for word in (TASK[:8], AGENT, TOOL, "token 0"))
    assert refused(desk, desk.token(Key.make("EdDSA"))).whose == ""
    assert refused(desk, desk.token()[:-4] + "AAAA").whose == ""
    used = desk.token()
    desk.verify(used)
    for given in ({}, {"arguments": {}}, {"tool": "other"}, {"proof": None}):
        with pytest.raises(TokenRefused) as caught:
            desk.verify(used, **given)
        assert AGENT in caught.value.whose
        assert not any(part in caught.value.whose for part in used.split("."))


def test_a_token_that_is_over_after_the_end_of_its_task_is_found_by_a_look_too():
    desk = Desk()
    late = desk.token(exp=desk.now - 100, iat=desk.now - 160, nbf=desk.now - 160)
    assert isinstance(desk.state, MemoryState)
    desk.state.revoke(Revocation(("task", TASK), desk.clock.now(), desk.clock.now() + 600, "", "grace"))
    assert refused(desk, late).check == "token.time"
    assert [found.check for found in desk.state.findings] == ["token.ended"]


def test_where_the_store_does_not_answer_a_late_token_is_undecided(desk: Desk):
    class Down(MemoryState):
        def revoked(self, *_: object) -> Revocation | None:
            raise StoreError("down")

    late = desk.token(exp=desk.now - 100, iat=desk.now - 160, nbf=desk.now - 160)
    with pytest.raises(TokenRefused) as caught:
        desk.verifier(state=Down()).peek(late)
    assert caught.value.check == "token.undecided"
