"""Proof of possession (RFC 9449): whoever presents a token shows, for this one request, that the key it was issued to is theirs."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from licet.errors import KeySetError, TokenRefused
from licet.tokens.algorithms import PublicKey, base64url
from licet.tokens.claims import required
from licet.tokens.jws import check_signature, check_type, claims_of, parse
from licet.tokens.keys import Signer

PROOF_TYPE = "dpop+jwt"
PROOF_SECONDS = 60
"""How old a proof may be. It is used once within that time (RFC 9449 section 11.1)."""
_JWK = frozenset({"jwk"})


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof as it came with a request, and the request: its method, and its URL as the server itself knows it."""

    jwt: str = field(repr=False)
    method: str
    url: str


def prove(holder: Signer, method: str, url: str, *, token: str, now: float) -> str:
    """A proof for one request with `token` (RFC 9449 section 4.2). For what is not HTTP, method and URL are what both sides agreed on."""
    jwk = {name: value for name, value in holder.jwk.items() if name not in ("use", "kid", "alg")}
    header = {"typ": PROOF_TYPE, "alg": holder.jwk["alg"], "jwk": jwk}
    claims = {"jti": secrets.token_hex(16), "htm": method, "htu": _target(url), "iat": int(now), "ath": token_hash(token)}
    signed = f"{_part(header)}.{_part(claims)}"
    return f"{signed}.{base64url(holder.sign(signed.encode('ascii')))}"


def check_proof(
    proof: Proof, *, holder: str | None, token: str | None, now: float, algorithms: Sequence[str], skew: float
) -> tuple[str, str]:
    """The `jti` of a proof that holds, and the thumbprint of its key: RFC 9449 section 4.3, its steps 3 to 12.

    `holder`: the thumbprint that the token is bound to (`cnf.jkt`); None at a token endpoint, where the binding is made.

    Raises:
        TokenRefused: `token.proof`.
    """
    try:
        jws = parse(proof.jwt, also=_JWK)
        check_type(jws, PROOF_TYPE)  # step 4
        key = PublicKey.of(jws.header.get("jwk", {}))  # step 7: a private member is refused there
        check_signature(jws, _Only(key), algorithms)  # steps 5 and 6
        claims = claims_of(jws)
    except (TokenRefused, KeySetError) as error:
        why = error.why if isinstance(error, TokenRefused) else str(error)
        raise TokenRefused("token.proof", f"the proof is not one: {why}") from error
    # Steps 8 and 9: the request.
    if required(claims, "htm", str, "token.proof") != proof.method or _target(required(claims, "htu", str, "token.proof")) != _target(
        proof.url
    ):
        raise TokenRefused("token.proof", "the proof is for another request")
    issued = required(claims, "iat", int, "token.proof")  # step 11
    if not now - PROOF_SECONDS - skew <= issued <= now + skew:
        raise TokenRefused("token.proof", "the proof is too old, or from the future")
    if token is not None and required(claims, "ath", str, "token.proof") != token_hash(token):  # step 12 a
        raise TokenRefused("token.proof", "the proof is for another token")
    if holder is not None and key.thumbprint != holder:  # step 12 b
        raise TokenRefused("token.proof", "the proof is by another key than the token is bound to")
    jti = required(claims, "jti", str, "token.proof")
    if len(jti) > 128:
        raise TokenRefused("token.proof", "the proof's `jti` is longer than any of ours")
    return jti, key.thumbprint


def token_hash(token: str) -> str:
    """The `ath` of RFC 9449 section 4.2."""
    return base64url(hashlib.sha256(token.encode("utf-8", "replace")).digest())


class _Only:
    """The one key that a proof carries: it proves possession, and says nothing of who holds it."""

    def __init__(self, key: PublicKey) -> None:
        self._key = key

    def find(self, kid: str | None, algorithm: str) -> PublicKey | None:  # noqa: ARG002 - a proof names no key
        return self._key if algorithm in self._key.algorithms else None


def _target(url: str) -> str:
    """The URL without query and fragment, in the form that RFC 9449 section 4.3 asks to compare (RFC 3986 section 6.2.2 and 6.2.3).

    Raises:
        TokenRefused: `token.proof`; it is no URL.
    """
    try:
        found = urlsplit(url)
        port = found.port
    except ValueError as error:
        raise TokenRefused("token.proof", "the URL is not one") from error
    if found.scheme not in ("http", "https"):
        return url  # a name that both sides agreed on
    host = (found.hostname or "").lower()
    if not host or found.username is not None:
        raise TokenRefused("token.proof", "the URL has no host, or names a user")
    shown = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}[found.scheme]
    return f"{found.scheme}://{shown}{f':{port}' if port not in (None, usual) else ''}{found.path or '/'}"


def _part(fields: Mapping[str, Any]) -> str:
    return base64url(json.dumps(fields, separators=(",", ":")).encode())
