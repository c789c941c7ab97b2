"""One request, read strictly: each part of it is either looked at, or the request is refused with it.

The token covers the tool's arguments and nothing else. So a part that nobody looked at must not reach the tool; and what was looked at
must read the same on both sides, here and in the tool.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, quote

from licet.canonical import Plain
from licet.errors import TokenRefused, UsageError
from licet.snapshot import MAX_DEPTH
from licet.tokens import ACCESS_TYPE

TOKEN_HEADER, PROOF_HEADER = "licet-call-token", "dpop"

# What some frameworks take for the method or for the path instead of what was sent (and the proof covers).
_OVERRIDES = frozenset({"x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"})
_DIGITS = 1_000  # of one number
_ONCE = frozenset({TOKEN_HEADER, PROOF_HEADER, "authorization", "content-type", "content-encoding", "content-length"})
# RFC 7493 section 2.2 in 16 digits. `int()` takes `0_3`, ` 3` and other scripts' digits, and the tool sees the text.
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,15}", re.ASCII)


class Parameters(Mapping[str, Any]):
    """Named parts of a request, which notes which of them were read: by name, or all by `items()` and `dict()`."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self._read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        value = self._values[name]
        self._read.add(name)
        return value

    def __contains__(self, name: object) -> bool:  # to know that it is there is not to judge it
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def integer(self, name: str) -> int:
        """A whole number in its one form: decimal digits, no zero before them, at most 16.

        Raises:
            KeyError: there is none of this name.
            TokenRefused: `token.malformed`; it is not of that form.
        """
        value = self[name]
        if _WHOLE.fullmatch(str(value)) is None:
            raise TokenRefused("token.malformed", f"`{name[:40]}` is not a whole number in its plain form")
        return int(value)

    def unread(self) -> list[str]:
        """The names that nobody read."""
        return [name for name in self._values if name not in self._read]


class Incoming:
    """One request, for whoever says which call it is. What is not looked at does not reach the tool: the request is then refused.

    That is so for the body, the query and the path's parameters. Headers and cookies are not counted, as every request has some: where
    the tool acts by one, make an argument of it (`header`).
    """

    def __init__(self, scope: Mapping[str, Any]) -> None:
        """The request of an ASGI scope, without its body.

        Raises:
            TokenRefused: `token.malformed`; a header stands twice, or means another request than this.
        """
        self._headers: dict[str, str] = {}
        self._twice: set[str] = set()
        for raw_name, value in scope["headers"]:
            name = raw_name.decode("latin-1").lower()
            if name in _OVERRIDES:
                raise TokenRefused("token.malformed", f"the header `{name}` names another request than the one that was sent")
            if name in self._headers:
                if name in _ONCE:
                    raise TokenRefused("token.malformed", f"the header `{name}` stands twice")
                self._twice.add(name)
            self._headers[name] = value.decode("latin-1")
        raw = scope.get("raw_path") or quote(scope["path"]).encode("ascii")
        self._raw_path = raw.partition(b"?")[0].decode("latin-1")
        self._method, self._path = scope["method"], scope["path"]
        self._path_params = Parameters(scope.get("path_params", {}))
        self._raw_query, self._parsed = scope.get("query_string", b""), None
        self._body = b""
        self._seen: set[str] = set()

    _parsed: Parameters | None

    def with_body(self, body: bytes) -> Incoming:
        """The same request, with the body that was read."""
        self._body = body
        return self

    @property
    def method(self) -> str:
        """The method, as it was sent."""
        return str(self._method)

    @property
    def path(self) -> str:
        """The whole path, decoded. Whoever says which tool a request is must look at it (or at `path_params`)."""
        self._seen.add("path")
        return str(self._path)

    @property
    def path_params(self) -> Parameters:
        """What a router took out of the path. One that nobody reads is refused."""
        self._seen.add("path")
        return self._path_params

    @property
    def body(self) -> bytes:
        """The body's bytes. Make arguments of all of them: the token covers nothing else."""
        self._seen.add("body")
        return self._body

    @property
    def query(self) -> Parameters:
        """The query's parameters, as texts. One that nobody reads is refused.

        Raises:
            TokenRefused: `token.malformed`; a name stands twice, or it cannot be read in one way only.
        """
        if self._parsed is None:
            if b";" in self._raw_query:  # to some readers it parts two parameters
                raise TokenRefused("token.malformed", "the query holds a bare semicolon")
            try:
                text = self._raw_query.decode("ascii")
                pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict")
            except ValueError as error:
                raise TokenRefused("token.malformed", "the query cannot be read in one way only") from error
            if len(found := dict(pairs)) != len(pairs):
                raise TokenRefused("token.malformed", "the query holds two parameters of one name")
            self._parsed = Parameters(found)
        return self._parsed

    def header(self, name: str) -> str:
        """A header's value, to make an argument of it: headers that are nobody's argument are judged by nobody.

        Raises:
            KeyError: there is none.
            TokenRefused: `token.malformed`; it stands twice, and the tool may take the other.
        """
        if name.lower() in self._twice:
            raise TokenRefused("token.malformed", f"the header `{name[:40]}` stands twice")
        return self._headers[name.lower()]

    def json(self) -> dict[str, Plain]:
        """The body as the tool's arguments: one strict JSON object in UTF-8.

        Raises:
            TokenRefused: `token.malformed`; it is not, or it is encoded, or it says that it is something else.
            UsageError: the request is of a method without a body.
        """
        if self._method in ("GET", "HEAD"):
            raise UsageError(f"a {self._method} has no body to take arguments from: give a function that takes them from path and query")
        if self._headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise TokenRefused("token.malformed", "the body is encoded (`Content-Encoding`), and what is inside was not judged")
        media, *parameters = (part.strip().lower() for part in self._headers.get("content-type", "").split(";"))
        if media != "application/json" or any(part not in ("charset=utf-8", 'charset="utf-8"') for part in parameters):
            raise TokenRefused("token.malformed", "the body is not said to be `application/json` in UTF-8")
        return arguments_of(self.body)

    def knows_path(self) -> bool:
        """Whether anybody looked at the path."""
        return "path" in self._seen

    def unseen(self) -> str:
        """What of the request was not looked at, so that nobody judged it; empty if there is nothing."""
        if self._body and "body" not in self._seen:
            return "a body"
        if self._raw_query and self._parsed is None:
            return "a query"
        for what, found in (("query parameter", self._parsed), ("path parameter", self._path_params)):
            if found is not None and (names := found.unread()):
                return f"the {what} `{names[0][:40]}`"
        return ""

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
