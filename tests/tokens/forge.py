"""Tokens and proofs made by hand, with `cryptography` and `json` alone, so that what is forged does not go through our own issuer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from licet.errors import TokenRefused
from licet.testing import FakeClock
from licet.tokens import CallClaims, MemoryState, Proof, TokenState, Verifier

ISSUER, AUDIENCE = "https://guard.acme.example", "https://crm.acme.example/api"
TOOL, TASK, AGENT = "send_email", "0123456789abcdef0123456789abcdef", "support-bot"
ARGUMENTS: dict[str, Any] = {"to": "ada@acme.example", "body": "Your ticket is answered.", "copies": 1}
DEFINITION = "sha256:" + "d" * 64
URL = "https://crm.acme.example/api/send"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ABSENT: Any = object()
"""As a claim's or header's value: leave it out."""


def b64(data: bytes | str) -> str:
    return base64.urlsafe_b64encode(data.encode() if isinstance(data, str) else data).rstrip(b"=").decode()


def unb64(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**base, **changes}.items() if value is not ABSENT}


def sha(text: str | bytes) -> bytes:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).digest()


def args_digest(arguments: Mapping[str, Any]) -> str:
    """RFC 8785 for what ASCII names, texts and small whole numbers need of it."""
    return "sha256:" + sha(json.dumps(arguments, sort_keys=True, separators=(",", ":"), ensure_ascii=False)).hex()


@dataclass(frozen=True)
class Key:
    """A private key with the name of its algorithm, and its public JWK written by hand."""

    private: Any
    alg: str

    @classmethod
    def make(cls, alg: str) -> Key:
        if alg == "EdDSA":
            return cls(Ed25519PrivateKey.generate(), alg)
        return cls(ec.generate_private_key(ec.SECP256R1()) if alg == "ES256" else rsa.generate_private_key(65537, 2048), alg)

    @cached_property
    def public(self) -> dict[str, str]:
        found = self.private.public_key()
        if self.alg == "EdDSA":
            return {"crv": "Ed25519", "kty": "OKP", "x": b64(found.public_bytes(Encoding.Raw, PublicFormat.Raw))}
        numbers = found.public_numbers()
        if self.alg == "ES256":
            return {"crv": "P-256", "kty": "EC", "x": b64(numbers.x.to_bytes(32, "big")), "y": b64(numbers.y.to_bytes(32, "big"))}
        return {"e": "AQAB", "kty": "RSA", "n": b64(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big"))}

    @cached_property
    def kid(self) -> str:
        return b64(sha(json.dumps(self.public, sort_keys=True, separators=(",", ":"))))

    @property
    def jwk(self) -> dict[str, str]:
        return {**self.public, "use": "sig", "alg": self.alg, "kid": self.kid}

    def sign(self, data: bytes) -> bytes:
        if self.alg == "EdDSA":
            return bytes(self.private.sign(data))
        if self.alg == "RS256":
            return bytes(self.private.sign(data, padding.PKCS1v15(), hashes.SHA256()))
        r, s = decode_dss_signature(self.der(data))
        return raw(r, s)

    def der(self, data: bytes) -> bytes:
        return bytes(self.private.sign(data, ec.ECDSA(hashes.SHA256())))

    def spellings(self) -> list[bytes]:
        """What a careless library might take as the secret of an HMAC: the public key, in all the forms that it is found in."""
        found, jwk = self.private.public_key(), self.jwk
        pem = found.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        forms = [pem, pem.strip(), found.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), b""]
        forms += [
            json.dumps(each, separators=separators).encode() for each in (jwk, self.public) for separators in ((",", ":"), (", ", ": "))
        ]
        return [*forms, unb64(self.public.get("x", "AA")), self.public.get("x", "").encode()]


def raw(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def compact(header: Mapping[str, Any] | str | bytes, claims: Mapping[str, Any] | str | bytes, signer: Any) -> str:
    """A compact JWS. Header and claims as an object, or as the very text; `signer`: bytes to bytes."""
    head, body = (part if isinstance(part, (str, bytes)) else json.dumps(part) for part in (header, claims))
    signed = f"{b64(head)}.{b64(body)}"
    return f"{signed}.{b64(signer(signed.encode()))}"


def mac(secret: bytes, name: str = "sha256") -> Any:
    return lambda data: hmac.digest(secret, data, name)


def chain_of(depth: int) -> dict[str, Any]:
    """An `act` claim of so many agents (RFC 8693 section 4.1)."""
    chain: dict[str, Any] = {"sub": AGENT}
    for _ in range(depth - 1):
        chain = {"sub": AGENT, "act": chain}
    return chain


@dataclass
class Desk:
    """An issuer's keys, a holder's key, and a verifier: what an attacker stands before, and all that a forger needs."""

    key: Key = field(default_factory=lambda: Key.make("EdDSA"))
    second: Key = field(default_factory=lambda: Key.make("ES256"))
    holder: Key = field(default_factory=lambda: Key.make("ES256"))
    state: TokenState = field(default_factory=MemoryState)
    clock: FakeClock = field(default_factory=FakeClock)
    options: dict[str, Any] = field(default_factory=dict)
    _count: Any = field(default_factory=itertools.count)

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [self.key.jwk, self.second.jwk]}

    def verifier(self, **options: Any) -> Verifier:
        given = {"issuer": ISSUER, "audience": AUDIENCE, "state": self.state, "clock": self.clock, **self.options, **options}
        return Verifier(given.pop("keys", self.jwks), **given)

    @cached_property
    def usual(self) -> Verifier:
        return self.verifier()

    @property
    def now(self) -> int:
        return int(self.clock.now())

    def header(self, key: Key | None = None, **changes: Any) -> dict[str, Any]:
        key = key or self.key
        return merged({"alg": key.alg, "kid": key.kid, "typ": "licet-call+jwt"}, changes)

    def claims(self, **changes: Any) -> dict[str, Any]:
        detail = {"type": "urn:licet:tool-call", "locations": [AUDIENCE], "actions": ["tools/call"], "identifier": TOOL}
        base = {
            "iss": ISSUER, "sub": "user:grace", "aud": AUDIENCE, "iat": self.now, "nbf": self.now, "exp": self.now + 60,
            "jti": f"{next(self._count):032x}", "client_id": AGENT, "act": {"sub": AGENT}, "txn": TASK, "req_wl": "acme/worker",
            "scope": f"tool:{TOOL}", "authorization_details": [detail], "tctx": self.context(),
            "rctx": {"policy_version": "sha256:" + "a" * 64}, "cnf": {"jkt": self.holder.kid},
        }  # fmt: skip
        return merged(base, changes)

    def context(self, **changes: Any) -> dict[str, Any]:
        base = {
            "task_id": TASK, "intent": "Answer one customer ticket", "intent_id": "sha256:" + "b" * 64, "step": 1, "max_calls": 1,
            "args_digest": args_digest(ARGUMENTS), "tool_def_digest": DEFINITION, "sub_is": "asserted", "act_is": "asserted",
        }  # fmt: skip
        return merged(base, changes)

    def token(self, key: Key | None = None, *, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A good token, but for the claims and header members that are given."""
        key = key or self.key
        return compact(self.header(key, **(header or {})), self.claims(**claims), key.sign)

    def proof(
        self, token: str, *, key: Key | None = None, header: Mapping[str, Any] | None = None, signer: Any = None, **claims: Any
    ) -> str:
        """A good proof for `token`, but for what is given."""
        key = key or self.holder
        head = merged({"typ": "dpop+jwt", "alg": key.alg, "jwk": key.public}, header or {})
        base = {"jti": f"p{next(self._count):09}", "htm": "POST", "htu": URL, "iat": self.now, "ath": b64(sha(token))}
        return compact(head, merged(base, claims), signer or key.sign)

    def verify(self, token: Any, verifier: Verifier | None = None, **given: Any) -> CallClaims:
        """Present a token for the usual call, with a good proof unless `given` has another."""
        if "proof" not in given:
            given["proof"] = Proof(self.proof(token if isinstance(token, str) else ""), "POST", URL)
        return (verifier or self.usual).verify(token, **{"tool": TOOL, "arguments": ARGUMENTS, **given})

    def refuses(self, token: Any, check: str, verifier: Verifier | None = None, **given: Any) -> str:
        """The token is refused, by this check, and whoever presented it learns nothing; the answer is the inward reason."""
        with pytest.raises(TokenRefused) as refused:
            self.verify(token, verifier, **given)
        refusal = refused.value
        assert (str(refusal), repr(refusal)) == ("the token was refused", "TokenRefused('the token was refused')"), "told too much"
        assert refusal.check == check, f"{refusal.check}: {refusal.why}"
        return refusal.why
