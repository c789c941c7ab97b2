"""Hold recorded sessions against two manifests at once, each by the guard's own judge: what changes, call by call.

Each side lives in a world of its own: of a call that a side does not let run it is not shown the output, and what it lets be written stays
tainted in its stores for the sessions after.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

from licet.clock import SystemClock
from licet.errors import UsageError
from licet.guard.alike import Alike
from licet.guard.rehearsal import Rehearsal
from licet.guard.task import GuardedTask
from licet.guard.ticket import Ticket
from licet.manifest import Manifest
from licet.records import Decision, ToolCall
from licet.replay.coverage import JUDGED_WITH_LESS, NOT_JUDGED, SESSIONS, TAKEN, Coverage
from licet.replay.recorded import agent_of, kind_of, sound, together, told_last, words_of
from licet.replay.run import FRAMEWORK, NOT_EXECUTED, PRINCIPAL
from licet.replay.sessions import RecordedCall, Session
from licet.replay.verdicts import CallOutcome, SessionOutcome, Verdict

NO_KIND = "which task kind it is a run of cannot be told"
NO_AGENT = "which agent acts cannot be told"
NO_TASK = "no task can be begun for it"
UNDECLARED = "the tool is not declared"
UNTIMED = "a budget per time refuses it, and the recording has no times"
NOT_RUN = "never executed as recorded, so that nothing came from it"
TIMELESS = "no time of the call is recorded, so that budgets per time, and times to live that differ, are not judged"
PINNED = "the tool is pinned, and no recording has its definition (tool.changed)"
UNNAMED = "an argument that the manifest does not name is refused, and a live guard may know it from the tool's signature"
FORMLESS = "an output is text, and `fields:` of its tool speak of structured results"
RATIFIED = "baselines count as ratified, and one that nobody ratified only flags"
SUITELESS = "no task kind has the suite's name, so that the only one was taken; --task says which one it is"
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
        elif first.outcome == "deny" and not timed and _only_by_rate(first):
            why = UNTIMED  # for whatever else it is denied, it is denied for certain
        return ticket, Verdict(first, why, ticket.allowed)

    def done(self, ticket: Ticket, recorded: RecordedCall) -> None:
        """What came of a call, if this side let it run."""
        if not ticket.allowed:
            return
        if not recorded.executed:
            self.rehearsal.done(ticket, error=NOT_EXECUTED)
        else:
            self.rehearsal.done(ticket, output=recorded.output, error=recorded.error)


def _only_by_rate(decision: Decision) -> bool:
    return all(_BY_RATE.match(found.sentence) for found in decision.reasons if found.effect == "deny" and not found.observed)


class Backtest:
    """Both sides, for any number of sessions. Not for use from several threads.

    Args:
        old, new: the sides; one `Rehearsal` each, for all sessions, both with `clock`.
        clock: follows the times of the recordings.
        kind: the task kind of every session; None: as `licet.replay.recorded.kind_of` tells it, on each side by its own manifest.
        agent: who acts; None: the only agent that may run the kind.
        approve: what a person answers to each question.
        apart: each session began in an environment of its own: what others wrote into stores is not in them.
        shared: judge once what both can only decide alike (see `licet.guard.alike`); the outcome is the same. Only where both have the
            same `secret`.
    """

    def __init__(
        self, old: Rehearsal, new: Rehearsal, *, clock: Moving, kind: str | None = None, agent: str | None = None, approve: bool = False,
        apart: bool = False, shared: bool = True,
    ) -> None:  # fmt: skip
        self._clock, self._apart = clock, apart
        self._alike = Alike(old, new) if shared else None
        self._old, self._new = (_Side(name, side, kind, agent, approve) for name, side in (("old", old), ("new", new)))
        self.coverage = Coverage()
        self._times: dict[tuple[str, str], tuple[bool, frozenset[str]]] = {}

    def run(self, session: Session) -> SessionOutcome:
        """What both say to each call of one session, in the recorded order. Never raises for what a recording holds."""
        if self._apart:
            self._old.rehearsal.forget()
            self._new.rehearsal.forget()
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
        times = _times(session)
        timed = None not in times
        begin = min((each for each in (session.time, *times) if each is not None), default=0.0)
        out: list[CallOutcome] = []
        with writing:
            sides = [(side, *side.begin(session, words)) for side in judging]
            for last, some in told_last(together(session.calls)):
                begun: list[tuple[_Side, Ticket, RecordedCall]] = []
                for call in some:
                    time = times[len(out)]
                    if time is not None:
                        self._clock.passed(time - begin)
                    asked = ToolCall(call.tool, call.arguments, framework=FRAMEWORK)
                    verdicts: list[Verdict] = []
                    for side, task, _, why in sides:
                        if task is None:
                            verdicts.append(Verdict(None, why))
                            continue
                        ticket, verdict = side.judge(task, asked, timed=timed)
                        begun.append((side, ticket, call))
                        verdicts.append(verdict)
                    out.append(self._known(CallOutcome(len(out) + 1, call.tool, verdicts[0], verdicts[-1])))
                    self._count(call, out[-1])
                    if time is None and self._depends_on_time(sides[0][2], sides[-1][2], call.tool):
                        self.coverage.note(JUDGED_WITH_LESS, TIMELESS, call.tool)
                for side, ticket, call in () if last else begun:  # nobody asks what came of the last ones
                    side.done(ticket, call)
            for side, task, _, _ in sides:
                if task is not None:
                    side.rehearsal.end(task)
        outcome = SessionOutcome(sound(session.id), session.place, sides[0][2], sides[-1][2], tuple(out))
        self._count_session(session, outcome, sides[0][3], sides[-1][3])
        return outcome

    def _known(self, call: CallOutcome) -> CallOutcome:
        """That both refuse a tool that neither knows says nothing of either: the recordings may be of other work."""
        if call.old.outcome == call.new.outcome == "deny" and all(call.tool not in side.manifest.tools for side in (self._old, self._new)):
            return replace(call, old=replace(call.old, why=UNDECLARED), new=replace(call.new, why=UNDECLARED))
        return call

    def _depends_on_time(self, old: str, new: str, tool: str) -> bool:
        """Whether a call's time can make a difference: a budget per time is over the tool, or the two kinds have other times to live."""
        if not (old and new):
            return False
        found = self._times.get((old, new))
        if found is None:
            kinds = [side.manifest.tasks[kind] for side, kind in ((self._old, old), (self._new, new))]
            rated = frozenset(name for kind in kinds for budget in kind.budgets if budget.rate is not None for name in budget.of)
            self._times[old, new] = found = (kinds[0].ttl != kinds[1].ttl, rated)
        return found[0] or tool in found[1]

    def _count_session(self, session: Session, outcome: SessionOutcome, old: str, new: str) -> None:
        coverage = self.coverage
        coverage.sessions += 1
        coverage.judged_sessions += outcome.judged
        if why := _of_both(old, new):
            coverage.note(SESSIONS, why)
        kinds = ((self._old, outcome.old_kind), (self._new, outcome.new_kind))
        taken = [SUITELESS if side.chosen is None and kind and kind != session.suite else "" for side, kind in kinds]
        if why := _of_both(*taken):
            coverage.note(TAKEN, why, session.suite)
        if outcome.calls and any(kind and side.manifest.tasks[kind].baseline is not None for side, kind in kinds):
            coverage.note(JUDGED_WITH_LESS, RATIFIED, number=len(outcome.calls))

    def _count(self, recorded: RecordedCall, call: CallOutcome) -> None:
        coverage, tool = self.coverage, call.tool
        coverage.calls += 1
        sides = ((self._old, call.old), (self._new, call.new))
        declared = [side.manifest.tools.get(tool) for side, _ in sides]
        if call.judged:
            coverage.judged += 1
        elif declared == [None, None]:
            coverage.note(NOT_JUDGED, f"neither manifest: {UNDECLARED}", tool)
        elif why := _of_both(call.old.why, call.new.why):
            coverage.note(NOT_JUDGED, why, tool)
        for (side, verdict), known in zip(sides, declared, strict=True):
            if verdict.why:
                continue
            if known is None:
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


def _of_both(old: str, new: str) -> str:
    """What is said against one side or both, each named."""
    if old == new:
        return f"both: {old}" if old else ""
    return "; ".join(f"{name}: {why}" for name, why in (("old", old), ("new", new)) if why)


def _times(session: Session) -> list[float | None]:
    """When each call began; the first one, if nothing else is known of it, with its session."""
    times = [call.time for call in session.calls]
    if times and times[0] is None:
        times[0] = session.time
    return times
