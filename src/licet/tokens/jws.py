"""A signed JWT taken apart, strictly, before any library sees it: steps 1 to 6 of docs/tokens.md.

PyJWT and its peers take the last of two members of one name, ignore `=` at the end of a part, and hand on numbers that are infinite.
What stands here is stricter than RFC 7519 and follows RFC 8725bis (draft-ietf-oauth-rfc8725bis-10); the signature itself is checked by
PyJWT's algorithms.
"""

from __future__ import annotations

import binascii
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Protocol

from licet.errors import TokenRefused
from licet.tokens.algorithms import PublicKey

MAX_TOKEN = 8_192  # bytes of a whole token (RFC 8725bis section 2.10: cap what is worked on)
MAX_HEADER = 1_024
MAX_DEPTH = 16
MAX_INTEGER = 2**53  # RFC 7493 section 2.2: beyond it two readers may disagree

_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")  # what is not of the alphabet becomes what no decoder takes
_LAST: Mapping[int, frozenset[str]] = {1: frozenset(), 2: frozenset("AQgw"), 3: frozenset("AEIMQUYcgkosw048")}
_PADDING = {0: b"", 2: b"==", 3: b"="}
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_HEADERS = frozenset({"alg", "kid", "typ"})
_FORBIDDEN = frozenset({"b64", "crit", "enc", "jku", "jwk", "x5c", "x5t", "x5t#S256", "x5u", "zip"})


class Keys(Protocol):
    """Where the keys of one issuer are found."""

    def find(self, kid: str | None, algorithm: str) -> PublicKey | None:
        """The key of this id that signs with this algorithm; None if there is none. Without a `kid`: the only one that could be meant."""


@dataclass(frozen=True, slots=True)
class Jws:
    """The parts of a compact JWS. `signed` is what the signature is over: the received bytes, never a re-encoding of them."""

    header: Mapping[str, Any]
    payload: bytes = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def parse(token: str, *, limit: int = MAX_TOKEN, also: frozenset[str] = frozenset()) -> Jws:
    """The parts of a token, of which nothing is verified yet. `also`: header members that are allowed beside `alg`, `kid` and `typ`.

    Raises:
        TokenRefused: `token.malformed`.
    """
    # Step 1: RFC 7515 section 7.1 and RFC 8725bis section 3.1, only the compact form, and only its alphabet.
    given: object = token
    if not isinstance(given, str):
        raise TokenRefused("token.malformed", "the token is no text")
    if len(token) > limit:
        raise TokenRefused("token.malformed", "the token is longer than any of ours")
    parts = token.split(".")
    # A JWS may be over nothing (RFC 7515); as a JWT it is refused by `claims_of`. One without signature is no token of any kind.
    if len(parts) != 3 or not parts[0] or not parts[2]:
        what = "not three parts of base64url" if token.strip() else "empty (an unset variable?)"
        raise TokenRefused("token.malformed", f"the token is {what}")
    head, body, tail = parts
    header = _header(head)  # step 2: RFC 7515 section 4
    if odd := sorted(set(header) - _HEADERS - also):
        # RFC 7515 section 4.1.11 and RFC 7797 section 6: `crit` and `b64` change what is signed. RFC 8725bis section 3.10: keys and
        # addresses of keys in a header are an attacker's to choose. What is not known means nothing here, and is refused with them.
        what = "may not stand in a token" if _FORBIDDEN.intersection(odd) else "is not known here"
        raise TokenRefused("token.malformed", f"header `{odd[0][:40]}` {what}")
    if not all(isinstance(header[name], str) for name in _HEADERS & header.keys()) or "alg" not in header:
        raise TokenRefused("token.malformed", "`alg`, `kid` and `typ` are texts, and `alg` is required")
    return Jws(header, decode(body), token[: len(head) + 1 + len(body)].encode("ascii"), decode(tail))


@lru_cache(maxsize=256)
def _header(head: str) -> Mapping[str, Any]:
    """A header's members. An issuer has few headers, and a holder one, so that they are read once."""
    data = decode(head)
    if len(data) > MAX_HEADER:
        raise TokenRefused("token.malformed", "the header is larger than any of ours")
    return MappingProxyType(json_object(data, "header"))


def check_type(jws: Jws, typ: str) -> None:
    """Step 3: RFC 8725bis section 3.11, one explicit type, compared as a media type (RFC 7515 section 4.1.9).

    Raises:
        TokenRefused: `token.type`.
    """
    found = jws.header.get("typ")
    if found is None or found.lower().removeprefix("application/") != typ:
        raise TokenRefused("token.type", f"the token is not of type `{typ}`")


def check_signature(jws: Jws, keys: Keys, algorithms: Sequence[str]) -> PublicKey:
    """Steps 4 and 5: RFC 8725bis sections 3.1 to 3.3. The key decides the algorithm, never the header; asymmetric algorithms only.

    Raises:
        TokenRefused: `token.key` or `token.signature`.
    """
    algorithm = jws.header["alg"]
    if algorithm not in algorithms:
        raise TokenRefused("token.key", "the token's algorithm is not among those that are allowed here")
    key = keys.find(jws.header.get("kid"), algorithm)
    if key is None:
        raise TokenRefused("token.key", "no key of this issuer has this `kid` and algorithm")
    if not key.verify(algorithm, jws.signed, jws.signature):
        raise TokenRefused("token.signature", "the signature does not verify")
    return key


def claims_of(jws: Jws) -> dict[str, Any]:
    """Step 6: RFC 7519 section 7.2 and RFC 7493, the payload as JSON that any two readers read the same.

    Raises:
        TokenRefused: `token.malformed`.
    """
    return json_object(jws.payload, "payload")


def json_object(data: bytes, what: str) -> dict[str, Any]:
    """A strict JSON object: UTF-8, no name twice, every number finite and exact, not too deep, and no lone surrogates.

    Raises:
        TokenRefused: `token.malformed`.
    """
    try:
        text = data.decode("utf-8")
        found = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        why = str(error) if isinstance(error, _Strict) else "is not JSON"
        raise TokenRefused("token.malformed", f"the {what} {why}") from error
    if type(found) is not dict:
        raise TokenRefused("token.malformed", f"the {what} is not a JSON object")
    if "\\u" in text and _SURROGATE.search(text) is not None and not _encodable(found):
        raise TokenRefused("token.malformed", f"the {what} holds a lone surrogate")
    if text.count("{") + text.count("[") > MAX_DEPTH and _depth(found) > MAX_DEPTH:
        raise TokenRefused("token.malformed", f"the {what} is nested too deep")
    return found


def decode(part: str) -> bytes:
    """Canonical base64url without padding (RFC 7515 section 2): the bits that a decoder would throw away are zero.

    Raises:
        TokenRefused: `token.malformed`.
    """
    over = len(part) % 4
    if over and part[-1] not in _LAST[over]:
        raise TokenRefused("token.malformed", "a part is not base64url in its canonical form")
    try:
        return binascii.a2b_base64(part.encode("ascii").translate(_STANDARD) + _PADDING[over], strict_mode=True)
    except ValueError as error:
        raise TokenRefused("token.malformed", "a part is not base64url") from error


class _Strict(ValueError):
    """What our own hooks refuse; its text may be told."""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Strict("has two members of one name")
    return found


def _constant(name: str) -> Any:
    raise _Strict(f"holds {name}, which is not JSON")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _Strict("holds a number that is too large")
    return number


def _integer(text: str) -> int:
    if len(text) > 17 or abs(number := int(text)) > MAX_INTEGER:
        raise _Strict("holds a whole number that is too large")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_constant, parse_float=_float, parse_int=_integer)


def _encodable(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _depth(value: object) -> int:
    """How deep it is nested; level by level, so that depth costs no stack."""
    depth, level = 0, [value]
    while level:
        depth += 1
        inner: list[object] = []
        for item in level:
            inner += item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        level = inner
    return depth - 1
