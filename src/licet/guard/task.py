"""One run of a task kind: what a `with guard.task(...)` block holds."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol

from licet.budgets import TaskBudgets
from licet.errors import UsageError
from licet.guard.context import current, enter, leave
from licet.locks import Lock
from licet.records import Finding, TaskRecord
from licet.scope import Scope

if TYPE_CHECKING:
    from licet.guard.clean import Clean
    from licet.guard.proofs import Names
    from licet.telemetry import CallSpan

TurnKind = Literal["intent", "say", "value", "quote", "observe"]


@dataclass(frozen=True, slots=True)
class Turn:
    """Text that entered the task, and as what: only `intent` and `say` are the user's own words."""

    kind: TurnKind
    text: str
    name: str = ""


class TaskLife(Protocol):
    """What keeps tasks: where a task begins, ends, and asks whether it is over."""

    def begin(self, task: GuardedTask) -> None:
        """Record the beginning."""

    def end(self, task: GuardedTask, by: str, failed: str = "") -> None:
        """Record the end; `failed` is the class of the exception that ended it."""

    def left(self, task: GuardedTask) -> None:
        """No block holds the detached task open any more."""

    def turned(self, task: GuardedTask, turn: Turn) -> None:
        """Record that text entered."""

    def over(self, task: GuardedTask) -> str:
        """Why the task is over; empty while it is open."""

    def now(self) -> float:
        """The guard's time, in seconds since the epoch."""


class GuardedTask:
    """An open task. Use it with `with` or `async with`; leaving the block ends it, unless it is detached."""

    def __init__(
        self, tasks: TaskLife, record: TaskRecord, scope: Scope, budgets: tuple[TaskBudgets, ...], parent: GuardedTask | None
    ) -> None:
        self.record = record
        self.scope = scope
        self.budgets = budgets
        self.parent = parent
        self.above: tuple[GuardedTask, ...] = () if parent is None else (parent, *parent.above)
        self.turns: list[Turn] = [Turn("intent", record.intent)]
        self._tasks = tasks
        self._secret = secrets.token_hex(16)
        self._begun = False
        self._ended = record.ended is not None
        self._monotonic = 0.0
        self._paused = record.paused
        self._waited_until = -math.inf  # on the monotonic clock: up to here, waiting has been given back
        self._span: CallSpan | None = None
        self.calls = self.denied = 0  # that were decided here, and of those the refused ones
        self.findings: list[Finding] = []  # about the task itself, and not about one of its calls
        self.principal_id = ""  # what stands for the principal in traces
        self.names: Names | None = None  # with the proofs of them, until the task is taken up in another process
        self.filled: tuple[tuple[int, int], ...] = ()  # where values stand in the intent that the user did not write
        self.resumed = False  # begun in another process
        self.account: Clean | None = None  # what the records of its calls say of it
        self._entered = 0
        self._lock = Lock()

    @property
    def id(self) -> str:
        """The task's id: `txn` of its tokens, `licet.task.id` of its spans."""
        return self.record.id

    @property
    def handle(self) -> str:
        """The id with this run's secret: what may name the task from outside (a framework's context). Keep it from the model."""
        return f"{self.record.id}.{self._secret}"

    @property
    def agents(self) -> tuple[str, ...]:
        """Who acts, the present agent first, then those that delegated."""
        return (self.record.agent, *(self.parent.agents if self.parent else ()))

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """The digests of the scope's layers: those of a sub-task begin with those of the task above it."""
        return tuple(layer.digest for layer in self.scope.layers)

    @cached_property
    def budget_digests(self) -> tuple[str, ...]:
        """The digests of the budgets in which the task's calls are counted: those of a sub-task begin with those of the task above it."""
        return tuple(budgets.digest for budgets in reversed(self.budgets))

    @property
    def position(self) -> tuple[str, str]:
        """Trace id and span id under which its calls stand: of the span that is open here, else of the one with which the task began."""
        span = self._span
        return span.position if span is not None else (self.record.trace_id, self.record.span_id)

    @property
    def depth(self) -> int:
        """0 for a task of its own, 1 for its sub-tasks, and so on."""
        return self.parent.depth + 1 if self.parent else 0

    def say(self, text: str) -> str:
        """A later turn of the same user: it is intent, as the first text was. Returns the text."""
        return self._turn("say", text)

    def quote(self, text: str) -> str:
        """Text that the user handed on without having written it (a pasted mail): not intent. Returns the text."""
        return self._turn("quote", text)

    def observe(self, text: str) -> str:
        """Model input that no guarded call produced (retrieved context, memory): not intent. Returns the text."""
        return self._turn("observe", text)

    def _turn(self, kind: TurnKind, text: str) -> str:
        if not isinstance(text, str):
            raise UsageError(f"a turn is text, not {type(text).__name__}")
        self.turns.append(Turn(kind, text))
        self._tasks.turned(self, self.turns[-1])
        return text

    def count(self, *, denied: bool) -> None:
        """Count one call that was decided."""
        with self._lock:
            self.calls += 1
            self.denied += denied

    @property
    def entered(self) -> bool:
        """Whether a `with` block holds it open."""
        return self._entered > 0

    def now(self) -> float:
        """The guard's time, in seconds since the epoch."""
        return self._tasks.now()

    def over(self) -> str:
        """Why this task, or one above it, is over; empty while it is open."""
        return self._tasks.over(self)

    def end(self, by: str = "program") -> None:
        """End the task. Ending it twice is harmless."""
        self._tasks.end(self, by)

    def __enter__(self) -> GuardedTask:
        self._tasks.begin(self)
        with self._lock:
            self._entered += 1
        enter(self, self._span.context if self._span is not None else None)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        leave(self)
        with self._lock:
            self._entered -= 1
            last = self._entered == 0
        if last and self.record.detached:
            self._tasks.left(self)
        elif last:
            failed = "" if error is None else type(error).__name__
            self._tasks.end(self, f"block left by {failed}" if failed else "block left", failed)

    async def __aenter__(self) -> GuardedTask:
        return self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.__exit__(kind, error, trace)

    def __repr__(self) -> str:
        return f"GuardedTask(id={self.id!r}, kind={self.record.kind!r})"


def lineage(task: GuardedTask | None) -> tuple[GuardedTask, ...]:
    """The task, and those above it."""
    return () if task is None else (task, *task.above)


def interpolate(intent: str, values: Mapping[str, str]) -> tuple[str, list[Turn], list[tuple[int, int]]]:
    """Fill `{name}` places of the intent; what is filled in is not the user's own words, and is remembered apart, with where it stands.

    Raises:
        UsageError: a place has no value, a value has no place, or a value is not text.
    """
    if not values:
        return intent, [], []
    text = intent
    for name, value in values.items():
        if not isinstance(value, str):
            raise UsageError(f"values[{name!r}] is not text")
        if f"{{{name}}}" not in intent:
            raise UsageError(f"the intent has no place {{{name}}} for values[{name!r}]")
    # One pass over the intent, so that a value that looks like a place is not filled in again.
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    length = 0
    while text:
        before, brace, rest = text.partition("{")
        parts.append(before)
        length += len(before)
        if not brace:
            break
        name, closing, after = rest.partition("}")
        if not closing or name not in values:
            raise UsageError(f"the intent has a place {{{name}}} without a value" if closing else "the intent has a `{` without a `}`")
        parts.append(values[name])
        spans.append((length, length + len(values[name])))
        length = spans[-1][1]
        text = after
    return "".join(parts), [Turn("value", value, name) for name, value in values.items()], spans


def current_task() -> GuardedTask | None:
    """The innermost task entered in this thread or asyncio task."""
    found = current()
    return found if isinstance(found, GuardedTask) else None
