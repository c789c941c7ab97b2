"""The guard's own judge without disk, tokens, spans and ledger: what it would say to recorded calls, as fast as it can be said.

Judge, origins, checks, budgets and refusals are the guard's, so that its decisions are the guard's. What is missing is what nobody
rehearses: whether a path leads to the guard's own files (`guard.self`), sub-tasks, other processes, broken glass and revocations.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from licet.approval import TIMEOUT_SECONDS
from licet.budgets import TaskBudgets, owned
from licet.canonical import Plain, digest
from licet.chain.index import MAX_ATOMS
from licet.clock import Clock, SystemClock, lasting
from licet.errors import UsageError, traced
from licet.guard.judge import Judge
from licet.guard.learned import Learned
from licet.guard.origins import Origins, Seen
from licet.guard.outputs import plain_of
from licet.guard.parts import Ground
from licet.guard.stated import recordable_call
from licet.guard.task import GuardedTask, Turn
from licet.guard.ticket import Ticket
from licet.manifest import Manifest
from licet.policy.engine import weigh
from licet.policy.request import reason
from licet.pseudonym import Pseudonyms
from licet.records import CallRecord, Decision, TaskRecord, ToolCall
from licet.scope import CompiledManifest
from licet.store import MemoryStore, Transaction

_log = logging.getLogger("licet")
PRINCIPAL = "user:recorded"
_NOTHING = object()


class Rehearsal:
    """Judges sessions one after the other. Keep one for all: what their calls write into a store stays tainted there, as it does live.

    Args:
        manifest: what is judged by.
        clock: by default the machine's; hand in one that follows the recording to have `rate` budgets, dates and `ttl` judged as then.
        ratified: whether baselines count as ratified.
        values, probes: as `origin_values` and `origin_denials` of `Guard`.
        secret: keys what is remembered of stores; by default a new one. One that goes on where another stopped (`remembered`, `remember`)
            has its secret.

    Not for use from several threads.
    """

    def __init__(
        self, manifest: Manifest, *, clock: Clock | None = None, ratified: bool = True, values: int = MAX_ATOMS, probes: int = 5,
        secret: bytes | None = None,
    ) -> None:  # fmt: skip
        self.manifest = manifest
        self._clock = clock or SystemClock()
        self._compiled = CompiledManifest(manifest)
        self._store = MemoryStore()
        secret = secret or os.urandom(32)
        self._pseudonyms = Pseudonyms(secret)
        self._origins = _Origins(manifest, self._compiled, self._store, secret, values=values, probes=probes)
        self._numbers = itertools.count()
        self._life = _Life(self._origins, self._store, self._clock)
        self._learned = learned = Learned(manifest, ratified=ratified)
        self._judge = _Judge(
            Ground(
                manifest, self._compiled, learned, self._store, self._clock, None, self._origins, self._pseudonyms, TIMEOUT_SECONDS, None
            )
        )  # fmt: skip

    def begin(self, kind: str, *, intent: str, agent: str, principal: str = PRINCIPAL) -> GuardedTask:
        """A task that has begun. Later turns of the user enter it by `task.say`, other model input by `task.observe`.

        Raises:
            UsageError: the kind is not declared.
        """
        if kind not in self.manifest.tasks:
            raise UsageError(f"task kind {kind!r} is not in the manifest; declared: {', '.join(self.manifest.tasks)}")
        declared, scope, task_id = self.manifest.tasks[kind], self._compiled.scopes[kind], os.urandom(16).hex()
        record = TaskRecord(
            task_id, kind, agent, principal, intent, self.manifest.digest, self._clock.now(), declared.ttl.total_seconds(), root=task_id
        )
        task = GuardedTask(self._life, record, scope, (self._budgets(task_id, kind),), None)
        self._life.begin(task)
        return task

    def _budgets(self, task_id: str, kind: str) -> TaskBudgets:
        return owned(task_id, (layer.grants for layer in self._compiled.scopes[kind].layers[-1:]), self.manifest.tasks[kind].budgets)

    def end(self, task: GuardedTask) -> None:
        """End a task, and forget it."""
        self._life.end(task, "rehearsed")

    def judge(self, task: GuardedTask, call: ToolCall) -> Ticket:
        """The guard's answer to a call, as `Guard.begin` gives it. Never raises: what cannot be decided is a denied ticket."""
        ticket = self.consider(task, call)
        if ticket.action != "ask":
            self.settle(ticket)
        return ticket

    def answer(self, ticket: Ticket, approved: bool) -> Ticket:  # noqa: FBT001 - the answer to a question
        """What a person answers to a ticket whose action is `ask`, as `Guard.resolve` takes it."""
        if self.reply(ticket, approved=approved):
            self.settle(ticket)
        return ticket

    # In two steps, for who has to know what is decided before anything follows from it.

    def consider(self, task: GuardedTask, call: ToolCall, like: Ticket | None = None, seen: Seen | None = None) -> Ticket:
        """The decision alone: `settle` takes note of it, after `reply` where a person is asked. Never raises.

        `like` is the ticket of another rehearsal for the same call, which binds it alike; `seen`, what that one sees, where it is the same.
        """
        try:
            return self._considered(task, call, like, seen)
        # As for `Gate.begin` (design § 4): an error anywhere below is a denial, whatever it is.
        except Exception as error:  # noqa: BLE001 - see above
            return Ticket(os.urandom(16).hex(), call, _undecided(error), task=task, bound=None, digest="")

    def _considered(self, task: GuardedTask, call: ToolCall, like: Ticket | None, seen: Seen | None) -> Ticket:
        if like is None or like._bound is None:
            call = recordable_call(call, self.manifest.tools)
            bound, problem = self._judge.bind(call, None)
        else:
            call, bound, problem = like.call, like._bound, ""
        request = self._judge.request(call, None, bound, problem)
        ticket_id = f"{task.id[:16]}{next(self._numbers):016x}" if like is None else like.id
        ticket = Ticket(ticket_id, call, Decision("deny"), task=task, bound=bound, digest="")
        ticket.started = request.time
        self._origins.given = seen
        try:
            judged = self._judge.judge(ticket, request)
        finally:
            self._origins.given = None
        ticket.decision, ticket.seq = judged.decision, judged.seq
        if ticket.decision.outcome == "ask":
            ticket.asked_until = request.time + TIMEOUT_SECONDS
            ticket.move("asked", "ended")
        return ticket

    def reply(self, ticket: Ticket, *, approved: bool) -> bool:
        """What a person answers: it is decided anew. False where nobody was asked. Never raises."""
        if ticket.task is None or not ticket.move("ended", "asked"):
            return False
        try:
            if approved:
                request = self._judge.request(ticket.call, None, ticket._bound, "")
                ticket.decision = self._judge.judge(ticket, request, approved=True).decision
            else:
                self._store.refuse(ticket.task.record.root, ticket.call.tool)
                refused = reason("approval.refused", "a person refused this call")
                ticket.decision = weigh([refused, *ticket.decision.reasons])
        # As for `consider`.
        except Exception as error:  # noqa: BLE001 - see above
            ticket.decision = _undecided(error)
        return True

    def settle(self, ticket: Ticket) -> None:
        """What follows from the decision: what the call writes is remembered, or that it was denied. Never raises."""
        try:
            self._settled(ticket)
        # As for `consider`.
        except Exception as error:  # noqa: BLE001 - see above
            ticket.decision = _undecided(error)

    def _settled(self, ticket: Ticket) -> None:
        if ticket.allowed:
            self._origins.wrote(ticket)
            ticket.move("open", "ended")
        else:
            bound = ticket._bound  # different calls that were denied are told apart by their arguments
            ticket.args_digest = digest(dict(bound.plain)) if bound is not None else f"unjudgeable:{ticket.id}"
            self._origins.denied(ticket)

    def done(self, ticket: Ticket, *, output: object = _NOTHING, error: str | None = None, anyway: bool = False) -> None:
        """What the tool gave, as `Guard.end` takes it. `anyway`: also for a call that this guard would not have let run, since it ran.

        Raises:
            StoreError: it ran `anyway`, and what it wrote cannot be remembered.
        """
        if ticket.task is None or not (ticket.allowed or anyway):
            return
        if not ticket.allowed:
            # It ran although nobody here let it, so that nobody vouches for what it wrote.
            given, ticket.decision = ticket.decision, Decision("deny")
            self._origins.wrote(ticket)
            ticket.decision = given
        if output is not _NOTHING:
            plain, whole = plain_of(output)
            self._shown(ticket, plain)
            if not whole:
                self._origins.blind(ticket, f"the output of `{ticket.call.tool}` is of a kind that cannot be looked into")
        if error is not None:
            self._shown(ticket, error, failed=True)
        self.over(ticket, error)

    def _shown(self, ticket: Ticket, plain: Plain, *, failed: bool = False) -> None:
        try:
            self._origins.saw(ticket, plain, failed=failed)
        # As live (`Gate.end`): the tool ran, and what cannot be indexed takes all trust away.
        except Exception as error:  # noqa: BLE001 - see above
            _log.warning("licet: an output could not be indexed; no field of this task counts as trusted any more: %s", traced(error))
            self._origins.blind(ticket, f"an output of `{ticket.call.tool}` could not be indexed")

    def over(self, ticket: Ticket, error: str | None = None) -> None:
        """The call has come to its end: what `done` notes beside what was shown."""
        if error is None and ticket.task is not None:
            self._store.completed(ticket.task.id, ticket.call.tool)

    # Two rehearsals of one session, which are shown the same.

    def enter(self, task: GuardedTask, other: Rehearsal) -> GuardedTask:
        """A task like one of another rehearsal, in the middle of it: its kind, agent and words, what it was shown and has used up.

        What it is shown from here on is taken in once for both, by the other, until `part`. Both have the same clock and secret.
        """
        kind = task.record.kind
        declared, scope = self.manifest.tasks[kind], self._compiled.scopes[kind]
        record = replace(task.record, manifest_digest=self.manifest.digest, ttl=declared.ttl.total_seconds())
        mine = GuardedTask(self._life, record, scope, (self._budgets(task.id, kind),), None)
        mine.turns, mine._begun, mine._monotonic = list(task.turns), True, task._monotonic
        self._store.adopt(record, other._store)
        self._origins.beside(mine, other._origins)
        return mine

    def part(self, task: GuardedTask) -> None:
        """From here on the task is shown other things than the one that it is like."""
        self._origins.part(task)

    def names(self, tool: str) -> frozenset[str]:
        """The arguments of a tool of which the manifest speaks: a recording has no signature that could tell others."""
        return self._compiled.declared_arguments.get(tool, frozenset())

    def remembered(self) -> Iterator[tuple[str, str]]:
        """What the sessions so far wrote tainted into stores: the store, and a keyed digest."""
        return self._store.written()

    def remember(self, written: Iterable[tuple[str, str]]) -> None:
        """Go on from there."""
        for store, value in written:
            self._store.taint(store, [value], "", "")

    def forget(self) -> None:
        """What comes began in an environment of its own: what was written into stores until now is not in them."""
        self._store.forget_written()

    def close(self) -> None:
        """Let go of the temporary file."""
        self._store.close()


class _Origins(Origins):
    """The guard's origins, where another rehearsal may have looked already."""

    given: Seen | None = None

    def look(self, task: GuardedTask | None, tool: str, plain: Mapping[str, Plain]) -> Seen:
        if self.given is None or task is None:
            return super().look(task, tool, plain)
        return self.given._replace(probed=self.probed(task))


class _Judge(Judge):
    """The guard's judge, where no call is kept: it is only counted."""

    def _add(self, tx: Transaction, ticket: Ticket, now: float) -> int:  # noqa: ARG002 - the signature of `Judge`
        return tx.add_call(_NO_RECORD, ticket.task.id if ticket.task is not None else "")


def _undecided(error: Exception) -> Decision:
    _log.error("licet: a rehearsed call was denied because of an error in the guard: %s", traced(error))
    return weigh([reason("guard.undecided", f"the guard could not decide: {type(error).__name__}")])


_NO_RECORD = CallRecord("", "", 0, "", "", "", "running", Decision("deny"), "", 0.0)


class _Life:
    """What a task asks of whoever keeps it: see `TaskLife`."""

    def __init__(self, origins: Origins, store: MemoryStore, clock: Clock) -> None:
        self._origins, self._store, self._clock = origins, store, clock

    def begin(self, task: GuardedTask) -> None:
        task._begun, task._monotonic = True, self._clock.monotonic()
        self._store.begin_task(task.record)
        self._origins.begin(task)

    def end(self, task: GuardedTask, by: str, failed: str = "") -> None:  # noqa: ARG002 - the signature of `TaskLife`
        if not task._ended:
            task._ended = True
            self._origins.end(task)
            self._store.forget(task.id)

    def left(self, task: GuardedTask) -> None:
        """Nothing is detached here."""

    def turned(self, task: GuardedTask, turn: Turn) -> None:
        self._origins.turned(task, turn)

    def over(self, task: GuardedTask) -> str:
        if task._ended:
            return f"task {task.id[:8]} has ended"
        elapsed = max(self._clock.now() - task.record.started, self._clock.monotonic() - task._monotonic)
        return f"the time of task {task.id[:8]} is over ({lasting(task.record.ttl)})" if elapsed >= task.record.ttl else ""

    def now(self) -> float:
        return self._clock.now()
