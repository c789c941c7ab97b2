"""Microsoft 365's audit log: who did what for whom, with whose application."""

from __future__ import annotations

import json
from typing import Any

import pytest

from licet.events import LifecycleEvent, UseEvent
from licet.ingest import entra, m365
from licet.ingest.recognised import Unreadable
from licet.inventory.faces import same_as
from readers import CANARY, SHARED, needs_data, panther, place, read_or_refused, with_canary

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

AT = place()
APP, PRINCIPAL, KEY = (f"{digit * 8}-1111-4111-8111-111111111111" for digit in "124")
GRAPH = "00000003-0000-0000-c000-000000000000"
OUTLOOK = "5d661950-3475-41cd-a2c3-d671a3162bc1"


def mail(**changed: Any) -> dict[str, Any]:
    """Mail that an application read for a person, through Microsoft Graph."""
    record: dict[str, Any] = {
        "Id": "m-1", "CreationTime": "2026-03-01T12:00:00", "Operation": "MailItemsAccessed", "Workload": "Exchange", "RecordType": 50,
        "UserType": 0, "UserId": "Ada@acme.example", "ClientIPAddress": "203.0.113.7", "ResultStatus": "Succeeded",
        "ClientInfoString": "Client=REST;;", "MailboxOwnerUPN": "ada@acme.example", "AppId": GRAPH, "ClientAppId": APP,
        "OrganizationId": "t-1",
    }  # fmt: skip
    return {**record, **changed}


def changed(operation: str, *names: tuple[str, int], **properties: tuple[str, str]) -> dict[str, Any]:
    """A change of the directory, as Microsoft 365 repeats it."""
    return mail(
        Operation=operation, Workload="AzureActiveDirectory", RecordType=8, ClientAppId=None, AppId=None, MailboxOwnerUPN=None,
        Target=[{"ID": name, "Type": kind} for name, kind in names],
        ModifiedProperties=[{"Name": key.replace("_", "."), "OldValue": old, "NewValue": new} for key, (old, new) in properties.items()],
    )  # fmt: skip


def use_of(record: dict[str, Any]) -> UseEvent:
    [use] = m365.read(record, AT).uses
    return use


def changes(record: dict[str, Any]) -> list[LifecycleEvent]:
    return [event for event in m365.read(record, AT).lifecycle if not same_as(event)]


def test_an_application_that_reads_mail_for_a_person_is_who_acts() -> None:
    use = use_of(mail())
    assert (use.identity, use.identity_kind, use.on_behalf_of) == (f"entra:{APP}", "oauth_app", ("entra:ada@acme.example",))
    assert (use.operation, use.access, use.account, use.network) == ("exchange:MailItemsAccessed", "read", "t-1", "203.0.113.0/24")
    assert (use.time, use.resource, use.resource_kind) == (1772366400.0, "ada@acme.example", "mailbox")


@pytest.mark.parametrize("client", [OUTLOOK, GRAPH, "", None])
def test_what_a_person_does_with_a_client_of_microsoft_is_his(client: str | None) -> None:
    use = use_of(mail(ClientAppId=client))
    assert (use.identity, use.identity_kind, use.on_behalf_of) == ("entra:ada@acme.example", "human", ())


def test_an_application_without_a_person_acts_for_nobody() -> None:
    use = use_of(mail(UserType=5, UserId="app@sharepoint"))
    assert (use.identity, use.identity_kind, use.on_behalf_of) == (f"entra:{APP}", "oauth_app", ())
    principal = use_of(mail(UserType=4, UserId=f"ServicePrincipal_{PRINCIPAL}"))
    assert (principal.identity, principal.identity_kind) == (f"entra:{PRINCIPAL}", "oauth_app")


def test_what_microsoft_does_by_itself_is_done_by_a_service() -> None:
    assert use_of(mail(UserId="NT AUTHORITY\\SYSTEM (Microsoft.Exchange.ServiceHost)")).identity_kind == "service"
    assert use_of(mail(UserType=4)).identity_kind == "service"


def test_the_same_record_is_the_same_in_each_of_its_forms() -> None:
    """From the API, from an export, from Log Analytics."""
    plain = mail()
    export = {"CreationDate": "x", "RecordType": "50", "UserIds": "someone", "Operations": "x", "AuditData": json.dumps(plain)}
    row = {key: str(value) for key, value in plain.items() if key not in ("Id", "Workload", "CreationTime", "ClientIPAddress")}
    row |= {"OfficeId": "m-1", "OfficeWorkload": "Exchange", "TimeGenerated": "2026-03-01T12:00:00Z", "Client_IPAddress": "203.0.113.7"}
    assert use_of(export) == use_of(row) == use_of(plain)


def test_a_login_that_failed_is_denied_and_an_operation_that_failed_is_not_a_success() -> None:
    login = use_of(mail(Operation="UserLoginFailed", Workload="AzureActiveDirectory", LogonError="InvalidUserNameOrPassword"))
    assert (login.operation, login.outcome, login.error) == ("entra:UserLoginFailed", "denied", "InvalidUserNameOrPassword")
    assert use_of(mail(ResultStatus="Failed")).outcome == "failed"


def test_a_change_of_the_directory_is_the_same_as_in_entras_own_audit() -> None:
    keys = json.dumps([f"[KeyIdentifier={KEY},KeyType=AsymmetricX509Cert,KeyUsage=Verify,DisplayName=x]"])
    here = changed(
        "Update application – Certificates and secrets management ",
        ("Application_" + PRINCIPAL, 2),
        ("reporter", 1),
        KeyDescription=("[]", keys),
    )
    there = {
        "id": "a", "activityDateTime": "2026-03-01T12:00:00Z", "activityDisplayName": here["Operation"], "result": "success",
        "initiatedBy": {"user": {"userPrincipalName": "ada@acme.example"}}, "targetResources": [{
            "id": PRINCIPAL, "type": "Application", "modifiedProperties": [{"displayName": "KeyDescription", "oldValue": "[]", "newValue": keys}],
        }],
    }  # fmt: skip
    [ours], [entras] = changes(here), entra.read(there, AT).lifecycle
    fields = ("time", "kind", "identity", "credential", "credential_kind", "by")
    assert [getattr(ours, name) for name in fields] == [getattr(entras, name) for name in fields]
    assert ours.credential == AT.fingerprint(KEY)
    assert use_of(here).operation == entra.read(there, AT).uses[0].operation


def test_consent_widens_what_the_service_principal_may_and_shows_its_application() -> None:
    told = "[] => [[Id: 1, ClientId: c, ResourceId: g, ConsentType: AllPrincipals, Scope: Mail.Read offline_access, CreatedDateTime: x]]; "
    names = ((f"ServicePrincipal_{PRINCIPAL}", 2), (PRINCIPAL, 2), ("ServicePrincipal", 2), ("reporter", 1), (APP, 2), (f"{APP};x", 4))
    record = changed("Consent to application.", *names, ConsentAction_Permissions=("", told))
    assert [(e.kind, e.identity, e.privilege, e.access) for e in changes(record)] == [
        ("scope_widened", f"entra:{PRINCIPAL}", "graph:Mail.Read", "read"),
        ("scope_widened", f"entra:{PRINCIPAL}", "graph:offline_access", "read"),
    ]
    assert [(e.identity, same_as(e)) for e in m365.read(record, AT).lifecycle if same_as(e)] == [(f"entra:{APP}", f"entra:{PRINCIPAL}")]


def test_only_the_name_of_a_service_principal_is_its_application() -> None:
    """Other ids that stand beside it can be anything: two identities must not become one."""
    record = changed("Add service principal.", (f"ServicePrincipal_{PRINCIPAL}", 2), (APP, 2), (KEY, 0))
    assert not [event for event in m365.read(record, AT).lifecycle if same_as(event)]
    assert [event.kind for event in changes(record)] == ["created"]


@pytest.mark.parametrize(
    "operation, name, value, kind",
    [
        ("Set-AdminAuditLogConfig", "UnifiedAuditLogIngestionEnabled", "False", "logging_stopped"),
        ("Set-AdminAuditLogConfig", "UnifiedAuditLogIngestionEnabled", "True", "logging_started"),
        ("Set-MailboxAuditBypassAssociation", "AuditBypassEnabled", "True", "logging_stopped"),
        ("Set-OrganizationConfig", "AuditDisabled", "True", "logging_stopped"),
    ],
)
def test_who_ends_an_audit_is_told_of(operation: str, name: str, value: str, kind: str) -> None:
    [event] = changes(mail(Operation=operation, ClientAppId=None, Parameters=[{"Name": name, "Value": value}]))
    assert (event.kind, event.by) == (kind, "entra:ada@acme.example")


def test_other_settings_end_no_audit() -> None:
    assert not changes(mail(Operation="Set-Mailbox", Parameters=[{"Name": "DisplayName", "Value": "False"}]))


@pytest.mark.parametrize(
    "operation, access",
    [
        ("FileDownloaded", "read"),
        ("FileModified", "write"),
        ("AnonymousLinkCreated", "admin"),
        ("Add-MailboxPermission", "admin"),
        ("Send", "write"),
    ],
)
def test_how_far_an_operation_reaches(operation: str, access: str) -> None:
    assert use_of(mail(Operation=operation)).access == access


@pytest.mark.parametrize(
    "record", [{}, {"Operation": "x"}, mail(CreationTime="soon"), mail(UserId=None, MailboxOwnerUPN=None, ClientAppId=None)]
)
def test_what_is_no_record_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        m365.read(record, AT)


@needs_data
@pytest.mark.parametrize("log_type", ["Microsoft365.Audit.SharePoint", "Microsoft365.Audit.AzureActiveDirectory"])
def test_every_record_of_the_platform_is_read(log_type: str) -> None:
    found = [read_or_refused(m365.read, record, AT) for record in panther(log_type)]
    assert found
    assert not [each for each in found if isinstance(each, Unreadable)]


@needs_data
def test_no_secret_that_stands_in_a_record_is_in_an_event() -> None:
    records = [mail(), *panther("Microsoft365.Audit.SharePoint")[:1], *panther("Microsoft365.Audit.AzureActiveDirectory")]
    records += [json.loads(line) for line in (SHARED / "otrf_goldensaml" / "OfficeActivityEvents.json").read_text().splitlines()]
    records += [mail(Operation="Set-Mailbox", Parameters=[{"Name": "AuditEnabled", "Value": "false"}])]
    for record in records:
        for with_one in with_canary(record):
            assert CANARY.lower() not in repr(read_or_refused(m365.read, with_one, AT)).lower()
