"""Asking a person. An approval is for one call with these arguments, is used once, and expires; only the value True approves."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import inspect
import io
import logging
import os
import select
import sys
import termios
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TextIO

from licet.canonical import Plain
from licet.clock import Clock, SystemClock, iso
from licet.errors import traced
from licet.escape import plain_text, visible, visible_json
from licet.machine import user_name
from licet.records import Decision, TaskRecord, ToolCall

_log = logging.getLogger("licet")
TIMEOUT_SECONDS = 300.0
MAX_QUESTIONS = 5  # per task; what would ask again is denied

_SHOWN = 500  # characters of one argument
_TRIES = 3  # how often what answers no question, or another one, is passed over
_LONGEST_ANSWER = 1_000  # bytes


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
    def code(self) -> str:
        """Four characters that stand for this question, so that an answer to another one is not taken for an answer to it."""
        told = "\0".join((self.task.id, ascii(self.call.tool), self.digest, repr(self.expires)))
        return hashlib.sha256(told.encode()).hexdigest()[:4]

    @property
    def text(self) -> str:
        """The question for a person: escaped, cut, one fact a line."""
        names = [plain_text(name, 100) for name in (self.task.agent, self.task.principal)]
        lines = [
            f"Task:   {plain_text(self.task.intent, _SHOWN)}",
            f"Agent:  {names[0]} ({self.task.agent_is}) for {names[1]} ({self.task.principal_is})",
            f"Call:   {plain_text(self.call.tool, 100)}",
        ]
        lines += [
            f"        {visible(name, 100)} = {plain_text(visible_json(value, _SHOWN), _SHOWN * 2)}"
            for name, value in self.arguments.items()
        ]
        if self.call.reason:
            lines.append(f"Says:   {plain_text(self.call.reason, _SHOWN)}")  # the agent's own words
        for found in self.decision.reasons:
            lines.append(f"Why:    {plain_text(found.told, _SHOWN)} ({found.check})")
            if found.value:  # the one place where a traced value is shown: to the person who is asked about it
                lines.append(f"        it is {visible_json(plain_text(found.value, _SHOWN), _SHOWN * 2)}")
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
        """True approves, False refuses; anything else is no answer, and the call is denied."""


_terminal = threading.Lock()  # a process has one terminal, and one person before it: one question at a time


class ConsoleApprover:
    """Asks on the terminal of this process, one question at a time. `yes` with the code of the question approves.

    What was typed before the question is thrown away, and a question that has expired takes no answer.
    """

    def __init__(self, stdin: TextIO | None = None, stdout: TextIO | None = None, clock: Clock | None = None) -> None:
        self._in, self._out, self._clock = stdin or sys.stdin, stdout or sys.stderr, clock or SystemClock()
        self.identity = (user_name(), f"terminal of user id {os.getuid()}")

    def __call__(self, request: ApprovalRequest, /) -> bool:
        """Show the request; `yes` and its code, written out, approves.

        Raises:
            TimeoutError: nobody answered before the request expired.
            EOFError: the terminal is closed, so that nobody can answer.
        """
        deadline = time.monotonic() + request.expires - self._clock.now()
        if deadline <= time.monotonic() or not _terminal.acquire(timeout=deadline - time.monotonic()):
            raise TimeoutError
        try:
            return self._ask(request, deadline)
        except TimeoutError:
            self._say("\nNo answer in time; this question is closed.\n")
            raise
        finally:
            _terminal.release()

    def _ask(self, request: ApprovalRequest, deadline: float) -> bool:
        descriptor = _descriptor(self._in)
        if descriptor is not None and os.isatty(descriptor):
            termios.tcflush(descriptor, termios.TCIFLUSH)
        wanted = f"yes {request.code}"
        self._say(f"\n--- approval needed ---\n{request.text}\nApprove this call? Write `{wanted}` to approve, `no` to refuse: ")
        for _ in range(_TRIES):
            answer = self._in.readline(_LONGEST_ANSWER) if descriptor is None else _read_line(descriptor, deadline)
            if self._clock.now() >= request.expires:
                raise TimeoutError
            if not answer:
                raise EOFError("the terminal is closed")
            said = " ".join(answer.split()).lower()
            if said == wanted:
                return True
            if said.partition(" ")[0] != "yes":
                return False
            self._say(f"That does not answer this question. Write `{wanted}` to approve, `no` to refuse: ")
        return False

    def _say(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def _descriptor(stream: TextIO) -> int | None:
    """The file descriptor below a stream; None for one that has none, such as text in memory."""
    try:
        return stream.fileno()
    except (OSError, AttributeError, io.UnsupportedOperation):
        return None


def _read_line(descriptor: int, deadline: float) -> str:
    """One line, if it comes before the deadline. No longer: a question that nobody waits for would take the next one's answer.

    Byte by byte, and past the stream's own buffer, which may hold what was typed before.
    """
    line = b""
    while len(line) < _LONGEST_ANSWER and not line.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        byte = os.read(descriptor, 1)
        if not byte:
            break
        line += byte
    return line.decode("utf-8", "replace")


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

    async def work() -> object:
        result = approver(request)
        return await result if inspect.isawaitable(result) else result

    # As in `ask`: an empty context, and an approver that never answers (or does not let itself be cancelled) is not waited for.
    task = asyncio.create_task(work(), context=contextvars.Context())
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        late = task.cancel()
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # what comes too late is nobody's error
    if late:
        return _nobody(f"nobody answered within {seconds:g} s", by, how)
    if task.cancelled():
        return _nobody("the approver failed (CancelledError)", by, how)
    # Whatever an approver raises, it has not approved.
    if (error := task.exception()) is not None:
        return _nobody(f"the approver failed ({type(error).__name__})", by, how)
    return _said(task.result(), by, how)


def _answer(approver: Callable[[ApprovalRequest], object], request: ApprovalRequest, by: str, how: str) -> Answer:
    try:
        result = approver(request)
        if inspect.isawaitable(result):
            result = asyncio.run(_wait(result))
    except TimeoutError:
        return _nobody("nobody answered in time", by, how)
    # Whatever an approver raises, it has not approved.
    except Exception as error:  # noqa: BLE001 - see above
        _log.warning("licet: the approver failed: %s", traced(error))
        return _nobody(f"the approver failed ({type(error).__name__})", by, how)
    return _said(result, by, how)


def _said(result: object, by: str, how: str) -> Answer:
    """Only True approves and only False refuses: a record must not say that a person refused when a program answered nonsense."""
    if isinstance(result, bool):
        return Answer(result, by, how)
    return _nobody(f"the approver answered with {type(result).__name__}, and only True or False is an answer", by, how)


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
