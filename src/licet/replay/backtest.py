"""Hold recorded sessions against two manifests at once, each by the guard's own judge: what changes, call by call.

Each side lives in a world of its own: of a call that a side does not let run it is not shown the output, and what it lets be written stays
tainted in its stores for the sessions after.
"""

from __future__ import annotations

from dataclasses import replace

from licet.clock import SystemClock
from licet.guard.alike import Alike
from licet.guard.rehearsal import Rehearsal
from licet.records import ToolCall
from licet.replay.coverage import JUDGED_WITH_LESS, NOT_JUDGED, SESSIONS, TAKEN, Coverage
from licet.replay.recorded import sound, together, told_last, words_of
from licet.replay.run import FRAMEWORK
from licet.replay.sessions import RecordedCall, Session
from licet.replay.sides import UNDECLARED, Apart, InStep, Side, Sides
from licet.replay.verdicts import CallOutcome, SessionOutcome

NOT_RUN = "never executed as recorded, so that nothing came from it"
TIMELESS = "no time of the call is recorded, so that budgets per time, and times to live that differ, are not judged"
PINNED = "the tool is pinned, and no recording has its definition (tool.changed)"
UNNAMED = "an argument that the manifest does not name is refused, and a live guard may know it from the tool's signature"
FORMLESS = "an output is text, and `fields:` of its tool speak of structured results"
RATIFIED = "baselines count as ratified, and one that nobody ratified only flags"
SUITELESS = "no task kind has the suite's name, so that the only one was taken; --task says which one it is"
"""Why a session or a call is not judged, or judged with less than a live guard has."""


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
        self._old, self._new = (Side(name, side, kind, agent, approve) for name, side in (("old", old), ("new", new)))
        self.coverage = Coverage()
        self._times: dict[tuple[str, str], tuple[bool, frozenset[str]]] = {}

    def run(self, session: Session) -> SessionOutcome:
        """What both say to each call of one session, in the recorded order. Never raises for what a recording holds."""
        self._clock.start()
        if self._apart:
            self._old.rehearsal.forget()
            self._new.rehearsal.forget()
        who = [side.who(session) for side in (self._old, self._new)]
        known = who[0]
        words = list(words_of(session))
        return self._run(session, self._sides(session, words, None if isinstance(known, str) or known != who[1] else known))

    def _sides(self, session: Session, words: list[str], known: tuple[str, str] | None) -> Sides:
        """`known`: kind and agent, if both sides have the same."""
        alike, both = self._alike, (self._old, self._new)
        if alike is None or known is None:
            return Apart(both, session, words, alike)
        tools = frozenset(call.tool for call in session.calls)
        if alike.can_only(*known, tools):
            return Apart((self._old,), session, words, alike)
        if words and alike.show_the_same(tools):
            task, _, _ = self._old.begin(session, words)
            if task is not None:
                return InStep(*both, task, alike, lambda tool: not alike.can_only(*known, frozenset({tool})))
        return Apart(both, session, words, alike)

    def _run(self, session: Session, sides: Sides) -> SessionOutcome:
        times = _times(session)
        timed = None not in times
        begin = min((each for each in (session.time, *times) if each is not None), default=0.0)
        out: list[CallOutcome] = []
        with sides:
            for last, some in told_last(together(session.calls)):
                for call in some:
                    time = times[len(out)]
                    if time is not None:
                        self._clock.passed(time - begin)
                    verdicts = sides.judge(call, ToolCall(call.tool, call.arguments, framework=FRAMEWORK), timed=timed)
                    out.append(self._known(CallOutcome(len(out) + 1, call.tool, *verdicts)))
                    self._count(call, out[-1])
                    if time is None and self._depends_on_time(*sides.kinds, call.tool):
                        self.coverage.note(JUDGED_WITH_LESS, TIMELESS, call.tool)
                if not last:  # nobody asks what came of the last ones
                    sides.came()
        outcome = SessionOutcome(sound(session.id), session.place, *sides.kinds, tuple(out))
        self._count_session(session, outcome, *sides.whys)
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
