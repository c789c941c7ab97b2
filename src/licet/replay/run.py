"""Hold recorded sessions against a manifest, through the guard itself and its public contract."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from licet.errors import UsageError
from licet.guard import Guard
from licet.records import ToolCall
from licet.replay.sessions import RecordedCall, Session
from licet.replay.statistics import Statistics

FRAMEWORK = "replay"
PRINCIPAL = "user:recorded"
NOT_EXECUTED = "never executed in the recording"
_MAX_TURN = 20_000  # characters; the guard takes no longer text as intent


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay through one guard.

    `kind`: the task kind of every session; None: the session's suite if the manifest has a kind of that name, else the only kind.
    `agent`: who acts; None: the only agent that may run the kind. `approve`: what a person answers to each question.
    """

    guard: Guard
    statistics: Statistics
    kind: str | None = None
    agent: str | None = None
    approve: bool = False

    def run(self, session: Session) -> None:
        """Judge every call of one session, in the recorded order, in a task of its own.

        Raises:
            UsageError: no task kind or no agent can be told for it.
        """
        kind = self.kind_of(session)
        counts = self.statistics.of(kind)
        counts.sessions += 1
        intent, *turns = list(_turns(session)) or [self.guard.manifest.tasks[kind].intent]
        before = counts.executed.denied + counts.unexecuted.denied
        with self.guard.task(kind, intent=intent, agent=self.agent_of(kind), principal=PRINCIPAL) as task:
            for turn in turns:
                task.say(turn)
            for number, call in enumerate(session.calls, 1):
                self._call(kind, call, _text(f"{session.id}/{number}"))
        counts.touched += counts.executed.denied + counts.unexecuted.denied > before

    def _call(self, kind: str, recorded: RecordedCall, call_id: str) -> None:
        counts = self.statistics.of(kind)
        ticket = self.guard.begin(ToolCall(recorded.tool, recorded.arguments, call_id=call_id, framework=FRAMEWORK))
        first = ticket.decision
        if ticket.action == "ask":
            self.guard.resolve(ticket, self.approve, by="licet replay")
        (counts.executed if recorded.executed else counts.unexecuted).add(first, ticket.decision)
        if first.outcome == "deny":
            counts.undeclared.update(f"{recorded.tool}({name})" for name in self._undeclared(kind, recorded))
        if not ticket.allowed:
            return  # it would not have run, so that its output is nobody's: it is not handed in
        ticket.redeem()
        if not recorded.executed:
            self.guard.end(ticket, error=NOT_EXECUTED)
        elif recorded.error is not None:
            self.guard.end(ticket, result=recorded.output, error=recorded.error)
        else:
            self.guard.end(ticket, result=recorded.output)

    def kind_of(self, session: Session) -> str:
        """The task kind that a session is a run of.

        Raises:
            UsageError: it cannot be told.
        """
        kinds = self.guard.manifest.tasks
        if self.kind is not None:
            if self.kind not in kinds:
                raise UsageError(f"task kind {self.kind!r} is not in the manifest; declared: {', '.join(kinds)}")
            return self.kind
        if session.suite in kinds:
            return session.suite
        if len(kinds) == 1:
            return next(iter(kinds))
        raise UsageError(
            f"{session.place}: no task kind is named like the suite {session.suite!r}; say which one with --task: {', '.join(kinds)}"
        )

    def agent_of(self, kind: str) -> str:
        """The agent that acts in tasks of this kind.

        Raises:
            UsageError: it cannot be told.
        """
        agents = self.guard.manifest.agents
        if self.agent is not None:
            if self.agent not in agents:
                raise UsageError(f"agent {self.agent!r} is not in the manifest; declared: {', '.join(agents)}")
            return self.agent
        able = [name for name, agent in agents.items() if kind in agent.tasks]
        if len(able) != 1:
            who = f"{len(able)} agents may run it: {', '.join(able)}" if able else "no agent may run it"
            raise UsageError(f"task kind {kind!r}: {who}; say who acts with --agent")
        return able[0]

    def _undeclared(self, kind: str, call: RecordedCall) -> list[str]:
        """Arguments that the manifest does not name. A replay has no signatures, so that only the manifest can."""
        manifest = self.guard.manifest
        tool = manifest.tools.get(call.tool)
        if tool is None:
            return []
        named = {*tool.arguments, *(manifest.tasks[kind].tools[call.tool].arguments if call.tool in manifest.tasks[kind].tools else ())}
        return [name for name in call.arguments if name not in named]


def _text(given: str) -> str:
    """A lone surrogate is JSON and no text; the guard takes text only. Tools and arguments are left as they were recorded."""
    return given.encode("utf-8", "backslashreplace").decode()


def _turns(session: Session) -> Iterator[str]:
    for given in session.turns:
        turn = _text(given)
        for start in range(0, len(turn), _MAX_TURN):
            if (piece := turn[start : start + _MAX_TURN]).strip():
                yield piece
