"""Microsoft 365's unified audit log: mail, files, Teams, and the directory's changes as it repeats them.

From the Management Activity API, from an export (`AuditData`, JSON in a text), or as rows of Log Analytics (`OfficeActivity`). Fields:
https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-schema.

Identities are Entra's, so that what an application does here and what is done to it there meet. An application that works for a person
is who acts (`ClientAppId`; `AppId` beside it is often that of Microsoft Graph, through which it goes), unless it is Microsoft's own client.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from licet.events import IdentityKind, LifecycleEvent, UseEvent, UseOutcome
from licet.ingest import directory
from licet.ingest.fields import address_of, agent_of, clean, interactive_agent, network_of, time_of
from licet.ingest.microsoft import access_of, folded, lowered, native_id, objects, of_microsoft, said, uid
from licet.ingest.recognised import Place, Recognised, Record, Source, Unreadable

NAME: Final = "m365"
_LAG: Final = 24 * 3_600.0  # records of some workloads come up to a day late
_SERVICES: Final = {
    "azureactivedirectory": "entra", "microsoftteams": "teams", "securitycompliancecenter": "compliance", "publicendpoint": "compliance",
}  # fmt: skip
_APPLICATIONS: Final = ("5", "6", "application", "serviceprincipal")
_ITSELF: Final = ("4", "7", "8", "system", "custompolicy", "systempolicy")
_PRINCIPAL = re.compile(r"ServicePrincipal_([0-9a-zA-Z-]{1,80})")
_OBJECT = re.compile(r"(ServicePrincipal|Application|User|Group|Role)_(.{1,200})")
_WITH_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_FAILED: Final = ("failed", "failure", "false", "error")
_STOPS: Final = {
    ("set-adminauditlogconfig", "unifiedauditlogingestionenabled"): "false",
    ("set-mailboxauditbypassassociation", "auditbypassenabled"): "true",
    ("set-mailbox", "auditenabled"): "false",
    ("set-organizationconfig", "auditdisabled"): "true",
}  # fmt: skip
"""Which parameter of which command ends an audit, by the value that does; the other value begins it again."""


def read(record: Record, place: Place) -> Recognised:
    """One record.

    Raises:
        Unreadable: it is none, or a field is not what it should be.
    """
    top = lowered(record)
    if "auditdata" in top:
        top = folded(top, "auditdata")
    operation, workload = said(top, "operation"), clean(said(top, "workload", "officeworkload")).lower()
    if not operation or not (workload or "recordtype" in top):
        raise Unreadable("is no record of the audit log", "Operation")
    operation = " ".join(clean(operation).rstrip(". ").split())[:200]
    service = _service(workload)
    account = clean(said(top, "organizationid", "organizationname")) or place.account
    extended = _named(top, "extendedproperties") | _named(top, "operationproperties")
    identity, kind, on_behalf = _who(top, service, place)
    address = said(top, "clientip", "client_ipaddress", "clientipaddress", "actoripaddress")
    agent = said(top, "useragent") or extended.get("useragent", "") or _client(said(top, "clientinfostring"))
    ip, outcome, error = address_of(address), *_outcome(top, operation)
    context = folded(top, "appaccesscontext")
    use = UseEvent(
        NAME, native_id(top, record, place, "id", "officeid", "sourcerecordid"),
        time_of(said(top, "creationtime", "timegenerated", "creationdate"), "CreationTime"), identity,
        f"{service}:{operation}", outcome, access_of(operation), kind, clean(_name(top, kind)),
        session=clean(said(context, "aadsessionid") or said(top, "sessionid")), account=account, ip=ip, network=network_of(ip),
        agent=agent_of(agent), interactive=kind == "human" and interactive_agent(agent),
        resource=clean(said(top, "mailboxownerupn", "objectid", "officeobjectid", "mailboxguid"))[:500].lower(),
        resource_kind=_kind_of_resource(top), on_behalf_of=on_behalf, error=error,
    )  # fmt: skip
    lifecycle = tuple(_logging(use, top)) if operation.lower().startswith("set-") else ()
    if service == "entra" and "modifiedproperties" in top:
        change = directory.Change(NAME, use.native_id, use.time, operation, identity, outcome, account, (_target(top),))
        lifecycle = directory.lifecycle_of(change, place)
    return Recognised((use,), lifecycle)


def _who(top: dict[str, Any], service: str, place: Place) -> tuple[str, IdentityKind, tuple[str, ...]]:
    """Who acted, of what kind, and for whom."""
    user, user_type = said(top, "userid", "userkey", "mailboxownerupn"), said(top, "usertype").lower()
    client = said(top, "clientappid") or said(folded(top, "appaccesscontext"), "clientappid") or said(top, "applicationid", "appid")
    principal = _PRINCIPAL.fullmatch(user)
    if principal:
        return uid(principal[1], place), "oauth_app", ()
    if user_type in _ITSELF or user.lower().startswith(("nt ", "s-1-5-")):
        return uid(user or "microsoft 365", place), "service", ()
    if user_type in _APPLICATIONS:
        if not (client or user):
            raise Unreadable("names nobody", "UserId")
        return uid(client or user, place), "oauth_app", ()
    if client and service != "entra" and not of_microsoft(client) and _WITH_ID.fullmatch(client):
        return uid(client, place), "oauth_app", (uid(user, place),) if user else ()
    if not user:
        raise Unreadable("names nobody", "UserId")
    return uid(user, place), "human", ()


def _kind_of_resource(top: dict[str, Any]) -> str:
    return clean(said(top, "itemtype"))[:80] or ("mailbox" if said(top, "mailboxownerupn", "mailboxguid") else "")


def _name(top: dict[str, Any], kind: IdentityKind) -> str:
    return said(top, "userid") if kind == "human" else said(top, "appdisplayname", "applicationdisplayname", "clientapplicationname")


@lru_cache(256)
def _service(workload: str) -> str:
    return _SERVICES.get(workload) or "".join(sign for sign in workload if sign.isalnum())[:40] or "m365"


def _outcome(top: dict[str, Any], operation: str) -> tuple[UseOutcome, str]:
    """A record of which nothing says that it failed tells of what was done."""
    if operation.lower() == "userloginfailed":
        return "denied", clean(said(top, "logonerror", "errornumber"))[:80] or "login failed"
    result = said(top, "resultstatus", "resultreasontype").lower()
    if result.startswith(_FAILED):
        return "failed", clean(result)[:80]
    return "success", ""


def _client(told: str) -> str:
    """`Client=REST;;`, `Client=OWA;Mozilla/5.0 ..`: a browser if there is one, else the way in."""
    parts = told.removeprefix("Client=").split(";")
    return next((part for part in parts if part.startswith("Mozilla/")), parts[0])


def _named(top: dict[str, Any], key: str) -> dict[str, str]:
    """A list of `Name` and `Value` by the names in lower case; values that are no text are left out."""
    return {
        name.lower(): value
        for each in objects(top, key)
        if isinstance(name := each.get("name"), str) and isinstance(value := each.get("value"), str)
    }


def _logging(use: UseEvent, top: dict[str, Any]) -> Iterator[LifecycleEvent]:
    """That auditing was ended or begun again: it concerns all, and stands with whoever did it."""
    for name, value in _named(top, "parameters").items():
        ends = _STOPS.get((use.operation.partition(":")[2].lower(), name))
        if ends is not None:
            kind, told = "logging_stopped" if value.lower() == ends else "logging_started", f"{name} is {clean(value)[:80]}"
            yield LifecycleEvent(
                NAME, use.native_id, use.time, kind, use.identity, by=use.identity, account=use.account, outcome=use.outcome, reason=told  # type: ignore[arg-type]
            )  # fmt: skip


def _target(top: dict[str, Any]) -> directory.Target:
    """What was changed in the directory: `Target` is a list of names of one thing, in which the object id stands behind its kind. Only a
    service principal's name (type 4) is surely its application's id.
    """
    object_id = kind = name = application = ""
    for each in objects(top, "target"):
        told, form = said(each, "id"), said(each, "type")
        if of := _OBJECT.fullmatch(told):
            kind, object_id = of[1].lower(), of[2]
        elif form == "1":
            name = name or told
        elif form == "4" and _WITH_ID.fullmatch(told.partition(";")[0]):
            application = told.partition(";")[0]
    if not object_id:
        object_id = said(top, "objectid")
    if not kind:  # the operation says it: `Add service principal`, `Update application - ..`
        operation = directory.plain_operation(said(top, "operation"))
        words = (("serviceprincipal", "service principal"), ("serviceprincipal", "consent"), ("application", "application"))
        kind = next((found for found, sign in words if sign in operation), "")
    values = {
        named: (each.get("oldvalue"), each.get("newvalue"))
        for each in objects(top, "modifiedproperties")
        if isinstance(named := each.get("name"), str)
    }
    return directory.Target(object_id, kind, name, application, values)


SOURCE: Final = Source(NAME, "Microsoft 365 audit log", read, _LAG, ("value",))
"""The unified audit log."""
