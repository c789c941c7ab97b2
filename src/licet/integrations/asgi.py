"""The tool's side of call tokens for any ASGI application: a request reaches the tool only with a token for exactly that call.

    app = CallTokens(app, Verifier(jwks, issuer=..., audience=..., state=store), base_url="https://orders.acme.example",
                     call={"POST /pay_back": "pay_back"}, open={"/health"})

`call` says which call a request is. A table names the tool of each method and path; the arguments are then the body, one JSON object.
For arguments elsewhere it is a function from `Incoming` to the tool's name and its arguments:

    def call(request: Incoming) -> tuple[str, dict]:
        if (request.method, request.path) == ("GET", "/orders"):
            return "find_order", {"number": request.query.integer("number")}
        raise LookupError("no tool")

Everything is protected but the paths in `open`, exactly as written; paths are whole, also where this is mounted below one. What of a
request nobody looked at (a body, a parameter of the query or path) is refused with it. Look strictly: `int()` takes `0_3` and ` 3`, of
which the tool sees the text. Headers and cookies are nobody's argument, unless you make one of them (`request.header`). The tool finds
who calls in `scope["state"]["licet_call"]`, or anywhere below by `verified_call()`.

It needs asyncio, and nothing but the ASGI protocol. Put it outermost: what stands outside of it sees tokens, and what changes a body
on the way in changes what was judged. A CORS preflight carries no token and is refused; a middleware that answers those stands outside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import Any

from licet.canonical import Plain
from licet.errors import TokenRefused, UsageError
from licet.integrations._incoming import Incoming
from licet.integrations._tool_side import CHALLENGE, MAX_BODY, ToolSide, note, verified, without_tokens
from licet.telemetry.remote import continued
from licet.tokens import CallClaims, Verifier

__all__ = ["CallTokens", "Incoming", "verified_call"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
ToCall = Callable[[Incoming], tuple[str, Mapping[str, Plain]]]

_METHODS = frozenset({"DELETE", "PATCH", "POST", "PUT", "QUERY"})  # those that may have a body


class CallTokens:
    """ASGI middleware that lets a request through with a call token for that very call, and refuses every other.

    Args:
        app: the tool.
        verifier: whose tokens are taken, for which audience; its `typ` says in which header they come.
        call: which call a request is: a table from `METHOD /path` to the tool's name, or a function, as for every GET.
        base_url: where callers reach the tool: what the proof's URL must begin with. What a request says of itself is not asked.
        open: paths that need no token.
        max_body: how many bytes of a body are read.
        body_seconds: how long a body may take to arrive.
        definitions: the digest of each tool's definition, where this side knows it (`guard.definitions`).

    Raises:
        UsageError: an argument cannot be meant.
    """

    def __init__(
        self,
        app: App,
        verifier: Verifier,
        *,
        call: Mapping[str, str] | ToCall,
        base_url: str,
        open: Collection[str] = (),
        max_body: int = MAX_BODY,
        body_seconds: float = 10.0,
        definitions: Mapping[str, str] | None = None,
    ) -> None:
        if isinstance(open, str) or not all(path.startswith("/") for path in open):
            raise UsageError("open= is a collection of paths that begin with `/`")
        if max_body < 1 or body_seconds <= 0:
            raise UsageError("max_body= is at least 1 byte, and body_seconds= more than 0")
        if isinstance(call, Mapping) and (both := [name for name in call if name.partition(" ")[2] in open]):
            raise UsageError(f"open= lets a path through without a token, and call= asks for one: {both[0]!r}")
        self._app, self._side = app, ToolSide(verifier, base_url, definitions)
        self._call = _by_table(call) if isinstance(call, Mapping) else call
        self._open, self._max_body, self._body_seconds = frozenset(open), max_body, body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection, as the ASGI specification has it."""
        kind = scope["type"]
        if kind == "lifespan" or (kind in ("http", "websocket") and self._is_open(scope)):
            await self._app(scope, receive, send)
        elif kind == "http":
            await self._http(scope, receive, send)
        elif kind == "websocket":
            # One token is for one call, and a socket carries any number.
            note("WEBSOCKET", scope["path"], TokenRefused("token.binding", "a WebSocket is not one call"))
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            raise UsageError(f"a connection of type {kind!r} is not known here, and not let through")

    def _is_open(self, scope: Scope) -> bool:
        # Only in its plain form: what is written otherwise (`/%68ealth`) may be another path to whom the tool asks.
        path: str = scope["path"]
        raw = scope.get("raw_path")
        return path in self._open and (raw is None or raw.partition(b"?")[0] == path.encode())

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        claims = None
        try:
            request = Incoming(scope)
            claims = await self._side.known(request)  # without a token of ours, no body is waited for, nor parsed
            body = await self._in_time(scope, receive)
            if body is None:
                return  # the sender is gone, and the token is still unused
            tool, arguments = self._which(request.with_body(body))
            claims = await self._side.admit(request, tool, arguments)
        except Exception as error:  # noqa: BLE001 - could not decide is a refusal, whatever it was
            await _refuse(scope, send, error, claims)
            return
        headers = without_tokens(scope["headers"], self._side.verifier.typ)
        inner = {**scope, "headers": headers, "state": {**scope.get("state", {}), "licet_call": claims}}
        held = verified.set(claims)
        try:
            with continued(headers):
                await self._app(inner, _again(body, receive), send)
        finally:
            verified.reset(held)

    def _which(self, request: Incoming) -> tuple[str, Mapping[str, Plain]]:
        try:
            found = self._call(request)
        except UsageError:
            raise  # it says what is wrong here, and the request is no worse for it
        except (LookupError, ValueError, TypeError) as error:
            raise TokenRefused("token.binding", f"the request is not a call of a tool ({type(error).__name__} in call=)") from error
        if not request.knows_path():  # then a token for one path's tool would open all paths
            raise UsageError("call= did not look at the request's path, so that it cannot know which tool this is")
        return found

    async def _in_time(self, scope: Scope, receive: Receive) -> bytes | None:
        try:
            return await asyncio.wait_for(self._body(scope, receive), self._body_seconds)
        except TimeoutError as error:
            raise TokenRefused("token.malformed", f"the body did not arrive within {self._body_seconds:g} s") from error

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body; None if the sender is gone. It is never half a body, and never more than `max_body`."""
        for name, value in scope["headers"]:
            if name.lower() == b"content-length" and (not value.isdigit() or int(value) > self._max_body):
                raise TokenRefused("token.malformed", f"the body is longer than {self._max_body} bytes")
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return None
            size += len(part := message.get("body", b""))
            if size > self._max_body:
                raise TokenRefused("token.malformed", f"the body is longer than {self._max_body} bytes")
            parts.append(part)
            more = message.get("more_body", False)
        return b"".join(parts)


def verified_call() -> CallClaims | None:
    """The verified call that this request is; None outside of one, and on an open path."""
    return verified.get()


def _by_table(table: Mapping[str, str]) -> ToCall:
    for name, tool in table.items():
        method, _, path = name.partition(" ")
        if method in ("GET", "HEAD"):
            raise UsageError(
                f"{name!r}: a {method} has no body to take arguments from; give call= a function, which takes them from the query"
            )
        if method not in _METHODS or not path.startswith("/") or not tool:
            raise UsageError(f"call= is a table from `METHOD /path` to a tool's name; {name!r} is not of that form")

    def call(request: Incoming) -> tuple[str, Mapping[str, Plain]]:
        tool = table.get(f"{request.method} {request.path}")
        if tool is None:
            raise TokenRefused("token.binding", "no tool is declared for this method and path")
        dict(request.path_params)  # the path is whole here, so that these are judged with it
        return tool, request.json()

    return call


def _again(body: bytes, receive: Receive) -> Receive:
    """The body that was read, once more, for the tool; then whatever comes after it."""
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _refuse(scope: Scope, send: Send, error: Exception, claims: CallClaims | None) -> None:
    status, body = note(scope["method"], scope["path"], error, claims)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
    if status == 401:
        headers.append((b"www-authenticate", CHALLENGE.encode("ascii")))
    if scope.get("http_version", "1.1").startswith("1"):
        headers.append((b"connection", b"close"))  # a body that was not read may still be on its way
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
