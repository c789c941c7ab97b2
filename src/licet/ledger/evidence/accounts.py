"""What records say of calls, one account a call; and what they leave open: an end, an outcome, a number that is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from licet.ledger.evidence.covered import About

GapKind = Literal["begin", "end", "call", "task", "intent", "outcome", "answer", "approval"]
_SAID: Mapping[GapKind, str] = {
    "begin": "the beginning of task {task} is not here",
    "end": "task {task} has no end here: it had not ended yet",
    "call": "call {step} of task {task} has no record: its process died before it was written, and its tool did not run",
    "task": "task {task} had {step} more tasks below it than are here",
    "intent": "an outcome of call {call} stands without its intent",
    "outcome": "call {call} has an intent and no outcome: its tool was still running",
    "answer": "call {call} was put to a person, and no answer is here: it was still waiting",
    "approval": "call {call} was allowed after a person was asked, and no record here says who said yes",
}
OF_TASKS: frozenset[GapKind] = frozenset({"begin", "end", "call", "task"})
"""Those after which it cannot be said that every task is here with all of its calls."""
_TAKEN: Mapping[GapKind, str] = {"end": "truncated", "intent": "unmatched"}


class Gap(NamedTuple):
    """Something that records leave open. Evidence says under its signature what it leaves open; what it does not say so was removed."""

    what: GapKind
    task: str
    call: str = ""
    step: int = 0

    def sentence(self) -> str:
        """What is open, and how that comes about."""
        return _SAID[self.what].format(task=self.task[:12], call=self.call[:12], step=self.step)

    @property
    def code(self) -> str:
        """What it is called where nobody said it."""
        return _TAKEN.get(self.what, "removed")


@dataclass(slots=True)
class Account:
    """One call. `outcome` is the last decision, `status` what came of it; `seqs` are the numbers of its records, `time` that of the last.
    `principal`: for whom the agent acted.
    """

    call: str
    task: str = ""
    step: int = 0
    tool: str = ""
    args: str = ""
    outcome: str = ""
    status: str = ""
    reasons: list[str] = field(default_factory=list)
    seqs: list[int] = field(default_factory=list)
    agent: str = ""
    principal: str = ""
    time: str = ""
    is_open: GapKind | None = None
    unmatched: bool = False
    approved: bool = False
    unapproved: bool = False  # allowed after a question, and no yes is on record
    due: bool = False  # an intent has no outcome yet, though what was recorded since may say that none is to come


def accounts_of(records: Iterable[Mapping[str, Any]]) -> dict[str, Account]:
    """An account of each call, in the order in which they first stand there. Fields of another form count as missing."""
    found: dict[str, Account] = {}
    for record in records:
        kind, call = record.get("kind"), record.get("call")
        if kind not in ("call.intent", "call.outcome", "call.denied", "call.asked", "approval") or not isinstance(call, str):
            continue
        own = found.setdefault(call, Account(call))
        own.task, own.tool = _text(record, "task") or own.task, _text(record, "tool") or own.tool
        own.agent, own.principal = _text(record, "agent") or own.agent, _text(record, "sub") or own.principal
        own.time = _text(record, "time") or own.time
        own.args, step, seq = _text(record, "args") or own.args, record.get("step"), record.get("seq")
        own.step = step if type(step) is int else own.step
        own.seqs += [seq] if type(seq) is int else []
        _follow(own, kind, record)
    return found


def gaps_of(records: Sequence[Mapping[str, Any]], about: About) -> list[Gap]:
    """What records leave open of what they are about."""
    begun = {_text(record, "task") for record in records if record.get("kind") == "task.begin"}
    ended = {_text(record, "task"): record for record in records if record.get("kind") == "task.end"}
    gaps = [Gap("begin", task) for task in (*about.above, *about.tasks) if task not in begun]
    gaps += [Gap("end", task) for task in about.tasks if task not in ended]
    accounts = accounts_of(records)
    steps: dict[str, set[int]] = {task: set() for task in about.tasks}
    for own in accounts.values():
        if own.task in steps and own.step > 0:
            steps[own.task].add(own.step)
        if own.unmatched:
            gaps.append(Gap("intent", own.task, own.call, own.step))
        if own.unapproved:
            gaps.append(Gap("approval", own.task, own.call, own.step))
        if own.is_open is not None:
            gaps.append(Gap(own.is_open, own.task, own.call, own.step))
    # The end says how many there were, so that the last cannot be left out either.
    gaps += [Gap("call", task, "", step) for task, seen in steps.items() for step in _missing(seen, _count(ended.get(task), "calls"))]
    below = Counter(_text(record, "parent") for record in records if record.get("kind") == "task.begin")
    fewer = {task: _count(ended.get(task), "delegated") - below[task] for task in about.tasks}
    gaps += [Gap("task", task, "", count) for task, count in fewer.items() if count > 0]
    return sorted(gaps)


def _count(end: Mapping[str, Any] | None, name: str) -> int:
    value = end.get(name) if end is not None else None
    return value if type(value) is int and value > 0 else 0


def _missing(seen: set[int], last: int) -> list[int]:
    """The numbers from 1 up to the largest, and to `last`, that are not there; bounded, so that one huge number costs nothing."""
    found: list[int] = []
    before = 0
    for step in sorted(seen):
        found += range(before + 1, min(step, before + 1_001))
        before = step
    return [*found, *range(before + 1, min(last, before + 1_000) + 1)]


def _follow(own: Account, kind: str, record: Mapping[str, Any]) -> None:
    if kind == "call.outcome":
        own.unmatched |= not own.due
        own.status, own.is_open, own.due = _text(record, "status"), None, False
        return
    own.outcome = _text(record, "outcome")
    if kind == "call.intent":
        own.is_open, own.due = "outcome", True
        own.unapproved |= _was_asked(record) and not own.approved
    elif kind == "call.denied":
        own.is_open, own.status, own.reasons = None, "denied", _reasons(record)
    else:
        own.is_open = "answer"
        own.approved |= kind == "approval" and record.get("approved") is True


def _was_asked(record: Mapping[str, Any]) -> bool:
    """Whether a check that was enforced asked for a person. The reasons of a call that goes on after a yes are those of the question."""
    rows = record.get("reasons")
    asked = (row for row in (rows if isinstance(rows, list) else ()) if isinstance(row, dict) and row.get("effect") == "ask")
    return any(row.get("observed") is not True for row in asked)


def _reasons(record: Mapping[str, Any]) -> list[str]:
    """`check: sentence` of each reason, or the ids of the checks where that is all."""
    rows, found = record.get("reasons"), []
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and isinstance(row.get("check"), str):
            sentence = row.get("sentence")
            found.append(f"{row['check']}: {sentence}" if isinstance(sentence, str) and sentence else row["check"])
    checks = record.get("checks")
    return found or [each for each in (checks if isinstance(checks, list) else ()) if isinstance(each, str)]


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    return value if isinstance(value, str) else ""
