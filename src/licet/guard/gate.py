"""From a call to a ticket: freeze, gather facts, decide, mint, record. The two-phase contract that every adapter uses."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from licet.approval import MAX_QUESTIONS, ApprovalRequest
from licet.budgets import BudgetRefusal, claims
from licet.canonical import Plain, digest, digest_text
from licet.clock import Clock
from licet.denial import explain, leading
from licet.errors import LicetError, SnapshotError, StateError, StoreError, TicketSpent, UsageError
from licet.guard.binding import Bound, ToolSignature, bind_names
from licet.guard.recorder import Recorder
from licet.guard.state import OwnFiles
from licet.guard.task import GuardedTask
from licet.guard.tasks import Tasks
from licet.guard.ticket import Ticket, running_ticket
from licet.manifest import Manifest, Tool
from licet.policy import CHECKS_OF_A_CALL, Facts, Measure, Request, decide
from licet.policy.engine import weigh
from licet.policy.request import reason
from licet.records import CallRecord, CallStatus, Claim, Decision, ToolCall
from licet.scope import CompiledManifest
from licet.snapshot import snapshot
from licet.store import Store, Transaction
from licet.telemetry import Telemetry, semconv
from licet.tokens import Issuer

_log = logging.getLogger("licet")
_NOTHING = object()



@dataclass(frozen=True, slots=True)
class Parts:
    """What the gate works with, put together once by the guard."""

    manifest: Manifest
    compiled: CompiledManifest
    store: Store
    recorder: Recorder
    telemetry: Telemetry
    issuer: Issuer
    clock: Clock
    tasks: Tasks
    own_files: OwnFiles
    approval_seconds: float


@dataclass(slots=True)
class _Judged:
    decision: Decision
    seq: int = 0
    last_tool: str = ""
    claims: list[Claim] = field(default_factory=list)


class Gate:
    """`begin`, `resolve`, `end`, `peek`: the only way to a ticket."""

    def __init__(self, parts: Parts) -> None:
        self._p = parts
        self._signatures: dict[str, tuple[ToolSignature, str]] = {}
        self._pending: dict[tuple[str, ...], Ticket] = {}
        self._lock = threading.Lock()

    def register(self, tool: str, signature: ToolSignature, definition: str) -> None:
        """Remember how a wrapped tool is called, for adapters that meet it by name. `definition` is the digest of what it shows."""
        self._signatures[tool] = (signature, definition)

    def begin(self, call: ToolCall, *, task: GuardedTask | str | None = None, bound: Bound | None = None, problem: str = "") -> Ticket:
        """Judge a call. Never raises: what cannot be decided is a denied ticket.

        `bound` are arguments that are frozen already; `problem` says why they could not be.
        """
        try:
            return self._begin(call, task, bound, problem)
        # The contract of `begin` (design § 4): an error anywhere below is a denial, whatever it is.
        except Exception as error:
            return self._undecided(call, error)

    def _begin(self, call: ToolCall, named: GuardedTask | str | None, bound: Bound | None, problem: str) -> Ticket:
        signature = self._signatures.get(call.tool, (None, ""))[0]
        if bound is None and not problem:
            bound, problem = self._bind(call, signature)
        # What cannot be frozen has no digest of its own, so that it can never be taken for another call.
        args_digest = digest(dict(bound.plain)) if bound is not None else f"unjudgeable:{os.urandom(16).hex()}"
        task = self._p.tasks.find(named)
        outer = running_ticket.get()
        if outer is not None and _same_call(outer, call, args_digest) and outer.join():
            return self._joined(call, outer, bound, args_digest)
        key = _pending_key(call, task, args_digest)
        with self._lock:
            waiting = self._pending.get(key) if key else None
        if waiting is not None and waiting.asked_until > self._p.clock.now():
            return waiting
        request = self._request(call, signature, bound, problem)
        ticket = Ticket(os.urandom(16).hex(), call, Decision("deny"), task=task, bound=bound, digest=args_digest)
        ticket.started = request.time
        judged = self._judge(ticket, request)
        ticket.decision, ticket.seq = judged.decision, judged.seq
        if judged.decision.outcome == "allow":
            self._permit(ticket, judged)
        elif judged.decision.outcome == "ask":
            self._ask(ticket, key)
        else:
            self._refuse(ticket)
        return ticket

    def _bind(self, call: ToolCall, signature: ToolSignature | None) -> tuple[Bound | None, str]:
        opaque = self._p.compiled.opaque.get(call.tool, frozenset())
        try:
            return bind_names(signature, call.arguments, opaque), ""
        except SnapshotError as error:
            return None, str(error)
        except TypeError as error:
            return None, f"the arguments do not fit the tool: {error}"

    def _request(self, call: ToolCall, signature: ToolSignature | None, bound: Bound | None, problem: str) -> Request:
        declared = self._p.compiled.declared_arguments.get(call.tool, frozenset())
        nulls: frozenset[str] = frozenset()
        if signature is not None:
            known = signature.known | declared if signature.var_keyword else signature.known
            nulls = signature.defaults_to_null
        else:
            known = frozenset(call.known) if call.known is not None else declared
        return Request(call.tool, bound.plain if bound else {}, self._p.clock.now(), known, nulls, problem)

    def _judge(self, ticket: Ticket, request: Request, *, approved: bool = False) -> _Judged:
        """Decide, and take what the budgets must give, in one transaction."""
        task = ticket.task
        with self._p.store.transaction() as tx:
            facts, wanted = self._facts(tx, task, request)
            kind = task.record.kind if task else ""
            glass = bool(kind) and tx.glass_broken(kind, request.time)
            decision = decide(CHECKS_OF_A_CALL, request, facts, lambda check: self._observed(check, kind, request.time, glass))
            if approved and decision.outcome == "ask":
                settled = weigh(found for found in decision.reasons if found.effect != "ask")
                decision = replace(decision, outcome="allow", judged=settled.judged)
            elif decision.outcome == "ask" and task is not None:
                decision = _weary(decision, *tx.asked(task.id), request.tool)
            if decision.outcome == "allow":
                for claim in wanted:
                    tx.reserve(claim, request.time)
            seq = ticket.seq if approved else tx.add_call(self._record(ticket, decision, request.time))
            return _Judged(decision, seq, facts.last_tool or "", wanted)

    def _facts(self, tx: Transaction, task: GuardedTask | None, request: Request) -> tuple[Facts, list[Claim]]:
        reaches = self._p.own_files.reaches(request.plain)
        if task is None:
            return Facts(self._p.manifest, reaches=reaches), []
        expired = task.over() or _ended_elsewhere(tx, task)
        wanted: list[Claim] = []
        uncountable = ""
        try:
            if not request.unjudgeable:
                wanted = [claim for owner in task.budgets for claim in claims(owner, request.tool, request.plain)]
        except BudgetRefusal as error:
            uncountable = str(error)
        measures = tuple(Measure(claim, tx.measure(claim, request.time)) for claim in wanted)
        facts = Facts(
            self._p.manifest, task.record, expired, task.scope, measures, uncountable, tx.last_tool(task.id), reaches
        )  # fmt: skip
        return facts, wanted

    def _observed(self, check: str, kind: str, now: float, glass: bool) -> bool:
        """Whether a reason of this check is recorded only: check over task kind over manifest; broken glass over all."""
        if check == "guard.undecided":
            return False
        if glass:
            return True
        manifest = self._p.manifest
        for moded in (manifest.checks.get(check), manifest.tasks.get(kind)):
            if moded is not None and moded.mode is not None:
                return moded.observes(now)
        return manifest.observes(now)

    def _record(self, ticket: Ticket, decision: Decision, now: float) -> CallRecord:
        status: dict[str, CallStatus] = {"allow": "running", "ask": "asked", "deny": "denied"}
        call = ticket.call
        return CallRecord(
            id=ticket.id, task_id=ticket.task.id if ticket.task else "", seq=0, tool=call.tool, call_id=call.call_id or "",
            framework=call.framework, status=status[decision.outcome], decision=decision, args_digest=ticket.args_digest, started=now,
        )  # fmt: skip

    def _joined(self, call: ToolCall, outer: Ticket, bound: Bound | None, args_digest: str) -> Ticket:
        ticket = Ticket(outer.id, call, outer.decision, task=outer.task, bound=bound, digest=args_digest)
        ticket.joins, ticket.seq, ticket._token, ticket._span = outer, outer.seq, outer._token, outer._span
        return ticket

    # After the decision ------------------------------------------------------------------------------------------------

    def _permit(self, ticket: Ticket, judged: _Judged) -> None:
        """Mint the token, start the span, write down what is about to happen. What cannot be recorded is refused."""
        task, call, decision = ticket.task, ticket.call, ticket.decision
        tool = self._p.manifest.tools.get(call.tool)
        attributes = self._attributes(ticket)
        attributes[semconv.CHAIN_PREVIOUS_TOOL] = judged.last_tool
        span = self._p.telemetry.start(f"{semconv.EXECUTE_TOOL} {call.tool}", attributes, _parent(task))
        ticket._span = span
        try:
            if task is not None:
                ticket._token = self._mint(ticket, task, tool, span.traceparent)
            fields = self._fields(ticket)
            fields |= {"jti": ticket._token.jti if ticket._token else "", "exp": ticket._token.exp if ticket._token else 0}
            self._p.recorder.before("call.intent", fields, durable=self._durable(tool))
        except (StateError, UsageError) as error:
            ticket._token = None
            ticket.decision = weigh([*decision.reasons, reason("guard.undecided", f"the call cannot be recorded: {_outward(error)}")])
            self._refuse(ticket)
            return
        ticket.move("open", "ended")
        if decision.judged != "allow" or decision.reasons:
            self._p.recorder.judged(decision, task_id=task.id if task else "", call_id=ticket.id, owner=self._owner(task))

    def _mint(self, ticket: Ticket, task: GuardedTask, tool: Tool | None, traceparent: str) -> Any:
        name = ticket.call.tool
        return self._p.issuer.mint(
            ticket.decision, task.record, tool=name, audience=(tool.audience if tool else None) or f"urn:licet:tool:{name}",
            args_digest=ticket.args_digest, now=self._p.clock.now(), expires=self._p.tasks.expires(task), step=ticket.seq,
            purpose=self._p.manifest.tasks[task.record.kind].intent, intent_digest=digest_text(task.record.intent), actors=task.agents,
            context={"traceparent": traceparent, "policy_version": self._p.manifest.digest},
            tool_digest=self._signatures[name][1] if name in self._signatures else "",
        )  # fmt: skip

    def _durable(self, tool: Tool | None) -> bool:
        if tool is None or tool.durable is not None:
            return tool is not None and tool.durable == "write"
        return tool.writes and self._p.manifest.environment == "prod"

    def _refuse(self, ticket: Ticket) -> None:
        task, decision = ticket.task, ticket.decision
        ticket.message = explain(decision, ticket.call.tool, task.scope.tools if task else ()).text
        found = leading(decision)
        span = ticket._span or self._p.telemetry.start(
            f"{semconv.EXECUTE_TOOL} {ticket.call.tool}", self._attributes(ticket), _parent(task)
        )
        ticket._span = span
        span.end(self._outcome_attributes(decision), error_type=semconv.POLICY_DENIED, description=found.sentence if found else "")
        self._p.recorder.after("call.denied", self._fields(ticket))
        self._p.recorder.judged(decision, task_id=task.id if task else "", call_id=ticket.id, owner=self._owner(task))
        self._update(ticket, "denied")

    def _ask(self, ticket: Ticket, key: tuple[str, ...]) -> None:
        ticket.asked_until = self._p.clock.now() + self._p.approval_seconds
        ticket.message = explain(ticket.decision, ticket.call.tool, ticket.task.scope.tools if ticket.task else ()).text
        ticket.move("asked", "ended")
        self._p.recorder.after("call.asked", self._fields(ticket))
        if key:
            with self._lock:
                now = self._p.clock.now()
                self._pending = {k: t for k, t in self._pending.items() if t.asked_until > now} | {key: ticket}

    def _undecided(self, call: ToolCall, error: Exception) -> Ticket:
        """The denied ticket for a call that could not be judged; recorded as far as store and ledger let us."""
        known = isinstance(error, LicetError)
        if not known:
            _log.error("licet: a call was denied because of an error in the guard", exc_info=error)
        decision = weigh([reason("guard.undecided", f"the guard could not decide: {_outward(error) if known else type(error).__name__}")])
        ticket = Ticket(os.urandom(16).hex(), call, decision, task=None, bound=None, digest="")
        ticket.message = explain(decision, call.tool, ()).text
        try:
            self._p.recorder.after("call.denied", self._fields(ticket))
            self._p.recorder.judged(decision, task_id="", call_id=ticket.id, owner="")
        # The denial stands whether or not it could be written down.
        except Exception:
            _log.error("licet: a denial could not be recorded", exc_info=True)
        return ticket

    # Answers and ends --------------------------------------------------------------------------------------------------

    def question(self, ticket: Ticket) -> ApprovalRequest:
        """What a person is asked for a ticket whose action is `ask`."""
        if ticket.task is None or ticket.action != "ask":
            raise UsageError("only a ticket whose action is `ask` has a question")
        return ApprovalRequest(ticket.call, ticket.decision, ticket.task.record, ticket.arguments, ticket.args_digest, ticket.asked_until)

    def resolve(self, ticket: Ticket, approved: object, by: str = "", how: str = "", failure: str = "") -> Ticket:
        """Take a person's answer. Only the value True approves, once, for this call, before it expires. Never raises."""
        try:
            return self._resolve(ticket, approved, by, how, failure)
        # As for `begin`: an error anywhere below is a denial.
        except Exception as error:
            denied = self._undecided(ticket.call, error)
            ticket.decision, ticket.message = denied.decision, denied.message
            return ticket

    def _resolve(self, ticket: Ticket, approved: object, by: str, how: str, failure: str) -> Ticket:
        if not ticket.move("ended", "asked"):
            return ticket  # answered before: an approval is used once
        with self._lock:
            self._pending = {key: other for key, other in self._pending.items() if other is not ticket}
        task = ticket.task
        yes = approved is True and not failure and self._p.clock.now() <= ticket.asked_until
        if not failure and approved is True and not yes:
            failure = "the approval came too late"
        if task is not None:
            self._p.store.ask(task.id, ticket.call.tool, refused=not yes and not failure)
            fields = self._fields(ticket) | {"approved": yes, "by": by, "how": how or "not authenticated", "failure": failure}
            self._p.recorder.before("approval", fields)
        if not yes:
            extra = reason("approval.unavailable", failure) if failure else reason("approval.refused", "a person refused this call")
            ticket.decision = weigh([extra, *ticket.decision.reasons])
            self._refuse(ticket)
            return ticket
        # Time has passed: everything is judged once more, and only the question is settled.
        known = self._request(ticket.call, self._signatures.get(ticket.call.tool, (None, ""))[0], ticket._bound, "")
        judged = self._judge(ticket, known, approved=True)
        ticket.decision = judged.decision
        if judged.decision.outcome == "allow":
            self._p.store.update_call(ticket.id, status="running", decision=ticket.decision)
            self._permit(ticket, judged)
        else:
            self._refuse(ticket)
        return ticket

    def end(self, ticket: Ticket, *, result: object = _NOTHING, error: BaseException | str | None = None, suspended: bool = False) -> None:
        """Record how a call ended. Idempotent; never raises."""
        if ticket.joins is not None or not ticket.move("ended", "running", "open"):
            return
        if result is not _NOTHING:
            ticket.output(output_digest(result))
        status: CallStatus = "done"
        error_type = ""
        if suspended:
            status = "suspended"
        elif error is not None:
            # Cancelled or interrupted: the tool may or may not have had its effect.
            status = "failed" if isinstance(error, (Exception, str)) else "unknown"
            error_type = "tool_error" if isinstance(error, str) else type(error).__qualname__
        fields = self._fields(ticket) | {"status": status, "result": ticket.result_digest, "error": error_type}
        self._p.recorder.after("call.outcome", fields)
        if ticket._span is not None:
            done = {semconv.RESULT_DIGEST: ticket.result_digest} if ticket.result_digest else {}
            ticket._span.end(done, error_type=error_type)
        self._update(ticket, status, error_type)
        if ticket.task is not None and ticket.task._ended:
            late = reason("scope.expired", f"`{ticket.call.tool}` was still running when its task ended")
            self._p.recorder.finding(late, "medium", task_id=ticket.task.id, call_id=ticket.id, owner=self._owner(ticket.task))

    def admit(self, ticket: Ticket) -> bool:
        """Use an allowed ticket up; False if the tool must not run, and then the ticket says why."""
        if not ticket.allowed:
            return False
        try:
            ticket.redeem()
        except TicketSpent as error:
            ticket.decision = weigh([*ticket.decision.reasons, reason("scope.expired", str(error))])
            ticket.message = explain(ticket.decision, ticket.call.tool, ()).text
            self.end(ticket, error=error)
            return False
        return True

    def peek(self, call: ToolCall, *, task: GuardedTask | str | None = None) -> str:
        """What `begin` would say now, without any effect: `allow`, `ask` or `deny`. Never raises."""
        try:
            signature = self._signatures.get(call.tool, (None, ""))[0]
            bound, problem = self._bind(call, signature)
            request = self._request(call, signature, bound, problem)
            found = self._p.tasks.find(task)
            with self._p.store.transaction() as tx:
                facts, _ = self._facts(tx, found, request)
                kind = found.record.kind if found else ""
                glass = bool(kind) and tx.glass_broken(kind, request.time)
                decision = decide(CHECKS_OF_A_CALL, request, facts, lambda check: self._observed(check, kind, request.time, glass))
                if decision.outcome == "ask" and found is not None:
                    decision = _weary(decision, *tx.asked(found.id), request.tool)
            return decision.outcome
        # As for `begin`: what cannot be decided is a denial.
        except Exception:
            _log.warning("licet: peek could not decide", exc_info=True)
            return "deny"

    def _update(self, ticket: Ticket, status: CallStatus, error_type: str = "") -> None:
        span = ticket._span
        try:
            self._p.store.update_call(
                ticket.id, status=status, ended=self._p.clock.now(), result_digest=ticket.result_digest, error_type=error_type,
                jti=ticket._token.jti if ticket._token else "", trace_id=span.trace_id if span else "",
                span_id=span.span_id if span else "", attributes=_json(span.attributes) if span else "", decision=ticket.decision if status == "denied" else None,
            )  # fmt: skip
        except StoreError:
            # The tool has run, and the ledger has its outcome; its result must reach the agent.
            _log.warning("licet: the outcome of a call could not be stored", exc_info=True)

    # What is said of a call ----------------------------------------------------------------------------------------------

    def _fields(self, ticket: Ticket) -> dict[str, Plain]:
        """The ledger's account of a call: the seven facts that draft-ietf-wimse-aims asks for, by digests where contents are."""
        task = ticket.task
        return {
            "call": ticket.id, "task": task.id if task else "", "txn": task.record.root if task else "", "seq": ticket.seq,
            "agent": task.record.agent if task else "", "sub": task.record.principal if task else "", "tool": ticket.call.tool,
            "call_id": ticket.call.call_id or "", "framework": ticket.call.framework, "args": ticket.args_digest,
            "outcome": ticket.decision.outcome, "judged": ticket.decision.judged, "checks": list(ticket.decision.checks),
        }  # fmt: skip

    def _attributes(self, ticket: Ticket) -> dict[str, Any]:
        task, call = ticket.task, ticket.call
        attributes: dict[str, Any] = {
            semconv.OPERATION_NAME: semconv.EXECUTE_TOOL, semconv.TOOL_NAME: call.tool, semconv.TOOL_TYPE: "function",
            semconv.AGENT_NAME: call.agent or (task.record.agent if task else ""), semconv.ARGS_DIGEST: ticket.args_digest,
            semconv.CALL_SEQ: ticket.seq, semconv.POLICY_VERSION: self._p.manifest.digest,
            **self._outcome_attributes(ticket.decision),
        }  # fmt: skip
        if task is not None:
            attributes |= {
                semconv.TASK_ID: task.id, semconv.TXN: task.record.root, semconv.TASK_KIND: task.record.kind,
                semconv.INTENT_DECLARED: self._p.manifest.tasks[task.record.kind].intent, semconv.CHAIN_DEPTH: task.depth,
                semconv.ACTOR_ID: task.record.agent,
            }  # fmt: skip
        if call.call_id:
            attributes[semconv.TOOL_CALL_ID] = call.call_id
        if call.session:
            attributes[semconv.CONVERSATION_ID] = call.session
        return attributes

    def _outcome_attributes(self, decision: Decision) -> dict[str, Any]:
        found = leading(decision)
        observing = decision.outcome == "allow" and decision.judged != "allow"
        return {
            semconv.DECISION_OUTCOME: decision.outcome, semconv.DECISION_JUDGED: decision.judged,
            semconv.DECISION_REASON: found.check if found else "", semconv.DECISION_SENTENCE: found.sentence[:500] if found else "",
            semconv.MODE: "observe" if observing else "enforce",
        }  # fmt: skip

    def _owner(self, task: GuardedTask | None) -> str:
        agent = self._p.manifest.agents.get(task.record.agent) if task else None
        return (agent.owner or "") if agent else ""


def output_digest(output: object) -> str:
    """The digest of a tool's output; of what cannot be frozen only its type is digested."""
    try:
        return digest(snapshot({"output": output}).plain["output"])
    except SnapshotError:
        return digest_text(f"unjudgeable {type(output).__qualname__}")


def _same_call(outer: Ticket, call: ToolCall, args_digest: str) -> bool:
    """Two layers are one call only if tool, arguments and call id agree, and the outer layer is another framework's.

    A plain function under an adapter knows no call id; it takes the outer's. A function that calls itself is a call of its own.
    """
    agree = outer.call.tool == call.tool and outer.args_digest == args_digest and outer.call.framework != call.framework
    return agree and (call.call_id is None or call.call_id == outer.call.call_id)


def _pending_key(call: ToolCall, task: GuardedTask | None, args_digest: str) -> tuple[str, ...]:
    if call.call_id is None or task is None:
        return ()
    return (call.framework, call.session or call.run or "", call.call_id, call.tool, args_digest, task.id)


def _ended_elsewhere(tx: Transaction, task: GuardedTask | None) -> str:
    """Another process may have ended the task, or one above it."""
    while task is not None:
        row = tx.task(task.id)
        if row is None:
            return f"task {task.id[:8]} is not in the store"
        if row.ended is not None:
            return f"task {task.id[:8]} has ended ({row.ended_by})"
        task = task.parent
    return ""


def _weary(decision: Decision, asked: int, refused: frozenset[str], tool: str) -> Decision:
    """After a refusal the same tool is not asked for again in the task; after five questions nothing is."""
    if tool in refused:
        return weigh([reason("approval.refused", f"a person refused `{tool}` earlier in this task"), *decision.reasons])
    if asked >= MAX_QUESTIONS:
        return weigh([reason("approval.limit", f"this task has asked a person {asked} times"), *decision.reasons])
    return decision


def _parent(task: GuardedTask | None) -> tuple[str, str] | None:
    return (task.record.trace_id, task.record.span_id) if task else None


def _outward(error: Exception) -> str:
    """What may be said to the model of an error of ours: its kind; the log and the finding have the rest."""
    return {"StoreError": "the store cannot be used", "LedgerError": "the ledger cannot be written"}.get(
        type(error).__name__, type(error).__name__
    )


def _json(attributes: Mapping[str, Any]) -> str:
    return json.dumps(dict(attributes), default=str)
