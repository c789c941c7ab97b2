"""Attacks on a token's algorithm, key, form and signature, each class by name, against the whole verifier.

What is forged is forged by hand (`forge.py`). Every refusal is checked for what it tells outward, too: `Desk.refuses` holds `str()` and
`repr()` against one constant. What a token says is in `test_attacks_claims.py`, and who holds it, and how often, in `test_attacks_use.py`.
"""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from forge import (
    ABSENT,
    AUDIENCE,
    DEFINITION,
    ISSUER,
    P256_ORDER,
    TASK,
    TOOL,
    URL,
    Desk,
    Key,
    b64,
    compact,
    mac,
    raw,
    unb64,
)
from licet.errors import KeySetError, TokenRefused
from licet.tokens import Proof
from licet.tokens.algorithms import OTHERS, PublicKey


def test_the_forgers_good_token_is_good(desk: Desk):
    """Else every refusal below would prove nothing."""
    for key in (desk.key, desk.second):
        found = desk.verify(desk.token(key), task=TASK, actor="support-bot", definition=DEFINITION)
        assert (found.kid, found.tool, found.holder) == (key.kid, TOOL, desk.holder.kid)
    desk.verify(desk.token(header={"typ": "application/Licet-Call+JWT"}))


# Algorithms and keys ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "none ", "", "NoNe\0"])
def test_a_token_without_signature_is_refused_however_it_spells_none(desk: Desk, alg: str):
    claims = desk.claims()
    desk.refuses(compact(desk.header(alg=alg), claims, lambda data: b""), "token.malformed")
    for signature in (b"\0", bytes(64)):
        desk.refuses(compact(desk.header(alg=alg), claims, lambda data, signature=signature: signature), "token.key")
    desk.refuses(compact(desk.header(alg=alg), claims, desk.key.sign), "token.key")
    good = desk.token()
    desk.refuses(good.rpartition(".")[0] + ".", "token.malformed")
    desk.refuses(good.rpartition(".")[0], "token.malformed")


@pytest.mark.parametrize("name", ["key", "second"])
@pytest.mark.parametrize("alg, function", [("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")])
def test_a_public_key_is_no_secret_of_an_hmac(desk: Desk, name: str, alg: str, function: str):
    """RS/ES/EdDSA to HS confusion, with the key as PEM, DER, JWK bytes and its bare numbers."""
    key: Key = getattr(desk, name)
    for secret in key.spellings():
        desk.refuses(compact(desk.header(key, alg=alg), desk.claims(), mac(secret, function)), "token.key")
        desk.refuses(compact(desk.header(key), desk.claims(), mac(secret, function)), "token.signature")


def test_the_key_decides_the_algorithm_and_never_the_header(desk: Desk):
    """Each key under the other's algorithm, in another letter case, and under names of its family."""
    for key, other in ((desk.key, desk.second), (desk.second, desk.key)):
        for alg in (other.alg, key.alg.lower(), f"{key.alg} ", "ES384", "RS256", "PS256", "Ed448"):
            desk.refuses(compact(desk.header(key, alg=alg), desk.claims(), key.sign), "token.key")
        desk.refuses(compact(desk.header(key), desk.claims(), other.sign), "token.signature")
    for alg in (None, 1, ["EdDSA"], {"EdDSA": 1}, True, ABSENT):
        desk.refuses(desk.token(header={"alg": alg}), "token.malformed")


def test_a_key_verifies_nothing_under_a_name_that_is_not_its_own(desk: Desk):
    """Also where no key set stands in front of it: EdDSA's good signature is none of `Ed25519`, and RS256's none of PS256."""
    for key in (desk.key, desk.second, Key.make("RS256")):
        public = PublicKey.of(key.jwk)
        assert [name for name in OTHERS if public.verify(name, b"x", key.sign(b"x"))] == [key.alg]


def test_an_rsa_key_that_is_published_for_clouds_signs_no_call_token(desk: Desk):
    """`OURS` is EdDSA and ES256; the RS256 key of the same key set is for ID tokens only."""
    key = Key.make("RS256")
    verifier = desk.verifier(keys={"keys": [*desk.jwks["keys"], key.jwk]})
    desk.refuses(desk.token(key), "token.key", verifier)


def test_weak_rsa_keys_verify_nothing():
    """1024 bits, an exponent of 3 or 1, an even modulus, and one too large to be worked with."""
    good = Key.make("RS256").jwk
    small = rsa.generate_private_key(65537, 1024).public_key().public_numbers().n
    for change in (
        {"n": b64(small.to_bytes(128, "big"))}, {"e": "Aw"}, {"e": "AQ"}, {"e": "AA"}, {"n": b64(bytes([255] * 2048))}, {"n": "AQ"}, {"n": ""}, {"e": ""},
    ):  # fmt: skip
        with pytest.raises(KeySetError):
            PublicKey.of({**good, **change})
    assert PublicKey.of(good).algorithms == ("RS256",)


KIDS = [
    "",
    "unknown",
    "../../../../dev/null",
    "/etc/passwd",
    "' OR '1'='1",
    "a\0b",
    "|whoami",
    "x" * 900,
    "http://127.0.0.1/key",
    "é",
    "__proto__",
    "0",
]


@pytest.mark.parametrize("kid", KIDS)
def test_a_key_id_is_looked_up_and_nothing_else(desk: Desk, kid: str):
    """Injection, traversal and unknown ids: signed by a stranger's key, and by the right one."""
    for key in (Key.make("EdDSA"), desk.key):
        desk.refuses(desk.token(key, header={"kid": kid}), "token.key")
    desk.refuses(desk.token(header={"kid": desk.second.kid}), "token.key")
    desk.refuses(desk.token(header={"kid": desk.key.kid.lower()}), "token.key")


@pytest.mark.parametrize("kid", [None, 0, True, ["x"], {"x": 1}])
def test_a_key_id_is_a_text(desk: Desk, kid: Any):
    desk.refuses(desk.token(header={"kid": kid}), "token.malformed")


def test_a_token_without_key_id_is_refused_where_two_keys_could_be_meant(desk: Desk):
    third = Key.make("EdDSA")
    verifier = desk.verifier(keys={"keys": [*desk.jwks["keys"], third.jwk]})
    for key in (desk.key, third):
        desk.refuses(desk.token(key, header={"kid": ABSENT}), "token.key", verifier)


def test_keys_and_addresses_of_keys_in_a_header_are_neither_used_nor_fetched(desk: Desk):
    """jwk, jku, x5u, x5c, x5t: signed by the key that they carry. Nothing connects to where they point."""
    stranger = Key.make("EdDSA")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/jwks.json"
        for extra in (
            {"jwk": stranger.jwk}, {"jwk": desk.key.jwk}, {"jku": url}, {"x5u": url}, {"x5c": [b64(b"cert")]}, {"x5t": "AA"}, {"x5t#S256": "AA"},
            {"jku": url, "jwk": stranger.jwk}, {"kid": url}, {"iss": url},
        ):  # fmt: skip
            for key in (stranger, desk.key):
                check = "token.key" if "kid" in extra else "token.malformed"
                desk.refuses(compact({**desk.header(key, kid=desk.key.kid), **extra}, desk.claims(), key.sign), check)
        with pytest.raises(TimeoutError):
            server.accept()


# The form of a token ----------------------------------------------------------------------------------------------------


def test_a_name_that_stands_twice_is_refused_in_header_and_claims(desk: Desk):
    """The last wins in most libraries, the first in some; also when one of both is written with escapes, and inside other members."""
    head, body = json.dumps(desk.header()), json.dumps(desk.claims())
    for name, value in (("alg", '"none"'), ("alg", '"EdDSA"'), ("kid", '"x"'), ("typ", '"JWT"'), ("\\u0061lg", '"none"')):
        for twice in (f'{{"{name}":{value},{head[1:]}', f'{head[:-1]},"{name}":{value}}}'):
            desk.refuses(compact(twice, body, desk.key.sign), "token.malformed")
    for name, value in (("aud", '"x"'), ("exp", "9"), ("\\u0061ud", f'"{AUDIENCE}"'), ("jti", '"new"'), ("iss", f'"{ISSUER}"')):
        for twice in (f'{{"{name}":{value},{body[1:]}', f'{body[:-1]},"{name}":{value}}}'):
            desk.refuses(compact(head, twice, desk.key.sign), "token.malformed")
    inner = body.replace('"max_calls": 1', '"max_calls": 9, "max_calls": 1')
    assert inner != body
    desk.refuses(compact(head, inner, desk.key.sign), "token.malformed")


@pytest.mark.parametrize("crit", [["exp"], ["x"], [], ["b64"], "b64", None, ["alg"], ["typ", "typ"]])
def test_what_a_header_calls_critical_is_refused(desk: Desk, crit: Any):
    """RFC 7515 section 4.1.11."""
    desk.refuses(desk.token(header={"crit": crit}), "token.malformed")
    desk.refuses(desk.token(header={"crit": crit, "x": 1}), "token.malformed")


@pytest.mark.parametrize("b64_is", [False, True, "false", 0])
@pytest.mark.parametrize("crit", [["b64"], ABSENT])
def test_an_unencoded_payload_is_refused(desk: Desk, b64_is: Any, crit: Any):
    """RFC 7797 section 6: not in a JWT; with the payload plain, encoded, and detached."""
    header, body = desk.header(b64=b64_is, crit=crit), json.dumps(desk.claims())
    head = b64(json.dumps(header))
    for payload in (body, b64(body), ""):
        token = f"{head}.{payload}.{b64(desk.key.sign(f'{head}.{body}'.encode()))}"
        desk.refuses(token, "token.malformed")
    desk.refuses(compact(header, body, desk.key.sign), "token.malformed")


def test_a_detached_or_empty_payload_is_refused(desk: Desk):
    head, body, tail = desk.token().split(".")
    desk.refuses(f"{head}..{tail}", "token.signature")
    desk.refuses(f"{head}.{body}.", "token.malformed")
    desk.refuses(f".{body}.{tail}", "token.malformed")
    desk.refuses(compact(desk.header(), "", desk.key.sign), "token.malformed")


def test_no_token_at_all_says_what_it_most_often_is(desk: Desk):
    """Inward; a stranger is told what he is always told."""
    for empty in ("", " ", "\n"):
        with pytest.raises(TokenRefused) as error:
            desk.verify(empty)
        assert (str(error.value), error.value.why) == ("the token was refused", "the token is empty (an unset variable?)")


def test_json_serialisations_are_refused(desk: Desk):
    """Flattened and general (RFC 7515 section 7.2), as text and as objects, and whatever else is no text of three parts."""
    head, body, tail = desk.token().split(".")
    flat = {"payload": body, "protected": head, "signature": tail}
    general = {"payload": body, "signatures": [{"protected": head, "signature": tail}]}
    for form in (flat, general, {**flat, "header": {"kid": desk.key.kid}}):
        for shown in (form, json.dumps(form), json.dumps(form).encode(), f" {json.dumps(form)}"):
            desk.refuses(shown, "token.malformed")
    for odd in (None, b"a.b.c", 7, ["a.b.c"], (head, body, tail), bytearray(b"a.b.c"), f"{head}.{body}.{tail}".encode()):
        desk.refuses(odd, "token.malformed")


def test_a_token_has_one_spelling(desk: Desk):
    """Padding, white space, line ends, the other alphabet, unused bits, percent-encoding: each would be a second token with one jti."""
    for key in (desk.key, desk.second):
        for number in range(40):  # so that every length of a part, and every letter of the alphabet, comes up
            token = desk.token(key, sub="user:" + "x" * number + "?>~")
            parts = token.split(".")
            spellings = {f"{token}{end}" for end in ("=", "==", " ", "\n", "\r\n", "\t", "\0", ".", "\u200b", "%3D")}
            spellings |= {f"{start}{token}" for start in (" ", "\n", "\ufeff", ".", "Bearer ", "DPoP ")}
            for at, part in enumerate(parts):
                others = [
                    part + "=",
                    part + "=" * (-len(part) % 4 or 4),
                    f"{part} ",
                    f" {part}",
                    f"{part[:5]}\n{part[5:]}",
                    f"{part[:4]}====",
                    "",
                ]
                others += [part.replace("-", "+").replace("_", "/"), part.replace("-", "%2D"), *_same_bytes(part)]
                spellings |= {".".join([*parts[:at], other, *parts[at + 1 :]]) for other in others if other != part}
            for spelling in spellings - {token}:
                with pytest.raises(TokenRefused):
                    desk.verify(spelling)
            desk.verify(token)


def _same_bytes(part: str) -> list[str]:
    """The other spellings that decode to the same bytes: another last letter, whose unused bits differ."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return [part[:-1] + letter for letter in alphabet if letter != part[-1] and unb64(part[:-1] + letter) == unb64(part)]


def test_unused_bits_are_refused_by_the_parser(desk: Desk):
    head, body, tail = desk.token().split(".")
    others = _same_bytes(tail)
    assert len(others) == 15
    for other in others:
        desk.refuses(f"{head}.{body}.{other}", "token.malformed")


@pytest.mark.parametrize(
    "payload",
    [
        "null",
        "[]",
        '"x"',
        "1",
        "true",
        "{",
        "{}x",
        "NaN",
        "",
        " ",
        "\ufeff{}",
        "{'a':1}",
        '{"a":NaN}',
        '{"a":-Infinity}',
        '{"a":1e999}',
        '{"a":01}',
        "{,}",
    ],
)
def test_what_is_not_strictly_a_json_object_is_refused(desk: Desk, payload: str):
    desk.refuses(compact(desk.header(), payload, desk.key.sign), "token.malformed")
    desk.refuses(compact(payload, desk.claims(), desk.key.sign), "token.malformed")


def test_bytes_that_are_no_text_are_refused(desk: Desk):
    for data in (b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}', '{"a":1}'.encode("utf-16"), '{"a":1}'.encode("utf-32-le"), b'{"a":"\\ud800"}'):
        desk.refuses(compact(desk.header(), data, desk.key.sign), "token.malformed")


def test_a_token_larger_than_any_of_ours_is_refused(desk: Desk):
    """8 KB as a whole, 1 KB of header."""
    desk.refuses(desk.token(rctx={"x": "y" * 8_000}), "token.malformed")
    desk.refuses(desk.token(header={"kid": "k" * 1_024}), "token.malformed")
    desk.refuses("A" * 10_000_000, "token.malformed", proof=None)
    assert desk.verify(desk.token(rctx={"x": "y" * 4_000}))


def test_a_jwe_is_no_jws(desk: Desk):
    """Five parts, or a header of encryption in three."""
    head = b64(json.dumps({"alg": "dir", "enc": "A256GCM", "kid": desk.key.kid, "typ": "licet-call+jwt"}))
    desk.refuses(f"{head}..AAAA.AAAA.AAAA", "token.malformed")
    desk.refuses(f"{head}.AAAA.AAAA.AAAA.AAAA", "token.malformed")
    desk.refuses(f"{head}.AAAA.AAAA", "token.malformed")
    desk.refuses(desk.token(header={"enc": "A256GCM"}), "token.malformed")
    desk.refuses(desk.token(header={"zip": "DEF"}), "token.malformed")
    desk.refuses(desk.token(header={"alg": "dir"}), "token.key")


# Signatures -------------------------------------------------------------------------------------------------------------


def test_an_ecdsa_signature_of_zeros_or_out_of_range_verifies_nothing(desk: Desk):
    """CVE-2022-21449 and its kin."""
    n = P256_ORDER
    for r, s in ((0, 0), (0, 1), (1, 0), (n, n), (n, 1), (1, n), (0, n), (n, 0), (1, 1), (n - 1, n - 1), (2**256 - 1, 2**256 - 1)):
        desk.refuses(compact(desk.header(desk.second), desk.claims(), lambda data, pair=(r, s): raw(*pair)), "token.signature")


def test_an_ecdsa_signature_is_raw_and_of_one_length(desk: Desk):
    """RFC 7518 section 3.4: no DER, no zeros before or after, and not cut."""
    key = desk.second
    for change in (key.der, lambda data: b"\0" + key.sign(data), lambda data: key.sign(data) + b"\0", lambda data: key.sign(data)[:-1], lambda data: key.sign(data)[:32],
                   lambda data: key.sign(data) * 2, lambda data: b"\0" * 2 + key.sign(data)[:32] + b"\0" * 2 + key.sign(data)[32:]):  # fmt: skip
        desk.refuses(compact(desk.header(key), desk.claims(), change), "token.signature")


def test_the_other_half_of_an_ecdsa_signature_gives_no_second_use():
    """(r, n - s) verifies too (RFC 7518 does not forbid it), so that a seen token has a second spelling; its jti is used up all the same."""
    desk = Desk()
    token = desk.token(desk.second)
    head, body, tail = token.split(".")
    r, s = (int.from_bytes(part, "big") for part in (unb64(tail)[:32], unb64(tail)[32:]))
    other = f"{head}.{body}.{b64(raw(r, P256_ORDER - s))}"
    assert other != token
    desk.verify(other)
    desk.refuses(token, "token.replay")
    desk.refuses(other, "token.replay")
    second = desk.token(desk.second)
    proof = desk.proof(second)
    head, body, tail = proof.split(".")
    r, s = (int.from_bytes(part, "big") for part in (unb64(tail)[:32], unb64(tail)[32:]))
    desk.verify(second, proof=Proof(proof, "POST", URL))
    desk.refuses(second, "token.replay", proof=Proof(f"{head}.{body}.{b64(raw(r, P256_ORDER - s))}", "POST", URL))


def test_an_ed25519_signature_has_one_form(desk: Desk):
    """RFC 8032 section 5.1.7: S is below the order, so that S + L is refused; and so are zeros and small points."""
    order = 2**252 + 27742317777372353535851937790883648493

    def malleated(data: bytes) -> bytes:
        good = desk.key.sign(data)
        return good[:32] + (int.from_bytes(good[32:], "little") + order).to_bytes(32, "little")

    forms: list[Callable[[bytes], bytes]] = [
        malleated, lambda data: bytes(64), lambda data: b"\x01" + bytes(63), lambda data: desk.key.sign(data)[:63], lambda data: desk.key.sign(data) + b"\0",
        lambda data: desk.key.sign(hashlib.sha512(data).digest()), lambda data: desk.key.sign(data[:-1]),
    ]  # fmt: skip
    for form in forms:
        desk.refuses(compact(desk.header(), desk.claims(), form), "token.signature")


def test_parts_of_two_good_tokens_make_no_third(desk: Desk):
    first, second = desk.token().split("."), desk.token(sub="user:mallory").split(".")
    desk.refuses(".".join([first[0], second[1], first[2]]), "token.signature")
    desk.refuses(".".join([first[0], first[1], second[2]]), "token.signature")
