"""The token authority: tasks that another process holds, and the tokens for their calls. `licet serve` speaks HTTP in front of it.

Whoever holds a task shows its token with a proof by the key to which it is bound (RFC 9449); an id, or a token alone, names nothing.
What such a task was shown is not seen here, so that no field counts as trusted in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from licet.canonical import Plain
from licet.errors import Denied, LicetError, TokenRefused, UsageError
from licet.guard.account import task_fields
from licet.guard.asking import Asking
from licet.guard.gate import Gate
from licet.guard.minter import tool_scope
from licet.guard.parts import Parts
from licet.guard.task import GuardedTask, lineage
from licet.guard.tasks import Tools
from licet.records import Mark, Revocation, ToolCall
from licet.tokens import Issuer, KeySet, Proof
from licet.tokens.algorithms import FEDERATED, OURS
from licet.tokens.claims import ACCESS_TYPE, ENVELOPES, MAX_SECONDS, CallClaims, call_claims, marks_of, spent_as
from licet.tokens.delegation import TaskClaims, prove_task, read_task
from licet.tokens.jws import check_signature, claims_of, parse

TASK_TOKEN = "urn:licet:params:oauth:token-type:task"  # noqa: S105 - the name of a type
CALL_TOKEN = "urn:licet:params:oauth:token-type:call"  # noqa: S105
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Granted:
    """What was issued (RFC 8693 section 2.2.1). `expires_in` is in seconds; `token_type` is `DPoP` for an access token, else `N_A`."""

    token: str = field(repr=False)
    issued_token_type: str
    expires_in: int
    task_id: str
    scope: str
    token_type: str = "N_A"  # noqa: S105 - RFC 8693 section 2.2.1


class Authority:
    """What a guard issues to other processes.

    All methods raise `TokenRefused` for a token or proof that is not good, `Denied` for what policy refuses, `UsageError` for a request
    that is wrong in itself, and `StateError` where store, ledger or keys cannot be used.
    """

    def __init__(self, gate: Gate, asking: Asking, parts: Parts, issuer: Issuer, federation: frozenset[str] = frozenset()) -> None:
        self._gate, self._asking, self._p, self._issuer, self._federation = gate, asking, parts, issuer, federation

    def open(
        self,
        *,
        kind: str,
        intent: str,
        agent: str,
        holder: str,
        client: str = "",
        subject_token: str | None = None,
        agent_token: str | None = None,
        tools: Tools | None = None,
        ttl: str | timedelta | None = None,
    ) -> Granted:
        """Begin a task that the owner of the key `holder` (a thumbprint) holds; detached, until it is ended or its time is over.

        `client`: who has authenticated as one that may act as this agent. Without a `subject_token` the agent acts for itself.
        """
        _holder(holder)
        task = self._p.tasks.create(
            kind, intent=intent, agent=agent, principal=agent if subject_token is None else None, tools=tools, values={}, detached=True,
            ttl=ttl, subject_token=subject_token, agent_token=agent_token,
        )  # fmt: skip
        if client:
            # It has shown a key that the manifest gives to whoever may act as this agent: as good as a token of the agent's own.
            alone = subject_token is None
            task.record = replace(task.record, agent_is="proved", principal_is="proved" if alone else task.record.principal_is)
        return self._begin(task, holder)

    def renew(self, token: str, proof: Proof | None) -> Granted:
        """A new token for the same task and holder: a task's token lives 300 s at most."""
        task, claims = self._held(token, proof)
        return self._issue(task, claims.holder)

    def delegate(
        self,
        token: str,
        proof: Proof | None,
        *,
        kind: str,
        agent: str,
        intent: str,
        holder: str = "",
        agent_token: str | None = None,
        tools: Tools | None = None,
        budgets: Iterable[Mapping[str, Any]] | None = None,
        ttl: str | timedelta | None = None,
    ) -> Granted:
        """A sub-task with at most what the task has; `holder` is the sub-agent's key, by default the same."""
        parent, claims = self._held(token, proof)
        child = self._p.tasks.delegate(
            kind, agent=agent, intent=intent, tools=tools, budgets=budgets, ttl=ttl, parent=parent, detached=True, agent_token=agent_token
        )
        return self._begin(child, holder or claims.holder)

    def call(self, token: str, proof: Proof | None, *, tool: str, arguments: Mapping[str, Any], reason: str | None = None) -> Granted:
        """A token for one call, if the guard allows it. What becomes of the call is not known here: it counts as made."""
        task, claims = self._held(token, proof)
        self._p.origins.lose_sight(task)  # what its calls are shown is shown elsewhere
        call = ToolCall(tool, arguments, framework="authority", agent=claims.agent, reason=reason)
        ticket = self._gate.begin(call, task=task, holder=claims.holder)
        if ticket.action == "ask":
            self._asking.settle(ticket)
        minted = self._gate.hand_over(ticket)
        if minted is None or minted.token is None:
            raise Denied(ticket.message, ticket.decision)
        left = max(0, minted.exp - int(self._p.clock.now()))
        kind, presented_as = (ACCESS_TOKEN, "DPoP") if minted.envelope == ACCESS_TYPE else (CALL_TOKEN, "N_A")
        return Granted(minted.token.jwt, kind, left, task.id, f"tool:{tool}", presented_as)

    def federate(self, token: str, proof: Proof | None, *, audience: str) -> Granted:
        """An OIDC ID token by which a cloud or a vault knows the task's agent (RS256 or ES256), for an audience that the manifest names."""
        task, claims = self._held(token, proof)
        if audience not in self._federation:
            raise UsageError("this audience is not among `authority.federation` of the manifest")
        extra = {"licet": {"task": task.id, "kind": task.record.kind, "sub": task.record.principal, "sub_is": task.record.principal_is}}
        now, ends = self._p.clock.now(), self._p.tasks.expires(task)
        issued = self._issuer.federated(f"agent:{claims.agent}", audience, now=now, expires=ends, extra=extra)
        fields: dict[str, Plain] = {
            **task_fields(task.record), "agent": claims.agent, "aud": audience, "jti": issued.jti, "exp": issued.exp, "kid": issued.kid,
        }  # fmt: skip
        self._p.recorder.before("federation", fields)
        return Granted(issued.jwt, ID_TOKEN, max(0, issued.exp - int(now)), task.id, "openid")

    def task(self, token: str, proof: Proof | None) -> GuardedTask:
        """The open task that a token names, with the proof that it is shown by its holder."""
        return self._held(token, proof)[0]

    def issue(self, task: GuardedTask, holder: str) -> Granted:
        """The token of an open task, for a process that holds the key `holder` (a thumbprint)."""
        return self._issue(task, _holder(holder))

    def agents_of(self, token: str) -> tuple[str, ...]:
        """The agents of a token of ours, whatever kind it is, over or not: who may revoke it.

        Raises:
            TokenRefused: it is none of ours.
        """
        return self._any(token).actors

    def lasting(self, token: str) -> bool:
        """Whether this is an ID token of ours. It lasts until it expires: a cloud looks at its signature, and asks nobody."""
        try:
            jws = parse(token)
            check_signature(jws, self._keys(self._p.clock.now()), FEDERATED)
            return jws.header.get("typ") == "JWT" and claims_of(jws).get("iss") == self._issuer.name
        except TokenRefused:
            return False

    def active(self, token: str) -> Mapping[str, Any] | None:
        """The claims of a token of ours that is good now, without using it up; None if it is not (RFC 7662 section 2.2)."""
        try:
            found = self._any(token)
        except TokenRefused:
            return None
        now = self._p.clock.now()
        if now >= found.expires or self._p.store.revoked(marks_of(found), now) is not None:
            return None
        used = isinstance(found, CallClaims) and self._p.store.is_spent(spent_as(found.issuer, found.jti))
        return None if used else found.claims

    def revoke(self, token: str, *, by: str) -> bool:
        """Revoke a token (RFC 7009): a task's ends the task with all that it issued, a call's is denied from now on. False: not ours."""
        try:
            found = self._any(token)
        except TokenRefused:
            return False
        now = self._p.clock.now()
        if isinstance(found, TaskClaims):
            self._p.tasks.end_by_id(found.task, by)
            return True
        record = self._p.store.task(found.task)
        about = task_fields(record) if record is not None else _told_by(found)
        fields: dict[str, Plain] = {
            **about, "mark": "jti", "value": found.jti, "by": by, "why": "revoked by its client", "revokes": "the token of one call",
        }  # fmt: skip
        self._p.recorder.before("revocation", fields)
        return self._p.store.revoke(Revocation(("jti", found.jti), now, found.expires + MAX_SECONDS, "revoked by its client", by))

    # How ------------------------------------------------------------------------------------------------------------------

    def _begin(self, task: GuardedTask, holder: str) -> Granted:
        self._p.tasks.begin(task)
        try:
            self._p.origins.lose_sight(task)
            return self._issue(task, holder)
        except LicetError:
            self._p.tasks.end(task, "no token could be issued")  # nobody could ever hold it
            raise

    def _issue(self, task: GuardedTask, holder: str) -> Granted:
        over = task.over()
        if over:
            raise UsageError(over)
        self._check_line(task)
        now, ends = self._p.clock.now(), self._p.tasks.expires(task)
        fields = {
            "parent": task.parent.id if task.parent else None, "kind": task.record.kind, "layers": list(task.layers),
            "budgets": list(task.budget_digests), "ends": int(ends), "sub_is": task.record.principal_is, "act_is": task.record.agent_is,
        }  # fmt: skip
        scope = tool_scope(task.scope.tools)
        if not scope:
            raise UsageError("a task that grants no tool has nothing that a token could be for")
        present = {name: value for name, value in fields.items() if value is not None}
        issued = self._issuer.task(task.record, fields=present, scope=scope, actors=task.agents, expires=ends, holder=holder, now=now)
        told: dict[str, Plain] = {
            **task_fields(task.record), "jti": issued.jti, "exp": issued.exp, "kid": issued.kid, "holder": holder,
        }  # fmt: skip
        self._p.recorder.before("task.token", told)
        return Granted(issued.jwt, TASK_TOKEN, max(0, issued.exp - int(now)), task.id, scope)

    def _held(self, token: str, proof: Proof | None) -> tuple[GuardedTask, TaskClaims]:
        try:
            return self._shown(token, proof)
        except TokenRefused as refused:
            self._p.telemetry.metrics.refused(refused.check)
            raise

    def _shown(self, token: str, proof: Proof | None) -> tuple[GuardedTask, TaskClaims]:
        now = self._p.clock.now()
        claims = read_task(token, keys=self._keys(now), issuer=self._issuer.name, algorithms=OURS, now=now)
        jti = prove_task(claims, token, proof, algorithms=OURS, now=now)
        # The token may be shown again while it lives; its proof may not (RFC 9449 section 11.1).
        outcome = self._p.store.spend(f"{claims.holder}\0{jti}", now + MAX_SECONDS, marks_of(claims), now)
        if isinstance(outcome, Revocation):
            raise TokenRefused("token.ended" if outcome.mark[0] == "task" else "token.revoked", f"the {outcome.mark[0]} is revoked")
        if not outcome:
            raise TokenRefused("token.proof", "the proof was used before")
        task = self._p.tasks.resume(claims.task)
        if task.record.agent != claims.agent or task.over():
            raise TokenRefused("token.ended", task.over() or "the task is another agent's")
        self._check_line(task)
        return task, claims

    def _check_line(self, task: GuardedTask) -> None:
        """Neither the task nor one above it has been ended, wherever, and none of those who act is revoked."""
        marks: list[Mark] = [("agent", agent) for agent in task.agents]
        marks += [("task", each.id) for each in lineage(task)]
        found = self._p.store.revoked(marks, self._p.clock.now())
        if found is not None:
            what, name = found.mark
            raise TokenRefused("token.ended" if what == "task" else "token.revoked", f"the {what} {name[:40]} is revoked")

    def _any(self, token: str) -> CallClaims | TaskClaims:
        now = self._p.clock.now()
        jws = parse(token)
        if str(jws.header.get("typ")).lower() not in ENVELOPES:
            return read_task(token, keys=self._keys(now), issuer=self._issuer.name, algorithms=OURS, now=now, over=True)
        key = check_signature(jws, self._keys(now), OURS)
        claims = claims_of(jws)
        if claims.get("iss") != self._issuer.name:
            raise TokenRefused("token.issuer", "the token is of another issuer")
        return call_claims(claims, key.kid)

    def _keys(self, now: float) -> KeySet:
        return KeySet.of({"keys": self._issuer.keys.published(now)})


def _holder(holder: str) -> str:
    if not holder:
        raise UsageError("a task that another process holds is bound to its holder's key: hand in the key's thumbprint")
    return holder


def _told_by(claims: CallClaims) -> dict[str, Plain]:
    """What a token says of its task, which this store does not know."""
    return {
        "task": claims.task, "txn": claims.root, "trace_id": "", "span_id": "", "agent": claims.agent, "agent_is": claims.agent_is,
        "sub": claims.principal, "sub_is": claims.principal_is, "manifest": "",
    }  # fmt: skip
