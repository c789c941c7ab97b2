"""The two sides of a backtest over one session: one that judges for both, each in its own world, or both in step.

In step both judge, and what an output holds is worked out once, as long as both let the same calls run: each call is bound once, looked up
once, and what it gave is taken in once. As long as no call came on which the two can differ, the old side alone judges. What two sides in
step say is what each says by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol

from licet.errors import UsageError
from licet.guard.alike import Alike
from licet.guard.origins import Seen, vouched
from licet.guard.rehearsal import Rehearsal
from licet.guard.task import GuardedTask
from licet.guard.ticket import Ticket
from licet.manifest import Manifest
from licet.records import Decision, ToolCall
from licet.replay.recorded import agent_of, kind_of
from licet.replay.run import NOT_EXECUTED, PRINCIPAL
from licet.replay.sessions import RecordedCall, Session
from licet.replay.verdicts import Verdict

NO_KIND = "which task kind it is a run of cannot be told"
NO_AGENT = "which agent acts cannot be told"
NO_TASK = "no task can be begun for it"
UNDECLARED = "the tool is not declared"
UNTIMED = "a budget per time refuses it, and the recording has no times"
"""Why a side does not judge a session or a call."""

_BY_RATE = re.compile(r"this would be \d+ rate of ")


@dataclass(slots=True)
class Side:
    """One manifest's world. `chosen` and `agent` are what the user said of every session."""

    name: str
    rehearsal: Rehearsal
    chosen: str | None
    agent: str | None
    approve: bool
    known: dict[str, tuple[str, str] | str] = field(default_factory=dict)  # by suite: kind and agent, or why they cannot be told

    @property
    def manifest(self) -> Manifest:
        """What it judges by."""
        return self.rehearsal.manifest

    def who(self, session: Session) -> tuple[str, str] | str:
        """The kind and the agent of a session, or why they cannot be told."""
        found = self.known.get(session.suite)
        if found is None:
            found = self._who(session)
            if len(self.known) < 10_000:
                self.known[session.suite] = found
        return found

    def _who(self, session: Session) -> tuple[str, str] | str:
        try:
            kind = kind_of(self.manifest, session, self.chosen)
        except UsageError:
            return NO_KIND
        try:
            return kind, agent_of(self.manifest, kind, self.agent)
        except UsageError:
            return NO_AGENT

    def begin(self, session: Session, words: list[str]) -> tuple[GuardedTask | None, str, str]:
        """A task, its kind, and why there is none."""
        who = self.who(session)
        if isinstance(who, str):
            return None, "", who
        kind, agent = who
        intent, *turns = words or [self.manifest.tasks[kind].intent]
        try:
            task = self.rehearsal.begin(kind, intent=intent, agent=agent, principal=PRINCIPAL)
        except UsageError:
            return None, "", NO_TASK
        for turn in turns:
            task.say(turn)
        return task, kind, ""

    def judge(self, task: GuardedTask, call: ToolCall, *, timed: bool) -> tuple[Ticket, Verdict]:
        """What this side says to a call."""
        ticket, first = self.consider(task, call)
        return ticket, self.settle(ticket, first, timed=timed)

    def consider(
        self, task: GuardedTask, call: ToolCall, like: Ticket | None = None, seen: Seen | None = None
    ) -> tuple[Ticket, Decision | None]:
        """Its decision, and where a person was asked, who has answered, the first one. `like` and `seen` as in `Rehearsal.consider`."""
        ticket = self.rehearsal.consider(task, call, like, seen)
        first = ticket.decision if ticket.action == "ask" else None
        if first is not None:
            self.rehearsal.reply(ticket, approved=self.approve)
        return ticket, first

    def settle(self, ticket: Ticket, asked: Decision | None, *, timed: bool) -> Verdict:
        """What follows from it."""
        self.rehearsal.settle(ticket)
        first, why = asked or ticket.decision, ""
        if first.outcome == "allow" and ticket.call.tool not in self.manifest.tools:
            why = UNDECLARED  # it runs only because that is observed, and nothing is known of it
        elif first.outcome == "deny" and not timed and _only_by_rate(first):
            why = UNTIMED  # for whatever else it is denied, it is denied for certain
        return Verdict(first, why, ticket.allowed)

    def done(self, ticket: Ticket, recorded: RecordedCall) -> None:
        """What came of a call, if this side let it run."""
        if not ticket.allowed:
            return
        if not recorded.executed:
            self.rehearsal.done(ticket, error=NOT_EXECUTED)
        else:
            self.rehearsal.done(ticket, output=recorded.output, error=recorded.error)


class Sides(Protocol):
    """Both sides in one session; within `with`. What is told of two is of the old one and of the new one."""

    kinds: tuple[str, str]
    """The task kind, empty where there is no task."""
    whys: tuple[str, str]
    """Why there is none."""

    def __enter__(self) -> Sides:
        """What the stores hear is told as long as the block lasts."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """The session is over."""

    def judge(self, recorded: RecordedCall, call: ToolCall, *, timed: bool) -> tuple[Verdict, Verdict]:
        """What they say to a call."""

    def came(self) -> None:
        """What came of the calls since the last time, where a side let them run."""


class Apart:
    """Each in its own world; or `sides` is one, which judges for both, because they can only decide alike."""

    def __init__(self, sides: tuple[Side, ...], session: Session, words: list[str], alike: Alike | None) -> None:
        self._begun = [(side, *side.begin(session, words)) for side in sides]
        self._open: list[tuple[Side, Ticket, RecordedCall]] = []
        self._alike, self._telling = alike, ExitStack()
        self.kinds = self._begun[0][2], self._begun[-1][2]
        self.whys = self._begun[0][3], self._begun[-1][3]

    def __enter__(self) -> Apart:
        if self._alike is not None:
            self._telling.enter_context(self._alike.both() if len(self._begun) == 1 else self._alike.apart())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for side, task, _, _ in self._begun:
            if task is not None:
                side.rehearsal.end(task)
        self._telling.close()

    def judge(self, recorded: RecordedCall, call: ToolCall, *, timed: bool) -> tuple[Verdict, Verdict]:
        """See `Sides`."""
        verdicts: list[Verdict] = []
        for side, task, _, why in self._begun:
            if task is None:
                verdicts.append(Verdict(None, why))
                continue
            ticket, verdict = side.judge(task, call, timed=timed)
            self._open.append((side, ticket, recorded))
            verdicts.append(verdict)
        return verdicts[0], verdicts[-1]

    def came(self) -> None:
        """See `Sides`."""
        for side, ticket, recorded in self._open:
            side.done(ticket, recorded)
        self._open.clear()


class InStep:
    """Both in step: `task`, of this kind, has begun on the old side. `differs`: whether they can differ on a call of this tool.

    The new side enters at the first such call, and parts when it lets run what the old one does not, or the other way round.
    """

    def __init__(self, old: Side, new: Side, task: GuardedTask, alike: Alike, differs: Callable[[str], bool]) -> None:
        self._old, self._new, self._task, self._alike, self._differs = old, new, task, alike, differs
        self._entered: GuardedTask | None = None
        self._parted = False
        self._open: list[tuple[Ticket, Ticket, RecordedCall]] = []
        self._telling = ExitStack()
        self.kinds, self.whys = (task.record.kind, task.record.kind), ("", "")

    def __enter__(self) -> InStep:
        self._telling.enter_context(self._alike.both())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._old.rehearsal.end(self._task)
        if self._entered is not None:
            self._new.rehearsal.end(self._entered)
        self._telling.close()

    def judge(self, recorded: RecordedCall, call: ToolCall, *, timed: bool) -> tuple[Verdict, Verdict]:
        """See `Sides`."""
        if self._entered is None and self._differs(call.tool):
            self._enter()
        ticket, asked = self._old.consider(self._task, call)
        if self._entered is None:
            verdict = self._old.settle(ticket, asked, timed=timed)
            self._open.append((ticket, ticket, recorded))
            return verdict, verdict
        # By the same id: what the two were shown until they parted stands under the old side's ids in what both remember.
        other, other_asked = self._new.consider(self._entered, call, ticket, None if self._parted else ticket.seen)
        if _follows(ticket) != _follows(other):
            self._part()
        verdicts = self._old.settle(ticket, asked, timed=timed), self._new.settle(other, other_asked, timed=timed)
        if ticket.allowed != other.allowed:
            self._part()
        self._open.append((ticket, other, recorded))
        return verdicts

    def came(self) -> None:
        """See `Sides`."""
        for ticket, other, recorded in self._open:
            self._old.done(ticket, recorded)
            if self._parted:
                self._new.done(other, recorded)
            elif self._entered is not None and other.allowed:
                self._new.rehearsal.over(other, recorded.error if recorded.executed else NOT_EXECUTED)
        self._open.clear()

    def _enter(self) -> None:
        self._entered = self._new.rehearsal.enter(self._task, self._old.rehearsal)
        self._telling.close()
        self._telling.enter_context(self._alike.apart())

    def _part(self) -> None:
        if self._entered is not None and not self._parted:
            self._parted = True
            self._new.rehearsal.part(self._entered)


def _follows(ticket: Ticket) -> tuple[bool, frozenset[str]]:
    """What decides on what a task is shown next, and on what its calls write: whether it runs, and what a person vouches for."""
    return ticket.allowed, frozenset(vouched(ticket.decision)) if ticket.allowed else frozenset()


def _only_by_rate(decision: Decision) -> bool:
    return all(_BY_RATE.match(found.sentence) for found in decision.reasons if found.effect == "deny" and not found.observed)
