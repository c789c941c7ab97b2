"""Forged tokens, proofs, texts and keys by the ten thousand: refused, or rightly accepted, and never another exception.

At night `make fuzz` runs a million more, guided by coverage.
"""

from __future__ import annotations

import json
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forge import AUDIENCE, ISSUER, URL, Desk, compact
from licet.canonical import digest
from licet.errors import TokenRefused
from licet.records import Decision, TaskRecord
from licet.testing import FakeClock
from licet.tokens import FixedKeys, Issuer, KeySet, MemoryState, Minting, Proof, SigningKey, Verifier, prove
from licet.tokens.jws import json_object, parse
from mutations import Mutator, Seeded, Source, damaged

SHARES = {"try_token": 20_000, "try_proof": 10_000, "try_text": 14_000, "try_jwk": 6_000}
"""How many inputs of each kind the seeded loop makes."""


@pytest.mark.dev  # slow; the tests below forge with the lowest versions too
@pytest.mark.parametrize("kind", SHARES)
def test_fifty_thousand_forgeries_are_refused_or_rightly_accepted(kind: str):
    """Each seed is one input; a failure names it, and `Seeded(seed)` makes it again."""
    mutator = Mutator(Desk())
    for seed in range(SHARES[kind]):
        try:
            getattr(mutator, kind)(Seeded(seed))
        except Exception as error:
            raise AssertionError(f"{kind}, seed {seed}: {error!r}") from error
    assert mutator.inputs == SHARES[kind]
    assert sum(SHARES.values()) >= 50_000
    if kind in ("try_token", "try_proof"):
        assert 0 < mutator.accepted < mutator.inputs / 5, "some change nothing that counts; if none did, nothing was near enough to good"


class Drawn:
    """A `Source` whose choices hypothesis makes, and makes smaller when they fail."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def number(self, below: int) -> int:
        return self._data.draw(st.integers(0, below - 1))

    def data(self, most: int) -> bytes:
        return self._data.draw(st.binary(max_size=most))


MUTATOR = Mutator(Desk())
QUICK = settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@QUICK
@given(st.data())
def test_a_token_that_is_changed_by_structure_is_refused_or_rightly_accepted(data: st.DataObject):
    MUTATOR.try_token(Drawn(data))


@QUICK
@given(st.data())
def test_a_proof_that_is_changed_by_structure_is_refused_or_rightly_accepted(data: st.DataObject):
    MUTATOR.try_proof(Drawn(data))


def _damage_is_refused(desk: Desk, source: Source) -> None:
    token = desk.token()
    changed = damaged(token, source)
    if changed == token:
        desk.verify(changed)
    else:
        with pytest.raises(TokenRefused):
            desk.verify(changed)


@QUICK
@given(st.data())
def test_a_token_with_any_letter_changed_is_refused_and_the_unchanged_one_accepted(data: st.DataObject):
    """There is one spelling of a token: no padding, white space, case or unused bit makes another."""
    _damage_is_refused(MUTATOR.desk, Drawn(data))


def test_each_single_letter_counts():
    """Every position of one token, with another letter in it."""
    desk = Desk()
    token = desk.token()
    for at in range(len(token)):
        with pytest.raises(TokenRefused):
            desk.verify(token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :])
    desk.verify(token)


@QUICK
@given(st.text(max_size=300), st.text(max_size=300))
def test_no_text_is_a_token(token: str, proof: str):
    MUTATOR.desk.refuses(token, "token.malformed", proof=Proof(proof, "POST", URL))


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3), max_leaves=8,
)  # fmt: skip


@QUICK
@given(st.dictionaries(st.sampled_from([*MUTATOR.desk.claims(), "x"]), JSON, min_size=1, max_size=4))
def test_claims_of_any_value_that_the_issuer_has_signed_crash_nothing(changes: dict[str, Any]):
    token = MUTATOR.desk.token(**changes)
    try:
        MUTATOR.desk.verify(token)
    except TokenRefused:
        return
    assert not MUTATOR.objection(token)


@QUICK
@given(JSON)
def test_arguments_of_any_value_crash_nothing(value: Any):
    """What is about to run came over the wire too."""
    MUTATOR.desk.refuses(MUTATOR.desk.token(), "token.binding", arguments={"to": value})


# What is worst for a reader ------------------------------------------------------------------------------------------------

WORST = {
    "lists": "[" * 8_000,
    "objects": '{"a":' * 1_600,
    "closed": '{"a":' + "[" * 3_900 + "]" * 3_900 + "}",
    "wide": '{"a":[' + ",".join(["[]"] * 2_600) + "]}",
    "one name": "{" + ",".join(['"a":1'] * 1_300) + "}",
    "many names": "{" + ",".join(f'"{number}":1' for number in range(900)) + "}",
    "whole number": '{"a":' + "9" * 8_000 + "}",
    "negative": '{"a":-' + "9" * 8_000 + "}",
    "fraction": '{"a":0.' + "9" * 8_000 + "}",
    "exponent": '{"a":1e' + "9" * 8_000 + "}",
    "small exponent": '{"a":1e-' + "9" * 8_000 + "}",
    "escapes": '{"a":"' + "\\u0041" * 1_300 + '"}',
    "surrogates": '{"a":"' + "\\ud83d" * 1_300 + '"}',
    "pairs": '{"a":"' + "\\ud83d\\ude00" * 650 + '"}',
    "open text": '{"a":"' + "\\" * 8_000,
    "white space": " " * 8_000 + "{}",
    "commas": "{" + "," * 8_000 + "}",
}


@pytest.mark.parametrize("name", WORST)
def test_the_worst_shapes_cost_no_more_than_their_size(name: str):
    """As payload and header, at any length that is read at all: under 4 MB of memory, and a second for 50 times (they take some ms)."""
    desk, text = Desk(), WORST[name]
    token = compact(desk.header(), text, desk.key.sign)
    head = compact(text, desk.claims(), desk.key.sign)
    began = time.process_time()
    tracemalloc.start()
    try:
        for _ in range(50):
            for given_token in (token, head, token[:8_192], f"{text}.{text}.{text}"):
                with pytest.raises(TokenRefused):
                    desk.verify(given_token, proof=Proof(given_token, "POST", URL))
            for read in (lambda: json_object(text.encode(), "payload"), lambda: parse(text, limit=10**6)):
                try:
                    read()
                except TokenRefused:
                    continue
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000
    assert time.process_time() - began < 10, "process time, under the tracing of memory, for 300 readings: some orders above what it takes"


def test_a_token_of_any_size_is_turned_away_before_it_is_read():
    desk = Desk()
    huge = "A" * 50_000_000 + ".A.A"
    tracemalloc.start()
    try:
        desk.refuses(huge, "token.malformed", proof=None)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


# What we mint ------------------------------------------------------------------------------------------------------------

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
CLOCK = FakeClock()
KEYS = {"EdDSA": SigningKey.generate("EdDSA"), "ES256": SigningKey.generate("ES256")}
HOLDER = SigningKey.generate("ES256")


@pytest.mark.dev
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # joserfc says so of RFC 9864; most libraries know no other name yet
@settings(max_examples=250, deadline=None)
@given(
    algorithm=st.sampled_from(sorted(KEYS)), envelope=st.sampled_from(["licet-call+jwt", "at+jwt"]), bound=st.booleans(),
    arguments=st.dictionaries(st.text(max_size=8), JSON, max_size=4), actors=st.lists(NAMES, min_size=1, max_size=8), principal=NAMES,
    intent=NAMES, tool=st.from_regex(r"[a-z_]{1,20}", fullmatch=True), seconds=st.integers(1, 300), step=st.integers(1, 2**31),
)  # fmt: skip
def test_whatever_we_mint_is_accepted_once_and_by_a_library_that_nobody_here_wrote(
    algorithm: str, envelope: Any, bound: bool, arguments: dict[str, Any], actors: list[str], principal: str, intent: str, tool: str,
    seconds: int, step: int,
):  # fmt: skip
    """Our verifier takes it exactly once; joserfc takes it by the published key set."""
    from joserfc import jwk
    from joserfc import jwt as jose

    key, now = KEYS[algorithm], CLOCK.now()
    issuer = Issuer(FixedKeys(key), ISSUER, "acme/worker", seconds)
    record = TaskRecord("t" * 32, "answer", actors[0], principal, intent, "sha256:m", now, 600.0)
    minting = Minting(
        tool=tool, audience=AUDIENCE, args_digest=digest(arguments), expires=now + 600, step=step, purpose=intent, intent_digest="sha256:i",
        actors=actors, context={"policy_version": "p"}, holder=HOLDER.kid if bound else "", envelope=envelope,
    )  # fmt: skip
    token = issuer.mint(Decision("allow"), record, minting, now=now).jwt
    jwks = {"keys": issuer.keys.published(now)}
    verifier = Verifier(KeySet.of(jwks), issuer=ISSUER, audience=AUDIENCE, state=MemoryState(), typ=envelope, bound=bound, clock=CLOCK)

    def proof() -> Proof | None:
        return Proof(prove(HOLDER, "POST", URL, token=token, now=now), "POST", URL) if bound else None

    found = verifier.verify(token, tool=tool, arguments=arguments, proof=proof(), task=record.id, actor=actors[0])
    assert (found.principal, found.actors, found.tool, found.intent, found.step) == (principal, tuple(actors), tool, intent, step)
    with pytest.raises(TokenRefused) as refused:
        verifier.verify(token, tool=tool, arguments=arguments, proof=proof())
    assert refused.value.check == "token.replay"

    read = jose.decode(token, jwk.KeySet.import_key_set(json.loads(json.dumps(jwks))), algorithms=[algorithm])
    wanted = jose.JWTClaimsRegistry(now=lambda: int(now), iss={"value": ISSUER}, aud={"value": AUDIENCE}, exp={"essential": True})
    wanted.validate(read.claims)
    assert read.claims == dict(found.claims)
