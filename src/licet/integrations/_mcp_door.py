"""One guard's door to one MCP server: each `tools/call` of a session is judged, sent as it was judged, and its answer looked into."""

from __future__ import annotations

import json
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeAlias

from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from licet.errors import UsageError
from licet.guard import Guard, GuardedTask, Ticket, current_call
from licet.integrations._mcp_listing import Listing, list_all
from licet.integrations._mcp_output import is_error, output_of
from licet.integrations._mcp_place import METHOD, Place, without_ours
from licet.records import ToolCall

try:
    from mcp import types
    from mcp.client.session import ClientSession
except ImportError as error:
    raise ImportError(f"mcp is missing, or too old ({error}); pip install 'licet[mcp]'") from error

try:  # version 2 of the SDK
    from mcp.shared.direct_dispatcher import DirectDispatcher
    from mcp.shared.exceptions import MCPError
except ImportError:  # version 1
    from mcp.shared.exceptions import McpError as MCPError  # type: ignore[attr-defined,no-redef]

    DirectDispatcher = None  # type: ignore[assignment,misc]

FRAMEWORK = "mcp"
Original: TypeAlias = Callable[..., Awaitable[Any]]

_TIMED_OUT = frozenset({-32001, 408})  # what the SDK itself says, in version 2 and 1; no answer came
_CLOSED = -32000
_KEPT = 1_000  # calls that a server has suspended


class TimedOut(BaseException):
    """No answer came: the tool may or may not have run. Its name is the `error.type` of the span; the caller gets the SDK's own error."""


class Disconnected(TimedOut):
    """The connection was closed before the answer came."""


class Suspended(Exception):
    """The server wants to be told something first. Only within this module; the caller gets the server's answer."""

    def __init__(self, result: Any) -> None:
        asked = getattr(result, "input_requests", None) or {}
        super().__init__(json.dumps({name: request.model_dump(mode="json", by_alias=True) for name, request in asked.items()}))
        self.result = result


@dataclass(slots=True, eq=False)
class _Permit:
    """A judged call on its way to the wire. It passes its door once; `outer`: another guard's, before the same session."""

    door: Door
    session: ClientSession
    ticket: Ticket
    outer: _Permit | None
    name: str
    arguments: str | None  # as JSON; None where they are none, which only an observed call has
    spent: bool = False


_permit: ContextVar[_Permit | None] = ContextVar("licet_mcp_permit", default=None)


class Door:
    """What `guard_session` puts before one session.

    `server` is the name under which the manifest has the server's tools (`server:tool`); `task` as for `Guard.begin`.
    """

    def __init__(self, guard: Guard, server: str | None, task: GuardedTask | str | None, place: Place) -> None:
        self.guard, self._task, self._place = guard, task, place
        self._prefix = f"{server}:" if server else ""
        self._listing = Listing()
        self._suspended: deque[tuple[str, str, str]] = deque(maxlen=_KEPT)  # tool, the server's state, id of the call

    async def call_tool(
        self, session: ClientSession, original: Original, name: str, arguments: Mapping[str, Any] | None, *, args: tuple[Any, ...],
        options: Mapping[str, Any],
    ) -> Any:  # fmt: skip
        """`ClientSession.call_tool`: `original`, if it is allowed, with the arguments that were judged; else an error result."""
        call, problem = await self._call(session, name, arguments, options, args[0] if args else options.get("read_timeout_seconds"))

        async def run(ticket: Ticket) -> Any:
            sent = arguments if ticket.values is None else dict(ticket.values)
            meta = without_ours(options.get("meta")) | self._place.proofs(named=bool(self._prefix))
            TraceContextTextMapPropagator().inject(meta)  # version 2 of the SDK does so itself, from its own span below this one
            given = {**options, "meta": meta}
            if options.get("allow_claimed"):
                given["allow_claimed"] = False  # how it ends would never come back here
            token = _permit.set(_Permit(self, session, ticket, _permit.get(), name, _json(sent)))
            try:
                result = await original(name, sent if sent or arguments is not None else None, *args, **given)
            except MCPError as error:
                _tell(ticket, error)
                raise
            except TimeoutError as error:
                raise TimedOut(str(error)) from error
            finally:
                _permit.reset(token)
            if isinstance(result, types.CallToolResult):
                return result
            self._suspended.append((call.tool, str(getattr(result, "request_state", None)), call.call_id or ""))
            raise Suspended(result)

        try:
            return await self.guard.aaround(
                call, run, _denied, task=self._task, problem=problem, failed=_failed, output=output_of, suspend=(Suspended,)
            )
        except Suspended as paused:
            return paused.result
        except TimedOut as unknown:
            raise unknown.__cause__ or unknown from None

    def pass_through(self, session: ClientSession, params: Any) -> None:
        """A `tools/call` goes to the wire.

        Raises:
            UsageError: nobody judged it, or it is not what was judged.
        """
        permit = _permit.get()
        while permit is not None and permit.door is not self:
            permit = permit.outer
        if permit is None or permit.session is not session or permit.spent:
            raise UsageError("this would send a `tools/call` that was not judged; use `session.call_tool`")
        permit.spent = True
        # What was put before the session ahead of the guard, or a subclass, stands between the judgement and the wire.
        same = permit.arguments is None or _json(getattr(params, "arguments", None)) == permit.arguments
        if getattr(params, "name", None) != permit.name or not same:
            raise UsageError(f"`{permit.name}` was judged, and the call was changed after that; guard the session first, and wrap it then")
        if (number := _request_id(session)) is not None:
            permit.ticket.note({"jsonrpc.request.id": str(number)})

    def saw(self, result: Any) -> None:
        """A page of `tools/list`."""
        self._listing.saw(result, self.guard.manifest.tools, self._prefix)

    async def _call(
        self, session: ClientSession, name: str, arguments: Mapping[str, Any] | None, options: Mapping[str, Any], waits: Any
    ) -> tuple[ToolCall, str]:
        tool, problem = self._prefix + name, ""
        if not self._prefix and ":" in name:
            problem = "a name with a colon is a tool of a server that was named, and this one was not (`server=`)"
        try:
            json.dumps(arguments, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            problem = "the arguments are not JSON, and nothing else can be sent"
        declared = self.guard.manifest.tools.get(tool)
        pinned = declared.definition if declared is not None else None
        if pinned is not None and name not in self._listing:
            await list_all(session, waits)
        shown = self._listing.of(name)
        definition = shown.last if pinned is None else shown.ever
        call = ToolCall(
            tool, arguments or {}, self._call_id(session, tool, options), FRAMEWORK, meta=self._said(session), definition=definition,
            # A server can write into its own schema whatever it wants to be sent: only one that was looked at counts.
            known=shown.names if pinned is not None and pinned == definition else None,
        )  # fmt: skip
        return call, problem

    def _call_id(self, session: ClientSession, tool: str, options: Mapping[str, Any]) -> str | None:
        """The call's id: by it a call that the server suspended is the same when it goes on."""
        outer = current_call()
        if outer is not None and outer.call.tool == tool:
            return outer.call.call_id  # a framework's tool of this name: this is its call
        if options.get("request_state") is not None or options.get("input_responses") is not None:
            state = str(options.get("request_state"))
            found = next((each for each in self._suspended if each[:2] == (tool, state)), None)
            if found is not None:
                self._suspended.remove(found)
                return found[2]
        # By the old protocol no call is ever suspended.
        suspends = options.get("allow_input_required") and getattr(session, "discover_result", None) is not None
        return f"mcp-{secrets.token_hex(8)}" if suspends else None

    def _said(self, session: ClientSession) -> dict[str, Any]:
        """What is known of the request before it is sent."""
        if _is_here(session):
            return {}
        version = getattr(session, "protocol_version", None)
        said = {"mcp.method.name": METHOD, **self._place.attributes}
        return said | {"mcp.protocol.version": version} if isinstance(version, str) else said


def _denied(ticket: Ticket) -> Any:
    # By their names on the wire the fields are the same in both versions of the SDK.
    return types.CallToolResult.model_validate({"content": [{"type": "text", "text": ticket.message}], "isError": True})


def _failed(result: object) -> str | None:
    return "the tool answered with an error" if is_error(result) else None


def _tell(ticket: Ticket, error: MCPError) -> None:
    """A server's error has a number; without an answer nobody knows what became of the call."""
    code = error.error.code
    if code in _TIMED_OUT:
        raise TimedOut(str(error)) from error
    if code == _CLOSED:
        raise Disconnected(str(error)) from error
    ticket.note({"rpc.response.status_code": str(int(code))})


def _json(arguments: Mapping[str, Any] | None) -> str | None:
    """The arguments as a text that nobody changes; None if they are no JSON."""
    try:
        return json.dumps(arguments or {}, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return None


def _is_here(session: ClientSession) -> bool:
    """Whether the server is in this process: then no request is written, and there is nothing to say of one."""
    return DirectDispatcher is not None and isinstance(getattr(session, "_dispatcher", None), DirectDispatcher)


def _request_id(session: ClientSession) -> int | None:
    """The number that the SDK is about to give to a request. It does so before it waits for anything."""
    if _is_here(session):
        return None
    number = getattr(session, "_request_id", None)  # version 1
    if isinstance(number, int):
        return number
    dispatcher = getattr(session, "_dispatcher", None)
    number, pending = getattr(dispatcher, "_next_id", None), getattr(dispatcher, "_pending", ())
    if not isinstance(number, int):
        return None
    number += 1
    while number in pending:
        number += 1
    return number
