"""Which task is current. The context variable follows asyncio tasks by itself; threads are taught to carry it."""

from __future__ import annotations

import functools
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# The tasks entered here, innermost last. A tuple, so that threads and asyncio tasks that share a task never share its stack.
_entered: ContextVar[tuple[object, ...]] = ContextVar("licet_tasks", default=())

_taught = threading.Lock()
_done = False


def current() -> object | None:
    """The innermost task entered in this thread or asyncio task."""
    entered = _entered.get()
    return entered[-1] if entered else None


def enter(task: object) -> None:
    """Make `task` the current one."""
    _entered.set((*_entered.get(), task))


def leave(task: object) -> None:
    """Go back to the task that was current before `task` was entered here; harmless where it never was."""
    entered = _entered.get()
    if task in entered:
        last = len(entered) - 1 - entered[::-1].index(task)
        _entered.set(entered[:last])


def in_task(task: object | None, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call `function` with `task` as the current task."""
    token = _entered.set((task,) if task is not None else ())
    try:
        return function(*args, **kwargs)
    finally:
        _entered.reset(token)


def teach_threads() -> None:
    """Let threads started, and work submitted to thread pools, inside a task run in that task. Done once per process.

    Only our own variable is carried, so that no other library's context changes. A pool's worker outlives the task in which it was
    started, so that each piece of work sets the variable anew, to None as well.
    """
    global _done  # noqa: PLW0603 - one switch per process, under a lock
    with _taught:
        if _done:
            return
        _done = True
        start, submit = threading.Thread.start, ThreadPoolExecutor.submit

        @functools.wraps(start)
        def start_in_task(self: threading.Thread, *args: Any, **kwargs: Any) -> None:
            task = current()
            if task is not None:
                self.run = functools.partial(in_task, task, self.run)  # type: ignore[method-assign]
            start(self, *args, **kwargs)

        @functools.wraps(submit)  # type: ignore[arg-type]
        def submit_in_task(self: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            return submit(self, in_task, current(), function, *args, **kwargs)

        threading.Thread.start = start_in_task  # type: ignore[method-assign]
        ThreadPoolExecutor.submit = submit_in_task  # type: ignore[method-assign, assignment]
