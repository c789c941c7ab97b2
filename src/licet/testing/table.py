"""A table of calls against a manifest: what is allowed, what asks a person, what is denied, and by which check."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from licet.escape import visible, visible_json
from licet.guard import Guard, GuardedTask, Ticket
from licet.records import ToolCall
from licet.testing.fakes import guard_for

Expected = Literal["allow", "ask", "deny"]


@dataclass(frozen=True, slots=True)
class Row:
    """One call, and what must come of it.

    `check` is the id of a check that must be among the reasons; None: any. Rows with the same `task` label are calls of one task, in
    the order of the table, which is what budgets and chains are about; without a label each row has a task of its own. `after` lets
    so many seconds pass before the call.

    Where values must come from, a row says what was there: `intent` is what the user said before the call (the intent of a new task, a
    further turn of one that is open), and `result` is what the tool answers, from which later rows of the same task can take values.
    """

    kind: str
    agent: str
    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    expected: Expected = "allow"
    check: str | None = None
    task: str | None = None
    after: float = 0.0
    intent: str = ""
    result: Any = None


def check_table(
    manifest: str | Path,
    rows: Iterable[Row | tuple[Any, ...]],
    tmp_path: Path | None = None,
    *,
    tools: Iterable[Callable[..., Any]] = (),
    **options: Any,
) -> None:
    """Hold a manifest (a path, or its text) against `rows`; all rows are tried before anything is reported.

    No tool runs: an allowed call counts as done, and a call that asks stays unanswered. `tools` are the real functions, whose
    signatures say which arguments exist; without them the arguments of each row are taken as existing. `options` are those of the
    guard.

    Raises:
        AssertionError: some row came out otherwise; the message shows each such row with its reasons.
        ManifestError: the manifest cannot be used.
    """
    table = [row if isinstance(row, Row) else Row(*row) for row in rows]
    if not table:
        raise AssertionError("the table has no rows, so that it holds nothing")
    with ExitStack() as stack:
        folder = tmp_path or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="licet-table-")))
        guard = stack.enter_context(guard_for(manifest, folder, **options))
        run = _Run(guard, {guard.tool(function).__name__ for function in tools})
        wrong = [text for number, row in enumerate(table, 1) if (text := run.judge(row, number))]
    if wrong:
        raise AssertionError(f"{len(wrong)} of {len(table)} rows came out otherwise:\n" + "\n".join(wrong))


class _Run:
    """The tasks of one table, open side by side until the guard closes."""

    def __init__(self, guard: Guard, wrapped: set[str]) -> None:
        self._guard, self._wrapped = guard, wrapped
        self._tasks: dict[str, GuardedTask] = {}

    def judge(self, row: Row, number: int) -> str:
        """Empty if the row comes out as expected, else what came instead."""
        label = row.task if row.task is not None else f"row {number}"
        if label not in self._tasks:
            intent = row.intent or f"Table: {label}"
            self._tasks[label] = self._guard.task(row.kind, intent=intent, agent=row.agent, principal="user:table")
            self._tasks[label]._tasks.begin(self._tasks[label])
        elif row.intent:
            self._tasks[label].say(row.intent)
        task = self._tasks[label]
        if (task.record.kind, task.record.agent) != (row.kind, row.agent):
            begun = f"{task.record.kind} of {task.record.agent}"
            return f"  row {number}: task {label!r} was begun as {begun}, and this row says {row.kind} of {row.agent}"
        if row.after:
            advance = getattr(self._guard._clock, "advance", None)
            if advance is None:
                return f"  row {number}: `after` needs a clock that can be advanced, such as FakeClock"
            advance(row.after)
        known = None if row.tool in self._wrapped else tuple(row.arguments)
        ticket = self._guard.begin(ToolCall(row.tool, row.arguments, known=known), task=task)
        if ticket.allowed:
            ticket.redeem()
            self._guard.end(ticket, result=row.result)
        return _difference(row, number, ticket)


def _difference(row: Row, number: int, ticket: Ticket) -> str:
    decision = ticket.decision
    by = {found.check for found in decision.reasons if row.expected in (found.effect, "allow")}
    if decision.outcome == row.expected and (row.check is None or row.check in by):
        return ""
    wanted = f"{row.expected} by {row.check}" if row.check else row.expected
    reasons = [f"      {found.check} [{found.effect}]: {visible(found.told)}" for found in decision.reasons]
    call = f"{visible(row.tool, 80)}({visible_json(dict(row.arguments), 200)})"
    head = f"  row {number}: {call} in {row.kind} of {row.agent}: expected {wanted}, got {decision.outcome}"
    return "\n".join([head, *(reasons or ["      no check spoke"])])
