"""System Log of Okta. Who is `okta:` and the actor's id, for users, OAuth clients and Okta's own.

An API token has its id in `transaction.detail.requestApiTokenId`; an OAuth client that acts by itself has the client's id only, which
stays the same when its secret changes. `debugContext` is not read but for what was granted: Okta changes it without notice, and it holds
request URIs and hashes of secrets.
Source: https://developer.okta.com/docs/api/openapi/okta-management/management/tags/systemlog and .../docs/reference/api/event-types/
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from licet.events import AccessLevel, IdentityKind, UseEvent, UseOutcome
from licet.ingest.fields import address_of, agent_of, id_of, interactive_agent, name_in, network_of, parts, raw_in, time_of, uid_of
from licet.ingest.okta_changes import changes, uid
from licet.ingest.recognised import Place, Recognised, Record, Source, Unreadable, part, text
from licet.secretlike import scrub

_KINDS: Final[dict[str, IdentityKind]] = {
    "User": "human", "PublicClientApp": "oauth_app", "PublicClientAppEntity": "oauth_app", "SystemPrincipal": "service",
}  # fmt: skip
_OUTCOMES: Final[dict[str, UseOutcome]] = {"": "success", "SUCCESS": "success", "ALLOW": "success", "DENY": "denied"}
"""Any other is one in which nothing was reached: CHALLENGE, SKIPPED, RATE_LIMIT, ABANDONED and what Okta adds."""
_AUTHENTICATES: Final = ("user.session.", "user.authentication.", "app.oauth2.", "policy.evaluate_sign_on", "app.generic.unauth")
_READS: Final = (
    "user.session.start", "user.session.end", "user.authentication.", "policy.evaluate_sign_on", "app.oauth2.token.",
    "app.oauth2.as.token.", "app.oauth2.authorize", "app.oauth2.as.authorize", "app.oauth2.signon", "analytics.",
    "system.org.rate_limit.", "app.audit_report.",
)  # fmt: skip
_ADMIN: Final = (
    "app.keys.", "app.oauth2.admin.consent.", "app.oauth2.as.consent.", "app.oauth2.client.", "app.oauth2.consent.",
    "app.oauth2.credentials.", "app.oauth2.as.lifecycle.", "app.oauth2.as.key.", "app.oauth2.trusted_server.", "group.privilege.",
    "group.user_membership.", "iam.", "policy.", "security.", "support.org.", "system.agent.", "system.api_token.", "system.idp.",
    "system.log_stream.", "system.mfa.", "system.org.", "user.account.privilege.", "user.account.reset_password",
    "user.account.update_password", "user.credential.", "user.mfa.", "user.session.impersonation.", "zone.",
    "application.user_membership.", "event_hook.", "inline_hook.", "pam.secret.",
)  # fmt: skip
"""Beginnings of event types that change permissions, credentials, trust or logging, or read secrets. `_READS` go before them."""


_LOWERED: Final = {key.lower(): key for key in ("eventType", "authenticationContext", "securityContext", "debugContext")}
"""Data lakes whose columns have no case write the keys like that."""


def read(record: Record, place: Place) -> Recognised:
    """One event of the log."""
    if "eventtype" in record:
        record = {_LOWERED.get(key, key): value for key, value in record.items()}
    event = name_in(record, "eventType")
    if not event:
        raise Unreadable("is missing", "eventType")
    time = time_of(record.get("published"), "published")
    native = id_of(text(record, "uuid"), record, place)
    actor = part(record, "actor")
    actor_id = raw_in(actor, "id")
    if not actor_id:
        raise Unreadable("is missing", "actor.id")
    if actor_id == "unknown":
        return Recognised(passed="the actor is not known to Okta")
    client, kind = part(record, "client"), _KINDS.get(text(actor, "type"), "unknown")
    ip = text(client, "ipAddress")
    ip = address_of(ip) if ip else ""
    agent = text(part(client, "userAgent"), "rawUserAgent")
    credential, credential_kind = _credential(record, client, actor_id, kind)
    targets = parts(record, "target")
    first = targets[0] if targets else {}
    outcome, error = _outcome(record, event)
    use = UseEvent(
        "okta", native, time, uid_of(uid(actor_id), place), f"okta:{event}", outcome, access_of(event),
        identity_kind=kind,
        identity_name=name_in(actor, "alternateId") or name_in(actor, "displayName"),
        credential=place.fingerprint(credential) if credential else "",
        credential_kind=credential_kind,
        session=_session(part(record, "authenticationContext")),
        account=place.account,
        ip=ip,
        network=_network(part(record, "securityContext"), ip),
        country=name_in(part(client, "geographicalContext"), "country"),
        agent=agent_of(agent) if agent else "",
        interactive=interactive_agent(agent) if agent else False,
        resource=name_in(first, "id"),
        resource_kind=name_in(first, "type"),
        error=error,
    )  # fmt: skip
    return Recognised((use,), changes(record, use, place, targets))


@lru_cache(2_048)
def access_of(event: str) -> AccessLevel:
    """What an event type does."""
    if event.startswith(_READS):
        return "read"
    return "admin" if event.startswith(_ADMIN) else "write"


def _outcome(record: Record, event: str) -> tuple[UseOutcome, str]:
    said = part(record, "outcome")
    result = name_in(said, "result")
    outcome = _OUTCOMES.get(result, "failed")
    if outcome == "success":
        return outcome, ""
    if result == "FAILURE" and event.startswith(_AUTHENTICATES):
        outcome = "denied"
    return outcome, scrub(text(said, "reason")[:200]) or result


def _credential(record: Record, client: Record, actor_id: str, kind: IdentityKind) -> tuple[str, str]:
    token = text(part(part(record, "transaction"), "detail"), "requestApiTokenId")
    if token:
        return token, "okta_api_token"
    if kind == "oauth_app":
        return text(client, "id") or actor_id, "oauth_client"
    return "", ""


def _session(context: Record) -> str:
    session = name_in(context, "rootSessionId") or name_in(context, "externalSessionId")
    return "" if session == "unknown" else session


def _network(context: Record, ip: str) -> str:
    number = context.get("asNumber")
    if isinstance(number, int) and not isinstance(number, bool) and 0 < number < 2**32:
        return f"AS{number}"
    return network_of(ip) if ip else ""


SOURCE: Final = Source("okta", "Okta System Log", read, lag=3600.0)
"""`lag`: events are there within minutes, and pollers ask for them each few more."""
