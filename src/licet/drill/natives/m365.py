"""Records of Microsoft 365's unified audit log (learn.microsoft.com, "Office 365 Management Activity API schema")."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from licet.drill.natives.entra import App, Person
from licet.drill.scenario import Record, line
from licet.drill.stage import Stage, seconds

_GRAPH = "00000003-0000-0000-c000-000000000000"


def changed(stage: Stage, by: Person, time: float, operation: str, properties: Mapping[str, tuple[str, str]], *, app: App,
            live: bool = False) -> tuple[Record, str]:  # fmt: skip
    """A change of the directory as this log repeats it, and its id.

    Args:
        app: whose service principal is changed, or gets something.
        properties: old and new value by name.
    """
    native = stage.uuid()
    body = _common(by.tenant, time, native, f"AzureActiveDirectory {operation}.", 8) | {
        "ResultStatus": "Success", "UserKey": f"{stage.rng.getrandbits(64):016X}@{by.name.partition('@')[2]}", "UserType": 0,
        "UserId": by.name, "ClientIP": by.address, "ObjectId": app.principal, "AzureActiveDirectoryEventType": 1,
        "ExtendedProperties": [{"Name": "additionalDetails", "Value": "{}"}],
        "ModifiedProperties": [{"Name": name, "NewValue": new, "OldValue": old} for name, (old, new) in properties.items()],
        "Actor": [{"ID": by.name, "Type": 5}, {"ID": f"User_{by.id}", "Type": 2}], "ActorContextId": by.tenant,
        "InterSystemsId": stage.uuid(), "IntraSystemId": stage.uuid(),
        "Target": [
            {"ID": f"ServicePrincipal_{app.principal}", "Type": 2}, {"ID": app.principal, "Type": 2}, {"ID": "ServicePrincipal", "Type": 2},
            {"ID": app.name, "Type": 1}, {"ID": app.id, "Type": 4},
        ],
        "TargetContextId": by.tenant,
    }  # fmt: skip
    return Record("m365", line(body), time, live=live), native


def widened(scope: str, before: str) -> tuple[str, dict[str, tuple[str, str]]]:
    """What it is called that an application gets one scope more, and the properties that change."""
    arrow = f"{_consent(before)} => {_consent(f'{before} {scope}')}"
    return "Consent to application", {
        "ConsentContext.IsAdminConsent": ("", "True"), "ConsentAction.Permissions": ("", arrow),
    }  # fmt: skip


def _consent(scope: str) -> str:
    nobody = "00000000-0000-0000-0000-000000000000"
    return f"[[Id: {_GRAPH}, ClientId: {nobody}, PrincipalId: , ResourceId: {_GRAPH}, ConsentType: AllPrincipals, Scope: {scope}]]"


def secret_added(key: str) -> tuple[str, dict[str, tuple[str, str]]]:
    """What it is called that an application gets a secret, and the properties that change."""
    new = f"[KeyIdentifier={key},KeyType=Password,KeyUsage=Verify,DisplayName=]"
    return "Add service principal credentials", {"KeyDescription": ("[]", json.dumps([new]))}


def did(
    stage: Stage, who: App, time: float, operation: str, thing: str, *, person: str = "", live: bool = False
) -> tuple[Record, str]:  # fmt: skip
    """What an application did in mail or files, and the record's id.

    Args:
        thing: the mailbox, or a file's address.
        person: for whom; empty: by its own rights.
    """
    native, workload = stage.uuid(), "Exchange" if operation.startswith("Mail") else "SharePoint"
    body = _common(who.tenant, time, native, f"{workload} {operation}", 50 if workload == "Exchange" else 6) | {
        "ResultStatus": "Succeeded", "UserKey": who.id, "UserType": 0 if person else 5,
        "UserId": person or f"ServicePrincipal_{who.principal}",
        "ClientIP": who.address, "ClientIPAddress": who.address, "AppId": who.id, "ClientAppId": who.id, "AppDisplayName": who.name,
        "AppAccessContext": {"ClientAppId": who.id, "UniqueTokenId": stage.letters(22), "APIId": _GRAPH},
    }  # fmt: skip
    if workload == "Exchange":
        body |= {
            "MailboxOwnerUPN": thing, "MailboxGuid": stage.uuid(), "ClientInfoString": "Client=REST;Client=RESTSystem;;", "LogonType": 1,
            "OperationProperties": [{"Name": "MailAccessType", "Value": "Bind"}, {"Name": "IsThrottled", "Value": "False"}],
            "OperationCount": stage.rng.randrange(1, 40),
        }  # fmt: skip
    else:
        body |= {"ObjectId": thing, "ItemType": "File", "UserAgent": who.program}
    return Record("m365", line(body), time, live=live), native


def _common(tenant: str, time: float, native: str, what: str, kind: int) -> dict[str, Any]:
    workload, _, operation = what.partition(" ")
    return {
        "CreationTime": seconds(time).removesuffix("Z"), "Id": native, "Operation": operation, "OrganizationId": tenant,
        "RecordType": kind, "Version": 1, "Workload": workload,
    }  # fmt: skip
