"""MCP: the client's side of the protocol, for versions 1 and 2 of the Python SDK.

    async with Client(StdioServerParameters(command="my-server")) as client:
        guard_session(guard, client, server="files")       # the manifest has its tools as `files:read_file`, `files:write_file`
        await client.call_tool("read_file", {"path": "notes.txt"})

    undo = guard.install("mcp")                            # or every session of this process, whoever made it

A refused call is an error result that the model reads, and the server never hears of it. What is sent is what was judged. The answer is
looked into: structured content where the text beside it says just that, else every text. `tools/list` is no call.

The trace goes along in `params._meta` (`traceparent`), and so does the call's token where the tool declares an `audience:` and the server
is that (`at=`): `licet/call-token`, and the proof `licet/call-proof`, a DPoP of method `tools/call` and the audience.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from licet.errors import UsageError
from licet.guard import Guard, GuardedTask
from licet.integrations._mcp_door import Door, Original
from licet.integrations._mcp_listing import LISTING
from licet.integrations._mcp_place import METHOD, PROOF_KEY, TOKEN_KEY, Place, place_of

try:
    from mcp.client.session import ClientSession
except ImportError as error:
    raise ImportError(f"mcp is missing, or too old ({error}); pip install 'licet[mcp]'") from error

__all__ = ["PROOF_KEY", "TOKEN_KEY", "guard_session", "install"]

S = TypeVar("S")
_SERVER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}", re.ASCII)

_doors: WeakKeyDictionary[ClientSession, list[Door]] = WeakKeyDictionary()
"""Who guards a session by `guard_session`."""


def guard_session(
    guard: Guard, session: S, *, server: str | None = None, task: GuardedTask | str | None = None, at: str | None = None
) -> S:
    """Guard every tool call of one `ClientSession`, or of one entered `Client` (version 2). The answer is the same object.

    Args:
        server: a name of our own for the server, and not what it calls itself: the manifest then has its tools as `server:tool`. Give one
            wherever there is more than one server, or two of them can have a tool of one name.
        task: the task that all calls belong to, or its handle; by default the current one of each call.
        at: where the server is: `stdio`, or its URL. A `Client` that was made from either knows.

    Raises:
        UsageError: it is no session, or is guarded by this guard already; `server` or `at` is not of its form.
    """
    if server is not None and not _SERVER.fullmatch(server):
        raise UsageError("server= is a name of letters, digits, `_`, `.` and `-`, as in server='files'")
    found = session if isinstance(session, ClientSession) else _session_of(session)
    place = place_of(at, session)
    doors = _doors.setdefault(found, [])
    if any(door.guard is guard for door in doors):
        raise UsageError("this session is guarded by this guard already")
    door = Door(guard, server, task, place)
    _put_before(found, door)
    doors.append(door)
    return session


def _session_of(client: object) -> ClientSession:
    try:
        found = getattr(client, "session", None)
    except RuntimeError as error:  # what a `Client` says outside of its `async with`
        raise UsageError("enter the client first: async with Client(...) as client: guard_session(guard, client)") from error
    if not isinstance(found, ClientSession):
        raise UsageError("guard_session takes a ClientSession or a Client of the MCP SDK")
    return found


def _put_before(session: Any, door: Door) -> None:
    """`door` before the two methods of this session through which calls and listings go."""
    call_tool, send_request = _present(session, "call_tool"), _present(session, "send_request")

    @functools.wraps(ClientSession.call_tool)
    async def judged(name: str, arguments: dict[str, Any] | None = None, *args: Any, **options: Any) -> Any:
        return await door.call_tool(session, call_tool, name, arguments, args=args, options=options)

    @functools.wraps(ClientSession.send_request)
    async def sent(request: Any, *args: Any, **options: Any) -> Any:
        return await _send([door], session, functools.partial(send_request, request, *args, **options), request)

    for method in (judged, sent):
        del method.__wrapped__
    session.call_tool, session.send_request = judged, sent


def _present(session: Any, name: str) -> Original:
    """A session's method as it is now: one put before it, else its class's when it is called, which `install` may have changed by then."""
    own: Original | None = vars(session).get(name)
    return own or (lambda *args, **options: getattr(type(session), name)(session, *args, **options))


async def _send(doors: Iterable[Door], session: ClientSession, send: Original, request: Any) -> Any:
    """A request by `send`, past the doors: a call only as it was judged, and of a listing they see what the session is shown."""
    whole = getattr(request, "root", request)
    method = getattr(whole, "method", None)
    if method == METHOD:
        for door in doors:
            door.pass_through(session, getattr(whole, "params", None))
    result = await send()
    if method == LISTING:
        for door in doors:
            door.saw(result)
    return result


# Every session of the process -----------------------------------------------------------------------------------------------


class _Layer:
    """One guard before all sessions."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._doors: WeakKeyDictionary[ClientSession, Door] = WeakKeyDictionary()

    def door(self, session: ClientSession) -> Door | None:
        """The door of this guard to a session; None where it has one of its own."""
        if any(door.guard is self.guard for door in _doors.get(session, ())):
            return None
        return self._doors.setdefault(session, Door(self.guard, None, None, Place()))


_installed: list[_Layer] = []
_originals: dict[str, Original] = {name: getattr(ClientSession, name) for name in ("call_tool", "send_request")}


def install(guard: Guard) -> Callable[[], None]:
    """Guard each session of this process, those that are open too; see `Guard.install`. The answer takes it back.

    The manifest has the tools by their bare names. A session with its own name (`guard_session(..., server=)`) keeps it.
    """
    layer = _Layer(guard)
    if not _installed:
        for name, method in (("call_tool", _call_tool), ("send_request", _send_request)):
            setattr(ClientSession, name, method)
    _installed.append(layer)

    def undo() -> None:
        if layer in _installed:
            _installed.remove(layer)
        if not _installed:
            for name, original in _originals.items():
                setattr(ClientSession, name, original)

    return undo


def _layers(session: ClientSession) -> list[Door]:
    return [door for layer in _installed if (door := layer.door(session)) is not None]


@functools.wraps(_originals["call_tool"])
async def _call_tool(self: ClientSession, name: str, arguments: dict[str, Any] | None = None, *args: Any, **options: Any) -> Any:
    call: Original = functools.partial(_originals["call_tool"], self)
    for door in _layers(self):
        call = _within(door, self, call)
    return await call(name, arguments, *args, **options)


def _within(door: Door, session: ClientSession, call: Original) -> Original:
    async def judged(name: str, arguments: dict[str, Any] | None = None, *args: Any, **options: Any) -> Any:
        return await door.call_tool(session, call, name, arguments, args=args, options=options)

    return judged


@functools.wraps(_originals["send_request"])
async def _send_request(self: ClientSession, request: Any, *args: Any, **options: Any) -> Any:
    send = functools.partial(_originals["send_request"], self, request, *args, **options)
    return await _send(_layers(self), self, send, request)
