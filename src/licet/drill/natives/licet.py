"""Spans of guarded calls as Licet's own exporter writes them, in the OTLP JSON that a collector keeps (docs/telemetry.md).

A line of a collector holds many `resourceSpans`; one of these is what intake takes for one record, and what stands here in a line.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from licet.drill.scenario import Record, line
from licet.drill.stage import Stage
from licet.telemetry import semconv
from licet.version import VERSION

_READS, _VERBS = ("tickets", "orders", "invoices", "customers", "shipments", "contracts"), ("search", "read", "list", "export", "lookup")


class Agent(NamedTuple):
    """An agent, the kind of its tasks, and where its guard runs."""

    name: str
    kind: str
    place: str
    policy: str
    person: str

    @property
    def uid(self) -> str:
        """As the inventory calls it."""
        return f"agent:{self.name}"


def agent(stage: Stage, place: str = "") -> Agent:
    """An agent, drawn, or the real one that the stage has. `place`: the environment of its guard."""
    real = stage.actor.uid.removeprefix("agent:") if stage.actor is not None and stage.actor.uid.startswith("agent:") else ""
    return Agent(real or stage.name(), f"{stage.rng.choice(_VERBS)}-{stage.rng.choice(_READS)}", place or stage.name(), _digest(stage, ""),
                 _digest(stage, "hmac-"))  # fmt: skip


def tool(stage: Stage) -> str:
    """The name of a tool."""
    return f"{stage.rng.choice(_VERBS)}_{stage.rng.choice(_READS)}_{stage.rng.getrandbits(16):04x}"


def token(stage: Stage) -> str:
    """The id of a call token."""
    return f"{stage.rng.getrandbits(128):032x}"


def called(
    stage: Stage, who: Agent, time: float, tool: str, jti: str, *, task: str = "", seq: int = 1, denied: str = "", live: bool = False
) -> tuple[Record, str]:  # fmt: skip
    """A call that is over, and its id.

    Args:
        tool: its name.
        jti: the id of the call token; it stands in no span of a call that was denied.
        task: the id of its task; drawn where it is empty.
        denied: the check that denied it; empty: it was done.
    """
    native, task = token(stage), task or token(stage)
    took = stage.rng.randrange(3_000_000, 400_000_000)
    start = int(time) * 10**9 + stage.rng.randrange(10**8)
    args, result = _digest(stage, "hmac-"), _digest(stage, "hmac-")
    outcome = "deny" if denied else "allow"
    told: dict[str, Any] = {
        "v": 1, "id": native, "task": task, "seq": seq, "tool": tool, "framework": "python", "status": "denied" if denied else "done",
        "outcome": outcome, "judged": outcome, "args": args, "started": start / 1e9, "ended": (start + took) / 1e9, "ledger": seq + 2,
    }  # fmt: skip
    said: dict[str, Any] = {
        semconv.OPERATION_NAME: semconv.EXECUTE_TOOL, semconv.TOOL_NAME: tool, semconv.TOOL_TYPE: "function", semconv.CALL_ID: native,
        semconv.AGENT_NAME: who.name, semconv.ARGS_DIGEST: args, semconv.CALL_SEQ: seq, semconv.POLICY_VERSION: who.policy,
        semconv.DECISION_OUTCOME: outcome, semconv.DECISION_JUDGED: outcome, semconv.MODE: "enforce", semconv.TASK_ID: task,
        semconv.TXN: task, semconv.TASK_KIND: who.kind, semconv.INTENT_DECLARED: who.kind.replace("-", " ").capitalize(),
        semconv.CHAIN_DEPTH: 0, semconv.ACTOR_ID: who.name, semconv.ACTOR_STANDING: "asserted", semconv.PRINCIPAL_ID: who.person,
        semconv.PRINCIPAL_STANDING: "asserted", semconv.EVIDENCE_SEQ: seq + 2,
    }  # fmt: skip
    if denied:
        sentence = f"{tool} is not among the tools of this task"
        said |= {semconv.DECISION_REASON: denied, semconv.DECISION_SENTENCE: sentence, semconv.ERROR_TYPE: semconv.POLICY_DENIED}
        told["reasons"] = [[denied, "deny", sentence, [], [], False]]
    else:
        told |= {"result": result, "jti": jti}
        said |= {semconv.TOKEN_JTI: jti, semconv.TOKEN_EXP: int(time) + 300, semconv.RESULT_DIGEST: result}
    said[semconv.RECORD] = json.dumps(told, separators=(",", ":"))
    span = {
        "traceId": token(stage), "spanId": _span(stage), "parentSpanId": _span(stage), "name": f"{semconv.EXECUTE_TOOL} {tool}", "kind": 1,
        "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + took), "attributes": _attributes(said),
        "status": {"code": 2} if denied else {}, "flags": 256,
    }  # fmt: skip
    resource = {"attributes": _attributes({"service.name": who.name, "deployment.environment.name": who.place})}
    scope = {"scope": {"name": "licet", "version": VERSION}, "spans": [span]}
    return Record("licet", line({"resource": resource, "scopeSpans": [scope]}), time, live=live), native


def _attributes(said: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"intValue": str(each)} if isinstance(each, int) else {"stringValue": each}} for key, each in said.items()
    ]


def _span(stage: Stage) -> str:
    return f"{stage.rng.getrandbits(64) | 1:016x}"


def _digest(stage: Stage, how: str) -> str:
    return f"{how}sha256:{stage.rng.getrandbits(256):064x}"
