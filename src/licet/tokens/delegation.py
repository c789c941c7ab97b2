"""The token of a task, and what must hold between a task's token and that of a sub-task: checked from the tokens alone.

A sub-task's scope stands on the layers of the task above it, and its use is counted in that task's budgets too. So a token need not carry
either: the digests of the layers and of the budgets, outermost first, show that nothing was taken away from underneath
(Birgisson et al., "Macaroons", NDSS 2014, for the shape).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from licet.errors import TokenRefused
from licet.records import Standing
from licet.tokens.claims import (
    MAX_SECONDS,
    SKEW_SECONDS,
    TASK_TYPE,
    CallClaims,
    actors_of,
    check_times,
    optional,
    required,
    standing,
    texts,
)
from licet.tokens.dpop import Proof, check_proof
from licet.tokens.jws import Keys, check_signature, check_type, claims_of, parse


@dataclass(frozen=True, slots=True)
class TaskClaims:
    """What a task's token says. `ends`: when the task is over, in seconds since the epoch; `expires`: when this token is."""

    issuer: str
    principal: str
    agent: str
    actors: tuple[str, ...]
    task: str
    parent: str
    root: str
    kind: str
    tools: frozenset[str]
    layers: tuple[str, ...]
    budgets: tuple[str, ...]
    ends: int
    expires: int
    jti: str
    kid: str
    holder: str
    principal_is: Standing
    agent_is: Standing
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)


def read_task(token: str, *, keys: Keys, issuer: str, algorithms: Sequence[str], now: float, over: bool = False) -> TaskClaims:
    """A task's token with a good signature, of this issuer, and in its time. `over`: one that has expired is read too, as evidence.

    Raises:
        TokenRefused: it is not such a token.
    """
    jws = parse(token)
    check_type(jws, TASK_TYPE)
    key = check_signature(jws, keys, algorithms)
    claims = claims_of(jws)
    if claims.get("iss") != issuer:
        raise TokenRefused("token.issuer", "the task's token is of another issuer")
    if claims.get("aud") != issuer:
        raise TokenRefused("token.audience", "the task's token is for another audience")
    issued = required(claims, "iat", int, "token.time")
    check_times(claims, min(now, issued) if over and issued <= now else now, longest=MAX_SECONDS)
    return _task_claims(claims, key.kid)


def prove_task(task: TaskClaims, token: str, proof: Proof | None, *, algorithms: Sequence[str], now: float) -> str:
    """The `jti` of the proof that whoever shows the token holds its key. A task's token without proof names nothing.

    Raises:
        TokenRefused: `token.proof`.
    """
    if proof is None:
        raise TokenRefused("token.proof", "a task's token counts only with a proof by its holder's key")
    return check_proof(proof, holder=task.holder, token=token, now=now, algorithms=algorithms, skew=SKEW_SECONDS)[0]


def check_narrowing(above: TaskClaims, below: TaskClaims) -> None:
    """Whether a sub-task has at most what the task above it has.

    Raises:
        TokenRefused: `delegation.widened`, with what is more.
    """
    same = (above.issuer, above.principal, above.root) == (below.issuer, below.principal, below.root)
    if not same or below.parent != above.task:
        raise _widened("is not of the task above it")
    if below.actors != (below.agent, *above.actors):
        raise _widened("names other agents than those that delegated")
    if below.layers[: len(above.layers)] != above.layers or not below.tools <= above.tools:
        raise _widened("does not stand on the scope of the task above it")
    if below.budgets[: len(above.budgets)] != above.budgets:
        raise _widened("is not counted in the budgets of the task above it")
    if below.ends > above.ends:
        raise _widened("lasts longer than the task above it")
    if below.principal_is == "proved" and above.principal_is != "proved":
        raise _widened("calls its principal proved, and the task above it does not")


def check_call(task: TaskClaims, call: CallClaims) -> None:
    """Whether a call token is of this task, and within it.

    Raises:
        TokenRefused: `delegation.widened`.
    """
    if (task.issuer, task.principal, task.root, task.task) != (call.issuer, call.principal, call.root, call.task):
        raise _widened("is not followed by a call of its own")
    if call.actors != task.actors or call.tool not in task.tools or call.layers != task.layers or call.expires > task.ends + 1:
        raise _widened("does not cover the call")
    if (call.principal_is, call.agent_is) != (task.principal_is, task.agent_is):
        raise _widened("does not say of its names what the call says")


def verify_chain(
    tokens: Sequence[str], *, keys: Keys, issuer: str, algorithms: Sequence[str], now: float, call: CallClaims | None = None
) -> tuple[TaskClaims, ...]:
    """The tasks of a chain of delegation, the first one first, from their tokens alone: each has at most what the one before it has.

    The tokens are evidence here, and not credentials: they may be over. `call` is a verified call token of the last task.

    Raises:
        TokenRefused: a token is none of this issuer's, or `delegation.widened`.
    """
    if not tokens:
        raise TokenRefused("delegation.widened", "there is no task's token")
    tasks = tuple(read_task(token, keys=keys, issuer=issuer, algorithms=algorithms, now=now, over=True) for token in tokens)
    if tasks[0].parent or tasks[0].task != tasks[0].root:
        raise _widened("is not the first of its chain")
    for above, below in pairwise(tasks):
        check_narrowing(above, below)
    if call is not None:
        check_call(tasks[-1], call)
    return tasks


def _widened(what: str) -> TokenRefused:
    return TokenRefused("delegation.widened", f"a task's token {what}")


def _task_claims(claims: Mapping[str, Any], kid: str) -> TaskClaims:
    tctx, holder = required(claims, "tctx", dict), required(claims, "cnf", dict)
    agent, actors = required(claims, "client_id", str), actors_of(claims)
    if actors[0] != agent:
        raise TokenRefused("token.actor", "`act` and `client_id` name different agents")
    if set(holder) != {"jkt"}:
        raise TokenRefused("token.claims", "`cnf` is not the thumbprint of a key")
    scope = required(claims, "scope", str).split(" ")
    if not all(name.startswith("tool:") for name in scope):
        raise TokenRefused("token.claims", "`scope` does not name tools")
    return TaskClaims(
        issuer=required(claims, "iss", str), principal=required(claims, "sub", str), agent=agent, actors=actors,
        task=required(tctx, "task_id", str), parent=optional(tctx, "parent"), root=required(claims, "txn", str),
        kind=required(tctx, "kind", str), tools=frozenset(name.removeprefix("tool:") for name in scope), layers=texts(tctx, "layers"),
        budgets=texts(tctx, "budgets"), ends=required(tctx, "ends", int), expires=required(claims, "exp", int),
        jti=required(claims, "jti", str), kid=kid, holder=required(holder, "jkt", str), principal_is=standing(tctx, "sub_is"),
        agent_is=standing(tctx, "act_is"), claims=claims,
    )  # fmt: skip
