"""Minting the call token: the claims of RFC 9068 and draft-ietf-oauth-transaction-tokens-10 in one set, typed `licet-call+jwt`."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from licet.errors import UsageError
from licet.records import Decision, TaskRecord
from licet.tokens.keys import ALGORITHM, SigningKey

TYPE = "licet-call+jwt"
DEFAULT_SECONDS = 60
MAX_SECONDS = 300
DETAIL_TYPE = "urn:licet:tool-call"


@dataclass(frozen=True, slots=True)
class CallToken:
    """A signed token, and the two claims that records may hold of it. The token itself is never recorded."""

    jwt: str
    jti: str
    exp: int

    def __repr__(self) -> str:
        return f"CallToken(jti={self.jti!r}, exp={self.exp})"


class Issuer:
    """Mints tokens for allowed calls. `name` is the `iss` claim; `seconds` the life of a token, at most MAX_SECONDS."""

    def __init__(self, key: SigningKey, name: str, workload: str, seconds: int = DEFAULT_SECONDS) -> None:
        if not 1 <= seconds <= MAX_SECONDS:
            raise UsageError(f"a call token lives 1 to {MAX_SECONDS} seconds, not {seconds}")
        self._key, self._name, self._workload, self._seconds = key, name, workload, seconds
        self._headers = {"kid": key.kid, "typ": TYPE}

    @property
    def key(self) -> SigningKey:
        """The key whose public half verifies the tokens."""
        return self._key

    def mint(
        self,
        decision: Decision,
        task: TaskRecord,
        *,
        tool: str,
        audience: str,
        args_digest: str,
        now: float,
        expires: float,
        step: int,
        purpose: str,
        intent_digest: str,
        actors: Sequence[str],
        context: Mapping[str, Any],
        tool_digest: str = "",
    ) -> CallToken:
        """A token for one call of `task`. `expires`: when the task does. `actors`: who acts, the present one first.

        Raises:
            UsageError: the decision does not allow the call.
        """
        if decision.outcome != "allow":
            raise UsageError("a token is minted only from a decision that allows the call")
        issued = int(now)
        exp = max(issued + 1, min(issued + self._seconds, int(expires)))
        jti = secrets.token_hex(16)
        tctx: dict[str, Any] = {
            "task_id": task.id, "intent": purpose, "intent_id": intent_digest, "args_digest": args_digest, "step": step, "max_calls": 1,
        }  # fmt: skip
        if tool_digest:
            tctx["tool_def_digest"] = tool_digest
        claims: dict[str, Any] = {
            "iss": self._name,
            "sub": task.principal,
            "aud": audience,
            "iat": issued,
            "nbf": issued,
            "exp": exp,
            "jti": jti,
            "client_id": task.agent,
            "scope": f"tool:{tool}",
            "authorization_details": [{"type": DETAIL_TYPE, "locations": [audience], "actions": ["tools/call"], "identifier": tool}],
            "txn": task.root or task.id,
            "req_wl": self._workload,
            "tctx": tctx,
            "rctx": dict(context),
        }
        if task.principal != task.agent:
            claims["act"] = _actor_chain(actors)
        return CallToken(jwt.encode(claims, self._key.private, algorithm=ALGORITHM, headers=self._headers), jti, exp)


def _actor_chain(actors: Sequence[str]) -> dict[str, Any]:
    """RFC 8693 section 4.1: the present actor outermost, those before it nested inside."""
    chain: dict[str, Any] = {}
    for actor in reversed(actors):
        chain = {"sub": actor, "act": chain} if chain else {"sub": actor}
    return chain
