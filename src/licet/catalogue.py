"""The checks: stable ids, default effects, when each fires, and which published risk it answers.

One row per check. The engine, the manifest's `checks:` section, the documentation and its tests all read this table.
References: OWASP Top 10 for Agentic Applications 2026 (ASI), OWASP NHI Top 10 2025 (NHI), MITRE ATLAS 5.6.1 (AML).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from licet.records import Effect


@dataclass(frozen=True, slots=True)
class CheckInfo:
    """One check: its id, its default effect, when it fires, what to do, and its references."""

    id: str
    effect: Effect
    fires_when: str
    remedy: str
    references: tuple[str, ...] = ()


_ROWS = (
    CheckInfo(
        "identity.no-task", "deny", "a guarded tool is called outside any task, or in a task that this guard does not know",
        "open a task around the agent's run: `with guard.task(...)`", ("ASI03", "NHI5"),
    ),
    CheckInfo(
        "identity.unknown-agent", "deny", "the agent is not in the manifest, or may not be used for this task kind",
        "declare the agent, and list the task kind under its `tasks:`", ("ASI03", "ASI10"),
    ),
    CheckInfo(
        "identity.unowned", "flag", "the agent has no owner",
        "give the agent an `owner:`", ("NHI1", "ASI03"),
    ),
    CheckInfo(
        "identity.unproved", "deny",
        "an admin tool in `prod` is called while principal or agent is only asserted, or a token that should prove one is refused",
        "prove both names by `subject_token=` and `agent_token=`, with tokens of issuers in the manifest", ("ASI03", "NHI4"),
    ),
    CheckInfo(
        "scope.unknown-tool", "deny", "the tool is not declared in the manifest",
        "declare the tool under `tools:`", ("ASI02", "AML.T0053"),
    ),
    CheckInfo(
        "scope.tool", "deny", "the task does not grant this tool",
        "grant the tool to the task kind if this work needs it", ("ASI02", "AML.T0053"),
    ),
    CheckInfo(
        "scope.argument", "deny",
        "an argument is unknown, missing, of a type that cannot be judged, or outside what the grant allows",
        "change the call, or widen the grant's `arguments:` if this work needs it", ("ASI02", "AML.T0086"),
    ),
    CheckInfo(
        "scope.budget", "deny", "the call would take more than a budget of the task or of a task above it allows",
        "end the task, or raise the budget if this work needs it", ("ASI02", "ASI08", "AML.T0034.002"),
    ),
    CheckInfo(
        "scope.expired", "deny", "the task has ended, or its time to live is over",
        "open a new task", ("ASI03", "NHI7"),
    ),
    CheckInfo(
        "scope.approval", "ask", "the grant says `ask: true`: a person confirms each call",
        "set up an approver, or take `ask` out of the grant", ("ASI09", "AML.T0053"),
    ),
    CheckInfo(
        "approval.refused", "deny", "a person refused this call, or this tool earlier in the task",
        "do not repeat the call in this task", ("ASI09",),
    ),
    CheckInfo(
        "approval.unavailable", "deny", "a person must confirm and none could be asked, or none answered in time",
        "set up an approver: `Guard.from_file(path, approver=...)`", ("ASI09",),
    ),
    CheckInfo(
        "approval.limit", "deny", "the task has asked a person five times; what would ask again is denied",
        "look at why this task asks so much", ("ASI09",),
    ),
    CheckInfo(
        "chain.order", "deny", "the call does not follow the declared chain of the task kind",
        "follow the chain, or add the edge if this work needs it", ("ASI02", "ASI08"),
    ),
    CheckInfo(
        "chain.novel", "flag",
        "a call that writes or leaves uses a tool, or takes a value from a source, that the baseline of the task kind has not seen",
        "look at the call; if it is work, learn from its session too and ratify: `licet learn`, `licet ratify`",
        ("ASI01", "ASI02", "ASI10", "AML.T0053"),
    ),
    CheckInfo(
        "chain.escalation", "ask",
        "after untrusted content entered, a call has more access than the ratified baseline of the task kind has ever used",
        "let a person confirm; if it is work, learn from its session too and ratify", ("ASI01", "ASI03", "AML.T0053"),
    ),
    CheckInfo(
        "origin.argument", "deny", "a value that must come from the intent or a trusted source came from elsewhere, or from nowhere",
        "let it come from where the rule says, or endorse the source by name under the argument's `origin:`",
        ("ASI01", "ASI02", "AML.T0051.001"),
    ),
    CheckInfo(
        "origin.unanchored", "ask",
        "after untrusted content entered, nothing that identifies what a write acts on leads back to the intent",
        "name the thing in the intent, or let a person confirm", ("ASI01", "ASI02", "AML.T0051.001"),
    ),
    CheckInfo(
        "origin.content", "ask",
        "an address, a link, an account number or a secret from an untrusted source stands in free text that leaves",
        "let a person confirm, or declare where the argument must come from", ("ASI01", "AML.T0086"),
    ),
    CheckInfo(
        "origin.probing", "ask",
        "five different calls of the task were denied for origin or flow, and this one writes or leaves our control",
        "look at what the task was shown; end it if it is not doing its work", ("ASI01", "ASI10", "AML.T0051.001"),
    ),
    CheckInfo(
        "flow.egress", "deny",
        "something was revealed to the task, and the call leaves our control with no destination from the intent, a trusted field or the "
        "counterpart of what revealed it",
        "let the destination come from the intent or a trusted field", ("ASI01", "ASI02", "AML.T0086"),
    ),
    CheckInfo(
        "flow.declared", "deny", "a label was revealed to the task, and a flow of the manifest keeps it from this sink",
        "do this in a task that was not shown it, or change the flow", ("ASI01", "ASI02", "AML.T0086"),
    ),
    CheckInfo(
        "intent.mismatch", "flag",
        "the reason that the agent states for a call names another tool, or less access than the call's tool has",
        "look at what the agent was shown before this call", ("ASI01", "ASI09"),
    ),
    CheckInfo(
        "tool.changed", "deny", "the tool's definition (name, description, schema) is not the one that is pinned",
        "look at what changed, then run `licet pin`", ("ASI04", "AML.T0110"),
    ),
    CheckInfo(
        "environment.crossing", "deny", "agent, tool and credential are in different environments without a declared edge",
        "declare the edge, or use the tool of the agent's own environment", ("NHI8", "ASI03"),
    ),
    CheckInfo(
        "credential.expired", "deny", "the tool's credential is past its `expires` date",
        "renew the credential and its date", ("NHI7",),
    ),
    CheckInfo(
        "credential.revoked", "deny", "the tool's credential is revoked",
        "give the tool another credential", ("NHI1",),
    ),
    CheckInfo(
        "credential.stale", "flag", "the tool's credential is older than its `rotate_every`",
        "rotate the credential and set `rotated:`", ("NHI7",),
    ),
    CheckInfo(
        "credential.unowned", "flag", "the tool's credential has no owner (in `environment: prod`: a denial)",
        "give the credential an `owner:`", ("NHI1",),
    ),
    CheckInfo(
        "monitoring.blind", "deny",
        "the monitoring has been blind for longer than `fail_closed_after`, and the call writes or leaves our control",
        "look at `licet drill status`, mend what it names, and let a drill pass: `licet drill run`", ("ASI08", "ASI10"),
    ),
    CheckInfo(
        "delegation.widened", "deny", "a sub-task asks for more than its parent has, or for an agent that it may not delegate to",
        "ask for less, or widen the parent's task kind", ("ASI03", "ASI07", "NHI5"),
    ),
    CheckInfo(
        "token.malformed", "deny", "what was presented is not one strict compact JWS, or its JSON could be read in two ways",
        "send the token as it was issued, whole and unchanged", ("ASI03", "NHI4"),
    ),
    CheckInfo(
        "token.type", "deny", "the token is of another `typ` than the one that this verifier takes",
        "send the kind of token that the tool's side expects: `licet-call+jwt`, or `at+jwt`", ("ASI03", "NHI4"),
    ),
    CheckInfo(
        "token.key", "deny", "no key of the issuer has the token's `kid` with its algorithm, or the algorithm is not allowed",
        "give the verifier the issuer's present key set; it is published before a key signs", ("ASI03", "NHI4"),
    ),
    CheckInfo(
        "token.signature", "deny", "the signature does not verify",
        "find out who changed the token, or who made it", ("ASI03", "NHI4"),
    ),
    CheckInfo(
        "token.issuer", "deny", "the token is of another issuer",
        "give the verifier the issuer's name as `licet keys` or the service's metadata say it", ("ASI03", "NHI4"),
    ),
    CheckInfo(
        "token.audience", "deny", "the token is for another tool's side",
        "give tool and verifier the same `audience`; a token is never passed on", ("ASI03", "ASI07"),
    ),
    CheckInfo(
        "token.time", "deny", "the token is over, not begun, or lives longer than is allowed",
        "make the call again for a new token; look at the clocks if it was new", ("NHI7",),
    ),
    CheckInfo(
        "token.claims", "deny", "a claim that is required is missing, is of another type, or contradicts another",
        "let only the guard or its authority issue call tokens", ("ASI03",),
    ),
    CheckInfo(
        "token.actor", "deny", "the token's agent is not the one that was authenticated, or its chain of agents is none",
        "present a token only as the agent that it was issued to", ("ASI03", "ASI07"),
    ),
    CheckInfo(
        "token.binding", "deny", "the token is for another tool, other arguments, another definition or another task",
        "send what was judged, unchanged", ("ASI02", "ASI07"),
    ),
    CheckInfo(
        "token.proof", "deny", "a proof that the sender holds the token's key is missing, old, or for another request, token or key",
        "send the headers of `current_call().headers_for(method, url)` with each request", ("ASI03", "NHI2"),
    ),
    CheckInfo(
        "token.replay", "deny", "the token was used before",
        "look at who has seen it; a new call has a token of its own", ("ASI03", "NHI2"),
    ),
    CheckInfo(
        "token.revoked", "deny", "the token, its agent or the key that signed it is revoked",
        "look at why it was revoked: `licet token revoked`", ("NHI1", "ASI03"),
    ),
    CheckInfo(
        "token.ended", "deny", "the token's task has ended",
        "look at who kept a token after the work was done", ("NHI1", "ASI10"),
    ),
    CheckInfo(
        "token.undecided", "deny", "whether the token was used or revoked cannot be looked up",
        "make the store available to the verifier again", ("ASI08",),
    ),
    CheckInfo(
        "call.unknown", "flag", "a write or admin tool had begun when its process ended, so that nobody knows whether it took effect",
        "look whether it took effect, and do or undo the rest by hand", ("ASI08",),
    ),
    CheckInfo(
        "ledger.forked", "flag", "a witness has cosigned another ledger of this name, or more of this one: a fork, or a rollback",
        "keep both ledgers as evidence, and find out who set the folder back or let a copy of it go on", ("ASI10",),
    ),
    CheckInfo(
        "manifest.unratified", "flag",
        "the manifest has a baseline and nobody has ratified it, or its ratification is gone, forged, set back, or of another manifest",
        "look at what was changed and by whom (`licet diff`), and ratify it (`licet ratify`)", ("ASI10", "AML.T0081"),
    ),
    CheckInfo(
        "guard.self", "deny", "an argument reaches Licet's own keys, manifest, store or ledger",
        "keep agents away from the guard's files", ("ASI05", "AML.T0081"),
    ),
    CheckInfo(
        "guard.undecided", "deny",
        "the guard could not decide or could not record: a check failed, or store, ledger or keys cannot be used",
        "read the sentence; it names what failed", ("ASI08",),
    ),
)  # fmt: skip

CHECKS: Mapping[str, CheckInfo] = {row.id: row for row in _ROWS}
"""Every check of this release, by id."""

ALWAYS_ENFORCED = frozenset({"guard.self", "guard.undecided", *(check for check in CHECKS if check.startswith("token."))})
"""Never only observed, not under broken glass either: a trial must not cost the guard its keys, and what is undecided did not pass."""

LEARNED = frozenset({"chain.novel", "chain.escalation"})
"""What is held against a baseline: without a person who ratified it, it flags and nothing more; a baseline never denies."""
