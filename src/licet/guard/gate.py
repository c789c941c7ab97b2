"""From a decision to a ticket: mint, start the span, record, ask, end. The two-phase contract that every adapter uses."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from licet.approval import ApprovalRequest
from licet.canonical import Plain, digest, recordable
from licet.denial import explain
from licet.errors import Denied, LicetError, StoreError, TicketSpent, TokenRefused, UsageError, traced
from licet.guard.account import ledger_fields, outcome_fields, owner_of, stored_attributes
from licet.guard.binding import Bound, ToolSignature
from licet.guard.clean import clean
from licet.guard.contents import digests
from licet.guard.judge import Check, Judge, Judged
from licet.guard.learned import Learned
from licet.guard.minter import Minted
from licet.guard.outputs import error_text, plain_output
from licet.guard.parts import Parts
from licet.guard.recorder import Then
from licet.guard.shown import keep_output
from licet.guard.stated import recordable_call, stated, without_reason
from licet.guard.task import GuardedTask
from licet.guard.telling import Telling
from licet.guard.ticket import Ticket, running_ticket
from licet.locks import Lock
from licet.manifest import Tool
from licet.policy.engine import weigh
from licet.policy.request import Request, reason
from licet.records import CallStatus, Decision, ToolCall
from licet.store import Content
from licet.telemetry import NOWHERE

_log = logging.getLogger("licet")
_NOTHING = object()
NOT_RUN = "refused after its intent was recorded: it did not run"


class Gate:
    """`begin`, `resolve`, `end`, `peek`: the only way to a ticket."""

    def __init__(self, parts: Parts) -> None:
        self._p = parts
        self._judge = Judge(parts)
        self._pending: dict[tuple[str, ...], Ticket] = {}
        self._lock = Lock()
        self._asked_in: dict[str, str] = {}  # by wrapped tool, the parameter in which the agent states its reason
        self.definitions: dict[str, str] = {}
        self._telling = Telling(parts.telemetry, parts.manifest, parts.clock)
        parts.tasks.leaving = self._telling.leave

    def judge_by(self, checks: Sequence[Check], learned: Learned) -> None:
        """Judge by these checks and habits from now on (`Judge.judge_by`)."""
        self._judge.judge_by(checks, learned)

    def register(self, tool: str, signature: ToolSignature, definition: str, reason_in: str = "") -> None:
        """Remember how a wrapped tool is called, for adapters that meet it by name. `definition` is the digest of what it shows,
        `reason_in` the parameter that was added to ask for a reason.
        """
        self._judge.signatures[tool] = (signature, definition)
        self._asked_in[tool] = reason_in
        self.definitions[tool] = definition

    def declared_arguments(self, tool: str) -> frozenset[str]:
        """The arguments of which the manifest speaks."""
        return self._p.compiled.declared_arguments.get(tool, frozenset())

    def freeze(self, tool: str, signature: ToolSignature, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Bound | None, str]:
        """See `Judge.bind_call`."""
        return self._judge.bind_call(tool, signature, args, kwargs)

    def begin(
        self,
        call: ToolCall,
        *,
        task: GuardedTask | str | None = None,
        bound: Bound | None = None,
        problem: str = "",
        holder: str = "",
    ) -> Ticket:
        """Judge a call. Never raises: what cannot be decided is a denied ticket.

        `bound` are arguments that are frozen already; `problem` says why they could not be, or do not fit the tool. `holder` is the
        thumbprint of the key of another process, if the call is to run there.
        """
        try:
            return self._begin(call, task, bound, problem, holder)
        # The contract of `begin` (design § 4): an error anywhere below is a denial, whatever it is.
        except Exception as error:  # noqa: BLE001 - see above
            return self._undecided(call, error)

    def _begin(self, call: ToolCall, named: GuardedTask | str | None, bound: Bound | None, problem: str, holder: str) -> Ticket:
        call = recordable_call(self._stated(call), self._p.manifest.tools)
        if call.definition:
            self.definitions[call.tool] = call.definition
        signature = self._judge.signatures.get(call.tool, (None, ""))[0]
        if bound is None and not problem:
            bound, problem = self._judge.bind(call, signature)
        # What cannot be frozen has no digest of its own, so that it can never be taken for another call.
        args_digest = digest(dict(bound.plain)) if bound is not None else f"unjudgeable:{os.urandom(16).hex()}"
        task = self._p.tasks.find(named)
        outer = running_ticket.get()
        if outer is not None and outer.task is task and _same_call(outer, call, args_digest) and outer.join():
            return self._joined(call, outer, bound, args_digest)
        key = _pending_key(call, task, args_digest)
        with self._lock:
            waiting = self._pending.get(key) if key else None
        if waiting is not None and waiting.asked_until > self._p.clock.now():
            return waiting
        request = self._judge.request(call, signature, bound, problem)
        ticket = Ticket(
            os.urandom(16).hex(), call, Decision("deny"), task=task, bound=bound, digest=args_digest, pseudonyms=self._p.pseudonyms
        )
        ticket.started, ticket.holder, ticket.made_up = request.time, holder, _made_up(call, request)
        ticket.planned_jti = self._p.minter.plan(call.tool, holder)
        ticket.within = outer if outer is not None and outer.is_running else None
        judged = self._judge.judge(ticket, request)
        ticket.decision, ticket.seq = judged.decision, judged.seq
        if judged.decision.outcome == "allow":
            self._permit(ticket, judged)
        elif judged.decision.outcome == "ask":
            self._ask(ticket, key)
        else:
            self._refuse(ticket)
        return ticket

    def _stated(self, call: ToolCall) -> ToolCall:
        """The call with its reason apart: it is no argument of the tool's."""
        call = without_reason(call, self._asked_in.get(call.tool, ""))
        return call if call.reason is None else replace(call, reason=stated(call.reason))

    def _joined(self, call: ToolCall, outer: Ticket, bound: Bound | None, args_digest: str) -> Ticket:
        ticket = Ticket(outer.id, call, outer.decision, task=outer.task, bound=bound, digest=args_digest, pseudonyms=self._p.pseudonyms)
        ticket.joins, ticket.seq, ticket._minted, ticket._span = outer, outer.seq, outer._minted, outer._span
        ticket.move("open", "ended")
        return ticket

    # After the decision ------------------------------------------------------------------------------------------------

    def _permit(self, ticket: Ticket, judged: Judged) -> None:
        """Mint the token, start the span, write down what is about to happen. What cannot be recorded is refused."""
        try:
            self._record_intent(ticket, judged)
            ticket.message = ""  # that of the question, where a person was asked
            ticket.move("open", "ended")
            if ticket.decision.judged != "allow" or ticket.decision.reasons:
                self._found(ticket)
            self._telling.allowed(ticket)
        # Whatever fails here, the call has not run yet: it is refused, and what it took from its budgets is given back. A signal that
        # raises (an interrupt, a time limit) is no other case, but goes on.
        except BaseException as error:
            ticket.move("ended", "open")
            try:
                self._not_permitted(ticket, judged, error)
            except Exception as failure:
                if isinstance(error, Exception):
                    raise
                _log.error("licet: a call that was interrupted could not be recorded as refused: %s", traced(failure))
            if not isinstance(error, Exception):
                raise

    def _record_intent(self, ticket: Ticket, judged: Judged) -> None:
        task, call = ticket.task, ticket.call
        tool = self._p.manifest.tools.get(call.tool)
        span = self._telling.begin(ticket)
        ticket.recorded_at = 0  # that of its question
        if task is not None and tool is not None:  # in observe mode an undeclared tool runs, and nothing vouches for it
            ticket._minted = self._mint(ticket, task, span.traceparent)
        self._p.origins.wrote(ticket)
        more = ticket.token_fields
        if ticket.resumed:
            more["resumed"] = True
        if judged.endorsed:
            more["endorsed"] = [list[Plain](each) for each in judged.endorsed]
        contents = self._p.contents.arguments(ticket)
        fields = ledger_fields(ticket, self._p.manifest, more | digests(contents))
        ticket.intent_begun = True
        ticket.recorded_at = self._p.recorder.before("call.intent", fields, durable=self._durable(tool))
        self._p.contents.keep(contents, ticket.recorded_at, task)

    def _not_permitted(self, ticket: Ticket, judged: Judged, error: BaseException) -> None:
        intent = (ticket.recorded_at or self._p.recorder.intent_of(ticket.id)) if ticket.intent_begun else 0
        self._judge.give_back(judged)
        what = "the call could not be begun" if intent else "the call cannot be recorded"
        ticket.decision = weigh([*ticket.decision.reasons, reason("guard.undecided", f"{what}: {_outward(error)}")])
        if not intent:
            ticket._minted = None
        self._refuse(ticket, intent)

    def _found(self, ticket: Ticket) -> None:
        """Keep the findings to which the decision gives rise."""
        task_id, owner = ticket.task.id if ticket.task else "", owner_of(ticket.task, self._p.manifest)
        span = ticket._span
        at = (span if span is not None and span.is_ours and span.is_open else self._telling.begin(ticket)).position
        ticket.findings += self._p.recorder.judged(
            ticket.decision, task_id=task_id, call_id=ticket.id, owner=owner, at=at, ledger=ticket.recorded_at
        )

    def _mint(self, ticket: Ticket, task: GuardedTask, traceparent: str) -> Minted:
        definition = ticket.call.definition or self._judge.signatures.get(ticket.call.tool, (None, ""))[1]
        return self._p.minter.mint(
            ticket.decision, task, ticket.call.tool, args_digest=ticket.args_digest, step=ticket.seq, expires=self._p.tasks.expires(task),
            context={"traceparent": traceparent, "policy_version": self._p.manifest.digest}, definition=definition,
            holder=ticket.holder, jti=ticket.planned_jti,
        )  # fmt: skip

    def _durable(self, tool: Tool | None) -> bool:
        if tool is None or tool.durable is not None:
            return tool is not None and tool.durable == "write"
        declared = self._p.manifest.ledger.durable
        return tool.writes and (declared == "write" if declared is not None else self._p.manifest.environment == "prod")

    def _refuse(self, ticket: Ticket, intent: int = 0) -> None:
        """Record that the call does not run. `intent`: where its intent stands, if it does: then this is what came of it."""
        ticket.message = explain(ticket.decision, ticket.call.tool, ticket.task.scope.tools if ticket.task else ()).text
        self._telling.begin(ticket)  # the record names its span
        if intent:
            ticket.recorded_at = intent
            self._p.recorder.after("call.outcome", outcome_fields(ticket, self._p.manifest, "failed", why=NOT_RUN))
        else:
            contents = self._p.contents.arguments(ticket)
            fields = ledger_fields(ticket, self._p.manifest, digests(contents))
            ticket.recorded_at = self._p.recorder.after("call.denied", fields, self._keeping(contents, ticket))
        self._found(ticket)
        self._tell(ticket, "origin.probing", self._p.origins.denied(ticket), "high")
        ended = self._p.clock.now()
        self._telling.denied(ticket, ended)
        self._update(ticket, "denied", ended=ended)

    def _keeping(self, contents: Sequence[Content], ticket: Ticket) -> Then | None:
        """What keeps the contents beside their record once that stands."""
        return (lambda seq: self._p.contents.keep(contents, seq, ticket.task)) if contents else None

    def _tell(self, ticket: Ticket, check: str, sentence: str, severity: str) -> None:
        """Keep a finding about the task, if there is something to say."""
        if sentence:
            task_id, owner = ticket.task.id if ticket.task else "", owner_of(ticket.task, self._p.manifest)
            found, at = reason(check, sentence, effect="flag"), ticket._span.position if ticket._span else NOWHERE
            kept = self._p.recorder.finding(
                found, severity, task_id=task_id, call_id=ticket.id, owner=owner, at=at, ledger=ticket.recorded_at
            )
            ticket.findings.append(kept)

    def _ask(self, ticket: Ticket, key: tuple[str, ...]) -> None:
        ticket.asked_until = ticket.asked_until or self._p.clock.now() + self._p.approval_seconds
        ticket.message = explain(ticket.decision, ticket.call.tool, ticket.task.scope.tools if ticket.task else ()).text
        ticket.asked_at = ticket.asked_until - self._p.approval_seconds
        ticket.move("asked", "ended")
        self._telling.begin(ticket)
        ticket.recorded_at = self._p.recorder.after("call.asked", ledger_fields(ticket, self._p.manifest))
        trace_id, span_id = self._telling.asked(ticket).position
        self._p.store.update_call(ticket.id, status="asked", trace_id=trace_id, span_id=span_id, ledger=ticket.recorded_at)
        if key:
            with self._lock:
                now = self._p.clock.now()
                self._pending = {k: t for k, t in self._pending.items() if t.asked_until > now} | {key: ticket}

    def _undecided(self, call: ToolCall, error: Exception) -> Ticket:
        """The denied ticket for a call that could not be judged; recorded as far as store and ledger let us."""
        given: object = call
        known, call = (
            isinstance(error, LicetError),
            recordable_call(call, self._p.manifest.tools) if isinstance(given, ToolCall) else ToolCall("<no call>", {}),
        )
        if not known:
            _log.error("licet: a call was denied because of an error in the guard: %s", traced(error))
        decision = weigh([reason("guard.undecided", f"the guard could not decide: {_outward(error) if known else type(error).__name__}")])
        ticket = Ticket(os.urandom(16).hex(), call, decision, task=None, bound=None, digest="", pseudonyms=self._p.pseudonyms)
        ticket.message = explain(decision, call.tool, ()).text
        try:
            self._telling.begin(ticket)
            ticket.recorded_at = self._p.recorder.after("call.denied", ledger_fields(ticket, self._p.manifest))
            self._found(ticket)
            self._telling.denied(ticket, self._p.clock.now())
        # The denial stands whether or not it could be written down.
        except Exception as failure:  # noqa: BLE001 - see above
            _log.error("licet: a denial could not be recorded: %s", traced(failure))
        return ticket

    # Answers and ends --------------------------------------------------------------------------------------------------

    def question(self, ticket: Ticket) -> ApprovalRequest:
        """What a person is asked for a ticket whose action is `ask`."""
        if ticket.task is None or ticket.action != "ask":
            raise UsageError("only a ticket whose action is `ask` has a question")
        shown = ticket.arguments
        call = replace(ticket.call, arguments=shown)
        return ApprovalRequest(call, ticket.decision, ticket.task.record, shown, ticket.args_digest, ticket.asked_until)

    def resolve(self, ticket: Ticket, approved: object, by: str = "", how: str = "", failure: str = "") -> Ticket:
        """Take a person's answer. Only the value True approves, once, for this call, before it expires. Never raises."""
        try:
            return self._resolve(ticket, approved, by, how, failure)
        # As for `begin`: an error anywhere below is a denial.
        except Exception as error:  # noqa: BLE001 - see above
            denied = self._undecided(ticket.call, error)
            ticket.decision, ticket.message = denied.decision, denied.message
            return ticket

    def _resolve(self, ticket: Ticket, approved: object, by: str, how: str, failure: str) -> Ticket:
        if not ticket.move("ended", "asked"):
            return ticket  # answered before: an approval is used once
        with self._lock:
            self._pending = {key: other for key, other in self._pending.items() if other is not ticket}
        task, now = ticket.task, self._p.clock.now()
        yes = approved is True and not failure and now <= ticket.asked_until
        if not failure and approved is True and not yes:
            failure = "the approval came too late"
        how = how or "not authenticated"
        self._telling.answered(ticket, "approved" if yes else "unavailable" if failure else "refused", by, how)
        if task is not None:
            if not yes and not failure:
                self._p.store.refuse(task.record.root, ticket.call.tool)
            answer: dict[str, Plain] = {"approved": yes, "by": by, "how": how, "failure": failure}
            self._p.recorder.before("approval", ledger_fields(ticket, self._p.manifest, answer))
        if not yes:
            extra = reason("approval.unavailable", failure) if failure else reason("approval.refused", "a person refused this call")
            ticket.decision = weigh([extra, *ticket.decision.reasons])
            self._refuse(ticket)
            return ticket
        # Time has passed: everything is judged once more, and only the question is settled.
        known = self._judge.request(ticket.call, self._judge.signatures.get(ticket.call.tool, (None, ""))[0], ticket._bound, "")
        judged = self._judge.judge(ticket, known, approved=True)
        ticket.decision = judged.decision
        if judged.decision.outcome == "allow":
            self._p.store.update_call(ticket.id, status="running", decision=ticket.decision, jti=ticket.planned_jti)
            ticket.kept = ticket.decision
            self._permit(ticket, judged)
        else:
            self._refuse(ticket)
        return ticket

    def end(self, ticket: Ticket, *, result: object = _NOTHING, error: BaseException | str | None = None, suspended: bool = False) -> None:
        """Record how a call ended. Idempotent; never raises."""
        if not ticket.move("ended", "running", "open") or ticket.joins is not None:
            return
        status: CallStatus = "done"
        error_type = ""
        if suspended:
            status = "suspended"
        elif error is not None:
            # Cancelled or interrupted: the tool may or may not have had its effect.
            status = "failed" if isinstance(error, (Exception, str)) else "unknown"
            error_type = "tool_error" if isinstance(error, str) else recordable(type(error).__qualname__, 200)
        # The tool has run, and what it gave must reach the agent, whatever is wrong with us.
        try:
            self._take(ticket, result, error)
        except Exception as failure:  # noqa: BLE001 - see above
            _log.error("licet: an output could not be looked at; no field of this task counts as trusted any more: %s", traced(failure))
            self._p.origins.blind(ticket, f"an output of `{ticket.call.tool}` could not be looked at")
        try:
            contents = self._p.contents.output(ticket)
            fields = outcome_fields(ticket, self._p.manifest, status, error_type)
            self._p.recorder.after(
                "call.outcome", clean(digests(contents), fields) if contents else fields, self._keeping(contents, ticket)
            )
            if ticket.task is not None and ticket.task._ended:
                self._tell(ticket, "scope.expired", f"`{ticket.call.tool}` was still running when its task ended", "medium")
            ended = self._p.clock.now()
            self._telling.ended(ticket, status, ended, error_type)
            self._update(ticket, status, error_type, ended=ended)
        except Exception as failure:  # noqa: BLE001 - see above
            _log.error("licet: what came of a call could not be told everywhere: %s", traced(failure))

    def _take(self, ticket: Ticket, result: object, error: BaseException | str | None) -> None:
        """Look at what a call gave: its result, or what its error says."""
        if result is not _NOTHING:
            self.output(ticket, result)
        if error is not None and not isinstance(error, Denied):  # what a denial says is our own
            self._shown(ticket, error if isinstance(error, str) else error_text(error), failed=True)

    def hand_over(self, ticket: Ticket) -> Minted | None:
        """What an allowed call was given, for it to run elsewhere: what becomes of it is not known here. None: it must not run."""
        if not ticket.allowed or not ticket.move("ended", "open"):
            return None
        told = outcome_fields(ticket, self._p.manifest, "unknown", why="handed over: it runs elsewhere")
        self._p.recorder.after("call.outcome", told)
        ended = self._p.clock.now()
        self._telling.ended(ticket, "unknown", ended)
        self._update(ticket, "unknown", ended=ended)
        return ticket._minted

    def output(self, ticket: Ticket, output: object) -> None:
        """Count one output (a result, or one yield): its digest, and where its values stand. Never raises."""
        plain, digested, whole = plain_output(output)
        ticket.output(digested)
        if ticket.joins is None:
            keep_output(ticket, plain, self._p.manifest)
            self._shown(ticket, plain)
            if not whole:
                kind = recordable(type(output).__qualname__, 80)
                what = f"the output of `{ticket.call.tool}` is of a kind that cannot be looked into ({kind})"
                self._tell(ticket, "origin.argument", self._p.origins.blind(ticket, what), "medium")

    def _shown(self, ticket: Ticket, plain: Plain, *, failed: bool = False) -> None:
        try:
            told = self._p.origins.saw(ticket, plain, failed=failed)
        # The tool has run, and its result must reach the agent; what cannot be indexed takes all trust away.
        except Exception as error:  # noqa: BLE001 - see above
            _log.warning("licet: an output could not be indexed; no field of this task counts as trusted any more: %s", traced(error))
            told = self._p.origins.blind(ticket, f"an output of `{ticket.call.tool}` could not be indexed")
        self._tell(ticket, "origin.argument", told, "medium")

    def admit(self, ticket: Ticket) -> bool:
        """Use an allowed ticket up; False if the tool must not run, and then the ticket says why."""
        if not ticket.allowed:
            return False
        try:
            ticket.redeem()
        except TicketSpent as error:
            if isinstance(error.__cause__, TokenRefused):
                self._p.telemetry.metrics.refused(error.__cause__.check)
            refused = weigh([*ticket.decision.reasons, reason("scope.expired", str(error))])
            ticket.message = explain(refused, ticket.call.tool, ()).text
            if ticket.unused:
                ticket.decision = refused
                self.end(ticket, error=error)
            # Else it runs, or ran, elsewhere: that call's decision and outcome stand as they are.
            return False
        return True

    def peek(self, call: ToolCall, *, task: GuardedTask | str | None = None) -> str:
        """See `Judge.peek`."""
        try:
            call, found = self._stated(call), self._p.tasks.find(task)
        # As for `begin`: what cannot be decided is a denial.
        except Exception:  # noqa: BLE001 - see above
            return "deny"
        return self._judge.peek(call, found)

    def _update(self, ticket: Ticket, status: CallStatus, error_type: str = "", *, ended: float) -> None:
        span = ticket._span
        try:
            self._p.store.update_call(
                ticket.id, status=status, ended=ended, result_digest=ticket.result_recorded, error_type=error_type,
                jti=ticket.jti, trace_id=span.trace_id if span else "",
                span_id=span.span_id if span else "", attributes=_json(stored_attributes(ticket)) if span else "",
                decision=ticket.decision if ticket.decision is not ticket.kept else None, ledger=ticket.recorded_at,
            )  # fmt: skip
        except StoreError:
            # The tool has run, and the ledger has its outcome; its result must reach the agent.
            _log.warning("licet: the outcome of a call could not be stored", exc_info=True)


def _made_up(call: ToolCall, request: Request) -> tuple[str, ...]:
    """The names of arguments that the tool is not known to take; also where they could not be bound, so that no others are known."""
    named = call.arguments if request.unjudgeable and isinstance(call.arguments, dict) else request.plain
    known = request.known or frozenset()
    return tuple(name for name in (*named, *request.dropped) if type(name) is str and name not in known)


def _same_call(outer: Ticket, call: ToolCall, args_digest: str) -> bool:
    """Two layers are one call only if tool, arguments and call id agree (and, where this is asked, the task).

    A plain function under an adapter knows no call id; it takes the outer's. A function that calls itself is a call of its own.
    """
    if outer.call.tool != call.tool or outer.args_digest != args_digest:
        return False
    return outer.call.framework != call.framework if call.call_id is None else call.call_id == outer.call.call_id


def _pending_key(call: ToolCall, task: GuardedTask | None, args_digest: str) -> tuple[str, ...]:
    if call.call_id is None or task is None:
        return ()
    return (call.framework, call.session or call.run or "", call.call_id, call.tool, args_digest, task.id)


def _outward(error: BaseException) -> str:
    """What may be said to the model of an error of ours: its kind; the log and the finding have the rest."""
    return {"StoreError": "the store cannot be used", "LedgerError": "the ledger cannot be written"}.get(
        type(error).__name__, type(error).__name__
    )


def _json(attributes: Mapping[str, Any]) -> str:
    return json.dumps(dict(attributes), default=str)
