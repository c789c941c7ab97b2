"""Every attribute that Licet exports, in one place: the names, and the registry that `conventions` holds exported spans against.

Metrics and log events stand in `instruments`, and take their attributes from here.

GenAI names: semantic-conventions-genai @ 34beb96 (2026-05-11), all of Development stability; the Python constants are deprecated,
so they stand here as text. Own names live under `licet.`, as the naming rules ask (an application's unique prefix):
lowercase, and none is at the same time the namespace of another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from licet.catalogue import CHECKS

OPERATION_NAME = "gen_ai.operation.name"
TOOL_NAME = "gen_ai.tool.name"
TOOL_TYPE = "gen_ai.tool.type"
TOOL_CALL_ID = "gen_ai.tool.call.id"
AGENT_NAME = "gen_ai.agent.name"
CONVERSATION_ID = "gen_ai.conversation.id"
PROVIDER_NAME = "gen_ai.provider.name"
TOOL_ARGUMENTS = "gen_ai.tool.call.arguments"
TOOL_RESULT = "gen_ai.tool.call.result"
ERROR_TYPE = "error.type"
MCP_METHOD = "mcp.method.name"
RPC_STATUS = "rpc.response.status_code"

EXECUTE_TOOL = "execute_tool"
INVOKE_AGENT = "invoke_agent"
PROVIDER_UNKNOWN = "unknown"

TASK_ID = "licet.task.id"
TASK_KIND = "licet.task.kind"
TASK_CALLS = "licet.task.calls"
TASK_DENIED = "licet.task.denied"
TXN = "licet.txn"
INTENT_ID = "licet.intent.id"
INTENT_DECLARED = "licet.intent.declared"
INTENT_TEXT = "licet.intent.text"  # the user's own words
INTENT_SCOPE = "licet.intent.scope"
TOKEN_JTI = "licet.token.jti"  # noqa: S105 - the name of an attribute
TOKEN_EXP = "licet.token.exp"  # noqa: S105 - the name of an attribute
DECISION_OUTCOME = "licet.decision.outcome"
DECISION_JUDGED = "licet.decision.judged"
DECISION_REASON = "licet.decision.reason"
DECISION_SENTENCE = "licet.decision.sentence"
DECISION_PATH = "licet.decision.path"  # the evidence of the leading reason, step by step
APPROVAL_ANSWER = "licet.approval.answer"
APPROVAL_BY = "licet.approval.by"
APPROVAL_HOW = "licet.approval.how"  # how the approver was authenticated
APPROVAL_WAITED = "licet.approval.waited"  # seconds
POLICY_VERSION = "licet.policy.version"
POLICY_RATIFIED = "licet.policy.ratified"  # the version of its ratification
PRINCIPAL_ID = "licet.principal.id"
PRINCIPAL_STANDING = "licet.principal.standing"  # `asserted` or `proved`
ACTOR_ID = "licet.actor.id"
ACTOR_STANDING = "licet.actor.standing"
ACTOR_CHAIN = "licet.actor.chain"
ARGS_DIGEST = "licet.args.digest"
RESULT_DIGEST = "licet.result.digest"
CHAIN_DEPTH = "licet.chain.depth"
CHAIN_PREVIOUS_TOOL = "licet.chain.previous_tool"
CALL_ID = "licet.call.id"
CALL_SEQ = "licet.call.seq"
CALL_REASON = "licet.call.reason"  # the agent's own words: in the embedded store only, never on a span
CALL_REASON_DIGEST = "licet.call.reason_digest"
MODE = "licet.mode"
EVIDENCE_SEQ = "licet.evidence.seq"  # the number of the ledger's record
RECORD = "licet.record"  # what the store keeps of the task or the call, as JSON, for reading back

# On metrics and log events only.
OWNER = "licet.owner"
FINDING_ID = "licet.finding.id"
FINDING_CHECK = "licet.finding.check"
FINDING_SEVERITY = "licet.finding.severity"
FINDING_REFERENCES = "licet.finding.references"
FINDING_CODES = "licet.finding.codes"
FINDING_STATUS = "licet.finding.status"
IDENTITY_ID = "licet.identity.id"
TOKEN_ENVELOPE = "licet.token.envelope"  # noqa: S105 - the name of an attribute
TELEMETRY_SIGNAL = "licet.telemetry.signal"
DRILL_FIGURE = "licet.drill.figure"
DRILL_SOURCE = "licet.drill.source"
EVENT_NAME = "event.name"  # where the SDK has no field for the name of an event (before 1.35)

# Low-cardinality values of `error.type`.
POLICY_DENIED = "policy_denied"
APPROVAL_REQUIRED = "approval_required"
OTHER = "_OTHER"

LONGEST = 2_000
"""Characters of one text, and entries of one list, unless the row says otherwise."""

Level = Literal["", "required", "when", "recommended", "opt-in"]
"""How a span has an attribute: never, always, whenever it applies, if it is known, only if the operator asked for contents."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One row of the registry.

    `agent`, `tool`: how an `invoke_agent` and an `execute_tool` span has it. `values` or `pattern` (the whole text): what it may be;
    without both, any text within `cap`. `at_start`: a sampler must see it, so that it is there when the span starts.
    """

    name: str
    type: Literal["string", "int", "double", "string[]"]
    source: str
    agent: Level = ""
    tool: Level = ""
    values: frozenset[str] = frozenset()
    pattern: str = ""
    at_start: bool = False
    cap: int = LONGEST


_GENAI, _OTEL, _MCP, _OWN = "GenAI", "OpenTelemetry", "MCP", "Licet"
_ID = r"[0-9a-f]{32}"
_DIGEST = r"sha256:[0-9a-f]{64}"  # of what everybody may know
_KEYED = r"hmac-sha256:[0-9a-f]{64}"
_VERSION = r"[0-9A-Za-z][0-9A-Za-z.+-]{0,31}"
_STANDINGS = frozenset({"asserted", "proved"})
_OUTCOMES = frozenset({"allow", "ask", "deny"})

_ROWS = (
    # name, type, source, on invoke_agent, on execute_tool
    Attribute(OPERATION_NAME, "string", _GENAI, "required", "required", frozenset({EXECUTE_TOOL, INVOKE_AGENT}), at_start=True),
    Attribute(AGENT_NAME, "string", _GENAI, "required", "when", at_start=True),
    Attribute(PROVIDER_NAME, "string", _GENAI, "required", "recommended", pattern=r"[a-z][a-z0-9_.]{0,63}", at_start=True),
    Attribute(TOOL_NAME, "string", _GENAI, "", "required", at_start=True),
    Attribute(TOOL_TYPE, "string", _GENAI, "", "recommended", frozenset({"function", "extension", "datastore"})),
    Attribute(TOOL_CALL_ID, "string", _GENAI, "", "recommended"),
    Attribute("gen_ai.tool.description", "string", _GENAI, "", "opt-in"),
    Attribute(TOOL_ARGUMENTS, "string", _GENAI, "", "opt-in"),
    Attribute(TOOL_RESULT, "string", _GENAI, "", "opt-in"),
    Attribute(CONVERSATION_ID, "string", _GENAI, "when", "when"),
    Attribute("gen_ai.agent.id", "string", _GENAI, "when", "recommended"),
    Attribute("gen_ai.agent.version", "string", _GENAI, "when", "recommended"),
    Attribute("gen_ai.agent.description", "string", _GENAI, "when"),
    Attribute("gen_ai.request.model", "string", _GENAI, "when", at_start=True),
    Attribute(ERROR_TYPE, "string", _OTEL, "when", "when", pattern=r"[^\W\d][\w.<>]{0,199}"),
    Attribute("server.address", "string", _OTEL, "", "recommended"),
    Attribute("server.port", "int", _OTEL, "", "recommended"),
    Attribute("network.transport", "string", _OTEL, "", "recommended", frozenset({"pipe", "tcp", "quic"})),
    Attribute("network.protocol.name", "string", _OTEL, "", "recommended", pattern=r"[a-z][a-z0-9_.-]{0,31}"),
    Attribute("network.protocol.version", "string", _OTEL, "", "recommended", pattern=_VERSION),
    Attribute(MCP_METHOD, "string", _MCP, "", "when", frozenset({"tools/call"})),
    Attribute("mcp.protocol.version", "string", _MCP, "", "recommended", pattern=_VERSION),
    Attribute("mcp.session.id", "string", _MCP, "", "recommended"),  # of old servers: the protocol has had no sessions since 2026-07-28
    Attribute("jsonrpc.request.id", "string", _MCP, "", "when"),
    Attribute("jsonrpc.protocol.version", "string", _MCP, "", "recommended", pattern=_VERSION),
    Attribute(RPC_STATUS, "string", _MCP, "", "when", pattern=r"-?[0-9]{1,6}"),
    Attribute(TASK_ID, "string", _OWN, "required", "when", pattern=_ID, at_start=True),
    Attribute(TASK_KIND, "string", _OWN, "required", "when", at_start=True),
    Attribute(TASK_CALLS, "int", _OWN, "recommended"),
    Attribute(TASK_DENIED, "int", _OWN, "when"),
    Attribute(TXN, "string", _OWN, "required", "when", pattern=_ID, at_start=True),
    Attribute(INTENT_ID, "string", _OWN, "required", "", pattern=_KEYED),
    Attribute(INTENT_DECLARED, "string", _OWN, "when", "when"),
    Attribute(INTENT_TEXT, "string", _OWN, "opt-in"),
    Attribute(INTENT_SCOPE, "string[]", _OWN, "when"),
    Attribute(POLICY_VERSION, "string", _OWN, "required", "required", pattern=_DIGEST),
    Attribute(POLICY_RATIFIED, "int", _OWN, "when"),
    Attribute(PRINCIPAL_ID, "string", _OWN, "recommended", "recommended", pattern=_KEYED),
    Attribute(PRINCIPAL_STANDING, "string", _OWN, "required", "when", _STANDINGS),
    Attribute(ACTOR_ID, "string", _OWN, "recommended", "when"),
    Attribute(ACTOR_STANDING, "string", _OWN, "required", "when", _STANDINGS),
    Attribute(ACTOR_CHAIN, "string[]", _OWN, "required"),
    Attribute(TOKEN_JTI, "string", _OWN, "", "recommended", pattern=r"[0-9A-Za-z_-]{1,64}"),
    Attribute(TOKEN_EXP, "int", _OWN, "", "recommended"),
    Attribute(DECISION_OUTCOME, "string", _OWN, "", "required", _OUTCOMES, at_start=True),
    Attribute(DECISION_JUDGED, "string", _OWN, "", "required", _OUTCOMES, at_start=True),
    Attribute(DECISION_REASON, "string", _OWN, "", "when", frozenset(CHECKS)),
    Attribute(DECISION_SENTENCE, "string", _OWN, "", "when"),
    Attribute(DECISION_PATH, "string[]", _OWN, "", "when"),
    Attribute(APPROVAL_ANSWER, "string", _OWN, "", "when", frozenset({"approved", "refused", "unavailable"})),
    Attribute(APPROVAL_BY, "string", _OWN, "", "when"),
    Attribute(APPROVAL_HOW, "string", _OWN, "", "when"),
    Attribute(APPROVAL_WAITED, "double", _OWN, "", "when"),
    Attribute(MODE, "string", _OWN, "", "required", frozenset({"enforce", "observe"})),
    Attribute(EVIDENCE_SEQ, "int", _OWN, "", "recommended"),
    Attribute(ARGS_DIGEST, "string", _OWN, "", "when", pattern=_KEYED),
    Attribute(RESULT_DIGEST, "string", _OWN, "", "when", pattern=_KEYED),
    Attribute(CHAIN_DEPTH, "int", _OWN, "", "when"),
    Attribute(CHAIN_PREVIOUS_TOOL, "string", _OWN, "", "when"),
    Attribute(CALL_ID, "string", _OWN, "", "required", pattern=_ID),
    Attribute(CALL_SEQ, "int", _OWN, "", "required"),
    Attribute(CALL_REASON, "string", _OWN),  # never on a span: the embedded store only
    Attribute(CALL_REASON_DIGEST, "string", _OWN, "", "when", pattern=_KEYED),
    Attribute(RECORD, "string", _OWN, "recommended", "recommended", cap=60_000),
    # on no span: metrics and log events only
    Attribute(OWNER, "string", _OWN),
    Attribute(FINDING_ID, "string", _OWN, pattern=r"[0-9a-f]{16}([0-9a-f]{8}){0,2}"),
    Attribute(FINDING_CHECK, "string", _OWN, pattern=rf"{'|'.join(map(re.escape, CHECKS))}|monitor\.[a-z]+(-[a-z]+){{0,5}}"),
    Attribute(FINDING_SEVERITY, "string", _OWN, values=frozenset({"info", "low", "medium", "high", "critical"})),
    Attribute(FINDING_REFERENCES, "string[]", _OWN),
    Attribute(FINDING_CODES, "string[]", _OWN),
    Attribute(FINDING_STATUS, "string", _OWN, values=frozenset({"open", "withdrawn"})),
    Attribute(IDENTITY_ID, "string", _OWN),
    Attribute(TOKEN_ENVELOPE, "string", _OWN, values=frozenset({"call", "task"})),
    Attribute(TELEMETRY_SIGNAL, "string", _OWN, values=frozenset({"traces", "metrics", "logs"})),
    Attribute(DRILL_FIGURE, "string", _OWN, pattern=r"[a-z][a-z0-9_]{0,40}"),
    Attribute(DRILL_SOURCE, "string", _OWN, pattern=r"[a-z][a-z0-9_-]{0,40}"),
    Attribute(EVENT_NAME, "string", _OTEL),
)

ATTRIBUTES: Mapping[str, Attribute] = {row.name: row for row in _ROWS}
"""Every attribute of ours, by name."""

OF_THE_TRANSPORT = frozenset(
    name for name, row in ATTRIBUTES.items() if row.tool and name.startswith(("mcp.", "jsonrpc.", "rpc.", "network.", "server."))
)
"""What a framework may say of how a call travels (`ToolCall.meta`), by the names under which its span says it."""

RESOURCE = ("service.name", "deployment.environment.name")
"""What every resource says."""
