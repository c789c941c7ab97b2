"""Records of Microsoft Entra ID in the form in which Azure Monitor exports them: sign-ins, the directory's audit, Graph's activity.

Fields: learn.microsoft.com/graph/api/resources/signin, .../directoryaudit, and azure-monitor/reference/tables/microsoftgraphactivitylogs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from licet.drill.scenario import Record, line
from licet.drill.stage import Stage, micros

GRAPH, _GRAPH_ID = "Microsoft Graph", "00000003-0000-0000-c000-000000000000"


class App(NamedTuple):
    """An application: its tenant, its id, and the object id of its service principal, by which it is known here."""

    tenant: str
    id: str
    principal: str
    name: str
    address: str
    network: int
    program: str

    @property
    def uid(self) -> str:
        """As the inventory calls it."""
        return f"entra:{self.principal}"


class Person(NamedTuple):
    """A user of the directory."""

    tenant: str
    id: str
    name: str
    address: str
    network: int

    @property
    def uid(self) -> str:
        """As the inventory calls it."""
        return f"entra:{self.name}"


def app(stage: Stage) -> App:
    """An application, drawn, or the real one that the stage has."""
    program = f"azsdk-go-azidentity/1.{stage.rng.randrange(2, 9)}.0 (go1.{stage.rng.randrange(20, 24)}; linux)"
    drawn = App(stage.uuid(), stage.uuid(), stage.uuid(), stage.name(), stage.stranger(), stage.rng.randrange(1_000, 60_000), program)
    real = stage.actor.uid.removeprefix("entra:") if stage.actor is not None and stage.actor.uid.startswith("entra:") else ""
    return drawn._replace(principal=real) if len(real) == 36 and stage.actor is not None else drawn


def person(stage: Stage, tenant: str = "") -> Person:
    """A user, drawn, or the real one that the stage has."""
    drawn = Person(
        tenant or stage.uuid(), stage.uuid(), f"{stage.name()}@{stage.name()}.onmicrosoft.com", stage.stranger(),
        stage.rng.randrange(1_000, 60_000),
    )  # fmt: skip
    real = stage.actor.uid.removeprefix("entra:") if stage.actor is not None and stage.actor.uid.startswith("entra:") else ""
    return drawn._replace(name=real) if "@" in real else drawn


def signed_in(stage: Stage, who: App | Person, time: float, *, key: str = "", program: str = "", to: str = GRAPH, error: int = 0,
              interactive: bool = False, live: bool = False) -> tuple[Record, str]:  # fmt: skip
    """A sign-in, and its id. `key`: the id of the secret that an application showed; `error`: as Entra numbers it, 0: it was let in."""
    native, correlation = stage.uuid(), stage.uuid()
    properties: dict[str, Any] = {
        "id": native, "createdDateTime": micros(time), "ipAddress": who.address, "status": {"errorCode": error},
        "userAgent": program or getattr(who, "program", ""), "isInteractive": interactive, "resourceDisplayName": to,
        "resourceId": _GRAPH_ID, "location": {"city": "", "state": "", "countryOrRegion": "IE"},
        "autonomousSystemNumber": who.network, "uniqueTokenIdentifier": stage.letters(22), "correlationId": correlation,
        "resourceTenantId": who.tenant, "homeTenantId": who.tenant, "conditionalAccessStatus": "notApplied",
    }  # fmt: skip
    if isinstance(who, App):
        category = "ServicePrincipalSignInLogs"
        properties |= {
            "appId": who.id, "appDisplayName": who.name, "servicePrincipalId": who.principal, "servicePrincipalName": who.name,
            "servicePrincipalCredentialKeyId": key, "clientCredentialType": "clientSecret", "signInEventTypes": ["servicePrincipal"],
        }  # fmt: skip
    else:
        category = "SignInLogs" if interactive else "NonInteractiveUserSignInLogs"
        properties |= {
            "userId": who.id, "userPrincipalName": who.name, "userDisplayName": who.name.partition("@")[0],
            "appId": "04b07795-8ddb-461a-bbee-02f9e1bf7b46", "appDisplayName": "Microsoft Azure CLI",
            "signInEventTypes": ["interactiveUser" if interactive else "nonInteractiveUser"],
        }  # fmt: skip
    body = _exported(who.tenant, time, category, "Sign-in activity", address=who.address, properties=properties)
    return Record("entra", line(body), time, live=live), native


def changed(stage: Stage, by: Person, time: float, operation: str, targets: Sequence[Mapping[str, Any]], *, failed: bool = False,
            live: bool = False) -> tuple[Record, str]:  # fmt: skip
    """A change of the directory, and its id. `targets` as `target` makes them."""
    native = f"Directory_{stage.uuid()}_{stage.letters(5).upper()}_{stage.rng.randrange(10**7, 10**8)}"
    user = {"id": by.id, "displayName": by.name.partition("@")[0], "userPrincipalName": by.name, "ipAddress": by.address, "roles": []}
    properties = {
        "id": native, "category": "ApplicationManagement", "correlationId": stage.uuid(), "result": "failure" if failed else "success",
        "resultReason": "Microsoft.Online.DirectoryServices.DirectoryException" if failed else "", "activityDisplayName": operation,
        "activityDateTime": micros(time), "loggedByService": "Core Directory",
        "operationType": operation.partition(" ")[0], "userAgent": None, "initiatedBy": {"user": user, "app": None},
        "targetResources": list(targets), "additionalDetails": [],
    }  # fmt: skip
    body = _exported(by.tenant, time, "AuditLogs", operation, address=by.address, properties=properties)
    return Record("entra", line(body), time, live=live), native


def target(of: str, name: str, **properties: tuple[str | None, str | None]) -> dict[str, Any]:
    """A service principal that is changed: old and new value of each property by its name, in which `__` stands for a full stop."""
    values = [{"displayName": key.replace("__", "."), "oldValue": before, "newValue": after} for key, (before, after) in properties.items()]
    return {"id": of, "displayName": name, "type": "ServicePrincipal", "modifiedProperties": values, "administrativeUnits": []}


def widened(stage: Stage, app: App, scope: str) -> tuple[str, list[dict[str, Any]]]:
    """What the audit calls it that an application gets one of Graph's roles, and its targets."""
    graph = target(
        stage.uuid(), GRAPH, AppRole__Id=(None, f'"{stage.uuid()}"'), AppRole__Value=(None, f'"{scope}"'),
        ServicePrincipal__ObjectID=(None, f'"{app.principal}"'), ServicePrincipal__DisplayName=(None, f'"{app.name}"'),
        ServicePrincipal__AppId=(None, f'"{app.id}"'),
    )  # fmt: skip
    return "Add app role assignment to service principal", [graph, target(app.principal, app.name)]


def delegated(stage: Stage, principal: str, scope: str) -> tuple[str, list[dict[str, Any]]]:
    """What the audit calls it that an application may do more for people, and its targets, by its object id alone."""
    graph = target(
        stage.uuid(), GRAPH, DelegatedPermissionGrant__Scope=('"User.Read"', f'"User.Read {scope}"'),
        DelegatedPermissionGrant__ConsentType=('"AllPrincipals"', '"AllPrincipals"'), ServicePrincipal__ObjectID=(None, f'"{principal}"'),
    )  # fmt: skip
    return "Add delegated permission grant", [graph]


def secret_added(app: App, key: str, others: Sequence[str] = ()) -> tuple[str, list[dict[str, Any]]]:
    """What the audit calls it that an application gets a secret, and its target. `others`: ids of those that it has already."""
    had = [f"[KeyIdentifier={each},KeyType=Password,KeyUsage=Verify,DisplayName=]" for each in others]
    new = f"[KeyIdentifier={key},KeyType=Password,KeyUsage=Verify,DisplayName=]"
    return "Add service principal credentials", [target(app.principal, app.name, KeyDescription=(_list(had), _list([*had, new])))]


def _list(keys: Sequence[str]) -> str:
    return "[" + ",".join(f'"{each}"' for each in keys) + "]"


def asked(stage: Stage, who: App, time: float, uri: str, *, live: bool = False) -> tuple[Record, str]:
    """A request of an application to Graph, and its id. `uri` from the version on."""
    native = stage.uuid()
    properties = {
        "timeGenerated": micros(time), "requestId": native, "operationId": native, "clientRequestId": stage.uuid(), "apiVersion": "v1.0",
        "requestMethod": "GET", "requestUri": f"https://graph.microsoft.com/v1.0/{uri}", "responseStatusCode": 200,
        "tenantId": who.tenant, "durationMs": stage.rng.randrange(20, 900), "responseSizeBytes": stage.rng.randrange(400, 9_000),
        "signInActivityId": stage.letters(22), "appId": who.id, "userId": None, "servicePrincipalId": who.principal,
        "userAgent": who.program, "ipAddress": who.address, "roles": "", "tokenIssuedAt": micros(time - 60),
    }  # fmt: skip
    body = _exported(who.tenant, time, "MicrosoftGraphActivityLogs", "Microsoft Graph Activity", address=who.address, properties=properties)
    return Record("entra", line(body), time, live=live), native


def _exported(tenant: str, time: float, category: str, operation: str, *, address: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "time": micros(time), "resourceId": f"/tenants/{tenant}/providers/Microsoft.aadiam", "operationName": operation,
        "operationVersion": "1.0", "category": category, "tenantId": tenant, "resultSignature": "None", "durationMs": 0,
        "callerIpAddress": address, "correlationId": properties.get("correlationId") or properties.get("operationId"), "Level": 4,
        "properties": dict(properties),
    }  # fmt: skip
