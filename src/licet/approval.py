"""Asking a person. An approval is for one call with these arguments, is used once, and expires; only the value True approves."""

from __future__ import annotations

import asyncio
import contextvars
import getpass
import inspect
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TextIO

from licet.canonical import Plain
from licet.clock import iso
from licet.escape import plain_text, visible, visible_json
from licet.records import Decision, TaskRecord, ToolCall

TIMEOUT_SECONDS = 300.0
MAX_QUESTIONS = 5  # per task; what would ask again is denied

_SHOWN = 500  # characters of one argument


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """What a person is asked. `digest` binds the answer to these arguments; `expires` is in seconds since the epoch."""

    call: ToolCall
    decision: Decision
    task: TaskRecord
    arguments: Mapping[str, Plain]
    digest: str
    expires: float

    @property
    def text(self) -> str:
        """The question for a person: escaped, cut, one fact a line."""
        lines = [
            f"Task:   {plain_text(self.task.intent, _SHOWN)}",
            f"Agent:  {plain_text(self.task.agent, 100)} for {plain_text(self.task.principal, 100)}",
            f"Call:   {plain_text(self.call.tool, 100)}",
        ]
        lines += [
            f"        {visible(name, 100)} = {plain_text(visible_json(value, _SHOWN), _SHOWN * 2)}"
            for name, value in self.arguments.items()
        ]
        lines += [f"Why:    {plain_text(found.told, _SHOWN)} ({found.check})" for found in self.decision.reasons]
        return "\n".join([*lines, f"Valid:  until {iso(self.expires)}, for exactly this call, once"])


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question. `by` and `how` (was the person authenticated?) go into the ledger; `failure` is why nobody answered."""

    approved: bool
    by: str
    how: str
    failure: str = ""


class Approver(Protocol):
    """Any callable, sync or async, that answers a request. An attribute `identity` (who, how authenticated) is recorded."""

    def __call__(self, request: ApprovalRequest, /) -> bool | Awaitable[bool]:
        """True approves; any other answer refuses."""


class ConsoleApprover:
    """Asks on the terminal of this process."""

    def __init__(self, stdin: TextIO | None = None, stdout: TextIO | None = None) -> None:
        self._in, self._out = stdin or sys.stdin, stdout or sys.stderr
        self.identity = (getpass.getuser(), f"terminal of user id {os.getuid()}")

    def __call__(self, request: ApprovalRequest, /) -> bool:
        """Show the request; `yes`, written out, approves."""
        self._out.write(f"\n--- approval needed ---\n{request.text}\nApprove this call? Write yes to approve: ")
        self._out.flush()
        return self._in.readline().strip().lower() == "yes"


def ask(approver: Callable[[ApprovalRequest], object] | None, request: ApprovalRequest, seconds: float) -> Answer:
    """Ask and wait at most `seconds`. Never raises: an approver that fails has not approved."""
    if approver is None:
        return _nobody("nobody can be asked: no approver is set up")
    by, how = _identity(approver)
    box: list[Answer] = []

    def work() -> None:
        # In an empty context: what the approver itself calls is no part of the agent's task.
        box.append(contextvars.Context().run(_answer, approver, request, by, how))

    # A thread of its own, so that an approver that never answers does not keep the call for ever.
    thread = threading.Thread(target=work, name="licet-approval", daemon=True)
    thread.start()
    thread.join(seconds)
    return box[0] if box else _nobody(f"nobody answered within {seconds:g} s", by, how)


async def aask(approver: Callable[[ApprovalRequest], object] | None, request: ApprovalRequest, seconds: float) -> Answer:
    """`ask` without blocking the event loop; an async approver runs in this loop."""
    if approver is None or not _is_async(approver):
        return await asyncio.to_thread(ask, approver, request, seconds)
    by, how = _identity(approver)
    try:
        async with asyncio.timeout(seconds):
            result = approver(request)
            return Answer((await result if inspect.isawaitable(result) else result) is True, by, how)
    except TimeoutError:
        return _nobody(f"nobody answered within {seconds:g} s", by, how)
    # Whatever an approver raises, it has not approved.
    except Exception as error:  # noqa: BLE001 - see above
        return _nobody(f"the approver failed ({type(error).__name__})", by, how)


def _answer(approver: Callable[[ApprovalRequest], object], request: ApprovalRequest, by: str, how: str) -> Answer:
    try:
        result = approver(request)
        if inspect.isawaitable(result):
            result = asyncio.run(_wait(result))
    # Whatever an approver raises, it has not approved.
    except Exception as error:  # noqa: BLE001 - see above
        return _nobody(f"the approver failed ({type(error).__name__})", by, how)
    return Answer(result is True, by, how)


async def _wait(result: Awaitable[Any]) -> object:
    return await result


def _is_async(approver: Callable[..., object]) -> bool:
    return inspect.iscoroutinefunction(approver) or inspect.iscoroutinefunction(type(approver).__call__)


def _identity(approver: Callable[..., object]) -> tuple[str, str]:
    given = getattr(approver, "identity", None)
    if isinstance(given, tuple) and len(given) == 2:
        return str(given[0]), str(given[1])
    return getattr(approver, "__qualname__", type(approver).__qualname__), "callback, not authenticated"


def _nobody(why: str, by: str = "", how: str = "") -> Answer:
    return Answer(approved=False, by=by, how=how, failure=why)
