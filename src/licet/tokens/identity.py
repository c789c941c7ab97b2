"""Proved names: whether an identity token of somebody else's proves for whom a task is run, or which agent runs it.

What is verified, per kind: OpenID Connect Core 1.0 section 3.1.3.7 (ID tokens) and RFC 9068 section 4 (access tokens); SPIFFE JWT-SVID
sections 3 and 4; Kubernetes service account tokens as the API server projects them. See docs/identity.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from licet.clock import Clock, SystemClock
from licet.errors import StateError, TokenRefused, UsageError
from licet.manifest import Agent, IssuerKind, TrustedIssuer
from licet.manifest.identities import Role, misfit
from licet.tokens.claims import ACCESS_TYPE, SKEW_SECONDS, required
from licet.tokens.jws import Jws, Keys, check_signature, claims_of, parse
from licet.tokens.remote_keys import FileKeys, RemoteKeys

MAX_TOKEN = 16_384
"""Bytes of an identity token: some providers list every group of a person in it."""
IGNORED_HEADERS = frozenset({"x5t", "x5t#S256"})
"""Thumbprints of certificates, by which some providers name their keys once more: allowed, and of no effect."""
MAX_SUBJECT, MAX_SPIFFE = 255, 2_048  # characters: OpenID Connect Core section 2, SPIFFE-ID section 2.3

_SPIFFE = re.compile(r"spiffe://([a-z0-9._-]{1,255})((?:/[A-Za-z0-9._-]+)+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Proved:
    """Who somebody is. `name` is the principal (`ISSUER:SUBJECT`) or the agent; `issuer` the entry of the manifest that proves it.

    `expires`, in seconds since the epoch, is how long the token may be presented.
    """

    name: str
    issuer: str
    subject: str
    expires: float
    kind: IssuerKind


class Identities:
    """The issuers of a manifest, and what their tokens prove.

    Args:
        issuers, agents: as the manifest declares them.
        folder: what `jwks_file` is relative to.
        keys: the keys of some issuers, by name, in place of those that the manifest says where to find.
    """

    def __init__(
        self, issuers: Mapping[str, TrustedIssuer], agents: Mapping[str, Agent], *, folder: Path, clock: Clock | None = None,
        keys: Mapping[str, Keys] | None = None,
    ) -> None:  # fmt: skip
        self._issuers, self._agents, self._clock = issuers, agents, clock or SystemClock()
        given = keys or {}
        self._keys = {name: given.get(name) or _keys_of(issuer, folder, self._clock) for name, issuer in issuers.items()}

    def principal(self, token: str) -> Proved:
        """For whom: a token of an issuer that proves principals. Its name is `ISSUER:SUBJECT`, the issuer by its name in the manifest.

        Raises:
            TokenRefused: it proves nobody. `str()` is always the same; `check` and `why` are for our own records.
            UsageError: the manifest declares no issuer that proves principals.
        """
        name, issuer, claims, expires = self._verified(token, "principal")
        subject = claims["sub"]
        return Proved(f"{name}:{subject}", name, subject, expires, issuer.kind)

    def agent(self, token: str, agent: str) -> Proved:
        """That the bearer is this very agent: a token of an issuer that proves agents, for the subject under the agent's `proved_by`.

        Raises:
            TokenRefused: it proves another agent, or none.
            UsageError: the manifest declares no issuer that proves agents.
        """
        name, issuer, claims, expires = self._verified(token, "agent")
        if "act" in claims:
            # RFC 8693 section 4.1: the one who acts is not the subject.
            raise TokenRefused("token.actor", "the token says that another acts for its subject")
        declared = self._agents.get(agent)
        if declared is None or declared.proved_by.get(name) != claims["sub"]:
            raise TokenRefused("token.actor", f"the token of issuer `{name}` does not prove agent `{agent}` (see its `proved_by`)")
        return Proved(agent, name, claims["sub"], expires, issuer.kind)

    def _verified(self, token: str, role: Role) -> tuple[str, TrustedIssuer, dict[str, Any], float]:
        if not any(role in issuer.proves for issuer in self._issuers.values()):
            raise UsageError(f"a token is to prove the {role}, and the manifest declares no issuer that `proves: {role}` under `issuers:`")
        now = self._clock.now()
        jws = parse(token, limit=MAX_TOKEN, also=IGNORED_HEADERS)
        # Read before the signature is checked, only to tell whose signature it must be; whatever it says, the issuer is a declared one.
        claims = claims_of(jws)
        name, issuer = self._issuer_of(claims, role)
        _check_kind_of_token(jws, claims, issuer)
        try:
            check_signature(jws, self._keys[name], issuer.accepted_algorithms)
        except StateError as error:
            # Could not decide is deny.
            raise TokenRefused("token.undecided", f"the keys of issuer `{name}` cannot be used: {error}") from error
        audiences = _audiences(claims, issuer)
        expires = _check_times(claims, issuer, now)
        _CHECKS[issuer.kind](jws, claims, issuer, audiences)
        return name, issuer, claims, expires

    def _issuer_of(self, claims: Mapping[str, Any], role: Role) -> tuple[str, TrustedIssuer]:
        said, subject = claims.get("iss"), required(claims, "sub", str)
        spiffe = _SPIFFE.fullmatch(subject)
        for name, issuer in self._issuers.items():
            if role not in issuer.proves:
                continue
            # SPIFFE asks for no `iss`; its keys are those of one trust domain (JWT-SVID section 4), which the subject must be of.
            if said == issuer.issuer if issuer.issuer is not None else spiffe is not None and spiffe[1] == issuer.trust_domain:
                return name, issuer
        raise TokenRefused("token.issuer", f"no issuer that proves a {role} is called what the token says")


def _keys_of(issuer: TrustedIssuer, folder: Path, clock: Clock) -> Keys:
    use = "jwt-svid" if issuer.kind == "jwt-svid" else "sig"
    if issuer.jwks_uri is not None:
        return RemoteKeys(issuer.jwks_uri, clock=clock, use=use)
    return FileKeys(folder / (issuer.jwks_file or ""), use)


def _check_kind_of_token(jws: Jws, claims: Mapping[str, Any], issuer: TrustedIssuer) -> None:
    """RFC 8725bis sections 3.11 and 3.12: no token that was made for something else."""
    typ = jws.header.get("typ")
    found = "jwt" if typ is None else typ.lower().removeprefix("application/")
    known = {word.lower() for word in issuer.accepted_types} if issuer.kind == "oidc" else {"jwt"}
    if found not in known and not (issuer.kind == "jwt-svid" and found == "jose"):
        raise TokenRefused("token.type", "the token is of no type that proves a name here")
    if "tctx" in claims or "authorization_details" in claims:
        raise TokenRefused("token.type", "the token is for a call or a transaction, and says for whom, not who presents it")
    if "events" in claims:
        # OpenID Connect Back-Channel Logout section 2.4, RFC 8417: signed by the same key, and no proof of anybody.
        raise TokenRefused("token.type", "the token tells of an event")
    if "cnf" in claims:
        # RFC 7800 section 3: without a proof of that key, whoever saw the token could present it.
        raise TokenRefused("token.proof", "the token is bound to a key, and no proof of the key can come along here")
    if issuer.kind == "jwt-svid" and IGNORED_HEADERS & jws.header.keys():
        raise TokenRefused("token.malformed", "a JWT-SVID has no headers but `alg`, `kid` and `typ`")


def _audiences(claims: Mapping[str, Any], issuer: TrustedIssuer) -> list[str]:
    """RFC 7519 section 4.1.3, and RFC 8725bis section 3.9: one of ours is among them."""
    found = claims.get("aud")
    listed = [found] if type(found) is str else found
    if type(listed) is not list or not all(type(each) is str for each in listed) or not set(listed) & set(issuer.audiences):
        raise TokenRefused("token.audience", "the token is for another audience")
    return listed


def _check_times(claims: Mapping[str, Any], issuer: TrustedIssuer, now: float) -> float:
    """RFC 7519 sections 4.1.4 to 4.1.6, with `max_age`. The answer is when the token expires."""
    expires = _moment(claims, "exp")
    issued = _moment(claims, "iat") if issuer.kind != "jwt-svid" or "iat" in claims else None
    begins = _moment(claims, "nbf") if "nbf" in claims else None
    if now >= expires + SKEW_SECONDS:
        raise TokenRefused("token.time", f"the token was over {now - expires:.0f} s ago")
    if max(issued or 0.0, begins or 0.0) > now + SKEW_SECONDS:
        raise TokenRefused("token.time", "the token is from the future")
    if issued is not None and expires <= issued:
        raise TokenRefused("token.time", "the token was over before it was issued")
    age = now - issued if issued is not None else expires - now  # a JWT-SVID need not say when it was issued
    if age > issuer.oldest + SKEW_SECONDS:
        raise TokenRefused("token.time", f"the token is older, or without `iat` lives longer, than `max_age`, {issuer.oldest:.0f} s")
    return expires


def _moment(claims: Mapping[str, Any], name: str) -> float:
    found = claims.get(name)
    if type(found) not in (int, float) or not isinstance(found, (int, float)) or found < 0:
        raise TokenRefused("token.time", f"claim `{name}` is missing or is no time")
    return float(found)


def _oidc(jws: Jws, claims: Mapping[str, Any], issuer: TrustedIssuer, audiences: list[str]) -> None:
    subject = claims["sub"]
    if len(subject) > MAX_SUBJECT or not subject.isascii() or not subject.isprintable() or subject != subject.strip():
        raise TokenRefused("token.claims", "`sub` is not what OpenID Connect Core section 2 allows")
    if str(jws.header.get("typ", "")).lower().removeprefix("application/") == ACCESS_TYPE:
        # RFC 9068 section 2.2.
        required(claims, "client_id", str)
        required(claims, "jti", str)
    elif len(set(audiences)) > 1 and required(claims, "azp", str, "token.audience") not in issuer.audiences:
        # OpenID Connect Core section 3.1.3.7, 4 and 5.
        raise TokenRefused("token.audience", "the token has several audiences, and was issued to another party (`azp`)")


def _jwt_svid(jws: Jws, claims: Mapping[str, Any], issuer: TrustedIssuer, audiences: list[str]) -> None:  # noqa: ARG001 - as the others
    subject = claims["sub"]
    found = _SPIFFE.fullmatch(subject)
    # SPIFFE-ID sections 2.1 to 2.3.
    if found is None or len(subject) > MAX_SPIFFE or {".", ".."} & set(found[2].split("/")):
        raise TokenRefused("token.claims", "`sub` is not the SPIFFE ID of a workload")
    if found[1] != issuer.trust_domain:
        raise TokenRefused("token.issuer", "the subject is of another trust domain than the keys")


def _kubernetes(jws: Jws, claims: Mapping[str, Any], issuer: TrustedIssuer, audiences: list[str]) -> None:  # noqa: ARG001 - as the others
    subject = claims["sub"]
    if misfit("kubernetes", None, subject) or not subject.isascii() or not subject.isprintable() or len(subject) > MAX_SUBJECT * 2:
        raise TokenRefused("token.claims", "`sub` is not a service account")
    bound = required(claims, "kubernetes.io", dict)
    account = bound.get("serviceaccount")
    said = (bound.get("namespace"), account.get("name") if type(account) is dict else None)
    if said != tuple(subject.split(":")[2:]):
        raise TokenRefused("token.claims", "`sub` and `kubernetes.io` name different service accounts")


_CHECKS: Mapping[IssuerKind, Callable[[Jws, Mapping[str, Any], TrustedIssuer, list[str]], None]] = {
    "oidc": _oidc,
    "jwt-svid": _jwt_svid,
    "kubernetes": _kubernetes,
}
