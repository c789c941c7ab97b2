"""What those who watch are told of a call: its span, its metrics and its log events. Nothing here can stop a call, or hold it up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from licet.clock import Clock
from licet.guard.account import call_record, event_attributes, span_attributes, span_name
from licet.guard.shown import shown_arguments, shown_outputs
from licet.guard.task import GuardedTask
from licet.guard.ticket import Ticket
from licet.locks import Lock
from licet.manifest import Manifest
from licet.records import CallStatus
from licet.telemetry import CallSpan, Position, Telemetry, semconv
from licet.telemetry.record import call_text


class Telling:
    """One span per call, from its decision, or from the question about it, to its end."""

    def __init__(self, telemetry: Telemetry, manifest: Manifest, clock: Clock) -> None:
        self._telemetry, self._manifest, self._clock = telemetry, manifest, clock
        self._asked: dict[str, Ticket] = {}  # by their ids, those on which a person's answer is waited for
        self._lock = Lock()

    def begin(self, ticket: Ticket, more: Mapping[str, Any] | None = None) -> CallSpan:
        """The call's span: begun, or, where a person was asked and it is open still, told what has become of the call."""
        attributes = span_attributes(ticket, self._manifest) | shown_arguments(ticket, self._manifest) | ticket.answer | dict(more or {})
        span = ticket._span
        # A framework says that its span went well where nothing was raised: a refusal has a span of ours, below it.
        refused = ticket.decision.outcome == "deny"
        if span is not None and span.is_open and (span.is_ours or not refused):
            span.add(attributes)
        else:
            tool = ticket.call.tool
            name, own = span_name(tool, self._manifest), "" if refused else tool
            span = ticket._span = self._telemetry.start(name, attributes, _parent(ticket), tool=own)
        return span

    def allowed(self, ticket: Ticket) -> None:
        """The call is allowed, and will run: its token is there."""
        ticket.allowed_at = self._clock.monotonic()
        minted = ticket._minted
        if minted is not None and ticket._span is not None:
            seq = {semconv.EVIDENCE_SEQ: ticket.recorded_at} if ticket.recorded_at else {}
            ticket._span.add({semconv.TOKEN_JTI: minted.jti, semconv.TOKEN_EXP: minted.exp, **seq})
            self._telemetry.metrics.minted("call" if minted.token else "task")
        self._decided(ticket)

    def denied(self, ticket: Ticket, ended: float) -> None:
        """The call is refused."""
        found = ticket.decision.leading
        span = self.begin(ticket)
        told = {semconv.RECORD: self._record(ticket, "denied", ended)}
        span.end(told, error_type=semconv.POLICY_DENIED, description=found.sentence if found else "")
        self._decided(ticket)

    def ended(self, ticket: Ticket, status: CallStatus, ended: float, error_type: str = "") -> None:
        """The call is over, or its tool has suspended it."""
        span = ticket._span
        if span is None:
            return
        told = {semconv.RESULT_DIGEST: ticket.result_recorded, semconv.RECORD: self._record(ticket, status, ended, error_type)}
        span.end(told | shown_outputs(ticket), error_type=error_type)
        if status in ("done", "failed"):
            seconds = max(0.0, self._clock.monotonic() - ticket.allowed_at)
            agent = ticket.task.record.agent if ticket.task else ""  # what a framework calls it may have any number of names
            self._telemetry.metrics.ran(seconds, self._tool(ticket), agent, span.attributes.get(semconv.ERROR_TYPE, ""))

    def asked(self, ticket: Ticket) -> CallSpan:
        """A person is asked; the answer is the call's span."""
        span = self.begin(ticket)
        now = self._clock.now()
        with self._lock:
            over = [other for other in self._asked.values() if other.asked_until < now]
            self._asked[ticket.id] = ticket
        for other in over:  # nobody answered in time, and nobody came back
            self._waits_no_more(other)
        self._telemetry.metrics.waiting(1)
        self._decided(ticket)
        return span

    def answered(self, ticket: Ticket, answer: str, by: str, how: str) -> None:
        """The answer has come, or will not come: `approved`, `refused` or `unavailable`."""
        self._waits_no_more(ticket)
        ticket.answer = {
            semconv.APPROVAL_ANSWER: answer, semconv.APPROVAL_BY: by, semconv.APPROVAL_HOW: how,
            semconv.APPROVAL_WAITED: round(max(0.0, self._clock.now() - ticket.asked_at), 3),
        }  # fmt: skip

    def leave(self, task: GuardedTask) -> None:
        """The task's span ends now, and so do those of its calls that wait for a person. An answer that still comes begins one anew."""
        with self._lock:
            left = [ticket for ticket in self._asked.values() if ticket.task is task]
        for ticket in left:
            self._waits_no_more(ticket)
            if ticket._span is not None:
                ticket._span.end({semconv.RECORD: self._record(ticket, "asked", None)}, error_type=semconv.APPROVAL_REQUIRED)

    def _waits_no_more(self, ticket: Ticket) -> None:
        with self._lock:
            known = self._asked.pop(ticket.id, None)
        if known is not None:
            self._telemetry.metrics.waiting(-1)

    def _decided(self, ticket: Ticket) -> None:
        span, task, decision = ticket._span, ticket.task, ticket.decision
        if task is not None and decision.outcome != "ask":
            task.count(denied=decision.outcome == "deny")
        found = decision.leading
        self._telemetry.metrics.decided(
            decision.outcome, decision.judged, found.check if found else "", self._tool(ticket),
            task.record.kind if task else "", task.record.agent if task else "",
        )  # fmt: skip
        if span is not None and self._telemetry.events.leave:  # else there is nobody to put it together for
            self._telemetry.events.decision(
                event_attributes(ticket, self._manifest), trace_id=span.trace_id, span_id=span.span_id, denied=decision.judged == "deny"
            )

    def _tool(self, ticket: Ticket) -> str:
        """The tool's name as metrics have it: a model can invent names without end."""
        return ticket.call.tool if ticket.call.tool in self._manifest.tools else semconv.OTHER

    def _record(self, ticket: Ticket, status: CallStatus, ended: float | None, error_type: str = "") -> str:
        return call_text(call_record(ticket, status, ended, error_type), ticket.findings)


def _parent(ticket: Ticket) -> Position | None:
    """Where a call's span stands: under the call in which it is made, if that is of the same task, else under the task."""
    task, outer = ticket.task, ticket.within
    if task is None:
        return None
    if outer is not None and outer.task is task and outer._span is not None:
        return outer._span.position
    return task.position
