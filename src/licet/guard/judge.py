"""Judging one call: bind and freeze it, gather the facts, decide, and take what the budgets must give, in one transaction."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from licet.approval import MAX_QUESTIONS
from licet.budgets import BudgetRefusal, claims
from licet.canonical import recordable
from licet.catalogue import ALWAYS_ENFORCED, CHECKS, LEARNED
from licet.errors import SnapshotError, StoreError, traced
from licet.guard.binding import Bound, ToolSignature, bind, bind_names
from licet.guard.learned import Learned
from licet.guard.origins import Seen
from licet.guard.parts import Ground
from licet.guard.task import GuardedTask, lineage
from licet.guard.ticket import Ticket, asks_of
from licet.manifest.baseline import Baseline
from licet.policy import CHECKS_OF_A_CALL, Facts, Measure, Request, decide
from licet.policy.engine import UNDECIDED, weigh
from licet.policy.request import reason
from licet.policy.rules import endorsed_by
from licet.records import CallRecord, CallStatus, Claim, Decision, Effect, Reason, ToolCall
from licet.store import Transaction
from licet.telemetry import semconv

_log = logging.getLogger("licet")
Check = Callable[[Request, Facts], Iterable[Reason]]
_STRICTNESS: tuple[Effect, ...] = ("flag", "ask", "deny")


@dataclass(slots=True)
class Judged:
    """A decision, the call's number in its task, and what the budgets gave."""

    decision: Decision
    seq: int = 0
    claims: list[Claim] = field(default_factory=list)
    time: float = 0.0
    endorsed: tuple[tuple[str, str, str], ...] = ()


class Judge:
    """From a call to a decision. `signatures` tells how wrapped tools are called: (signature, digest of the definition) by tool."""

    def __init__(self, parts: Ground) -> None:
        self._p = parts
        self._checks: tuple[Check, ...] | None = None  # all that there are
        self._learned = parts.learned
        self.signatures: dict[str, tuple[ToolSignature, str]] = {}

    def judge_by(self, checks: Sequence[Check], learned: Learned) -> None:
        """Judge by these checks and habits from now on: a drill has habits of its own, and tries what is missed without a check."""
        self._checks, self._learned = tuple(checks), learned

    def bind(self, call: ToolCall, signature: ToolSignature | None) -> tuple[Bound | None, str]:
        """The frozen call of an adapter, which has names and values; or why there is none."""
        known = self._known(call.tool, signature, call.known)
        return self._freeze(call.tool, known, call.arguments, lambda kept, opaque: bind_names(signature, kept, opaque))

    def bind_call(self, tool: str, signature: ToolSignature, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Bound | None, str]:
        """The frozen call of a wrapped function; or why there is none."""
        known = self._known(tool, signature, None)
        return self._freeze(tool, known, kwargs, lambda kept, opaque: bind(signature, args, kept, opaque))

    def _freeze(
        self, tool: str, known: frozenset[str], named: Mapping[str, Any], binding: Callable[[Mapping[str, Any], frozenset[str]], Bound]
    ) -> tuple[Bound | None, str]:
        dropped: tuple[str, ...] = ()
        if tool in self._p.compiled.drops:
            dropped = tuple(name for name in named if name not in known)
            named = {name: value for name, value in named.items() if name in known}
        try:
            bound = binding(named, self._p.compiled.opaque.get(tool, frozenset()))
            return (replace(bound, dropped=dropped) if dropped else bound), ""
        except SnapshotError as error:
            return None, str(error)
        except TypeError as error:
            return None, f"the arguments do not fit the tool: {recordable(str(error), 300)}"

    def _known(self, tool: str, signature: ToolSignature | None, told: tuple[str, ...] | None) -> frozenset[str]:
        """The names of all arguments that the tool takes: by its signature, else as the framework told, else by the manifest."""
        declared = self._p.compiled.declared_arguments.get(tool, frozenset())
        if signature is None:
            return declared if told is None else frozenset(told)
        own = signature.known | signature.injected
        return own | declared if signature.var_keyword else own

    def request(self, call: ToolCall, signature: ToolSignature | None, bound: Bound | None, problem: str) -> Request:
        """The call as the checks see it."""
        known = self._known(call.tool, signature, call.known)
        nulls = signature.defaults_to_null if signature is not None else frozenset()
        plain, dropped = (bound.plain, bound.dropped) if bound else ({}, ())
        # Paths are resolved here, before anything is locked.
        reaches = self._p.own_files.reaches(plain) if self._p.own_files is not None else ()
        return Request(call.tool, plain, self._p.clock.now(), known, nulls, problem, dropped, reaches, call.reason or "", call.definition)

    def judge(self, ticket: Ticket, request: Request, *, approved: bool = False) -> Judged:
        """Decide, and take what the budgets must give, in one transaction."""
        task = ticket.task
        # Before anything is locked: the index has a lock of its own.
        ticket.seen = seen = self._p.origins.look(task, request.tool, request.plain)
        with self._p.store.transaction() as tx:
            if not approved:
                self._recognise(tx, ticket)
            if task is not None and tx.tree_calls(task.record.root) > self._p.origins.begun(task):
                # Another process works in this task too, and what it was shown is not known here.
                self._p.origins.lose_sight(task)
                ticket.seen = seen = self._p.origins.look(task, request.tool, request.plain)
            decision, facts, wanted = self._decide(tx, task, request, seen, paid=ticket.resumed)
            if approved and decision.outcome == "ask" and (asks_of(decision) - asks_of(ticket.decision)):
                decision = weigh([reason("approval.unavailable", "more is in question now than the person was asked"), *decision.reasons])
            if approved and decision.outcome == "ask":
                settled = weigh(found for found in decision.reasons if found.effect != "ask")
                decision = replace(decision, outcome="allow", judged=settled.judged)
            elif decision.outcome == "ask" and ticket.asked_until and ticket.asked_until <= request.time:
                decision = weigh([reason("approval.unavailable", "nobody answered in time"), *decision.reasons])
            elif decision.outcome == "ask" and task is not None and not ticket.resumed:
                decision = _weary(decision, *tx.asked(task.record.root), request.tool)
            taken: list[Claim] = []
            if decision.outcome == "allow" and ticket.seq and not tx.take_up(ticket.id, ticket.planned_jti):
                # Another process took up the call that waited; this one is another call, and nobody was asked about it.
                ticket.id, ticket.seq, ticket.started = os.urandom(16).hex(), 0, request.time
                decision = weigh([reason("approval.unavailable", "the answer was used for this call elsewhere"), *decision.reasons])
            if decision.outcome == "allow":
                taken = [tx.reserve(claim, request.time) for claim in wanted]
            elif decision.outcome == "ask" and task is not None and not ticket.seq:
                # Counted when it is asked, so that calls side by side cannot ask more often than calls in a row.
                tx.ask(task.record.root, request.tool)
            seq = ticket.seq
            if not seq:
                ticket.kept = decision
                seq = self._add(tx, ticket, request.time)
                self._p.origins.begin_call(task)
            ticket.previous_tool = facts.last_tool or ""
            return Judged(decision, seq, taken, request.time, endorsed_by(request.tool, facts))

    def _decide(
        self, tx: Transaction, task: GuardedTask | None, request: Request, seen: Seen, *, paid: bool = False
    ) -> tuple[Decision, Facts, list[Claim]]:
        facts, wanted = self._facts(tx, task, request, seen, paid=paid)
        checks = CHECKS_OF_A_CALL if self._checks is None else self._checks
        return decide(checks, request, facts, lambda found: self._moded(tx, task, request.time, found)), facts, wanted

    def _moded(self, tx: Transaction, task: GuardedTask | None, now: float, reasons: list[Reason]) -> Iterator[Reason]:
        """The reasons as the modes and effects of the manifest have them."""
        kinds = [each.record.kind for each in lineage(task)] or [""]
        glass = {kind: bool(kind) and tx.glass_broken(kind, now) for kind in kinds}
        for found in reasons:
            if found.check == UNDECIDED:
                yield found
            else:
                # A sub-task stays within the tasks above it: what one of them enforces is enforced.
                observed = all(self._observed(found.check, kind, now, glass=glass[kind]) for kind in kinds)
                yield replace(found, observed=observed, effect=self._effect(found, kinds))

    def give_back(self, judged: Judged) -> None:
        """Return what a call took from its budgets: it was allowed, and could then not be recorded, so that it never ran."""
        try:
            with self._p.store.transaction() as tx:
                for claim in judged.claims:
                    tx.release(claim, judged.time)
        except StoreError:
            _log.warning("licet: a refused call could not give back what it took from its budgets", exc_info=True)

    def _recognise(self, tx: Transaction, ticket: Ticket) -> None:
        """A call that its tool suspended, or that still waits for an answer, is the same call when the framework makes it again."""
        call, task = ticket.call, ticket.task
        if task is None or call.call_id is None:
            return
        earlier = tx.waiting(task.id, call.framework, call.call_id, call.tool, ticket.args_recorded)
        if earlier is None or earlier.attributes.get(semconv.CONVERSATION_ID, call.session) != call.session:
            return
        ticket.id, ticket.seq, ticket.started = earlier.id, earlier.seq, earlier.started
        ticket.kept, ticket.used = earlier.decision, earlier.used
        if earlier.status == "suspended":
            ticket.resumed = True
            # An approval holds as long as an answer may take, and not for every time that the tool is suspended.
            fresh = self._p.clock.now() <= earlier.started + self._p.approval_seconds
            ticket.approved_for = asks_of(earlier.decision) if fresh else frozenset()
        else:
            ticket.asked_until = earlier.started + self._p.approval_seconds

    def _facts(
        self, tx: Transaction, task: GuardedTask | None, request: Request, seen: Seen, *, paid: bool = False
    ) -> tuple[Facts, list[Claim]]:
        """What the checks look at, and what the budgets must give; `paid`: they gave it before the call was suspended."""
        if task is None:
            return Facts(self._p.manifest), []
        expired = task.over() or _ended_elsewhere(tx, task)
        wanted: list[Claim] = []
        uncountable = ""
        try:
            if not request.unjudgeable and not paid:
                wanted = [self._p.pseudonyms.claim(claim) for owner in task.budgets for claim in claims(owner, request.tool, request.plain)]
        except BudgetRefusal as error:
            uncountable = str(error)
        measures = tuple([Measure(claim, tx.measure(claim, request.time)) for claim in wanted])
        kinds = self._p.manifest.tasks
        chains = tuple(
            [(each.record.kind, tx.last_tool_under(each.id)) for each in lineage(task) if kinds[each.record.kind].chain is not None]
        )
        seen_of, baseline = self._baseline(task)
        facts = Facts(
            self._p.manifest, task.record, expired, task.scope, measures, uncountable, tx.last_tool(task.id), chains,
            seen.traces, seen.entered, seen.exposures, seen.carried, seen.full, seen.probed,
            request.definition or self.signatures.get(request.tool, (None, ""))[1], _revoked(tx, task, request.time),
            baseline, seen_of, self._learned.ratified, self._p.monitored.blind(request.time) if self._p.monitored is not None else "",
        )  # fmt: skip
        return facts, wanted

    def _baseline(self, task: GuardedTask) -> tuple[str, Baseline | None]:
        """What a call of the task is held against: a sub-task of a kind that nobody has learned is part of the work above it."""
        for each in lineage(task):
            found = self._learned.of(each.record.kind, each.record.agent)
            if found is not None:
                return each.record.kind, found
        return "", None

    def _observed(self, check: str, kind: str, now: float, *, glass: bool) -> bool:
        """Whether a reason of this check is recorded only: check over task kind over manifest; broken glass over all."""
        if check in ALWAYS_ENFORCED:
            return False
        if glass:
            return True
        manifest = self._p.manifest
        declared = manifest.tasks.get(kind)
        for moded in (declared.checks.get(check) if declared else None, manifest.checks.get(check), declared):
            if moded is not None and moded.mode is not None:
                return moded.observes(now)
        return manifest.observes(now)

    def _effect(self, found: Reason, kinds: list[str]) -> Effect:
        """The effect of a reason: what the task kind, else the manifest, sets for its check; of several tasks the strictest."""
        if found.check in LEARNED and not self._learned.ratified:
            return "flag"
        default = CHECKS[found.check].effect
        effects: list[Effect] = []
        for kind in kinds:
            chosen = self._chosen_effect(found.check, kind)
            if chosen is None or found.effect == default:
                effects.append(chosen or found.effect)
            else:  # a rule of the manifest asks here where the check denies: what is raised is raised, and what is lowered is lowered
                pick = max if _STRICTNESS.index(chosen) >= _STRICTNESS.index(default) else min
                effects.append(pick(chosen, found.effect, key=_STRICTNESS.index))
        return max(effects, key=_STRICTNESS.index)

    def _chosen_effect(self, check: str, kind: str) -> Effect | None:
        declared = self._p.manifest.tasks.get(kind)
        for settings in (declared.checks.get(check) if declared else None, self._p.manifest.checks.get(check)):
            if settings is not None and settings.then is not None:
                return settings.then
        return None

    def _add(self, tx: Transaction, ticket: Ticket, now: float) -> int:
        """Keep the call as it was judged; its number in its task."""
        ticket.used = ticket.seen.used if ticket.seen is not None else ()
        return tx.add_call(self._record(ticket, ticket.kept, now), ticket.task.record.root if ticket.task else "")

    def _record(self, ticket: Ticket, decision: Decision, now: float) -> CallRecord:
        status: dict[str, CallStatus] = {"allow": "running", "ask": "asked", "deny": "denied"}
        call = ticket.call
        return CallRecord(
            id=ticket.id, task_id=ticket.task.id if ticket.task else "", seq=0, tool=call.tool, call_id=call.call_id or "",
            framework=call.framework, status=status[decision.outcome], decision=decision, args_digest=ticket.args_recorded, started=now,
            used=ticket.used, attributes={semconv.CALL_REASON: call.reason} if call.reason else {},
            jti=ticket.planned_jti if decision.outcome == "allow" else "",
        )  # fmt: skip

    def peek(self, call: ToolCall, found: GuardedTask | None) -> str:
        """What `begin` would say now, without any effect: `allow`, `ask` or `deny`. Never raises."""
        try:
            signature = self.signatures.get(call.tool, (None, ""))[0]
            bound, problem = self.bind(call, signature)
            request = self.request(call, signature, bound, problem)
            seen = self._p.origins.look(found, request.tool, request.plain)
            with self._p.store.transaction() as tx:
                decision, _, _ = self._decide(tx, found, request, seen)
                if decision.outcome == "ask" and found is not None:
                    decision = _weary(decision, *tx.asked(found.record.root), request.tool)
        # As for `begin`: what cannot be decided is a denial.
        except Exception as error:  # noqa: BLE001 - see above
            _log.warning("licet: peek could not decide (%s)", traced(error))
            return "deny"
        return decision.outcome


def _revoked(tx: Transaction, task: GuardedTask, now: float) -> str:
    found = tx.revoked([("agent", agent) for agent in task.agents], now)
    return found.mark[1] if found is not None else ""


def _ended_elsewhere(tx: Transaction, task: GuardedTask | None) -> str:
    """Another process may have ended the task, or one above it."""
    for each in lineage(task):
        row = tx.task(each.id)
        if row is None:
            return f"task {each.id[:8]} is not in the store"
        if row.ended is not None:
            return f"task {each.id[:8]} has ended ({row.ended_by})"
    return ""


def _weary(decision: Decision, asked: int, refused: frozenset[str], tool: str) -> Decision:
    """After a refusal the same tool is not asked for again in the task; after five questions nothing is."""
    if tool in refused:
        return weigh([reason("approval.refused", f"a person refused `{tool}` earlier in this task"), *decision.reasons])
    if asked >= MAX_QUESTIONS:
        return weigh([reason("approval.limit", f"this task has asked a person {asked} times"), *decision.reasons])
    return decision
