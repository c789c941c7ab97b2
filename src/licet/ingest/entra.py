"""Microsoft Entra ID: sign-ins of people, service principals and managed identities, the directory's audit, and Graph's activity log.

As Microsoft Graph gives them, as Azure Monitor exports them (an envelope with `properties`), and as rows of Log Analytics; which of the
logs a record is of is told by its fields. Fields: https://learn.microsoft.com/graph/api/resources/signin,
https://learn.microsoft.com/graph/api/resources/directoryaudit, https://learn.microsoft.com/azure/azure-monitor/reference/tables.

Who acts is `entra:` and the service principal's object id, the application's id where there is no other, or a person's sign-in name.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from licet.events import AccessLevel, IdentityKind, LifecycleEvent, UseEvent, UseOutcome
from licet.ingest import directory
from licet.ingest.fields import address_of, agent_of, clean, interactive_agent, network_of, time_of
from licet.ingest.microsoft import access_of, folded, lowered, native_id, objects, of_microsoft, said, uid, unfolded
from licet.ingest.recognised import Place, Recognised, Record, Source, Unreadable
from licet.inventory.faces import face

NAME: Final = "entra"
_LAG: Final = 2 * 3_600.0  # sign-ins of service principals come up to two hours late
_SIGN_IN: Final = "entra:sign-in"
_COLLECTIONS: Final = frozenset({
    "users", "groups", "applications", "serviceprincipals", "devices", "sites", "drives", "teams", "chats", "items", "messages",
    "directoryobjects", "mailfolders", "events", "calendars", "channels", "lists", "domains", "directoryroles",
})  # fmt: skip
_ID_LIKE = re.compile(r".*[0-9@=%!,].*|.{41,}", re.DOTALL)
_VERSION = re.compile(r"v[0-9.]{1,5}|beta", re.IGNORECASE)
_ADMIN_PATHS: Final = frozenset({
    "applications", "serviceprincipals", "oauth2permissiongrants", "directoryroles", "rolemanagement", "policies", "domains",
    "approleassignments", "approleassignedto", "owners", "addpassword", "addkey", "federatedidentitycredentials",
})  # fmt: skip


def read(record: Record, place: Place) -> Recognised:
    """One record of any of these logs.

    Raises:
        Unreadable: it is none, or a field is not what it should be.
    """
    top = lowered(record)
    if "properties" in top:
        top |= folded(top, "properties")
    if "targetresources" in top or "initiatedby" in top:
        return _audit(top, record, place)
    if "requesturi" in top and "requestmethod" in top:
        return _activity(top, record, place)
    if ("serviceprincipalid" in top or "userid" in top or "userprincipalname" in top) and "operation" not in top:
        return _sign_in(top, record, place)
    if isinstance(top.get("category"), str):
        return Recognised(passed="another log of Azure")
    raise Unreadable("is no sign-in, no directory audit and no Graph activity")


def _sign_in(top: dict[str, Any], record: Record, place: Place) -> Recognised:
    account = _account(top, place)
    application, principal, user = said(top, "appid"), said(top, "serviceprincipalid"), said(top, "userprincipalname", "userid")
    error, outcome = _result(top)
    ip, agent = address_of(said(top, "ipaddress", "calleripaddress")), said(top, "useragent")
    faces: tuple[LifecycleEvent, ...] = ()
    kind: IdentityKind
    if user and not principal:
        identity, name, kind = uid(user, place), said(top, "userdisplayname", "userprincipalname"), "human"
    else:
        identity, name = uid(principal or application, place), said(top, "serviceprincipalname", "appdisplayname")
        managed = said(top, "managedidentitytype", "managedserviceidentity") or "managedidentity" in said(top, "category", "type").lower()
        kind = "service_account" if managed else "oauth_app"
        if principal and application and uid(principal, place) != uid(application, place):
            faces = (face(NAME, uid(application, place), uid(principal, place), account=account),)
    if not identity:
        raise Unreadable("names nobody who signed in", "userPrincipalName")
    credential, credential_kind = _credential(top, place)
    return Recognised((UseEvent(
        NAME, native_id(top, record, place, "id", "originalrequestid"),
        time_of(said(top, "createddatetime", "timegenerated", "time"), "createdDateTime"),
        identity, _SIGN_IN, outcome, "read", kind, clean(name), credential, credential_kind,
        clean(said(top, "uniquetokenidentifier", "sessionid", "correlationid")),
        _application(application, place) if kind == "human" and application and not of_microsoft(application) else "",
        account, ip=ip, network=_network(top, ip), country=_country(top), agent=agent_of(agent),
        interactive=kind == "human" and top.get("isinteractive") in (True, "true", "True") and not _scripted(agent),
        resource=clean(_resource(top)),
        resource_kind=clean(said(top, "resourcedisplayname")), error=error,
    ),), faces)  # fmt: skip


def _application(application: str, place: Place) -> str:
    """The application that a person signs in to, as where it runs."""
    return f"app:{uid(application, place).removeprefix('entra:')}"


def _resource(top: dict[str, Any]) -> str:
    """What was signed in to. An envelope has a `resourceId` of its own, which is a path."""
    found = said(top, "resourceid")
    return said(top, "resourceserviceprincipalid", "resourceidentity") if not found or found.startswith("/") else found


def _credential(top: dict[str, Any], place: Place) -> tuple[str, str]:
    """By the id of the secret or certificate; never anything of itself."""
    for key in ("serviceprincipalcredentialkeyid", "federatedcredentialid", "serviceprincipalcredentialthumbprint"):
        if found := said(top, key):
            kind = "federated" if key == "federatedcredentialid" else _KINDS.get(said(top, "clientcredentialtype"), "client_credential")
            return place.fingerprint(found), kind
    return "", ""


_KINDS: Final = {
    "clientSecret": "client_secret", "clientAssertion": "client_assertion", "certificate": "certificate",
    "federatedIdentityCredential": "federated", "managedIdentity": "managed_identity",
}  # fmt: skip


def _result(top: dict[str, Any]) -> tuple[str, UseOutcome]:
    """The error and the outcome. A sign-in that does not say how it ended shows nothing about its credential."""
    status = folded(top, "status") if not isinstance(top.get("status"), int) else {"errorcode": top["status"]}
    code = said(status, "errorcode") or said(top, "resulttype", "resultsignature")
    if code.lower() in ("0", "success", "succeeded"):
        return "", "success"
    return (clean(code)[:80], "denied") if code else ("no result", "failed")


def _audit(top: dict[str, Any], record: Record, place: Place) -> Recognised:
    operation = said(top, "activitydisplayname", "operationname")
    if not operation:
        raise Unreadable("is missing", "activityDisplayName")
    record_id = native_id(top, record, place, "id")
    time = time_of(said(top, "activitydatetime", "timegenerated", "time"), "activityDateTime")
    account, result = _account(top, place), said(top, "result", "resulttype", "resultsignature").lower()
    outcome: UseOutcome = "success" if result in ("success", "succeeded", "0", "none", "") else "failed"
    if outcome == "failed" and "authorization" in said(top, "resultreason", "resultdescription").lower():
        outcome = "denied"
    identity, name, kind, address = _initiator(top, place)
    details = {
        found: value
        for each in objects(top, "additionaldetails")
        if isinstance(found := each.get("key"), str) and isinstance(value := each.get("value"), str)
    }
    agent = said(top, "useragent") or details.get("User-Agent", "")
    ip = address_of(address or details.get("ipaddr", "") or said(top, "calleripaddress"))
    operation = " ".join(clean(operation).rstrip(". ").split())[:200]
    targets = directory.targets_of(objects(top, "targetresources"), key="targetResources")
    change = directory.Change(NAME, record_id, time, operation, identity, outcome, account, targets)
    first = targets[0] if targets else directory.Target("")
    use = UseEvent(
        NAME, record_id, time, identity, f"entra:{operation}", outcome, access_of(operation), kind, clean(name),
        session=clean(said(top, "correlationid")), account=account, ip=ip, network=network_of(ip), agent=agent_of(agent),
        interactive=kind == "human" and interactive_agent(agent), resource=uid(first.id, place) if first.id else "",
        resource_kind=clean(first.kind), error="" if outcome == "success" else clean(result)[:80],
    )  # fmt: skip
    return Recognised((use,), directory.lifecycle_of(change, place))


def _initiator(top: dict[str, Any], place: Place) -> tuple[str, str, IdentityKind, str]:
    """Who made a change: its uid, name, kind and address. Microsoft's own services have a name and no id."""
    found = folded(top, "initiatedby")
    user, app = folded(found, "user"), folded(found, "app")
    if person := said(user, "userprincipalname", "id", "displayname"):
        return uid(person, place), said(user, "displayname", "userprincipalname"), "human", said(user, "ipaddress")
    name = said(app, "displayname")
    if principal := said(app, "serviceprincipalid", "appid"):
        return uid(principal, place), name, "oauth_app", said(app, "ipaddress")
    other = name or said(top, "identity", "loggedbyservice")
    if not other:
        raise Unreadable("names nobody", "initiatedBy")
    return uid(other, place), other, "service", ""


def _activity(top: dict[str, Any], record: Record, place: Place) -> Recognised:
    """A request to Microsoft Graph. An application that works for a person is who acts, unless it is Microsoft's own."""
    application, principal, user = said(top, "appid"), said(top, "serviceprincipalid"), said(top, "userid")
    account = _account(top, place)
    faces: tuple[LifecycleEvent, ...] = ()
    on_behalf: tuple[str, ...] = ()
    kind: IdentityKind = "oauth_app"
    if user and (not application or of_microsoft(application)):
        identity, kind = uid(user, place), "human"
    elif user:
        identity, on_behalf = uid(application, place), (uid(user, place),)
    else:
        identity = uid(principal or application, place)
        if principal and application:
            faces = (face(NAME, uid(application, place), uid(principal, place), account=account),)
    if not identity:
        raise Unreadable("names nobody", "ServicePrincipalId")
    operation, access = _request(said(top, "requestmethod")[:16].lower(), said(top, "requesturi")[:2_000])
    code = said(top, "responsestatuscode", "resultsignature")
    outcome: UseOutcome = "denied" if code in ("401", "403") else "success" if code[:1] in ("1", "2", "3") else "failed"
    ip, agent = address_of(said(top, "ipaddress", "calleripaddress")), said(top, "useragent")
    use = UseEvent(
        NAME, native_id(top, record, place, "requestid", "operationid"), time_of(said(top, "timegenerated", "time"), "TimeGenerated"),
        identity, operation, outcome, access, kind, session=clean(said(top, "signinactivityid").rstrip("=")), account=account, ip=ip,
        network=network_of(ip), agent=agent_of(agent), interactive=kind == "human" and interactive_agent(agent),
        on_behalf_of=on_behalf, error="" if outcome == "success" else clean(code)[:80],
    )  # fmt: skip
    return Recognised((use,), faces)


@lru_cache(8_192)
def _request(method: str, uri: str) -> tuple[str, AccessLevel]:
    """`graph:get/users/messages` for `GET https://graph.microsoft.com/v1.0/users/4f../messages?$top=5`: what is named, without whose."""
    path = uri.partition("?")[0]
    words = path.partition("://")[2].split("/")[1:] if "://" in path else path.strip("/").split("/")
    kept: list[str] = []
    id_follows = False
    for word in words[1:] if _VERSION.fullmatch(words[0]) else words:
        name, id_before, id_follows = word.partition("(")[0].lower(), id_follows, False  # `users('x')` is `users`
        if name and not id_before and not _ID_LIKE.fullmatch(name):
            kept.append(name)
            id_follows = name in _COLLECTIONS and "(" not in word
    access: AccessLevel = "read" if method in ("get", "head", "options") else "admin" if _ADMIN_PATHS.intersection(kept) else "write"
    return clean(f"graph:{method}/{'/'.join(kept[:8])}"), access


def _account(top: dict[str, Any], place: Place) -> str:
    """The tenant. What Log Analytics calls `TenantId` is the workspace, where it has `AADTenantId` beside it."""
    return clean(said(top, "aadtenantid", "resourcetenantid", "tenantid")) or place.account


def _network(top: dict[str, Any], ip: str) -> str:
    number = said(top, "autonomoussystemnumber")
    return f"AS{number}" if number.isdigit() and len(number) <= 10 and number != "0" else network_of(ip)


def _country(top: dict[str, Any]) -> str:
    for key in ("location", "locationdetails"):
        found = top.get(key)
        if isinstance(found, str) and 0 < len(found) <= 3:
            return found
        if found and not isinstance(found, str | dict):
            raise Unreadable("is no object", key)
        found = unfolded(found, key) if not isinstance(found, str) or found.startswith("{") else None
        if isinstance(found, dict) and isinstance(country := found.get("countryOrRegion"), str):
            return clean(country)[:80]
    return ""


def _scripted(agent: str) -> bool:
    """Whether a program that is no browser signed in, though the record calls it interactive (a password flow does that)."""
    return bool(agent) and not interactive_agent(agent)


SOURCE: Final = Source(NAME, "Microsoft Entra ID", read, _LAG, ("value", "records"))
"""Sign-ins, directory audit and Graph activity."""
