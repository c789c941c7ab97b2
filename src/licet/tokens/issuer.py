"""Minting: from an `allow` decision a token for one call, and what a task and its holder need. docs/tokens.md has the claims."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_json

from licet.errors import KeyFileError, UsageError
from licet.records import MAX_ACTORS, Decision, TaskRecord
from licet.tokens.algorithms import FEDERATED, OURS, base64url
from licet.tokens.binding import Binding
from licet.tokens.claims import (
    BINDING_TYPE,
    CALL_DETAIL,
    CALL_TYPE,
    DEFAULT_SECONDS,
    MAX_SECONDS,
    TASK_TYPE,
    Envelope,
    actor_chain,
)
from licet.tokens.keys import KeySource, Signer


@dataclass(frozen=True, slots=True)
class CallToken:
    """A signed token, and the claims that records may hold of it. The token itself is never recorded."""

    jwt: str = field(repr=False)
    jti: str
    exp: int
    kid: str = ""


@dataclass(frozen=True, slots=True)
class Minting:
    """What stands in a call token beside the task: all of it was judged, nothing is asked of anybody here.

    `expires` is when the task does, in seconds since the epoch. `actors`: who acts, the present agent first. `holder`: the thumbprint of
    the key to which the token is bound (`cnf.jkt`), empty inside one process. `layers`: the digests of the scope's layers, outermost first.
    `jti`: the token's id, where it was written down before; never used twice.
    """

    tool: str
    audience: str
    args_digest: str
    expires: float
    step: int
    purpose: str
    intent_digest: str
    actors: Sequence[str]
    context: Mapping[str, Any]
    tool_digest: str = ""
    holder: str = ""
    envelope: Envelope = CALL_TYPE
    layers: Sequence[str] = ()
    jti: str = ""


class Issuer:
    """Mints tokens. `name` is the `iss` claim; `seconds` the life of a call token, at most MAX_SECONDS.

    Raises:
        UsageError: the life is out of bounds.
    """

    def __init__(self, keys: KeySource, name: str, workload: str, seconds: int = DEFAULT_SECONDS) -> None:
        if not 1 <= seconds <= MAX_SECONDS:
            raise UsageError(f"a call token lives 1 to {MAX_SECONDS} seconds, not {seconds}")
        self.keys, self.name = keys, name
        self._workload, self._seconds = workload, seconds
        self._headers: dict[tuple[str, str], str] = {}

    def mint(self, decision: Decision, task: TaskRecord, call: Minting, *, now: float) -> CallToken:
        """A token for one call of `task`.

        Raises:
            UsageError: the decision does not allow the call.
            KeyFileError: no key signs now.
        """
        _only_allowed(decision)
        tctx: dict[str, Any] = {
            "task_id": task.id, "intent": call.purpose, "intent_id": call.intent_digest, "sub_is": task.principal_is,
            "act_is": task.agent_is, "args_digest": call.args_digest, "step": call.step, "max_calls": 1,
        }  # fmt: skip
        if call.tool_digest:
            tctx["tool_def_digest"] = call.tool_digest
        if call.layers:
            tctx["layers"] = list(call.layers)
        return self._call(task, call, tctx, call.envelope, self._seconds, now)

    def bind(self, decision: Decision, task: TaskRecord, call: Minting, *, now: float) -> Binding:
        """What `token: task` signs once per task and audience; each call is then proved by a MAC, inside this process (design § 6).

        Raises:
            UsageError: the decision does not allow the call.
            KeyFileError: no key signs now.
        """
        _only_allowed(decision)
        key = secrets.token_bytes(32)
        tctx: dict[str, Any] = {
            "task_id": task.id, "intent": call.purpose, "intent_id": call.intent_digest, "sub_is": task.principal_is,
            "act_is": task.agent_is,
        }  # fmt: skip
        token = self._call(task, call, tctx, BINDING_TYPE, MAX_SECONDS, now)
        return Binding(token.jwt, token.jti, token.exp, key)

    def _call(  # noqa: PLR0917
        self, task: TaskRecord, call: Minting, tctx: dict[str, Any], typ: str, seconds: int, now: float
    ) -> CallToken:
        claims = self._base(task, call.actors, call.expires, seconds, now)
        if call.jti:
            claims["jti"] = call.jti
        detail = {"type": CALL_DETAIL, "locations": [call.audience], "actions": ["tools/call"], "identifier": call.tool}
        claims |= {
            "aud": call.audience, "scope": f"tool:{call.tool}", "authorization_details": [detail], "tctx": tctx, "rctx": dict(call.context),
        }  # fmt: skip
        if call.holder:
            claims["cnf"] = {"jkt": call.holder}
        return self.sign(typ, claims, now)

    def task(
        self, task: TaskRecord, *, fields: Mapping[str, Any], scope: str, actors: Sequence[str], expires: float, holder: str, now: float
    ) -> CallToken:
        """What names a task from outside, and from which a sub-task is exchanged: bound to its holder's key, and good at its issuer only.

        `fields` are the members of `tctx`; `licet.tokens.delegation` has the ones that a chain of tasks is checked by.

        Raises:
            UsageError: no holder, or more than MAX_ACTORS agents.
            KeyFileError: no key signs now.
        """
        if not holder:
            raise UsageError("a task's token is bound to its holder's key; hand it in")
        if len(actors) > MAX_ACTORS:
            raise UsageError(f"more than {MAX_ACTORS} agents act for each other")
        claims = self._base(task, actors, expires, MAX_SECONDS, now)
        claims |= {"aud": self.name, "scope": scope, "tctx": {"task_id": task.id, **fields}, "cnf": {"jkt": holder}}
        return self.sign(TASK_TYPE, claims, now)

    def federated(self, subject: str, audience: str, *, now: float, expires: float, extra: Mapping[str, Any]) -> CallToken:
        """An OIDC ID token by which a cloud or a vault knows an agent (OpenID Connect Core 1.0 section 2): RS256 or ES256.

        Raises:
            KeyFileError: no such key signs now.
        """
        issued = int(now)
        claims = dict(extra) | {
            "iss": self.name, "sub": subject, "aud": audience, "iat": issued, "nbf": issued, "exp": _until(issued, MAX_SECONDS, expires),
            "jti": secrets.token_hex(16),
        }  # fmt: skip
        return self.sign("JWT", claims, now, FEDERATED)

    def _base(self, task: TaskRecord, actors: Sequence[str], expires: float, seconds: int, now: float) -> dict[str, Any]:
        issued = int(now)
        claims: dict[str, Any] = {
            "iss": self.name, "sub": task.principal, "iat": issued, "nbf": issued,
            "exp": _until(issued, seconds, expires), "jti": secrets.token_hex(16), "client_id": task.agent,
            "txn": task.root or task.id, "req_wl": self._workload,
        }  # fmt: skip
        if task.principal != task.agent or len(actors) > 1:
            claims["act"] = actor_chain(actors)
        return claims

    def sign(self, typ: str, claims: Mapping[str, Any], now: float, algorithms: tuple[str, ...] = OURS) -> CallToken:
        """A compact JWS (RFC 7515 section 7.1) over these claims.

        Raises:
            UsageError: a claim is nothing that JSON can say, or holds a lone surrogate.
            KeyFileError: no key of these algorithms signs now.
        """
        signer = self.keys.signer(now, algorithms)
        if signer is None:
            raise KeyFileError(f"no {' or '.join(algorithms)} key signs now; make one with `licet keys rotate`")
        kid = signer.kid
        try:
            payload = to_json(claims)
        except ValueError as error:
            raise UsageError("a claim is nothing that JSON can say") from error
        signed = f"{self._header(signer, typ)}.{base64url(payload)}"
        try:
            signature = signer.sign(signed.encode("ascii"))
        except Exception as error:
            raise KeyFileError(f"the key {kid} could not sign: {type(error).__name__}") from error
        return CallToken(f"{signed}.{base64url(signature)}", claims["jti"], claims["exp"], kid)

    def _header(self, signer: Signer, typ: str) -> str:
        known = self._headers.get((signer.kid, typ))
        if known is None:
            fields = {"alg": signer.jwk["alg"], "kid": signer.kid, "typ": typ}
            known = self._headers[(signer.kid, typ)] = base64url(to_json(fields))
        return known


def _until(issued: int, seconds: int, expires: float) -> int:
    """When a token is over: its own life, and not beyond that of its task; at least a second."""
    return max(issued + 1, min(issued + seconds, int(expires)))


def _only_allowed(decision: Decision) -> None:
    if decision.outcome != "allow":
        raise UsageError("a token is minted only from a decision that allows the call")
