"""Which task is current. The context variable follows asyncio tasks by itself; threads are taught to carry it."""

from __future__ import annotations

import functools
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context

if TYPE_CHECKING:
    from collections.abc import Callable

# The tasks entered here, innermost last. A tuple, so that threads and asyncio tasks that share a task never share its stack.
_entered: ContextVar[tuple[object, ...]] = ContextVar("licet_tasks", default=())

# What was current in traces before each of them was entered here. The token with which OpenTelemetry goes back is good in the very context
# in which it was made, and a block can be left in another one (an asyncio task, a fixture).
_before: ContextVar[tuple[tuple[object, otel_context.Context], ...]] = ContextVar("licet_traces", default=())

_carried: list[ContextVar[Any]] = [_entered]  # what a thread takes along from the one that started it

_taught = threading.Lock()
_done = False


def current() -> object | None:
    """The innermost task entered in this thread or asyncio task."""
    entered = _entered.get()
    return entered[-1] if entered else None


def enter(task: object, trace: otel_context.Context | None = None) -> None:
    """Make `task` the current one, and its span, in `trace`, the current span."""
    _entered.set((*_entered.get(), task))
    if trace is not None:
        _before.set((*_before.get(), (task, otel_context.get_current())))
        otel_context.attach(trace)


def leave(task: object) -> None:
    """Go back to the task that was current before `task` was entered here; harmless where it never was."""
    entered = _entered.get()
    if task in entered:
        last = len(entered) - 1 - entered[::-1].index(task)
        _entered.set(entered[:last])
    before = _before.get()
    for index in reversed(range(len(before))):
        if before[index][0] is task:
            _before.set(before[:index])
            otel_context.attach(before[index][1])
            break


def carry(variable: ContextVar[Any]) -> ContextVar[Any]:
    """Let threads take this variable along too. Returns it."""
    _carried.append(variable)
    return variable


@dataclass(frozen=True, slots=True)
class TakenAlong:
    """What a thread, or a piece of work, takes along: our own variables, and, inside a task, the current span."""

    values: tuple[tuple[ContextVar[Any], Any], ...]
    trace: otel_context.Context | None


def taken_along() -> TakenAlong:
    """What a thread that is started here takes along. Of the tasks only the innermost: the others end with their blocks."""
    entered = _entered.get()[-1:]
    values = tuple((variable, entered if variable is _entered else variable.get()) for variable in _carried)
    return TakenAlong(values, otel_context.get_current() if entered else None)


def with_these(taken: TakenAlong, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call `function` with what was taken along."""
    tokens = [(variable, variable.set(value)) for variable, value in taken.values]
    attached = otel_context.attach(taken.trace) if taken.trace is not None else None
    try:
        return function(*args, **kwargs)
    finally:
        if attached is not None:
            otel_context.detach(attached)
        for variable, token in tokens:
            variable.reset(token)


def teach_threads() -> None:
    """Let threads started, and work submitted to thread pools, inside a task run in that task. Done once per process.

    Only our own variables are carried, and inside a task the current span, so that what a tool does in threads stands under its call; no
    other library's context changes. A pool's worker outlives the task in which it was
    started, so that each piece of work sets them anew, to nothing as well.
    """
    global _done  # noqa: PLW0603 - one switch per process, under a lock
    with _taught:
        if _done:
            return
        _done = True
        start, submit = threading.Thread.start, ThreadPoolExecutor.submit

        @functools.wraps(start)
        def start_in_task(self: threading.Thread, *args: Any, **kwargs: Any) -> None:
            if current() is not None:
                self.run = functools.partial(with_these, taken_along(), self.run)  # type: ignore[method-assign]
            start(self, *args, **kwargs)

        @functools.wraps(submit)  # type: ignore[arg-type]
        def submit_in_task(self: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            return submit(self, with_these, taken_along(), function, *args, **kwargs)

        threading.Thread.start = start_in_task  # type: ignore[method-assign]
        ThreadPoolExecutor.submit = submit_in_task  # type: ignore[method-assign, assignment]
