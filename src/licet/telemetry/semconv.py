"""Every attribute name that Licet puts on a span, in one place.

GenAI names: semantic-conventions-genai @ 34beb96 (2026-05-11), all of Development stability; the Python constants are deprecated,
so they stand here as text. Own names live under `licet.`, as the naming rules ask (an application's unique prefix).
"""

from __future__ import annotations

OPERATION_NAME = "gen_ai.operation.name"
TOOL_NAME = "gen_ai.tool.name"
TOOL_TYPE = "gen_ai.tool.type"
TOOL_CALL_ID = "gen_ai.tool.call.id"
AGENT_NAME = "gen_ai.agent.name"
CONVERSATION_ID = "gen_ai.conversation.id"
PROVIDER_NAME = "gen_ai.provider.name"
ERROR_TYPE = "error.type"

EXECUTE_TOOL = "execute_tool"
INVOKE_AGENT = "invoke_agent"
PROVIDER_UNKNOWN = "unknown"

TASK_ID = "licet.task.id"
TASK_KIND = "licet.task.kind"
TXN = "licet.txn"
INTENT_ID = "licet.intent.id"
INTENT_DECLARED = "licet.intent.declared"
INTENT_SCOPE = "licet.intent.scope"
TOKEN_JTI = "licet.token.jti"  # noqa: S105 - the name of an attribute
TOKEN_EXP = "licet.token.exp"  # noqa: S105 - the name of an attribute
DECISION_OUTCOME = "licet.decision.outcome"
DECISION_JUDGED = "licet.decision.judged"
DECISION_REASON = "licet.decision.reason"
DECISION_SENTENCE = "licet.decision.sentence"
POLICY_VERSION = "licet.policy.version"
PRINCIPAL_ID = "licet.principal.id"
PRINCIPAL_STANDING = "licet.principal.standing"  # `asserted` or `proved`
ACTOR_ID = "licet.actor.id"
ACTOR_STANDING = "licet.actor.standing"
ACTOR_CHAIN = "licet.actor.chain"
ARGS_DIGEST = "licet.args.digest"
RESULT_DIGEST = "licet.result.digest"
CHAIN_DEPTH = "licet.chain.depth"
CHAIN_PREVIOUS_TOOL = "licet.chain.previous_tool"
CALL_SEQ = "licet.call.seq"
CALL_REASON = "licet.call.reason"  # the agent's own words: in the embedded store only, never on a span
CALL_REASON_DIGEST = "licet.call.reason_digest"
MODE = "licet.mode"

# Low-cardinality values of `error.type`.
POLICY_DENIED = "policy_denied"
APPROVAL_REQUIRED = "approval_required"
OTHER = "_OTHER"
