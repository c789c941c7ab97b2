"""What each attribute of the registry says, in a few words: for the page on telemetry, which a test holds against the registry."""

from __future__ import annotations

from collections.abc import Mapping

from licet.telemetry import semconv
from licet.telemetry.instruments import EVENTS, METRICS, Event, Instrument

ABOUT: Mapping[str, str] = {
    semconv.OPERATION_NAME: "what the span is: a task or a call",
    semconv.AGENT_NAME: "who acts",
    semconv.PROVIDER_NAME: "whose model the agent uses; `unknown` where nobody said",
    semconv.TOOL_NAME: "the tool that was asked for; on metrics `_OTHER` where the manifest does not declare it",
    semconv.TOOL_TYPE: "where the tool runs",
    semconv.TOOL_CALL_ID: "the framework's id of the call",
    "gen_ai.tool.description": "what the model was told of the tool",
    semconv.TOOL_ARGUMENTS: "arguments that were opted in, as JSON",
    semconv.TOOL_RESULT: "a result that was opted in, as JSON",
    semconv.CONVERSATION_ID: "the framework's session",
    "gen_ai.agent.id": "the framework's id of the agent",
    "gen_ai.agent.version": "the agent's version",
    "gen_ai.agent.description": "the agent's purpose",
    "gen_ai.request.model": "the model",
    semconv.ERROR_TYPE: "`policy_denied`, `approval_required`, or the class of the tool's exception",
    "server.address": "the host of the tool's server",
    "server.port": "its port",
    "network.transport": "how the call travelled",
    "network.protocol.name": "by which protocol",
    "network.protocol.version": "in which version of it",
    semconv.MCP_METHOD: "the request of MCP that the call was",
    "mcp.protocol.version": "the version of MCP",
    "mcp.session.id": "the session, of servers before 2026-07-28",
    "jsonrpc.request.id": "the request's id",
    "jsonrpc.protocol.version": "the version of JSON-RPC, where it is not 2.0",
    semconv.RPC_STATUS: "the number of the server's error",
    semconv.TASK_ID: "one run of a task kind",
    semconv.TASK_KIND: "the task kind of the manifest",
    semconv.TASK_CALLS: "how many calls were decided in the task, while this span was open",
    semconv.TASK_DENIED: "how many of them were refused",
    semconv.TXN: "the id of the outermost task; the same in its sub-tasks and in their tokens",
    semconv.INTENT_ID: "the digest of what the user asked for",
    semconv.INTENT_DECLARED: "the task kind's intent, from the manifest",
    "licet.intent.text": "what the user asked for, where that is opted in",
    semconv.INTENT_SCOPE: "the tools that the task grants",
    semconv.POLICY_VERSION: "the digest of the manifest",
    semconv.POLICY_RATIFIED: "the version of the manifest's ratification; absent where it is not ratified",
    semconv.PRINCIPAL_ID: "a pseudonym of the person for whom it is done",
    semconv.PRINCIPAL_STANDING: "whether that name was proved",
    semconv.ACTOR_ID: "the agent of the manifest",
    semconv.ACTOR_STANDING: "whether that name was proved",
    semconv.ACTOR_CHAIN: "who acts for whom, the outermost first",
    semconv.EVIDENCE_SEQ: "the number of the ledger's record: of the call's intent, its question or its denial",
    semconv.TOKEN_JTI: "the id of the call's token; never the token",
    semconv.TOKEN_EXP: "when the token ends, in seconds since 1970",
    semconv.DECISION_OUTCOME: "what was enforced",
    semconv.DECISION_JUDGED: "what was judged; differs from the outcome in `observe`",
    semconv.DECISION_REASON: "the [check](checks/index.md) that led",
    semconv.DECISION_SENTENCE: "why, in a sentence without contents",
    semconv.DECISION_PATH: "the evidence, step by step",
    semconv.APPROVAL_ANSWER: "what the person said, or that nobody could",
    semconv.APPROVAL_BY: "who answered",
    semconv.APPROVAL_HOW: "how he was authenticated",
    semconv.APPROVAL_WAITED: "for how many seconds the call waited",
    semconv.MODE: "`observe` where the call ran against what was judged",
    semconv.ARGS_DIGEST: "the keyed digest of the arguments",
    semconv.RESULT_DIGEST: "the keyed digest of the result",
    semconv.CHAIN_DEPTH: "0 in a task, 1 in its sub-task, and so on",
    semconv.CHAIN_PREVIOUS_TOOL: "the tool of the call before",
    semconv.CALL_ID: "the call, as store and ledger have it",
    semconv.CALL_SEQ: "its number in the task",
    semconv.CALL_REASON: "why the agent says that it calls: in the embedded store only",
    semconv.CALL_REASON_DIGEST: "the keyed digest of that",
    semconv.RECORD: "what graph and findings are rebuilt from, as JSON",
    semconv.OWNER: "the owner of the agent, by the manifest",
    semconv.FINDING_ID: "the finding",
    semconv.FINDING_CHECK: "the check that found it",
    semconv.FINDING_SEVERITY: "how severe it is",
    semconv.FINDING_REFERENCES: "which published risks it answers to (ASI, NHI, ATLAS)",
    semconv.FINDING_CODES: "why, of one about an identity: the [reasons](findings.md), in the order of time",
    semconv.FINDING_STATUS: "whether one about an identity is still found",
    semconv.IDENTITY_ID: "the identity that a finding is about, as logs name it",
    semconv.TOKEN_ENVELOPE: "a token for one call, or for a task",
    semconv.TELEMETRY_SIGNAL: "of which signal",
    semconv.DRILL_FIGURE: "which figure of the [scorecard](drill.md)",
    semconv.DRILL_SOURCE: "of which source of logs",
    semconv.EVENT_NAME: "the name of a log event, where the SDK is older than 1.35",
}
"""By the attribute's name."""


def attribute_table() -> str:
    """Every attribute as a Markdown table: whose name it is, its type, how spans have it, where else it stands, and what it says."""
    rows = ["| attribute | type | task | call | else | says |", "|---|---|---|---|---|---|"]
    carriers: tuple[Event | Instrument, ...] = (*EVENTS.values(), *METRICS.values())
    for name, row in semconv.ATTRIBUTES.items():
        where = [f"`{carrier.name}`" for carrier in carriers if name in carrier.attributes]
        values = f": {', '.join(f'`{value}`' for value in sorted(row.values))}" if 0 < len(row.values) <= 5 else ""
        rows.append(f"| `{name}` | {row.type} | {row.agent} | {row.tool} | {', '.join(where)} | {ABOUT[name]}{values} |")
    return "\n".join(rows)


def metric_table() -> str:
    """Every metric as a Markdown table."""
    rows = ["| metric | kind | unit | attributes | says |", "|---|---|---|---|---|"]
    for row in METRICS.values():
        attributes = ", ".join(f"`{name}`" for name in row.attributes)
        rows.append(f"| `{row.name}` | {row.kind} | `{row.unit}` | {attributes} | {row.description} |")
    return "\n".join(rows)


def event_table() -> str:
    """Every log event as a Markdown table."""
    rows = ["| event | severity | says |", "|---|---|---|"]
    for row in EVENTS.values():
        numbers = {9: "INFO", 13: "WARN", 17: "ERROR"}
        rows.append(f"| `{row.name}` | {', '.join(numbers[each] for each in sorted(row.severities))} | {row.description} |")
    return "\n".join(rows)
