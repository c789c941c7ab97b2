"""The claims of Licet's own tokens, written in one place and read in one place.

A call token meets RFC 9068 and carries what draft-ietf-oauth-transaction-tokens-10 requires; see docs/tokens.md for the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, TypeVar

from licet.errors import TokenRefused
from licet.records import MAX_ACTORS, Mark, Standing

CALL_TYPE: Final = "licet-call+jwt"
ACCESS_TYPE: Final = "at+jwt"
TASK_TYPE = "licet-task+jwt"
BINDING_TYPE = "licet-binding+jwt"
Envelope = Literal["licet-call+jwt", "at+jwt"]
ENVELOPES: tuple[Envelope, ...] = (CALL_TYPE, ACCESS_TYPE)

CALL_DETAIL = "urn:licet:tool-call"
DEFAULT_SECONDS, MAX_SECONDS = 60, 300
SKEW_SECONDS = 30
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CallClaims:
    """What a verified call token says. `actors` are the agents that act, the present one first."""

    issuer: str
    principal: str
    agent: str
    actors: tuple[str, ...]
    audience: str
    tool: str
    task: str
    root: str
    intent: str
    intent_id: str
    args_digest: str
    tool_digest: str
    step: int
    jti: str
    kid: str
    issued: int
    expires: int
    principal_is: Standing
    agent_is: Standing
    workload: str
    traceparent: str = ""
    holder: str | None = None
    layers: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Marked(Protocol):
    """What a call's and a task's claims have in common: all by which they can be revoked."""

    @property
    def task(self) -> str:
        """The task's id."""

    @property
    def root(self) -> str:
        """The id of the task at the top of its tree (`txn`)."""

    @property
    def actors(self) -> tuple[str, ...]:
        """The agents that act, the present one first."""

    @property
    def kid(self) -> str:
        """The key that signed it."""

    @property
    def jti(self) -> str:
        """Its own id."""


def marks_of(found: Marked) -> tuple[Mark, ...]:
    """All by which a token can have been revoked, the task first."""
    tasks: tuple[Mark, ...] = tuple(("task", task) for task in dict.fromkeys((found.task, found.root)))
    agents: tuple[Mark, ...] = tuple(("agent", agent) for agent in found.actors)
    return (*tasks, *agents, ("key", found.kid), ("jti", found.jti))


def whose(found: CallClaims) -> str:
    """Whose token it is, in a few words for logs and findings; never the token."""
    return f"token {found.jti} of task {found.task[:8]} (agent {found.agent}, tool {found.tool})"


def spent_as(issuer: str, jti: str) -> str:
    """The name under which a store remembers that a token was used."""
    return f"{issuer}\0{jti}"


def actor_chain(actors: Sequence[str]) -> dict[str, Any]:
    """RFC 8693 section 4.1: the present actor outermost, those before it nested inside."""
    chain: dict[str, Any] = {}
    for actor in reversed(actors):
        chain = {"sub": actor, "act": chain} if chain else {"sub": actor}
    return chain


def actors_of(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """The agents of an `act` claim, the present one first; `client_id` alone where there is none.

    Raises:
        TokenRefused: `token.actor`; it is not a chain of names, or longer than MAX_ACTORS.
    """
    if "act" not in claims:
        return (required(claims, "client_id", str, "token.actor"),)
    out: list[str] = []
    inner: Any = claims
    while "act" in inner:
        inner = inner["act"]
        if type(inner) is not dict or type(inner.get("sub")) is not str or not inner["sub"] or set(inner) - {"sub", "act", "iss"}:
            raise TokenRefused("token.actor", "`act` is not a chain of names")
        out.append(inner["sub"])
        if len(out) > MAX_ACTORS:
            raise TokenRefused("token.actor", f"more than {MAX_ACTORS} agents act for each other")
    return tuple(out)


def required(claims: Mapping[str, Any], name: str, kind: type[T], check: str = "token.claims") -> T:
    """A claim of exactly this type, and not empty.

    Raises:
        TokenRefused: of the given check.
    """
    found = claims.get(name)
    if type(found) is not kind or not (found or kind is int):
        raise TokenRefused(check, f"claim `{name}` is missing or is not {_WORDS.get(kind, kind.__name__)}")
    return found


_WORDS: Mapping[type, str] = {str: "a text", int: "a whole number", dict: "an object", list: "a list"}


def check_times(claims: Mapping[str, Any], now: float, *, longest: float, skew: float = SKEW_SECONDS) -> tuple[int, int]:
    """`iat` and `exp` of a token that holds now: RFC 7519 sections 4.1.4 to 4.1.6.

    Raises:
        TokenRefused: `token.time`; it is over, not begun, from the future, or lives longer than `longest` seconds.
    """
    issued, expires = (required(claims, name, int, "token.time") for name in ("iat", "exp"))
    begins = required(claims, "nbf", int, "token.time") if "nbf" in claims else issued
    if now >= expires + skew:
        raise TokenRefused("token.time", f"the token was over {now - expires:.0f} s ago")
    if issued > now + skew or begins > now + skew:
        raise TokenRefused("token.time", "the token is from the future")
    if not 0 < expires - issued <= longest:
        raise TokenRefused("token.time", f"the token lives {expires - issued} s, and at most {longest:.0f} s are allowed")
    return issued, expires


def call_claims(claims: Mapping[str, Any], kid: str) -> CallClaims:
    """The claims of a call token; every one that is required is there, and of its type.

    Raises:
        TokenRefused: `token.claims` or `token.actor`.
    """
    tctx, rctx = required(claims, "tctx", dict), claims.get("rctx", {})
    details = required(claims, "authorization_details", list)
    detail = details[0]
    audience, agent = required(claims, "aud", str), required(claims, "client_id", str)
    # RFC 9396 section 2: one object, about one call at one place.
    if len(details) != 1 or type(detail) is not dict or detail.get("type") != CALL_DETAIL:
        raise TokenRefused("token.claims", "`authorization_details` is not about one tool call")
    tool = required(detail, "identifier", str)
    if detail.get("locations") != [audience] or detail.get("actions") != ["tools/call"]:
        raise TokenRefused("token.claims", "`authorization_details` is about another place or action")
    if claims.get("scope") != f"tool:{tool}":
        raise TokenRefused("token.claims", "`scope` and `authorization_details` name different tools")
    actors = actors_of(claims)
    if actors[0] != agent:
        raise TokenRefused("token.actor", "`act` and `client_id` name different agents")
    if type(rctx) is not dict or tctx.get("max_calls") != 1:
        raise TokenRefused("token.claims", "the token is not for one call")
    holder = claims.get("cnf")
    if holder is not None and (type(holder) is not dict or set(holder) != {"jkt"} or type(holder["jkt"]) is not str):
        raise TokenRefused("token.claims", "`cnf` is not the thumbprint of a key")
    return CallClaims(
        issuer=required(claims, "iss", str), principal=required(claims, "sub", str), agent=agent, actors=actors, audience=audience,
        tool=tool, task=required(tctx, "task_id", str), root=required(claims, "txn", str), intent=required(tctx, "intent", str),
        intent_id=required(tctx, "intent_id", str), args_digest=required(tctx, "args_digest", str),
        tool_digest=optional(tctx, "tool_def_digest"), step=required(tctx, "step", int), jti=required(claims, "jti", str), kid=kid,
        issued=required(claims, "iat", int), expires=required(claims, "exp", int), principal_is=standing(tctx, "sub_is"),
        agent_is=standing(tctx, "act_is"), workload=required(claims, "req_wl", str), traceparent=optional(rctx, "traceparent"),
        holder=holder["jkt"] if holder else None, layers=texts(tctx, "layers"), claims=claims,
    )  # fmt: skip


def optional(claims: Mapping[str, Any], name: str) -> str:
    """A text that may be missing.

    Raises:
        TokenRefused: `token.claims`; it is there and is no text.
    """
    return required(claims, name, str) if name in claims else ""


def texts(claims: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A list of texts that may be missing.

    Raises:
        TokenRefused: `token.claims`; it is there and is something else.
    """
    found = claims.get(name, [])
    if type(found) is not list or not all(type(item) is str for item in found):
        raise TokenRefused("token.claims", f"claim `{name}` is not a list of texts")
    return tuple(found)


def standing(claims: Mapping[str, Any], name: str) -> Standing:
    """How good a name is: only the word `proved` is proof.

    Raises:
        TokenRefused: `token.claims`; it is neither of both words.
    """
    found = claims.get(name, "asserted")
    if found == "proved":
        return "proved"
    if found != "asserted":
        raise TokenRefused("token.claims", f"`{name}` is neither `asserted` nor `proved`")
    return "asserted"
