"""One recorded run as learning sees it: which tools, after which, with what from where; and why it does not teach, if it does not.

Each session goes through the guard's own judge, in which every recorded output stays what it was, whatever is thought of the call today:
so that the origins are those that the run really had.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from licet.canonical import Plain
from licet.chain.sources import sources
from licet.errors import UsageError
from licet.escape import visible
from licet.guard.rehearsal import Rehearsal
from licet.guard.ticket import Ticket
from licet.manifest import START
from licet.records import Reason, ToolCall
from licet.replay.recorded import agent_of, kind_of, together, told_last, words_of
from licet.replay.run import FRAMEWORK
from licet.replay.sessions import RecordedCall, Session
from licet.secretlike import scrub

DENIED = "a call was denied, or nobody said yes to it, as recorded"
ATTACKED = "it was attacked, as the record says"
UNSEEN = "model input came in unseen"
NO_KIND = "no task kind is named like its suite"
UNDECLARED = "it called what is not declared under `tools:`"
FOUND = "a finding stands on it"

_ALARMS = ("origin.", "flow.", "guard.undecided")
# What an inventory or a manifest in observe mode lacks says nothing against a run: that it is not granted yet is why one learns. Where it
# was enforced, a call was denied.
# That something is new is why one learns again: where a person refused it, a call was denied.
_NO_ALARMS = (
    "identity.unowned", "credential.stale", "credential.unowned", "scope.", "chain.order", "chain.novel", "chain.escalation"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One call. `before` is the tool that completed before it (`start`: none); `leaves`, by argument, the sources of each leaf; `ran`:
    whether the tool ran. `arguments` is None where they could not be taken in.
    """

    tool: str
    before: str
    arguments: Mapping[str, Plain] | None
    leaves: Mapping[str, tuple[frozenset[str], ...]]
    ran: bool


@dataclass(frozen=True, slots=True)
class Run:
    """One session. `time` is in seconds since the epoch, None where it is not known; `doubts`: why it does not teach (empty: it does)."""

    id: str
    kind: str
    place: str
    steps: tuple[Step, ...]
    time: float | None
    model: str
    doubts: tuple[str, ...]


def runs(
    sessions: Iterable[Session],
    rehearsal: Rehearsal,
    *,
    kind: str | None = None,
    agent: str | None = None,
    trusted: bool = False,
    apart: bool = False,
) -> Iterator[Run]:
    """Each session as a run, in order, one at a time. `kind`, `agent`: as in a replay.

    `apart`: each began in an environment of its own, so that none has read what another wrote into a store. `trusted`: somebody has
    looked at these recordings; then only those with a recorded denial or attack are doubted. Of a session of no kind that is declared only
    the doubt is told; its kind is then its suite.

    Raises:
        UsageError: `kind` or `agent` is not in the manifest, or it cannot be told who acts.
    """
    for session in sessions:
        if apart:
            rehearsal.forget()
        try:
            told = kind_of(rehearsal.manifest, session, kind)
        except UsageError:
            if kind is not None:
                raise
            yield Run(session.id, session.suite, session.place, (), session.time, session.model, (NO_KIND,))
            continue
        steps, alarms = _rehearsed(session, rehearsal, told, agent_of(rehearsal.manifest, told, agent), approving=trusted)
        doubts = [*_recorded(session)]
        if not trusted:
            doubts += doubts_of(session.findings)
            doubts += undeclared(steps, rehearsal.manifest.tools)
            doubts += [UNSEEN] * (session.unseen or any("unseen" in source for step in steps for source in _all(step)))
            doubts += alarms
        yield Run(session.id, told, session.place, steps, session.time, session.model, tuple(dict.fromkeys(doubts)))


def doubts_of(findings: Iterable[str]) -> list[str]:
    """The doubts that findings of these checks raise."""
    return [f"{FOUND}: {check}" for check in sorted(set(findings)) if not check.startswith(_NO_ALARMS)]


def undeclared(steps: Iterable[Step], tools: Collection[str]) -> list[str]:
    """The doubt that calls of tools raise of which nobody said what they do: the guard would have denied them."""
    unknown = sorted({step.tool for step in steps if step.ran and step.tool not in tools})
    return [f"{UNDECLARED}: {visible(scrub(tool), 80)}" for tool in unknown[:1]]  # one reason for each session


def _recorded(session: Session) -> Iterator[str]:
    if session.attacked:
        yield ATTACKED
    if any(call.decided == "deny" or (call.decided == "ask" and not call.executed) for call in session.calls):
        yield DENIED


def _all(step: Step) -> Iterator[str]:
    return (source for leaves in step.leaves.values() for leaf in leaves for source in leaf)


def _rehearsed(session: Session, rehearsal: Rehearsal, kind: str, agent: str, *, approving: bool) -> tuple[tuple[Step, ...], list[str]]:
    """The calls, and the alarms that the manifest raises on them of which nobody had approved."""
    steps: list[Step] = []
    alarms: list[str] = []
    intent, *later = list(words_of(session)) or [rehearsal.manifest.tasks[kind].intent]
    task = rehearsal.begin(kind, intent=intent, agent=agent)
    try:
        for turn in later:
            task.say(turn)
        for last, some in told_last(together(session.calls)):
            judged: list[tuple[RecordedCall, Ticket]] = []
            for call in some:
                ticket = rehearsal.judge(task, ToolCall(call.tool, call.arguments, framework=FRAMEWORK))
                if reasons := ticket.decision.reasons:
                    # A yes is an answer to what was asked then, and to nothing else.
                    approved = frozenset(call.asked if call.decided == "ask" and call.executed else ())
                    alarms += [f"{found.check} would {found.effect} now" for found in alarming(reasons) if found.check not in approved]
                    if ticket.action == "ask":
                        rehearsal.answer(ticket, approving or approved.issuperset(each.check for each in reasons if each.effect == "ask"))
                steps.append(_step(call, ticket))
                judged.append((call, ticket))
            if last and all(ticket.allowed for _, ticket in judged):
                break  # nobody asks what came of the last ones; what was not allowed and ran may have written
            for call, ticket in judged:
                if call.executed:
                    rehearsal.done(ticket, output=call.output, error=call.error, anyway=True)
    finally:
        rehearsal.end(task)
    return tuple(steps), alarms


def alarming(reasons: Iterable[Reason]) -> Iterator[Reason]:
    """Those by which an origin or flow check denies or asks, or would in enforce mode; and what could not be judged."""
    return (found for found in reasons if found.effect != "flag" and found.check.startswith(_ALARMS))


def _step(call: RecordedCall, ticket: Ticket) -> Step:
    leaves: dict[str, list[frozenset[str]]] = {}
    for trace in ticket.seen.traces if ticket.seen is not None else ():
        leaves.setdefault(trace.argument, []).append(sources(trace))
    arguments = None if ticket.values is None else ticket.plain
    origins = {argument: tuple(found) for argument, found in leaves.items()}
    return Step(ticket.call.tool, ticket.previous_tool or START, arguments, origins, call.executed)
