"""Hold recorded sessions against a manifest, through the guard itself and its public contract."""

from __future__ import annotations

from dataclasses import dataclass

from licet.guard import Guard, Ticket
from licet.policy import Facts
from licet.policy.rules import rules_of
from licet.records import ToolCall
from licet.replay.kept import Kept
from licet.replay.recorded import agent_of, kind_of, sound, together, words_of
from licet.replay.sessions import RecordedCall, Session
from licet.replay.statistics import Group, SessionTrace, Statistics

FRAMEWORK = "replay"
PRINCIPAL = "user:recorded"
NOT_EXECUTED = "never executed in the recording"


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay through one guard.

    `kind`: the task kind of every session; None: the session's suite if the manifest has a kind of that name, else the only kind.
    `agent`: who acts; None: the only agent that may run the kind. `approve`: what a person answers to each question. `kept` takes note of
    calls that were stopped, for showing.
    """

    guard: Guard
    statistics: Statistics
    kind: str | None = None
    agent: str | None = None
    approve: bool = False
    kept: Kept | None = None

    def run(self, session: Session) -> None:
        """Judge every call of one session, in the recorded order, in a task of its own.

        Raises:
            UsageError: no task kind or no agent can be told for it.
        """
        kind = self.kind_of(session)
        agent = self.agent_of(kind)
        intent, *turns = list(words_of(session)) or [self.guard.manifest.tasks[kind].intent]
        trace, number = SessionTrace(), 0
        with self.guard.task(kind, intent=intent, agent=agent, principal=PRINCIPAL) as task:
            for turn in turns:
                task.say(turn)
            for some in together(session.calls):
                begun: list[tuple[RecordedCall, Ticket]] = []
                for call in some:
                    number += 1
                    begun.append((call, self._begin(session, kind, call, sound(f"{session.id}/{number}"), trace)))
                for call, ticket in begun:
                    self._end(kind, call, ticket)
        self.statistics.of(kind).end(trace, group_of(session))

    def _begin(self, session: Session, kind: str, recorded: RecordedCall, call_id: str, trace: SessionTrace) -> Ticket:
        counts = self.statistics.of(kind)
        ticket = self.guard.begin(ToolCall(recorded.tool, recorded.arguments, call_id=call_id, framework=FRAMEWORK))
        first = ticket.decision
        if ticket.action == "ask":
            self.guard.resolve(ticket, self.approve, by="licet replay")
        (counts.executed if recorded.executed else counts.unexecuted).add(first, ticket.decision)
        trace.add(first, recorded.label)
        tool = self.guard.manifest.tools.get(recorded.tool)
        if tool is not None and tool.writes:
            counts.writes += 1
            counts.ruled += self._ruled(ticket)
        if first.outcome == "deny":
            counts.undeclared.update(f"{recorded.tool}({name})" for name in self._undeclared(kind, recorded))
        if self.kept is not None:
            self.kept.add(session, ticket, first)
        return ticket

    def _end(self, kind: str, recorded: RecordedCall, ticket: Ticket) -> None:
        if not ticket.allowed:
            return  # it would not have run, so that its output is nobody's: it is not handed in
        ticket.redeem()
        if not recorded.executed:
            self.guard.end(ticket, error=NOT_EXECUTED)
            return
        tool = self.guard.manifest.tools.get(recorded.tool)
        if tool is not None and tool.format == "object" and any(path != "$" for path in tool.fields) and isinstance(recorded.output, str):
            self.statistics.of(kind).unlabelled[recorded.tool] += 1
        if recorded.error is not None:
            self.guard.end(ticket, result=recorded.output, error=recorded.error)
        else:
            self.guard.end(ticket, result=recorded.output)

    def _ruled(self, ticket: Ticket) -> bool:
        """Whether some rule says where a value of the call must come from."""
        if ticket.task is None or ticket.seen is None:
            return False
        facts = Facts(self.guard.manifest, ticket.task.record, scope=ticket.task.scope)
        return any(True for trace in ticket.seen.traces for _ in rules_of(ticket.call.tool, trace, facts))

    def kind_of(self, session: Session) -> str:
        """The task kind that a session is a run of.

        Raises:
            UsageError: it cannot be told.
        """
        return kind_of(self.guard.manifest, session, self.kind)

    def agent_of(self, kind: str) -> str:
        """The agent that acts in tasks of this kind.

        Raises:
            UsageError: it cannot be told.
        """
        return agent_of(self.guard.manifest, kind, self.agent)

    def _undeclared(self, kind: str, call: RecordedCall) -> list[str]:
        """Arguments that the manifest does not name. A replay has no signatures, so that only the manifest can."""
        manifest = self.guard.manifest
        tool = manifest.tools.get(call.tool)
        if tool is None:
            return []
        named = {*tool.arguments, *(manifest.tasks[kind].tools[call.tool].arguments if call.tool in manifest.tasks[kind].tools else ())}
        return [name for name in call.arguments if name not in named]


def group_of(session: Session) -> Group:
    """What the data says of a session."""
    if session.attacked:
        return "attack_reached" if session.reached else "attack_not_reached"
    return "benign_solved" if session.solved else "benign"
