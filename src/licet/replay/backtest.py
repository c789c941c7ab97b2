"""Hold recorded sessions against two manifests at once, each by the guard's own judge: what changes, call by call.

Each side lives in a world of its own: of a call that a side does not let run it is not shown the output, and what it lets be written stays
tainted in its stores for the sessions after.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from licet.clock import SystemClock
from licet.errors import UsageError
from licet.guard.alike import Alike
from licet.guard.rehearsal import Rehearsal
from licet.guard.task import GuardedTask
from licet.guard.ticket import Ticket
from licet.manifest import Manifest
from licet.records import ToolCall
from licet.replay.coverage import JUDGED_WITH_LESS, NOT_JUDGED, SESSIONS, Coverage
from licet.replay.recorded import agent_of, kind_of, sound, together, words_of
from licet.replay.run import FRAMEWORK, NOT_EXECUTED, PRINCIPAL
from licet.replay.sessions import RecordedCall, Session
from licet.replay.verdicts import CallOutcome, SessionOutcome, Verdict

NO_KIND = "which task kind it is a run of cannot be told"
NO_AGENT = "which agent acts cannot be told"
NO_TASK = "no task can be begun for it"
UNDECLARED = "the tool is not declared"
UNTIMED = "a budget per time refuses it, and the recording has no times"
NOT_RUN = "never executed as recorded, so that nothing came from it"
TIMELESS = "no time is recorded, so that budgets per time and the time to live are not judged"
PINNED = "the tool is pinned, and no recording has its definition (tool.changed)"
UNNAMED = "an argument that the manifest does not name is refused, and a live guard may know it from the tool's signature"
FORMLESS = "an output is text, and `fields:` of its tool speak of structured results"
"""Why a session or a call is not judged, or judged with less than a live guard has."""

_BY_RATE = re.compile(r"this would be \d+ rate of ")


class Moving:
    """A clock that follows the recordings: each session begins at `base` (seconds since the epoch), so that dates are judged as of now."""

    def __init__(self, base: float | None = None) -> None:
        self.base = SystemClock().now() if base is None else base
        self._passed = 0.0

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.base + self._passed

    monotonic = now

    def start(self) -> None:
        """A session begins."""
        self._passed = 0.0

    def passed(self, seconds: float) -> None:
        """So much of the session's time has passed; no clock goes back within a session."""
        self._passed = max(self._passed, seconds)


@dataclass(slots=True)
class _Side:
    """One manifest's world. `chosen` and `agent` are what the user said of every session."""

    name: str
    rehearsal: Rehearsal
    chosen: str | None
    agent: str | None
    approve: bool
    known: dict[str, tuple[str, str] | str] = field(default_factory=dict)  # by suite: kind and agent, or why they cannot be told

    @property
    def manifest(self) -> Manifest:
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
        ticket = self.rehearsal.judge(task, call)
        first = ticket.decision
        if ticket.action == "ask":
            self.rehearsal.answer(ticket, self.approve)
        why = ""
        if first.outcome == "allow" and call.tool not in self.manifest.tools:
            why = UNDECLARED  # it runs only because that is observed, and nothing is known of it
        elif first.outcome == "deny" and not timed and any(_BY_RATE.match(found.sentence) for found in first.reasons):
            why = UNTIMED
        return ticket, Verdict(first, why, ticket.allowed)

    def done(self, ticket: Ticket, recorded: RecordedCall) -> None:
        """What came of a call, if this side let it run."""
        if not ticket.allowed:
            return
        if not recorded.executed:
            self.rehearsal.done(ticket, error=NOT_EXECUTED)
        else:
            self.rehearsal.done(ticket, output=recorded.output, error=recorded.error)


class Backtest:
    """Both sides, for any number of sessions. Not for use from several threads.

    Args:
        old, new: the sides; one `Rehearsal` each, for all sessions, both with `clock`.
        clock: follows the times of the recordings.
        kind: the task kind of every session; None: as `licet.replay.recorded.kind_of` tells it, on each side by its own manifest.
        agent: who acts; None: the only agent that may run the kind.
        approve: what a person answers to each question.
        shared: judge once what both can only decide alike (see `licet.guard.alike`); the outcome is the same. Only where both have the
            same `secret`.
    """

    def __init__(
        self, old: Rehearsal, new: Rehearsal, *, clock: Moving, kind: str | None = None, agent: str | None = None, approve: bool = False,
        shared: bool = True,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._alike = Alike(old, new) if shared else None
        self._old, self._new = (_Side(name, side, kind, agent, approve) for name, side in (("old", old), ("new", new)))
        self.coverage = Coverage()

    def run(self, session: Session) -> SessionOutcome:
        """What both say to each call of one session, in the recorded order. Never raises for what a recording holds."""
        who = [side.who(session) for side in (self._old, self._new)]
        known = who[0]
        if self._alike is None or isinstance(known, str) or known != who[1]:
            return self._run(session, (self._old, self._new), nullcontext())
        if self._alike.can_only(*known, frozenset(call.tool for call in session.calls)):
            return self._run(session, (self._old,), self._alike.both())
        return self._run(session, (self._old, self._new), self._alike.apart())

    def _run(self, session: Session, judging: tuple[_Side, ...], writing: AbstractContextManager[None]) -> SessionOutcome:
        """With one side judging, what it says both say."""
        self._clock.start()
        words = list(words_of(session))
        timed = all(call.time is not None for call in session.calls)
        begin = min((call.time for call in session.calls if call.time is not None), default=0.0)
        begin = begin if session.time is None else min(begin, session.time)
        out: list[CallOutcome] = []
        with writing:
            sides = [(side, *side.begin(session, words)) for side in judging]
            for last, some in _told_last(together(session.calls)):
                begun: list[tuple[_Side, Ticket, RecordedCall]] = []
                for call in some:
                    if call.time is not None:
                        self._clock.passed(call.time - begin)
                    asked = ToolCall(call.tool, call.arguments, framework=FRAMEWORK)
                    verdicts: list[Verdict] = []
                    for side, task, _, why in sides:
                        if task is None:
                            verdicts.append(Verdict(None, why))
                            continue
                        ticket, verdict = side.judge(task, asked, timed=timed)
                        begun.append((side, ticket, call))
                        verdicts.append(verdict)
                    out.append(CallOutcome(len(out) + 1, call.tool, verdicts[0], verdicts[-1]))
                    self._count(call, out[-1])
                for side, ticket, call in () if last else begun:  # nobody asks what came of the last ones
                    side.done(ticket, call)
            for side, task, _, _ in sides:
                if task is not None:
                    side.rehearsal.end(task)
        outcome = SessionOutcome(sound(session.id), session.place, sides[0][2], sides[-1][2], tuple(out))
        names = ("old", "new") if len(sides) == 1 else [side.name for side, *_ in sides]
        self._count_session(outcome, [(name, why) for name, (_, _, _, why) in zip(names, sides * 2, strict=False) if why])
        return outcome

    def _count_session(self, outcome: SessionOutcome, whys: list[tuple[str, str]]) -> None:
        self.coverage.sessions += 1
        self.coverage.judged_sessions += outcome.judged
        for name, why in whys:
            self.coverage.note(SESSIONS, f"{name}: {why}")

    def _count(self, recorded: RecordedCall, call: CallOutcome) -> None:
        coverage, tool = self.coverage, call.tool
        coverage.calls += 1
        sides = ((self._old, call.old), (self._new, call.new))
        declared = [side.manifest.tools.get(tool) for side, _ in sides]
        if declared == [None, None]:
            coverage.note(NOT_JUDGED, f"neither manifest: {UNDECLARED}", tool)
        elif call.judged:
            coverage.judged += 1
        for (side, verdict), known in zip(sides, declared, strict=True):
            if verdict.why and any(declared):
                coverage.note(NOT_JUDGED, f"{side.name}: {verdict.why}", tool)
            elif known is None:
                if any(declared):
                    coverage.note(JUDGED_WITH_LESS, f"{side.name}: {UNDECLARED}, so that it refuses", tool)
            elif known.definition is not None:
                coverage.note(JUDGED_WITH_LESS, f"{side.name}: {PINNED}", tool)
            elif isinstance(recorded.output, str) and known.format == "object" and any(path != "$" for path in known.fields):
                coverage.note(JUDGED_WITH_LESS, f"{side.name}: {FORMLESS}", tool)
            if known is not None and verdict.outcome == "deny" and not side.rehearsal.names(tool).issuperset(recorded.arguments):
                coverage.note(JUDGED_WITH_LESS, f"{side.name}: {UNNAMED}", tool)
        if not recorded.executed:
            coverage.note(JUDGED_WITH_LESS, NOT_RUN, tool)
        if recorded.time is None:
            coverage.note(JUDGED_WITH_LESS, TIMELESS)


def _told_last(groups: Iterator[list[RecordedCall]]) -> Iterator[tuple[bool, list[RecordedCall]]]:
    """Each, and whether it is the last."""
    before = next(groups, None)
    while before is not None:
        after = next(groups, None)
        yield after is None, before
        before = after
