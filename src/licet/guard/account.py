"""What is said of a call, in the ledger and on its span: names, digests and reasons, never contents."""

from __future__ import annotations

from typing import Any

from licet.canonical import Plain
from licet.guard.stated import reason_digest
from licet.guard.task import GuardedTask
from licet.guard.ticket import Ticket
from licet.manifest import Manifest
from licet.records import CallRecord, CallStatus, Decision
from licet.telemetry import semconv


def ledger_fields(ticket: Ticket) -> dict[str, Plain]:
    """The ledger's account of a call: the seven facts that draft-ietf-wimse-aims asks for, by digests where contents are."""
    task = ticket.task
    fields: dict[str, Plain] = {
        "call": ticket.id, "task": task.id if task else "", "txn": task.record.root if task else "", "seq": ticket.seq,
        "agent": task.record.agent if task else "", "sub": task.record.principal if task else "", "tool": ticket.call.tool,
        "call_id": ticket.call.call_id or "", "framework": ticket.call.framework, "args": ticket.args_recorded,
        "outcome": ticket.decision.outcome, "judged": ticket.decision.judged, "checks": list(dict.fromkeys(ticket.decision.checks)),
    }  # fmt: skip
    if digested := reason_digest(ticket.call):
        fields["reason"] = ticket.recorded(digested)
    return fields


def span_attributes(ticket: Ticket, manifest: Manifest) -> dict[str, Any]:
    """The attributes of the call's span (standards: GenAI `execute_tool`), known when it starts."""
    task, call = ticket.task, ticket.call
    attributes: dict[str, Any] = {
        semconv.OPERATION_NAME: semconv.EXECUTE_TOOL, semconv.TOOL_NAME: call.tool, semconv.TOOL_TYPE: "function",
        semconv.CALL_ID: ticket.id,
        semconv.AGENT_NAME: call.agent or (task.record.agent if task else ""),
        # What could not be judged has no digest; what stands in its place is new for each call.
        semconv.ARGS_DIGEST: ticket.args_recorded if ticket.args_digest.startswith("sha256:") else "",
        semconv.CALL_SEQ: ticket.seq, semconv.POLICY_VERSION: manifest.digest,
        **outcome_attributes(ticket.decision),
    }  # fmt: skip
    if task is not None:
        attributes |= {
            semconv.TASK_ID: task.id, semconv.TXN: task.record.root, semconv.TASK_KIND: task.record.kind,
            semconv.INTENT_DECLARED: manifest.tasks[task.record.kind].intent, semconv.CHAIN_DEPTH: task.depth,
            semconv.CHAIN_PREVIOUS_TOOL: ticket.previous_tool,
            semconv.ACTOR_ID: task.record.agent, semconv.ACTOR_STANDING: task.record.agent_is,
            semconv.PRINCIPAL_ID: task.principal_id, semconv.PRINCIPAL_STANDING: task.record.principal_is,
        }  # fmt: skip
    if digested := reason_digest(call):
        attributes[semconv.CALL_REASON_DIGEST] = ticket.recorded(digested)
    attributes |= {name: value for name, value in call.meta.items() if name in semconv.OF_THE_TRANSPORT}
    if call.call_id:
        attributes[semconv.TOOL_CALL_ID] = call.call_id
    if call.session:
        attributes[semconv.CONVERSATION_ID] = call.session
    return attributes


def span_name(tool: str, manifest: Manifest) -> str:
    """The span's name. A model can invent names without end, and a name of a span is what back ends list: what is not declared is one."""
    return f"{semconv.EXECUTE_TOOL} {tool if tool in manifest.tools else semconv.OTHER}"


def call_record(ticket: Ticket, status: CallStatus, ended: float | None, error_type: str) -> CallRecord:
    """The call as the store keeps it, for whoever has its span alone."""
    span = ticket._span
    return CallRecord(
        id=ticket.id, task_id=ticket.task.id if ticket.task else "", seq=ticket.seq, tool=ticket.call.tool,
        call_id=ticket.call.call_id or "", framework=ticket.call.framework, status=status, decision=ticket.decision,
        args_digest=ticket.args_recorded, started=ticket.started, ended=ended, result_digest=ticket.result_recorded, error_type=error_type,
        jti=ticket.jti, trace_id=span.trace_id if span else "", span_id=span.span_id if span else "", used=ticket.used,
    )  # fmt: skip


def event_attributes(ticket: Ticket, manifest: Manifest) -> dict[str, Any]:
    """What the log event of a decision says: what the span says of it, and whose agent it is."""
    return span_attributes(ticket, manifest) | ticket.answer | {semconv.OWNER: owner_of(ticket.task, manifest)}


def stored_attributes(ticket: Ticket) -> dict[str, Any]:
    """What the embedded store keeps of the call's span, and what the agent said, which no span has."""
    kept = {name: value for name, value in (ticket._span.attributes if ticket._span else {}).items() if name != semconv.RECORD}
    return kept | {semconv.CALL_REASON: ticket.call.reason} if ticket.call.reason else kept


def outcome_attributes(decision: Decision) -> dict[str, Any]:
    """What the decision was, by its leading reason."""
    found = decision.leading
    observing = decision.outcome == "allow" and decision.judged != "allow"
    return {
        semconv.DECISION_OUTCOME: decision.outcome, semconv.DECISION_JUDGED: decision.judged,
        semconv.DECISION_REASON: found.check if found else "", semconv.DECISION_SENTENCE: found.sentence[:500] if found else "",
        semconv.DECISION_PATH: list(found.path) if found else "",
        semconv.MODE: "observe" if observing else "enforce",
    }  # fmt: skip


def owner_of(task: GuardedTask | None, manifest: Manifest) -> str:
    """The owner of the task's agent, or an empty text."""
    agent = manifest.agents.get(task.record.agent) if task else None
    return (agent.owner or "") if agent else ""
