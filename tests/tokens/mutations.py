"""What a token or a proof can be turned into: bytes changed, parts swapped, members changed, and what is changed signed again.

`Source` is where choices come from: a seeded generator, or the bytes of a fuzzer. The same code runs in CI and at night (`fuzz/`).
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sized
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from forge import ABSENT, AUDIENCE, TOOL, URL, Desk, Key, b64, compact, mac, merged, sha, unb64
from licet.canonical import canonical
from licet.errors import KeySetError, TokenRefused
from licet.tokens import Proof
from licet.tokens.algorithms import OTHERS, PublicKey
from licet.tokens.jws import decode, json_object, parse

T = TypeVar("T")


class Source(Protocol):
    """Where choices come from."""

    def number(self, below: int) -> int: ...  # from 0 on
    def data(self, most: int) -> bytes: ...  # at most so many


class Seeded:
    """A `Source` that gives the same choices for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def number(self, below: int) -> int:
        return self._random.randrange(below)

    def data(self, most: int) -> bytes:
        return self._random.randbytes(self._random.randrange(most + 1))


class Spelled:
    """A `Source` that reads its choices off some bytes, and chooses the first of everything when they are used up."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def number(self, below: int) -> int:
        width = 1 if below <= 256 else 2
        taken = self.data_of(width)
        return int.from_bytes(taken, "big") % below

    def data(self, most: int) -> bytes:
        return self.data_of(self.number(most + 1))

    def data_of(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]


def pick(source: Source, items: list[T]) -> T:
    return items[source.number(len(items))]


def place(source: Source, within: Sized) -> int:
    """A position. How many there are to choose from is always the same, as a DER signature's length is not: hypothesis repeats choices."""
    return source.number(4_096) % (len(within) + 1)


ALPHABET = 'ABCXYZabcxyz0189-_.=+/ \n\0é{"~'
ODD: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**53, 2**53 + 1, 2**63, 10**40, -(10**30), 1.5, 1e308, -0.0, "", " ", "\0", "é", "\ud800", "𝒳", "0", "none",
    "x" * 300, [], {}, [[]], [None], {"": None}, {"sub": ""}, {"sub": AUDIENCE}, {"jkt": None}, {"act": {}}, [AUDIENCE], [TOOL], ABSENT,
]  # fmt: skip
RAW = [
    "1e400", "-1e400", "NaN", "-Infinity", "1" * 400, "[" * 40, "{" * 9, "]" * 3, '"', "\\ud800", '"\\u0000"', '{"a":1,"a":2}', "0x10", "01", "+1", ".5", "1.",
    "\ufeff1", "// x", "'a'", '"\\x"', '"\t"', "tru", "[1,]", '{"a":1,}', '{"a"}', "{1:2}",
]  # fmt: skip
TYPES = [
    "at+jwt",
    "JWT",
    "dpop+jwt",
    "licet-task+jwt",
    "licet-binding+jwt",
    "txntoken+jwt",
    "application/LICET-CALL+jwt",
    "licet-call+jwt\0",
    "licet-call",
]
ALGORITHMS = [
    "none",
    "None",
    "nOnE",
    "",
    "HS256",
    "HS512",
    "EdDSA",
    "Ed25519",
    "eddsa",
    "ES256",
    "es256",
    "ES384",
    "RS256",
    "PS256",
    "A256GCM",
    "EdDSA ",
]
MEMBERS = ["crit", "b64", "jku", "jwk", "x5c", "x5u", "enc", "zip", "alg", "kid", "typ", "cty", "", "\0", "__proto__", "ALG"]


def damaged(token: str, source: Source) -> str:
    """Characters changed, dropped, doubled, moved; parts cut, swapped, emptied, multiplied."""
    for _ in range(1 + source.number(3)):
        at, kind = place(source, token), source.number(9)
        if kind == 0:
            token = token[:at] + pick(source, list(ALPHABET)) + token[at + 1 :]
        elif kind == 1:
            token = token[:at] + pick(source, list(ALPHABET)) + token[at:]
        elif kind == 2:
            token = token[:at] + token[at + 1 + source.number(8) :]
        elif kind == 3:
            token = token[:at] + source.data(12).decode("latin-1") + token[at:]
        elif kind == 4:
            parts = token.split(".")
            parts[source.number(len(parts))] = pick(source, [*parts, "", b64(source.data(40))])
            token = ".".join(parts)
        elif kind == 5:
            parts = token.split(".")
            token = ".".join(parts[: source.number(len(parts) + 1)] + parts[source.number(len(parts)) :])
        elif kind == 6:
            token = token[:at] + token[at : at + 20] * (1 + source.number(400)) + token[at:]
        elif kind == 7:
            parts = token.split(".")
            which = source.number(len(parts))
            data = bytearray((unb64(parts[which]) if parts[which].isascii() and _decodes(parts[which]) else b"") or b"\0")
            data[place(source, data) % max(1, len(data))] ^= 1 << source.number(8)
            parts[which] = b64(bytes(data))
            token = ".".join(parts)
        else:
            token = token[:at].swapcase() + token[at:]
    return token


def _decodes(part: str) -> bool:
    try:
        unb64(part)
    except ValueError:
        return False
    return True


def odd(source: Source) -> Any:
    """A value of a wrong type or size, sometimes deeply inside others."""
    value = pick(source, ODD)
    if value is not ABSENT:
        for _ in range(source.number(4) * source.number(8)):
            value = pick(source, [[value], {"sub": "a", "act": value}, {pick(source, MEMBERS): value}])
    return value


def changed(value: Any, source: Source) -> Any:
    """An object with one member changed somewhere inside, removed, or added."""
    if isinstance(value, dict) and value:
        name = pick(source, sorted(value))
        inner = changed(value[name], source) if source.number(2) and isinstance(value[name], (dict, list)) else odd(source)
        name = pick(source, [name, name, name, pick(source, MEMBERS)])
        return merged(value, {name: inner})
    if isinstance(value, list) and value:
        at = source.number(len(value))
        inner = changed(value[at], source)
        return [*value[:at], *([] if inner is ABSENT else [inner]), *value[at + source.number(2) :]]
    return odd(source)


def scribbled(text: str, source: Source) -> str:
    """JSON text with something that JSON is not, or should not be, put into it."""
    at = place(source, text)
    end = min(len(text), at + source.number(6))
    return (
        text[:at] + pick(source, [*RAW, source.data(8).decode("latin-1"), '"alg":"none",', '"iss":"x",', text[at : at + 30]]) + text[end:]
    )


class Mutator:
    """Forgeries against one desk, and what must come of them. The desk's own keys sign some too, as an issuer gone wrong would."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        stranger = Key.make("EdDSA")
        self._signers: list[Callable[[bytes], bytes]] = [
            desk.key.sign, desk.second.sign, stranger.sign, desk.holder.sign, mac(desk.key.spellings()[0]), lambda data: b"", desk.second.der,
            lambda data: bytes(64),
        ]  # fmt: skip
        self._jwks = [desk.key.jwk, desk.second.jwk, desk.holder.public, Key.make("RS256").jwk]
        self._seen: set[str] = set()
        self.inputs = self.accepted = 0

    def try_token(self, source: Source) -> None:
        """A forged call token, with a good proof of it."""
        token = self.token(source)
        self._present(token, self.desk.proof(token))

    def try_proof(self, source: Source) -> None:
        """A good call token, with a forged proof of it."""
        token = self.desk.token(self.desk.second if source.number(2) else None)
        self._present(token, self.proof(token, source))

    def try_text(self, source: Source) -> None:
        """The parser alone, with a text or bytes of any kind: what it takes, a lenient reader reads the same."""
        self.inputs += 1
        text = (
            scribbled(json.dumps(changed(self.desk.claims(), source)), source) if source.number(4) else source.data(300).decode("latin-1")
        )
        data = text.encode("utf-8", "surrogatepass") if source.number(4) else source.data(300)
        for call in (lambda: parse(text), lambda: decode(text), lambda: _same(json_object(data, "payload"), data)):
            with suppress(TokenRefused):
                call()

    def try_jwk(self, source: Source) -> None:
        """A public key that was changed: refused as a key set is, or it is a key with a thumbprint and verifies nothing."""
        self.inputs += 1
        jwk = changed(pick(source, self._jwks), source)
        with suppress(KeySetError):
            key = PublicKey.of(jwk)
            assert len(key.thumbprint) == 43
            assert not any(key.verify(name, b"data", source.data(80)) for name in OTHERS)

    def token(self, source: Source) -> str:
        """A forged call token."""
        key = self.desk.second if source.number(2) else self.desk.key
        how = source.number(4)
        if how == 0:
            return damaged(self.desk.token(key), source)
        header, claims = self.desk.header(key), self.desk.claims()
        texts: list[str] = []
        signer = key.sign if source.number(3) else pick(source, self._signers)
        for _ in range(1 + source.number(2)):
            what = source.number(8)
            if what == 0:
                header = merged(header, {"alg": pick(source, ALGORITHMS)})
            elif what == 1:
                header = merged(header, {"typ": pick(source, TYPES)})
            elif what == 2:
                header = changed(header, source)
            elif what <= 6:
                claims = changed(claims, source)
            texts = [_text(header), _text(claims)]
            if what == 7:
                at = source.number(2)
                texts[at] = scribbled(texts[at], source)
        token = _signed(texts, signer)
        return damaged(token, source) if how == 1 else token

    def proof(self, token: str, source: Source) -> str:
        """A forged proof for `token`."""
        made = self.desk.proof(token)
        what = source.number(5)
        if what == 0:
            return damaged(made, source)
        header, claims = (json.loads(unb64(part)) for part in made.split(".")[:2])
        signer = pick(source, self._signers) if what == 1 else self.desk.holder.sign
        if what == 2:
            header = changed(header, source)
        elif what == 3:
            claims = changed(claims, source)
        texts = [_text(header), _text(claims)]
        if what == 4:
            at = source.number(2)
            texts[at] = scribbled(texts[at], source)
        return _signed(texts, signer)

    def _present(self, token: str, proof: str) -> None:
        self.inputs += 1
        try:
            found = self.desk.verify(token, proof=Proof(proof, "POST", URL))
        except TokenRefused as error:
            refusal = error
        else:
            refusal = None
        if refusal is not None:
            assert str(refusal) == TokenRefused.OUTWARD
            assert refusal.check.startswith("token.")
            return
        self.accepted += 1
        assert token not in self._seen, "accepted twice"
        self._seen.add(token)
        problem = self.objection(token) or self._objection_to_proof(proof, token)
        assert not problem, f"{problem}: {token} {proof}"
        assert (found.tool, found.audience, found.task) == (TOOL, AUDIENCE, claims_in(token)["tctx"]["task_id"])

    def objection(self, token: str) -> str:
        """Why an accepted token should not have been: read here with `json` and `cryptography` alone. Empty if it is one of the issuer's."""
        parts = token.split(".")
        if len(parts) != 3 or [b64(unb64(part)) for part in parts] != parts:
            return "not canonical"
        header, claims = (json.loads(unb64(part), object_pairs_hook=_once) for part in parts[:2])
        key = {self.desk.key.kid: self.desk.key, self.desk.second.kid: self.desk.second}.get(header.get("kid"))
        key = key or {"EdDSA": self.desk.key, "ES256": self.desk.second}.get(header["alg"])  # without `kid`: the only one that can be meant
        if key is None or key.alg != header["alg"] or not _verifies(key, ".".join(parts[:2]).encode(), unb64(parts[2])):
            return "not signed by the issuer"
        if set(header) - {"alg", "kid", "typ"} or header["typ"].lower().removeprefix("application/") != "licet-call+jwt":
            return "another header"
        good, now = self.desk.claims(), self.desk.now
        for name in ("iss", "aud", "scope", "cnf"):
            if claims.get(name) != good[name]:
                return f"another {name}"
        detail = claims["authorization_details"]
        if len(detail) != 1 or any(detail[0].get(name) != value for name, value in good["authorization_details"][0].items()):
            return "another call"
        if claims["tctx"]["args_digest"] != good["tctx"]["args_digest"] or claims["tctx"]["max_calls"] != 1:
            return "other arguments"
        times = [claims["iat"], claims.get("nbf", claims["iat"]), claims["exp"]]
        if any(type(time) is not int for time in times) or not (max(times[:2]) <= now + 30 and now - 30 < times[2] <= times[0] + 300):
            return "another time"
        return "" if isinstance(claims["jti"], str) and claims["jti"] and claims["sub"] and claims["client_id"] else "nameless"

    def _objection_to_proof(self, proof: str, token: str) -> str:
        parts = proof.split(".")
        header, claims = (json.loads(unb64(part), object_pairs_hook=_once) for part in parts[:2])
        if not _verifies(self.desk.holder, ".".join(parts[:2]).encode(), unb64(parts[2])):
            return "a proof by another key"
        wanted = {"htm": "POST", "ath": b64(sha(token))}
        if header["typ"].lower().removeprefix("application/") != "dpop+jwt" or any(
            claims.get(name) != value for name, value in wanted.items()
        ):
            return "a proof of something else"
        return "" if type(claims["iat"]) is int and abs(claims["iat"] - self.desk.now) <= 90 else "a proof of another time"


def claims_in(token: str) -> dict[str, Any]:
    """The claims of a token, unverified."""
    found: dict[str, Any] = json.loads(unb64(token.split(".")[1]))
    return found


def _text(value: Any) -> str:
    return "" if value is ABSENT else json.dumps(value)


def _signed(texts: list[str], signer: Callable[[bytes], bytes]) -> str:
    head, body = (text.encode("utf-8", "surrogatepass") for text in texts)
    return compact(head, body, signer)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    assert len(found) == len(pairs), "a name twice"
    return found


def _same(found: dict[str, Any], data: bytes) -> None:
    assert found == json.loads(data)
    canonical(found)  # what was taken has a canonical form: numbers are finite, and texts can be written


def _verifies(key: Key, signed: bytes, signature: bytes) -> bool:
    public = key.private.public_key()
    try:
        if key.alg == "EdDSA":
            public.verify(signature, signed)
        else:
            r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            public.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return len(signature) == 64
