"""What is said of a call, in the ledger and on its span: names, digests and reasons, never contents."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from licet.canonical import Plain, digest_text, recordable
from licet.catalogue import CHECKS
from licet.errors import StoreError
from licet.guard.clean import Clean, clean
from licet.guard.stated import reason_digest
from licet.guard.task import GuardedTask
from licet.guard.ticket import Ticket
from licet.ledger.fields import OUTCOME
from licet.manifest import Manifest, Tool
from licet.records import CallRecord, CallStatus, Decision, Reason, TaskRecord, Used
from licet.secretlike import scrub
from licet.store import Store
from licet.telemetry import semconv

MAX_SENTENCE = 500  # characters; a span has as many
MAX_NAME = 80  # characters of an argument's name in a sentence
NO_FIT = "the arguments do not fit the tool: got an unexpected keyword argument"


def ledger_fields(ticket: Ticket, manifest: Manifest, more: Mapping[str, Plain] | None = None) -> Clean:
    """The ledger's account of a call when it is judged (`licet.ledger.fields`), and `more`: names, digests, places, never contents."""
    seen, told = ticket.seen, dict[str, Plain]()
    hidden = _made_up(ticket)
    if ticket.decision.reasons:
        told["reasons"] = reasons_of(ticket.decision, hidden)
    if ticket.used:
        told["origins"] = [_origin(used, hidden) for used in ticket.used]
    if seen is not None:
        if seen.exposures:
            told["exposure"] = [*sorted(each.label for each in seen.exposures)]
        if seen.entered is not None or seen.full or seen.probed:
            weighed = (("untrusted-content", seen.entered is not None), ("index-full", seen.full), ("probing", seen.probed))
            told["posture"] = [word for word, holds in weighed if holds]
    if ticket.decision.outcome != "allow":
        told["remedy"] = remedies(ticket.decision)
    return clean(told, _fields_of(ticket, manifest), more)


def outcome_fields(ticket: Ticket, manifest: Manifest, status: CallStatus, error: str = "", why: str = "") -> Clean:
    """The ledger's account of what came of a call. Why it was allowed stands in the record of its intent (`intent_seq`)."""
    known = _fields_of(ticket, manifest)
    told: dict[str, Plain] = {"status": status, "result": ticket.result_recorded, "error": error, "jti": ticket.jti}
    if ticket.decision.outcome != "allow":  # refused after its intent was written: the ticket was used too late
        told |= {"reasons": reasons_of(ticket.decision, _made_up(ticket)), "remedy": remedies(ticket.decision)}
    if "reason" in known:
        told["reason"] = known["reason"]
    if why:
        told["why"] = why
    if ticket.recorded_at:
        told["intent_seq"] = ticket.recorded_at
    return clean(told, Clean((name, known[name]) for name in OUTCOME))


def task_fields(task: TaskRecord) -> dict[str, Plain]:
    """What each record about a task says of it: which, who, for whom, under which manifest."""
    return {
        "task": task.id, "txn": task.root or task.id, "trace_id": task.trace_id, "span_id": task.span_id, "agent": task.agent,
        "agent_is": task.agent_is, "sub": task.principal, "sub_is": task.principal_is, "manifest": task.manifest_digest,
    }  # fmt: skip


ENDED = "tokens of the task, and of those below it"
"""What the end of a task revokes."""


def end_fields(task: TaskRecord, store: Store, by: str, why: str = "") -> dict[str, Plain]:
    """What the record of a task's end says: also how many calls and delegated tasks there were, so that one left out later shows."""
    fields: dict[str, Plain] = {**task_fields(task), "by": by, "why": why, "revokes": ENDED}
    try:
        calls, tasks = store.made(task.id)
    except StoreError:
        return fields  # the end must be recorded, and who reads it finds that it does not say so
    return fields | {"calls": calls, "delegated": tasks}


def reasons_of(decision: Decision, hidden: Mapping[str, str] = MappingProxyType({})) -> list[Plain]:
    """The reasons as records hold them. `hint` and `value`, which can hold what a person said, stay out, as do names in `hidden`."""
    return [_reason(found, hidden) for found in decision.reasons]


def _reason(found: Reason, hidden: Mapping[str, str]) -> dict[str, Plain]:
    sentence = found.sentence
    if sentence.startswith(NO_FIT):
        sentence = sentence.partition(" '")[0]  # behind it Python says which name it is
    if hidden:
        for name, instead in hidden.items():
            sentence = sentence.replace(f"`{name}`", f"`{instead}`").replace(f"'{name}'", f"'{instead}'")
    told: dict[str, Plain] = {
        "check": found.check, "effect": found.effect, "sentence": sentence[:MAX_SENTENCE],
        "path": [hidden.get(part, part) for part in found.path], "references": [*found.references],
    }  # fmt: skip
    return told | {"observed": True} if found.observed else told


def _made_up(ticket: Ticket) -> dict[str, str]:
    """The names of arguments that the tool is not known to take, each with a short keyed digest in its place.

    A model can make up any name, so that one can hold what nobody may keep; and no record is ever purged.
    """
    return {
        shown: f"undeclared-{ticket.recorded(digest_text(name)).rpartition(':')[2][:16]}"
        for name in ticket.made_up
        for shown in {name, scrub(name), recordable(name, MAX_NAME)}
    }


def remedies(decision: Decision) -> list[Plain]:
    """What would help: one sentence for each check that refuses or asks."""
    told = [found.check for found in decision.reasons if found.effect != "flag" and not found.observed]
    return list(dict.fromkeys(CHECKS[check].remedy for check in told if check in CHECKS))


def _fields_of(ticket: Ticket, manifest: Manifest) -> Clean:
    """What all records of a call say of it. It is put together once for a decision, as a call has two records at least."""
    known = ticket.account
    if known is not None and known[0] is ticket.decision and known[1] is ticket._span:
        return known[2]
    task, call, span, decision = ticket.task, ticket.call, ticket._span, ticket.decision
    tool = manifest.tools.get(call.tool, _UNDECLARED)
    told: dict[str, Plain] = {
        "call": ticket.id, "step": ticket.seq, "tool": call.tool, "access": tool.access or "write", "egress": tool.leaves,
        "framework": call.framework, "args": ticket.args_recorded, "outcome": decision.outcome,
        "judged": decision.judged, "mode": mode_of(decision), "trace_id": span.trace_id if span else "",
        "span_id": span.span_id if span else "",
    }  # fmt: skip
    if call.call_id:
        told["call_id"] = call.call_id
    if tool.credential:
        told["credential"] = tool.credential
    if digested := reason_digest(call):
        told["reason"] = ticket.recorded(digested)
    fields = clean(told, _NO_TASK | {"manifest": manifest.digest} if task is None else _fields_of_task(task))
    ticket.account = (decision, span, fields)
    return fields


def _fields_of_task(task: GuardedTask) -> Clean:
    if task.account is None:
        # Its own span is not its calls', and it ends before they may.
        task.account = clean({**task_fields(task.record), "actors": list(task.agents), "trace_id": "", "span_id": ""})
    return task.account


_UNDECLARED = Tool()
_NO_TASK: dict[str, Plain] = {
    "task": "", "txn": "", "agent": "", "agent_is": "asserted", "actors": [], "sub": "", "sub_is": "asserted",
}  # fmt: skip


def _origin(used: Used, hidden: Mapping[str, str]) -> dict[str, Plain]:
    told: dict[str, Plain] = {"argument": hidden.get(used.argument, used.argument), "origin": used.kind}
    if used.tool:
        told |= {"call": used.call_id, "tool": used.tool, "field": used.field}
    if used.way:
        told["way"] = used.way
    return told if used.whole else told | {"part": True}


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
    if ticket.recorded_at:
        attributes[semconv.EVIDENCE_SEQ] = ticket.recorded_at
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
        ledger=ticket.recorded_at,
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
    return {
        semconv.DECISION_OUTCOME: decision.outcome, semconv.DECISION_JUDGED: decision.judged,
        semconv.DECISION_REASON: found.check if found else "", semconv.DECISION_SENTENCE: found.sentence[:MAX_SENTENCE] if found else "",
        semconv.DECISION_PATH: list(found.path) if found else "",
        semconv.MODE: mode_of(decision),
    }  # fmt: skip


def mode_of(decision: Decision) -> str:
    """Whether the decision was enforced, or only observed."""
    return "observe" if decision.outcome == "allow" and decision.judged != "allow" else "enforce"


def owner_of(task: GuardedTask | None, manifest: Manifest) -> str:
    """The owner of the task's agent, or an empty text."""
    agent = manifest.agents.get(task.record.agent) if task else None
    return (agent.owner or "") if agent else ""
