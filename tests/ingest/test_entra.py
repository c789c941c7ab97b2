"""Entra's logs: who signed in with which secret, and what a change of the directory does to identities, credentials and permissions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from licet.events import LifecycleEvent, UseEvent
from licet.ingest import entra
from licet.ingest.directory import plain_operation
from licet.ingest.recognised import Unreadable
from licet.inventory.faces import same_as
from licet.inventory.store import Inventory
from readers import CANARY, SHARED, needs_data, panther, place, read_or_refused, with_canary
from taking import lines, run

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

AT = place()
APP, PRINCIPAL, OBJECT, KEY = (f"{digit * 8}-1111-4111-8111-111111111111" for digit in "1234")
GRAPH = "00000003-0000-0000-c000-000000000000"


def sign_in(**changed: Any) -> dict[str, Any]:
    """A service principal's sign-in with a secret, as Microsoft Graph gives it."""
    record: dict[str, Any] = {
        "id": "s-1", "createdDateTime": "2026-03-01T12:00:00Z", "appId": APP, "servicePrincipalId": PRINCIPAL,
        "servicePrincipalName": "reporter", "servicePrincipalCredentialKeyId": KEY, "clientCredentialType": "clientSecret",
        "ipAddress": "203.0.113.7", "autonomousSystemNumber": 64500, "location": {"countryOrRegion": "NL"}, "resourceId": GRAPH,
        "resourceDisplayName": "Microsoft Graph", "uniqueTokenIdentifier": "uti-1", "tenantId": "t-1", "status": {"errorCode": 0},
    }  # fmt: skip
    return {**record, **changed}


def audit(operation: str, *targets: dict[str, Any], **changed: Any) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": "a-1", "activityDateTime": "2026-03-01T12:00:00Z", "activityDisplayName": operation, "result": "success",
        "initiatedBy": {"user": {"id": "u-1", "userPrincipalName": "Ada@acme.example", "ipAddress": "198.51.100.9"}},
        "targetResources": list(targets), "tenantId": "t-1",
    }  # fmt: skip
    return {**record, **changed}


def target(kind: str, id: str, *, name: str = "", **properties: tuple[Any, Any]) -> dict[str, Any]:
    changed = [{"displayName": key.replace("_", "."), "oldValue": old, "newValue": new} for key, (old, new) in properties.items()]
    return {"id": id, "type": kind, "displayName": name, "modifiedProperties": changed}


def use_of(record: dict[str, Any]) -> UseEvent:
    [use] = entra.read(record, AT).uses
    return use


def changes(record: dict[str, Any]) -> list[LifecycleEvent]:
    """Without the names that it shows to be of one identity."""
    return [event for event in entra.read(record, AT).lifecycle if not same_as(event)]


def test_a_sign_in_names_the_service_principal_its_secret_by_fingerprint_and_where_it_came_from() -> None:
    use = use_of(sign_in())
    assert (use.identity, use.identity_kind, use.identity_name) == (f"entra:{PRINCIPAL}", "oauth_app", "reporter")
    assert (use.credential, use.credential_kind) == (AT.fingerprint(KEY), "client_secret")
    assert (use.network, use.country, use.account, use.session, use.outcome) == ("AS64500", "NL", "t-1", "uti-1", "success")
    assert use.time == 1772366400.0


def test_the_same_sign_in_is_the_same_in_each_of_its_forms() -> None:
    """Graph's own, Azure Monitor's envelope (in either case of letters), a row of Log Analytics."""
    plain = sign_in()
    inner = {key: value for key, value in plain.items() if key != "tenantId"}
    envelope = {
        "time": "2026-03-01T12:05:00Z", "resourceId": "/tenants/t-1/providers/Microsoft.aadiam", "category": "ServicePrincipalSignInLogs",
        "tenantId": "t-1", "resultType": "0", "location": "NL", "properties": inner,
    }  # fmt: skip
    row = {key[0].upper() + key[1:]: json.dumps(value) if isinstance(value, dict) else value for key, value in inner.items()}
    row |= {"AADTenantId": "t-1", "TenantId": "the workspace", "Type": "AADServicePrincipalSignInLogs"}
    lower = {key.lower(): value for key, value in envelope.items()} | {"properties": json.dumps(inner)}
    assert use_of(envelope) == use_of(row) == use_of(lower) == use_of(plain)


def test_a_sign_in_shows_that_application_and_service_principal_are_one() -> None:
    [face] = entra.read(sign_in(), AT).lifecycle
    assert (face.identity, same_as(face)) == (f"entra:{APP}", f"entra:{PRINCIPAL}")
    assert face == entra.read(sign_in(id="s-2", createdDateTime="2026-04-01T00:00:00Z"), AT).lifecycle[0]


def test_a_sign_in_that_failed_does_not_show_that_the_secret_authenticates() -> None:
    assert (use_of(sign_in(status={"errorCode": 7000215})).outcome, use_of(sign_in(status={"errorCode": 7000215})).error) == (
        "denied",
        "7000215",
    )
    assert use_of(sign_in(status=None)).outcome == "failed"


def test_a_managed_identity_is_a_service_account_and_a_person_a_human() -> None:
    managed = sign_in(servicePrincipalCredentialKeyId="", managedIdentityType="systemAssigned")
    assert (use_of(managed).identity_kind, use_of(managed).credential) == ("service_account", "")
    person = use_of(sign_in(servicePrincipalId="", userPrincipalName="Ada@acme.example", userId="u-1", isInteractive=True))
    assert (person.identity, person.identity_kind, person.interactive) == ("entra:ada@acme.example", "human", True)


def test_a_password_flow_of_a_script_is_not_a_person_at_a_browser() -> None:
    scripted = sign_in(servicePrincipalId="", userPrincipalName="a@b.example", isInteractive=True, userAgent="python-requests/2.28")
    assert not use_of(scripted).interactive


def test_a_request_to_graph_names_what_was_asked_for_and_not_whose() -> None:
    record = {
        "TimeGenerated": "2026-03-01T12:00:00Z", "RequestId": "r-1", "RequestMethod": "GET", "AppId": APP, "ServicePrincipalId": PRINCIPAL,
        "RequestUri": "https://graph.microsoft.com/v1.0/users/ada/messages/AAMk%3D?$top=5", "ResponseStatusCode": 200,
        "SignInActivityId": "uti-1==", "IPAddress": "203.0.113.7", "Roles": "Mail.Read", "TenantId": "t-1",
    }  # fmt: skip
    use = use_of(record)
    assert (use.identity, use.operation, use.access, use.session) == (f"entra:{PRINCIPAL}", "graph:get/users/messages", "read", "uti-1")
    write = {**record, "RequestMethod": "POST", "RequestUri": f"https://graph.microsoft.com/beta/applications('{OBJECT}')/addPassword"}
    assert (use_of(write).operation, use_of(write).access) == ("graph:post/applications/addpassword", "admin")
    assert use_of({**record, "ResponseStatusCode": 403}).outcome == "denied"
    assert use_of({**record, "ResponseStatusCode": 404}).outcome == "failed"
    delegated = use_of({**record, "ServicePrincipalId": "", "UserId": "u-1"})
    assert (delegated.identity, delegated.on_behalf_of) == (f"entra:{APP}", ("entra:u-1",))
    own = use_of({**record, "ServicePrincipalId": "", "UserId": "u-1", "AppId": GRAPH})
    assert (own.identity, own.identity_kind) == ("entra:u-1", "human")


def keys(*ids: str) -> str:
    return json.dumps([f"[KeyIdentifier={each},KeyType=Password,KeyUsage=Verify,DisplayName=x]" for each in ids])


def wanted(*entitlements: str) -> str:
    return json.dumps([{"ResourceAppId": GRAPH, "RequiredAppPermissions": [{"EntitlementId": each} for each in entitlements]}])


MAIL, USER = "024d486e-b451-40bb-833d-3e66d98c5c73", "e1fe6dd8-ba31-4d61-89e7-88639da4683d"
TO = {"ServicePrincipal_ObjectID": (None, f'"{PRINCIPAL}"'), "TargetId_ServicePrincipalNames": (None, f'"{GRAPH};https://graph"')}
CHANGES = [
    ("widened", audit("Update application", target("Application", OBJECT, RequiredResourceAccess=(wanted(USER), wanted(USER, MAIL)))),
     [("scope_widened", OBJECT, "graph:Mail.ReadWrite", "")]),
    ("narrowed", audit("Update application", target("Application", OBJECT, RequiredResourceAccess=(wanted(USER, MAIL), wanted(USER)))),
     [("ungranted", OBJECT, "graph:Mail.ReadWrite", "")]),
    ("begun", audit("Add application", target("Application", OBJECT, RequiredResourceAccess=("[]", wanted(USER)))),
     [("created", OBJECT, "", ""), ("granted", OBJECT, "graph:User.Read", "")]),
    ("delegated", audit("Add delegated permission grant", target("ServicePrincipal", "g", DelegatedPermissionGrant_Scope=(
        '"User.Read"', '"User.Read Mail.Send"'), **TO)), [("scope_widened", PRINCIPAL, "graph:Mail.Send", "")]),
    ("undelegated", audit("Remove delegated permission grant", target("ServicePrincipal", "g", DelegatedPermissionGrant_Scope=(
        '"Mail.Send"', None), **TO)), [("ungranted", PRINCIPAL, "graph:Mail.Send", "")]),
    ("app role", audit("Add app role assignment to service principal", target("ServicePrincipal", "g", AppRole_Value=(
        None, '"Mail.Read"'), **TO)), [("scope_widened", PRINCIPAL, "graph:Mail.Read", "")]),
    ("consent", audit("Consent to application", target("ServicePrincipal", PRINCIPAL, ConsentAction_Permissions=(None, json.dumps(
        "[[Id: 1, ResourceId: g, ConsentType: Principal, Scope: User.Read, CreatedDateTime: x]] => "
        "[[Id: 1, ResourceId: g, ConsentType: Principal, Scope: User.Read Files.Read, CreatedDateTime: x]]; ")))),
     [("scope_widened", PRINCIPAL, "graph:Files.Read", "")]),
    ("secret", audit("Update application – Certificates and secrets management ", target("Application", OBJECT, KeyDescription=(
        keys(), keys(KEY)))), [("issued", OBJECT, "", KEY)]),
    ("secret beside another", audit("Update application", target("Application", OBJECT, KeyDescription=(keys("old"), keys("old", KEY)))),
     [("issued", OBJECT, "", KEY)]),
    ("secret replaced", audit("Update application", target("Application", OBJECT, KeyDescription=(keys("old"), keys(KEY)))),
     [("issued", OBJECT, "", KEY), ("revoked", OBJECT, "", "old")]),
    ("secret without an id", audit("Add service principal credentials", target("ServicePrincipal", PRINCIPAL)),
     [("issued", PRINCIPAL, "", "")]),
    ("role", audit("Add member to role", target("ServicePrincipal", PRINCIPAL, Role_DisplayName=(None, '"Global Administrator"')),
                   target("Role", "r-1")), [("granted", PRINCIPAL, "Global Administrator", "")]),
    ("role asked for", audit("Add member to role in PIM requested (permanent)", target("User", "u-2"), target("Role", "r-1")), []),
    ("suspended", audit("Disable account", target("ServicePrincipal", PRINCIPAL, AccountEnabled=("[true]", "[false]"))),
     [("suspended", PRINCIPAL, "", "")]),
    ("deleted", audit("Remove service principal", target("ServicePrincipal", PRINCIPAL)), [("deleted", PRINCIPAL, "", "")]),
    ("nothing", audit("Update policy", target("Policy", "p-1")), []),
]  # fmt: skip


@pytest.mark.parametrize("record, expected", [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_a_change_of_the_directory_happens_to_whom_it_concerns_by_whom_did_it(record: dict[str, Any], expected: list[Any]) -> None:
    assert [(event.kind, event.identity, event.privilege, event.credential) for event in changes(record)] == [
        (kind, f"entra:{identity}", privilege, AT.fingerprint(key)) for kind, identity, privilege, key in expected
    ]
    assert {event.by for event in changes(record)} <= {"entra:ada@acme.example"}


VICTIM = "aaaaaaaa-1111-4222-8333-444444444444"
LIST = f'["[KeyIdentifier={KEY},KeyType=Password,KeyUsage=Verify,DisplayName=%s]"]'


@pytest.mark.parametrize(
    "text",
    [
        LIST % "SimuLandCreds",  # as the directory's own audit has it
        json.dumps([json.loads(LIST % "x")[0]], indent=2).replace("\n", "\r\n"),  # as Microsoft 365's has it
        json.dumps(LIST % "x"), json.loads(LIST % "x")[0], LIST % "]", LIST % "a, b", LIST % '\\"quoted\\" \\u2013',
        LIST % f"[KeyIdentifier={VICTIM},KeyType=Password,KeyUsage=Verify,DisplayName=",
        LIST % f',\\"[KeyIdentifier={VICTIM},KeyType=Password]\\"', LIST[:-3] % f"][KeyIdentifier={VICTIM},KeyType=Password" + '","[KeyIden',
    ],
)  # fmt: skip
def test_a_key_is_its_identifier_and_what_it_is_called_is_nothing(text: str) -> None:
    """Who makes a secret chooses its name, and another's key id stands in sign-in logs."""
    record = audit("Update application – Certificates and secrets management ", target("Application", OBJECT, KeyDescription=("[]", text)))
    assert [(event.kind, event.credential) for event in changes(record)] == [("issued", AT.fingerprint(KEY))]
    gone = audit("Update application", target("Application", OBJECT, KeyDescription=(text, "[]")))
    assert [(event.kind, event.credential) for event in changes(gone)] == [("revoked", AT.fingerprint(KEY))]


def test_what_was_tried_and_failed_says_so() -> None:
    record = audit("Remove service principal", target("ServicePrincipal", PRINCIPAL), result="failure")
    assert {event.outcome for event in changes(record)} == {"failed"}
    assert use_of(record).outcome == "failed"


def test_events_of_one_record_have_ids_of_their_own() -> None:
    record = audit("Update application", target("Application", OBJECT, RequiredResourceAccess=("[]", wanted(USER, MAIL))))
    assert [event.native_id for event in changes(record)] == ["a-1", "a-1#2"]


def test_a_new_service_principal_shows_its_application() -> None:
    record = audit("Add service principal", target("ServicePrincipal", PRINCIPAL, AppPrincipalId=("[]", json.dumps([APP]))))
    assert [(e.identity, same_as(e)) for e in entra.read(record, AT).lifecycle if same_as(e)] == [(f"entra:{APP}", f"entra:{PRINCIPAL}")]


def test_nobody_becomes_another_by_what_he_is_called() -> None:
    """Names are chosen by whoever makes an application."""
    name = f"same as entra:{PRINCIPAL}"
    record = audit("Add application", target("Application", OBJECT, name=name))
    assert not [event for event in entra.read(record, AT).lifecycle if same_as(event)]
    assert changes(record)


def test_the_services_of_microsoft_are_named_and_are_no_persons() -> None:
    use = use_of(audit("Update device", initiatedBy={"app": {"displayName": "Device Registration Service"}}))
    assert (use.identity, use.identity_kind) == ("entra:device registration service", "service")


def test_other_logs_of_azure_are_passed_over_and_what_is_no_log_is_refused() -> None:
    assert entra.read({"category": "Administrative", "operationName": "x"}, AT).passed
    for record in ({}, {"userId": "u", "Operation": "FileAccessed"}, {"targetResources": []}):
        with pytest.raises(Unreadable):
            entra.read(record, AT)


def test_a_record_without_an_id_has_one_by_what_it_says() -> None:
    record = sign_in(id=None)
    assert use_of(record).native_id == use_of(dict(reversed(record.items()))).native_id
    assert use_of(record).native_id != use_of({**record, "appId": OBJECT}).native_id


def test_operations_are_compared_without_their_spelling() -> None:
    assert plain_operation("Update application – Certificates  and secrets management ") == plain_operation(
        "update application - certificates and secrets management."
    )


@needs_data
def test_every_record_of_the_platform_is_read() -> None:
    found = [read_or_refused(entra.read, record, AT) for record in panther("Azure.Audit")]
    assert not [each for each in found if isinstance(each, Unreadable)]


@needs_data
def test_no_secret_that_stands_in_a_record_is_in_an_event() -> None:
    records = [sign_in(), *panther("Azure.Audit")[::5], *(row[1] for row in CHANGES)]
    records += [json.loads(line) for line in (SHARED / "otrf_goldensaml" / "AADAuditEvents.json").read_text().splitlines()]
    for record in records:
        for changed in with_canary(record):
            found = read_or_refused(entra.read, changed, AT)
            assert CANARY.lower() not in repr(found).lower()


def test_two_names_of_one_record_are_one_identity_as_soon_as_the_log_is_taken_in(tmp_path: Path) -> None:
    """Before any monitor has run: the list of identities is looked at first."""
    tmp_path.chmod(0o700)
    (tmp_path / "log.jsonl").write_bytes(lines([sign_in()]))
    run(tmp_path, tmp_path / "log.jsonl", source="entra")
    inventory = Inventory(tmp_path / "inventory.db")
    found = inventory.identity(f"entra:{APP}")
    assert found is not None
    assert (found.same_as, found.same_confidence) == (f"entra:{PRINCIPAL}", 0.95)
    inventory.close()


@pytest.mark.parametrize("kind, name", [("Application", "MeetNotes"), ("ServicePrincipal", "MeetNotes"), ("User", "")], ids=str)
def test_what_may_do_more_is_called_as_the_record_calls_it(kind: str, name: str) -> None:
    consent = "[] => [[Id: 1, ResourceId: g, ConsentType: Principal, Scope: Mail.Read]]"
    changed = target(kind, PRINCIPAL, ConsentAction_Permissions=(None, json.dumps(consent))) | {"displayName": "MeetNotes"}
    (found,) = (each for each in entra.read(audit("Consent to application", changed), place()).lifecycle if each.kind == "scope_widened")
    assert found.reason == name
