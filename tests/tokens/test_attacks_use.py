"""Attacks on who holds a token, on its single use, its revocation, and on what is told of a refusal: each class by name."""

from __future__ import annotations

import json
import pickle
import sqlite3
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from forge import (
    ABSENT,
    TASK,
    URL,
    Desk,
    Key,
    b64,
    chain_of,
    compact,
    mac,
    sha,
    unb64,
)
from licet.errors import KeySetError, StoreError, TokenRefused
from licet.records import Finding, Mark, Revocation
from licet.store.sqlite import SqliteStore
from licet.tokens import MemoryState, Proof, TokenState
from licet.tokens.algorithms import PublicKey

# Possession -------------------------------------------------------------------------------------------------------------


def test_a_token_that_is_bound_to_no_key_is_refused_across_processes(desk: Desk):
    desk.refuses(desk.token(cnf=ABSENT), "token.proof")
    desk.refuses(desk.token(cnf=None), "token.proof")
    desk.refuses(desk.token(cnf=ABSENT), "token.proof", proof=None)
    for cnf in (
        {},
        [],
        "x",
        {"jkt": ""},
        {"jkt": None},
        {"jkt": [desk.holder.kid]},
        {"jwk": desk.holder.public},
        {"jkt": desk.holder.kid, "kid": "x"},
        {"x5t#S256": "x"},
        0,
        False,
    ):
        with pytest.raises(TokenRefused):
            desk.verify(desk.token(cnf=cnf))


def test_a_bound_token_needs_a_proof_also_where_unbound_ones_are_taken(desk: Desk):
    """Within one process `bound=False` takes tokens without a key; one with a key is still its holder's."""
    verifier = desk.verifier(bound=False)
    desk.refuses(desk.token(), "token.proof", verifier, proof=None)
    desk.verify(desk.token(cnf=ABSENT), verifier, proof=None)


def test_a_stolen_token_is_of_no_use_without_its_holders_key(desk: Desk):
    """No proof, an empty one, the token itself, and proofs by other keys: the thief's, the issuer's own, and one that claims the holder's."""
    token, thief = desk.token(), Key.make("ES256")
    desk.refuses(token, "token.proof", proof=None)
    for jwt in ("", "x", token, "..", None, b"x", 7):
        desk.refuses(token, "token.proof", proof=Proof(jwt, "POST", URL))  # type: ignore[arg-type]
    for key in (thief, desk.second, desk.key):
        desk.refuses(token, "token.proof", proof=Proof(desk.proof(token, key=key), "POST", URL))
    for claimed in (thief, Key.make("EdDSA")):
        proof = desk.proof(token, signer=claimed.sign)
        desk.refuses(token, "token.proof", proof=Proof(proof, "POST", URL))
    named = desk.proof(token, key=thief, header={"jwk": {**thief.public, "kid": desk.holder.kid}})
    desk.refuses(token, "token.proof", proof=Proof(named, "POST", URL))
    desk.verify(token)


PROOFS: dict[str, Callable[[Desk, str], str]] = {
    "another URL": lambda desk, token: desk.proof(token, htu="https://crm.acme.example/api/delete"),
    "another host": lambda desk, token: desk.proof(token, htu="https://evil.example/api/send"),
    "another scheme": lambda desk, token: desk.proof(token, htu=URL.replace("https", "http")),
    "another port": lambda desk, token: desk.proof(token, htu="https://crm.acme.example:444/api/send"),
    "a user in the URL": lambda desk, token: desk.proof(token, htu="https://crm.acme.example@evil.example/api/send"),
    "another case of the path": lambda desk, token: desk.proof(token, htu="https://crm.acme.example/api/SEND"),
    "a URL that is none": lambda desk, token: desk.proof(token, htu="https://[::1/api"),
    "a port that is none": lambda desk, token: desk.proof(token, htu="https://crm.acme.example:99999/api/send"),
    "no URL": lambda desk, token: desk.proof(token, htu=ABSENT),
    "a list of URLs": lambda desk, token: desk.proof(token, htu=[URL]),
    "another method": lambda desk, token: desk.proof(token, htm="GET"),
    "another case of the method": lambda desk, token: desk.proof(token, htm="post"),
    "no method": lambda desk, token: desk.proof(token, htm=ABSENT),
    "another token": lambda desk, token: desk.proof(desk.token()),
    "no token": lambda desk, token: desk.proof(token, ath=ABSENT),
    "a token's hash in hex": lambda desk, token: desk.proof(token, ath=sha(token).hex()),
    "a padded hash": lambda desk, token: desk.proof(token, ath=b64(sha(token)) + "="),
    "too old": lambda desk, token: desk.proof(token, iat=desk.now - 91),
    "from the future": lambda desk, token: desk.proof(token, iat=desk.now + 31),
    "a time that is a text": lambda desk, token: desk.proof(token, iat=str(desk.now)),
    "a time that is true": lambda desk, token: desk.proof(token, iat=True),
    "a time with a fraction": lambda desk, token: desk.proof(token, iat=desk.now + 0.5),
    "no time": lambda desk, token: desk.proof(token, iat=ABSENT),
    "no id": lambda desk, token: desk.proof(token, jti=ABSENT),
    "a long id": lambda desk, token: desk.proof(token, jti="x" * 129),
    "a private key": lambda desk, token: desk.proof(token, header={"jwk": {**desk.holder.public, "d": "AA"}}),
    "a symmetric key": lambda desk, token: desk.proof(token, header={"alg": "HS256", "jwk": {"kty": "oct", "k": "AA"}}, signer=mac(b"\0")),
    "no key": lambda desk, token: desk.proof(token, header={"jwk": ABSENT}),
    "a key that is a text": lambda desk, token: desk.proof(token, header={"jwk": json.dumps(desk.holder.public)}),
    "a key that is null": lambda desk, token: desk.proof(token, header={"jwk": None}),
    "a list of keys": lambda desk, token: desk.proof(token, header={"jwk": [desk.holder.public]}),
    "a key off its curve": lambda desk, token: desk.proof(token, header={"jwk": {**desk.holder.public, "y": b64(bytes(32))}}),
    "a key for encryption": lambda desk, token: desk.proof(token, header={"jwk": {**desk.holder.public, "use": "enc"}}),
    "a key by its id": lambda desk, token: desk.proof(token, header={"jwk": ABSENT, "kid": desk.holder.kid}),
    "an address of a key": lambda desk, token: desk.proof(token, header={"jku": URL}),
    "something critical": lambda desk, token: desk.proof(token, header={"crit": ["exp"]}),
    "the type of a call token": lambda desk, token: desk.proof(token, header={"typ": "licet-call+jwt"}),
    "the type JWT": lambda desk, token: desk.proof(token, header={"typ": "JWT"}),
    "no type": lambda desk, token: desk.proof(token, header={"typ": ABSENT}),
    "an HMAC": lambda desk, token: desk.proof(token, header={"alg": "HS256"}, signer=mac(desk.holder.spellings()[0])),
    "no signature": lambda desk, token: desk.proof(token, header={"alg": "none"}, signer=lambda data: b""),
    "none, with letters": lambda desk, token: desk.proof(token, header={"alg": "none"}, signer=lambda data: b"x"),
    "a signature of zeros": lambda desk, token: desk.proof(token, signer=lambda data: bytes(64)),
    "a DER signature": lambda desk, token: desk.proof(token, signer=desk.holder.der),
    "an RSA key": lambda desk, token: desk.proof(token, key=Key.make("RS256")),
    "padding": lambda desk, token: desk.proof(token) + "=",
    "white space": lambda desk, token: " " + desk.proof(token),
    "two proofs": lambda desk, token: f"{desk.proof(token)}, {desk.proof(token)}",
}  # fmt: skip


@pytest.mark.parametrize("name", PROOFS)
def test_a_proof_of_something_else_is_refused_and_uses_the_token_not_up(desk: Desk, name: str):
    token = desk.token()
    desk.refuses(token, "token.proof", proof=Proof(PROOFS[name](desk, token), "POST", URL))
    desk.verify(token)


def test_a_proof_with_a_name_twice_is_refused(desk: Desk):
    token = desk.token()
    head, body, _ = desk.proof(token).split(".")
    for header, claims in (
        (unb64(head).decode()[:-1] + f',"jwk":{json.dumps(desk.holder.public)}}}', unb64(body).decode()),
        (unb64(head).decode(), unb64(body).decode()[:-1] + ',"htm":"POST"}'),
    ):
        desk.refuses(token, "token.proof", proof=Proof(compact(header, claims, desk.holder.sign), "POST", URL))


def test_a_proof_is_compared_with_the_request_as_the_server_knows_it(desk: Desk):
    """Query, fragment, letter case of the host and the usual port are no part of it (RFC 9449 section 4.3); everything else is."""
    for server in ("https://CRM.acme.example:443/api/send?x=1#y", URL):
        token = desk.token()
        desk.verify(token, proof=Proof(desk.proof(token), "POST", server))
    for method, server in (
        ("GET", URL),
        ("POST", URL + "/"),
        ("POST", URL + "%2F"),
        ("POST", "http://crm.acme.example/api/send"),
        ("POST", ""),
    ):
        token = desk.token()
        desk.refuses(token, "token.proof", proof=Proof(desk.proof(token), method, server))


# Use, revocation, failure -----------------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "file"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TokenState]:
    if request.param == "memory":
        yield MemoryState()
        return
    store = SqliteStore(tmp_path / "store.sqlite3")
    yield store
    store.close()


def _findings(state: TokenState) -> list[Finding]:
    return state.findings if isinstance(state, MemoryState) else list(state.findings())  # type: ignore[attr-defined]


def test_a_replay_is_refused_and_told_to_the_owner(state: TokenState):
    """The same token with the same proof, and with a new one; and the same jti in another token."""
    desk = Desk(state=state)
    token = desk.token(jti="one")
    proof = Proof(desk.proof(token), "POST", URL)
    desk.verify(token, proof=proof)
    desk.refuses(token, "token.replay", proof=proof)
    desk.refuses(token, "token.replay")
    desk.refuses(desk.token(desk.second, jti="one"), "token.replay")
    assert [(found.check, found.task_id) for found in _findings(state)] == [("token.replay", TASK)]  # one a minute
    assert f"the token one of task {TASK[:8]} (agent support-bot, tool send_email) was presented again" in _findings(state)[0].sentence
    desk.clock.advance(60)
    desk.refuses(token, "token.replay")
    assert [(found.check, found.task_id) for found in _findings(state)] == [("token.replay", TASK)] * 2
    desk.verify(desk.token())


@pytest.mark.parametrize("how", ["tool", "arguments", "proof"])
def test_a_token_of_ours_that_cannot_be_used_is_a_finding(state: TokenState, how: str):
    """Somebody has it, and has changed the call, or has not the key."""
    desk = Desk(state=state)
    token = desk.token(jti="stolen")
    check = "token.proof" if how == "proof" else "token.binding"
    changed = {"tool": {"tool": "other"}, "arguments": {"arguments": {"to": "eve"}}, "proof": {"proof": None}}[how]
    for _ in range(5):
        desk.refuses(token, check, **changed)
    [found] = _findings(state)
    assert (found.check, found.severity, found.task_id) == (check, "high", TASK)
    assert "stolen" in found.sentence


def test_a_token_that_is_only_late_is_no_finding_until_its_task_has_ended(state: TokenState):
    desk = Desk(state=state)
    token = desk.token(jti="late")
    desk.clock.advance(120)
    desk.refuses(token, "token.time")
    assert _findings(state) == []
    state.revoke(Revocation(("task", TASK), desk.clock.now(), desk.clock.now() + 1_000))
    desk.clock.advance(30)
    desk.refuses(token, "token.time")
    [found] = _findings(state)
    assert found.check == "token.ended"
    assert "30 s after" in found.sentence


def test_a_replay_is_refused_for_as_long_as_the_token_could_be_taken(state: TokenState):
    """To the last second of its skew, after which time itself refuses it."""
    desk = Desk(state=state, options={"skew": 60})
    token = desk.token()
    desk.verify(token)
    for seconds in (59, 2, 58):
        desk.clock.advance(seconds)
        desk.verify(desk.token())  # others come and go, and what is over is swept
        desk.refuses(token, "token.replay")
    desk.clock.advance(1)
    desk.refuses(token, "token.time")


def test_of_many_at_once_exactly_one_is_accepted(state: TokenState):
    """32 threads, five rounds; four verifiers over one state."""
    desk = Desk(state=state)
    verifiers = [desk.verifier() for _ in range(4)]
    with ThreadPoolExecutor(32) as pool:
        for _ in range(5):
            token, barrier = desk.token(), threading.Barrier(32)

            def present(number: int, token: str = token, barrier: threading.Barrier = barrier) -> str:
                proof = Proof(desk.proof(token), "POST", URL)
                barrier.wait(30)
                try:
                    desk.verify(token, verifiers[number % 4], proof=proof)
                except TokenRefused as refusal:
                    return refusal.check
                return "accepted"

            answers = list(pool.map(present, range(32)))
            assert sorted(answers) == ["accepted", *["token.replay"] * 31]


@pytest.mark.parametrize(
    "mark", [("task", TASK), ("task", "root"), ("agent", "support-bot"), ("agent", "first-bot"), ("key", "KEY"), ("jti", "this")]
)
def test_what_was_revoked_is_refused(state: TokenState, mark: Mark):
    """By its task or the one at the top, any of its agents, its key, or itself; others are not touched."""
    desk = Desk(state=state)
    kind, value = mark
    chain = {"sub": "support-bot", "act": {"sub": "first-bot"}}
    token = desk.token(jti="this", act=chain, txn="root")
    state.revoke(
        Revocation((kind, desk.key.kid if value == "KEY" else value), desk.clock.now(), desk.clock.now() + 900, "lost", "user:ada")
    )
    desk.clock.advance(10)
    check = "token.ended" if kind == "task" else "token.revoked"
    desk.refuses(token, check)
    desk.refuses(token, check)
    assert {found.check for found in _findings(state)} == {check}
    assert (
        f"the token this of task {TASK[:8]} (agent support-bot, tool send_email) was presented 10 s after" in _findings(state)[0].sentence
    )
    other = desk.token(desk.second, jti="that", client_id="other", act={"sub": "other"}, txn="other", tctx=desk.context(task_id="other"))
    desk.verify(other)


def test_a_token_that_is_revoked_is_not_used_up_by_being_refused(state: TokenState):
    """So that the finding stays what it is: use after the end, and not a replay."""
    desk = Desk(state=state)
    token = desk.token()
    state.revoke(Revocation(("task", TASK), desk.clock.now(), desk.clock.now() + 900))
    for _ in range(3):
        desk.refuses(token, "token.ended")


def test_a_store_that_cannot_be_asked_refuses_and_uses_nothing_up(tmp_path: Path):
    """A real lock by a second connection; once it is gone, the same token is good."""
    store = SqliteStore(tmp_path / "store.sqlite3", busy_seconds=0.05)
    desk = Desk(state=store)
    token = desk.token()
    blocker = sqlite3.connect(tmp_path / "store.sqlite3", isolation_level=None)
    try:
        blocker.execute("BEGIN EXCLUSIVE")
        desk.refuses(token, "token.undecided")
        blocker.execute("ROLLBACK")
        desk.verify(token)
    finally:
        blocker.close()
        store.close()


class _Failing(MemoryState):
    """A state of somebody's own, whose place is not there."""

    def spend(self, jti: str, until: float, marks: Any, now: float) -> Revocation | bool:
        raise StoreError("redis://secret-host:6379 is not there")


class _NoKeys:
    def find(self, kid: str | None, algorithm: str) -> PublicKey | None:
        raise KeySetError("https://issuer.internal/jwks cannot be fetched")


def test_what_fails_inside_is_refused_and_tells_nothing():
    """Store and key set alike: could not decide is deny."""
    desk = Desk(state=_Failing())
    assert "secret-host" in desk.refuses(desk.token(), "token.undecided")
    other = Desk()
    other.refuses(other.token(), "token.undecided", other.verifier(keys=_NoKeys()))


def test_every_refusal_looks_the_same_from_outside(desk: Desk):
    """`str`, `repr` and a pickled copy are one constant; what is told inward names neither the token nor a key."""
    used = desk.token()
    desk.verify(used)
    attacks: list[tuple[str, dict[str, Any]]] = [
        ("x", {}), (desk.token(header={"typ": "JWT"}), {}), (desk.token(Key.make("EdDSA")), {}), (desk.token()[:-8] + "AAAAAAAA", {}), (desk.token(iss="x"), {}),
        (desk.token(aud="x"), {}), (desk.token(exp=1), {}), (desk.token(scope="x"), {}), (desk.token(act=chain_of(9)), {}), (desk.token(), {"tool": "x"}), (desk.token(), {"proof": None}), (used, {}),
    ]  # fmt: skip
    checks = set()
    for token, given in attacks:
        with pytest.raises(TokenRefused) as refused:
            desk.verify(token, **given)
        error = refused.value
        assert {str(error), str(pickle.loads(pickle.dumps(error)))} == {"the token was refused"}
        assert (repr(error), error.args) == ("TokenRefused('the token was refused')", ("the token was refused",))
        whole = "".join(traceback.format_exception_only(error)) + error.why
        assert len(token) < 9 or token not in whole
        assert desk.key.kid not in whole
        checks.add(error.check)
    assert len(checks) == 12, "each check has been seen"


def test_what_a_stranger_wrote_is_told_inward_in_a_line_of_bounded_length(desk: Desk):
    """Header names and claims are an attacker's: what is recorded of them is cut."""
    assert len(desk.refuses(desk.token(header={"x" * 500: 1}), "token.malformed")) < 120
