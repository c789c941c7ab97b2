"""Records to rows of a table, and back."""

from __future__ import annotations

import json
from dataclasses import asdict, astuple
from typing import Any

from licet.records import CallRecord, Decision, Finding, Reason, TaskRecord, Used

TASK_COLUMNS = (
    "id, kind, agent, principal, intent, manifest_digest, started, ttl, parent, root, narrowing, paused, ended, ended_by, detached, "
    "trace_id, span_id, principal_is, agent_is, owner, ledger"
)
CALL_COLUMNS = (
    "id, task_id, seq, tool, call_id, framework, status, decision, args_digest, started, ended, result_digest, error_type, jti, "
    "trace_id, span_id, attributes, used, ledger"
)
FINDING_COLUMNS = "id, time, check_id, severity, sentence, task_id, call_id, owner, refs, ledger"


def task_row(task: TaskRecord) -> tuple[Any, ...]:
    """In the order of TASK_COLUMNS."""
    return (
        task.id, task.kind, task.agent, task.principal, task.intent, task.manifest_digest, task.started, task.ttl, task.parent,
        task.root, task.narrowing, task.paused, task.ended, task.ended_by, int(task.detached), task.trace_id, task.span_id,
        task.principal_is, task.agent_is, task.owner, task.ledger,
    )  # fmt: skip


def task_of(row: tuple[Any, ...]) -> TaskRecord:
    """The task of a row in the order of TASK_COLUMNS."""
    names = TASK_COLUMNS.replace(" ", "").split(",")
    fields = dict(zip(names, row, strict=True))
    return TaskRecord(**(fields | {"detached": bool(fields["detached"])}))


def call_row(call: CallRecord, seq: int) -> tuple[Any, ...]:
    """In the order of CALL_COLUMNS, with the number that the store gave."""
    return (
        call.id, call.task_id, seq, call.tool, call.call_id, call.framework, call.status, decision_text(call.decision),
        call.args_digest, call.started, call.ended, call.result_digest, call.error_type, call.jti, call.trace_id, call.span_id,
        json.dumps(dict(call.attributes)), json.dumps([astuple(used) for used in call.used]),
        call.ledger,
    )  # fmt: skip


def call_of(row: tuple[Any, ...]) -> CallRecord:
    """The call of a row in the order of CALL_COLUMNS."""
    names = CALL_COLUMNS.replace(" ", "").split(",")
    fields = dict(zip(names, row, strict=True))
    used = tuple(Used(*item) for item in json.loads(fields["used"] or "[]"))
    attributes = json.loads(fields["attributes"] or "{}")
    return CallRecord(**(fields | {"decision": decision_of(fields["decision"]), "attributes": attributes, "used": used}))


def finding_row(finding: Finding) -> tuple[Any, ...]:
    """In the order of FINDING_COLUMNS."""
    return (
        finding.id, finding.time, finding.check, finding.severity, finding.sentence, finding.task_id, finding.call_id,
        finding.owner, json.dumps(finding.references), finding.ledger,
    )  # fmt: skip


def finding_of(row: tuple[Any, ...]) -> Finding:
    """The finding of a row in the order of FINDING_COLUMNS."""
    id_, time, check, severity, sentence, task_id, call_id, owner, references, ledger = row
    return Finding(id_, time, check, severity, sentence, task_id, call_id, owner, tuple(json.loads(references)), ledger)


def decision_text(decision: Decision) -> str:
    """A decision as JSON."""
    plain = asdict(decision)
    for item in plain["reasons"]:
        del item["value"]  # for the approver's eyes only
    return json.dumps(plain)


def decision_of(text: str) -> Decision:
    """The decision of `decision_text`."""
    fields = json.loads(text)
    reasons = tuple(Reason(**(item | {"path": tuple(item["path"]), "references": tuple(item["references"])})) for item in fields["reasons"])
    return Decision(fields["outcome"], reasons, fields["judged"], tuple(fields["errors"]))
