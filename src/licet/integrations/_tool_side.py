"""What stands between a request and a tool, whatever the framework: the request is read strictly, and nothing of it goes unjudged.

`asgi` and `fastapi` are made of this. A refusal says one thing outward, always the same: an error that explains itself helps to build a
better forgery. Which check refused, and why, goes to the logger `licet`, without the token.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from licet.canonical import Plain
from licet.errors import TokenRefused, UsageError
from licet.escape import visible
from licet.snapshot import MAX_DEPTH
from licet.tokens import ACCESS_TYPE, CallClaims, Proof, Verifier

TOKEN_HEADER, PROOF_HEADER = "licet-call-token", "dpop"
MAX_BODY = 1024 * 1024
"""How many bytes of a body are read, by default."""
CHALLENGE = 'DPoP error="invalid_token"'  # RFC 9449 section 7.1, RFC 6750 section 3
REFUSED = b'{"error":"invalid_token"}'
UNDECIDED = b'{"error":"temporarily_unavailable"}'

log = logging.getLogger("licet")
verified: ContextVar[CallClaims | None] = ContextVar("licet_verified_call", default=None)

# What some frameworks take for the method or for the path instead of what was sent (and the proof covers).
_OVERRIDES = frozenset({"x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"})
_DIGITS = 1_000  # of one number
_ONCE = frozenset({TOKEN_HEADER, PROOF_HEADER, "authorization", "content-type", "content-encoding", "content-length"})


@dataclass(slots=True)
class Incoming:
    """One request, for whoever says which call it is. What is not looked at does not reach the tool: the request is then refused."""

    method: str
    path: str
    path_params: Mapping[str, Any] = field(default_factory=dict)
    _raw_path: str = ""
    _query: bytes = b""
    _body: bytes = field(default=b"", repr=False)
    _headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    _seen: set[str] = field(default_factory=set, repr=False)

    @classmethod
    def of(cls, scope: Mapping[str, Any]) -> Incoming:
        """The request of an ASGI scope, without its body.

        Raises:
            TokenRefused: `token.malformed`; a header stands twice, or means another request than this.
        """
        headers: dict[str, str] = {}
        for raw_name, value in scope["headers"]:
            name = raw_name.decode("latin-1").lower()
            if name in _OVERRIDES:
                raise TokenRefused("token.malformed", f"the header `{name}` names another request than the one that was sent")
            if name in headers and name in _ONCE:
                raise TokenRefused("token.malformed", f"the header `{name}` stands twice")
            headers[name] = value.decode("latin-1")
        raw = scope.get("raw_path") or quote(scope["path"]).encode("ascii")
        raw_path = raw.partition(b"?")[0].decode("latin-1")
        return cls(scope["method"], scope["path"], scope.get("path_params", {}), raw_path, scope.get("query_string", b""), b"", headers)

    def with_body(self, body: bytes) -> Incoming:
        """The same request, with the body that was read."""
        self._body = body
        return self

    @property
    def body(self) -> bytes:
        """The body's bytes. Make arguments of all of them: the token covers nothing else."""
        self._seen.add("body")
        return self._body

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters.

        Raises:
            TokenRefused: `token.malformed`; a name stands twice, or it cannot be read.
        """
        self._seen.add("query")
        try:
            pairs = parse_qsl(self._query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(self._query), errors="strict")
        except ValueError as error:
            raise TokenRefused("token.malformed", "the query cannot be read") from error
        if len(found := dict(pairs)) != len(pairs):
            raise TokenRefused("token.malformed", "the query holds two parameters of one name")
        return found

    def json(self) -> dict[str, Plain]:
        """The body as the tool's arguments: one strict JSON object in UTF-8.

        Raises:
            TokenRefused: `token.malformed`; it is not, or it is encoded, or it says that it is something else.
        """
        if self._headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise TokenRefused("token.malformed", "the body is encoded (`Content-Encoding`), and what is inside was not judged")
        media, *parameters = (part.strip().lower() for part in self._headers.get("content-type", "").split(";"))
        if media != "application/json" or any(part not in ("charset=utf-8", 'charset="utf-8"') for part in parameters):
            raise TokenRefused("token.malformed", "the body is not said to be `application/json` in UTF-8")
        return arguments_of(self.body)

    def unseen(self) -> str:
        """What of the request was not looked at, so that nobody judged it; empty if there is nothing."""
        parts = (("body", self._body), ("query", self._query))
        return next((name for name, value in parts if value and name not in self._seen), "")

    def presented(self, typ: str) -> tuple[str, str | None]:
        """The token, of the kind that is taken here, and its proof.

        Raises:
            TokenRefused: `token.malformed`; there is no token.
        """
        proof = self._headers.get(PROOF_HEADER)
        if typ != ACCESS_TYPE:
            token = self._headers.get(TOKEN_HEADER, "")
        else:
            # RFC 9449 section 7.1: a bound token comes under `DPoP` with its proof; only an unbound one is a bearer's.
            scheme, _, token = self._headers.get("authorization", "").partition(" ")
            if token and scheme.lower() != ("bearer" if proof is None else "dpop"):
                raise TokenRefused("token.malformed", "`Authorization` is not of the scheme that goes with the token")
        if not token:
            raise TokenRefused("token.malformed", "no token came along")
        return token, proof

    def url(self, base: str) -> str:
        """The URL as this side knows it: `base` is configured; `Host` and `X-Forwarded-*` are the sender's to choose."""
        return base + self._raw_path


class ToolSide:
    """One tool's side: the verifier, and the URL under which callers reach it. Both frameworks' doors lead through `admit`.

    Raises:
        UsageError: `base_url` is not the URL of a place.
    """

    def __init__(self, verifier: Verifier, base_url: str, definitions: Mapping[str, str] | None = None) -> None:
        self.verifier = verifier
        self._base = place(base_url, "base_url=")
        self._definitions = dict(definitions or {})

    async def admit(self, request: Incoming, tool: str, arguments: Mapping[str, Plain]) -> CallClaims:
        """Use the request's token up for this call. Verifying waits for the store, so that it is done in a thread.

        Raises:
            TokenRefused: the request does not come with a token for this call.
        """
        if unseen := request.unseen():
            raise TokenRefused("token.binding", f"the request has a {unseen}, and it is no part of the tool's arguments")
        token, jwt = request.presented(self.verifier.typ)
        proof = Proof(jwt, request.method, request.url(self._base)) if jwt is not None else None
        known = self._definitions.get(tool)
        claims = await asyncio.to_thread(self.verifier.verify, token, tool=tool, arguments=arguments, proof=proof, definition=known)
        log.info("call of %s in task %s by %s admitted: token %s", tool, claims.task, visible(claims.agent, 100), claims.jti)
        return claims


def note(method: str, path: str, error: Exception) -> tuple[int, bytes]:
    """Tell our own log why a request was refused, and the sender that it was: status and body of the answer."""
    # Of an error that is none of ours only the class is told: its text may hold whatever it was working on.
    refused = error if isinstance(error, TokenRefused) else TokenRefused("token.undecided", f"{type(error).__name__} while deciding")
    log.warning("%s %s refused: %s: %s", visible(method, 20), visible(path, 200), refused.check, visible(refused.why, 500))
    return (503, UNDECIDED) if refused.check == "token.undecided" else (401, REFUSED)


def arguments_of(body: bytes) -> dict[str, Plain]:
    """A JSON object that every reader reads the same, and that `licet.canonical.digest` was made of (RFC 7493, RFC 8785).

    Numbers may be written in another form than they were judged in (`1.0`, `1e0`), and mean the same. A fraction with more digits than a
    double holds is refused: a tool that reads decimals would see another number than was judged.

    Raises:
        TokenRefused: `token.malformed`.
    """
    try:
        found = _DECODER.decode(body.decode("utf-8"))
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise TokenRefused("token.malformed", "the body is not JSON that any two readers would read the same") from error
    if type(found) is not dict:
        raise TokenRefused("token.malformed", "the body is not a JSON object")
    if _deeper(found, MAX_DEPTH):
        raise TokenRefused("token.malformed", "the body is nested deeper than a judged call can be")
    return found


def place(url: str, what: str) -> str:
    """A URL of a place, without a slash at its end.

    Raises:
        UsageError: it is no http(s) URL, or holds a user, a query or a fragment.
    """
    problem = f"{what} is the URL where callers reach the tool, as https://orders.acme.example, with no user, query or fragment"
    try:
        found = urlsplit(url)
        wrong = found.scheme not in ("http", "https") or not found.hostname or found.username is not None or (found.port == 0)
    except (ValueError, AttributeError, TypeError) as error:
        raise UsageError(problem) from error
    if wrong or found.query or found.fragment or url != url.strip():
        raise UsageError(problem)
    return url.rstrip("/")


def without_tokens(headers: Iterable[tuple[bytes, bytes]], typ: str) -> list[tuple[bytes, bytes]]:
    """The headers for the tool: a token that is used up is of no use to it, and would only find its way into logs."""
    ours = {TOKEN_HEADER, PROOF_HEADER} | ({"authorization"} if typ == ACCESS_TYPE else set())
    return [(name, value) for name, value in headers if name.decode("latin-1").lower() not in ours]


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("two members of one name")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _integer(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError("a number that takes long to read")
    return int(text)


def _exact(text: str) -> float:
    number = float(text)
    if not math.isfinite(number) or len(text) > _DIGITS or Decimal(text) != Decimal(repr(number)):
        raise ValueError("a number that a double does not hold")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_no_constant, parse_float=_exact, parse_int=_integer)


def _deeper(value: object, limit: int) -> bool:
    """Whether it is nested more than `limit` deep; level by level, so that depth costs no stack."""
    level = [value]
    for _ in range(limit + 1):
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())]
        if not level:
            return False
    return True
