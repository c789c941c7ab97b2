"""GitHub's audit log, Okta's system log, and Microsoft Entra's sign-ins of service principals and audit log."""

from __future__ import annotations

import random
from typing import Any

from benchmarks.identity_year.actors import Act, Emitted
from benchmarks.identity_year.drawn import letters, micros, millis, uuid

TENANT = "6f0d4d5c-3a57-4f0e-9d2b-8a1f6c2e7b90"
OKTA_WORDS = {
    "app.oauth2.token.grant.access_token": "OAuth2 access token is granted", "user.session.start": "User login to Okta",
    "group.user_membership.add": "Add user to group membership", "application.user_membership.add": "Add user to application membership",
    "user.lifecycle.create": "Create Okta user", "user.account.update_profile": "Update user profile for Okta",
    "system.log_stream.lifecycle.deactivate": "Deactivate log stream", "system.api_token.create": "Create API token",
    "user.account.privilege.grant": "Grant user privilege",
}  # fmt: skip


def github(act: Act, rng: random.Random) -> Emitted:
    actor, when = act.actor, int(act.time * 1000)
    _, name = act.operation
    org = act.account or actor.account
    native = letters(rng, 22)
    body: dict[str, Any] = {
        "@timestamp": when, "_document_id": native, "action": name, "actor": actor.name, "actor_id": actor.about["id"], "actor_ip": act.ip,
        "actor_is_bot": actor.kind != "human", "actor_location": {"country_code": actor.about.get("country", "US")}, "business": "acme-inc",
        "business_id": 40211, "created_at": when, "operation_type": "access" if name.startswith("git.") else "create", "org": org,
        "org_id": 70001 + len(org),
    }  # fmt: skip
    if name.startswith("git."):
        body["transport_protocol"], body["transport_protocol_name"] = 1, "http"
    body["repo"] = act.target or f"{org}/{actor.about.get('store', 'site')}"
    body["repo_id"] = sum(map(ord, body["repo"]))
    body["repository_public"] = False
    if act.credential:
        body["hashed_token"] = act.credential
        body["token_id"] = actor.about["id"] * 7
        body["programmatic_access_type"] = actor.about.get("access", "Personal access token (classic)")
        body["token_scopes"] = "repo,workflow"
    if act.workload:
        body["workflow_run_id"] = int(act.workload)
    body["user_agent"] = act.agent
    body.update(act.parameters or {})
    return Emitted(when / 1000, "github", native, body)


def okta(act: Act, rng: random.Random) -> Emitted:
    actor = act.actor
    _, name = act.operation
    native = uuid(rng)
    ok = act.outcome == "success"
    body: dict[str, Any] = {
        "actor": {
            "id": actor.about["id"], "type": actor.about["type"], "alternateId": actor.name, "displayName": actor.name, "detailEntry": None,
        },
        "client": {
            "userAgent": {
                "rawUserAgent": act.agent, "os": "Mac OS X" if act.interactive else "Unknown",
                "browser": "CHROME" if act.interactive else "UNKNOWN",
            },
            "zone": "null", "device": "Computer" if act.interactive else "Unknown",
            "id": actor.about["id"] if actor.about["type"] != "User" else None,
            "ipAddress": act.ip,
            "geographicalContext": {"city": "Dublin", "state": "Leinster", "country": "Ireland", "postalCode": None, "geolocation": None},
        },
        "device": None,
        "authenticationContext": {
            "authenticationProvider": None, "credentialProvider": None, "credentialType": None, "issuer": None, "interface": None,
            "authenticationStep": 0, "rootSessionId": act.session or f"trs{letters(rng, 22)}",
            "externalSessionId": act.session or f"trs{letters(rng, 22)}",
        },
        "displayMessage": OKTA_WORDS.get(name, name), "eventType": name,
        "outcome": {"result": "SUCCESS" if ok else "FAILURE", "reason": None if ok else "INVALID_CREDENTIALS"},
        "published": millis(act.time),
        "securityContext": {"asNumber": 16509 if not act.interactive else 5466,
        "asOrg": "amazon.com" if not act.interactive else "eircom", "isp": "amazon.com", "domain": ".", "isProxy": False},
        "severity": "INFO" if ok else "WARN", "debugContext": {"debugData": {"requestUri": "/api/v1", "url": "/api/v1?"}},
        "legacyEventType": None,
        "transaction": {"type": "WEB", "id": letters(rng, 22), "detail": {}},
        "uuid": native, "version": "0",
        "request": {"ipChain": [{"ip": act.ip, "geographicalContext": None, "version": "V4", "source": None}]},
        "target": [{"id": f"00g{letters(rng, 17)}", "type": "UserGroup", "alternateId": "unknown",
        "displayName": actor.about.get("store", "staff"), "detailEntry": None}],
    }  # fmt: skip
    if act.parameters:
        body["target"] = [act.parameters]
    if act.ip.split(".")[0] not in ("34", "52", "198"):
        body["securityContext"].update(asNumber=9009, asOrg="m247", isp="m247")
    if act.credential:
        body["transaction"]["detail"] = {"requestApiTokenId": act.credential}
    return Emitted(act.time, "okta", native, body)


def sign_in(act: Act, rng: random.Random) -> Emitted:
    """A service principal's sign-in. `operation[1]` is not written: it is always `Sign-in activity`; `target` is the resource."""
    actor = act.actor
    native = uuid(rng)
    failed = act.outcome != "success"
    where = act.region or "IE"
    home = act.ip.split(".")[0] in ("34", "52", "198")
    properties = {
        "id": native, "createdDateTime": micros(act.time), "appId": actor.about["app"], "appDisplayName": actor.name, "ipAddress": act.ip,
        "status": {"errorCode": 7000222 if failed else 0,
        **({"failureReason": "The provided client secret keys are expired."} if failed else {})},
        "clientAppUsed": "", "userAgent": act.agent, "isInteractive": False, "servicePrincipalId": actor.about["principal"],
        "servicePrincipalName": actor.name, "servicePrincipalCredentialKeyId": act.credential, "servicePrincipalCredentialThumbprint": "",
        "clientCredentialType": "clientSecret", "resourceDisplayName": act.target or actor.about["resource"],
        "resourceId": uuid(random.Random(act.target or actor.about["resource"])),
        "resourceServicePrincipalId": uuid(random.Random("sp" + (act.target or actor.about["resource"]))),
        "location": {"city": "", "state": "", "countryOrRegion": where}, "autonomousSystemNumber": 8075 if home else 9009,
        "uniqueTokenIdentifier": letters(rng, 22), "correlationId": uuid(rng), "tokenIssuerType": "AzureAD",
        "signInEventTypes": ["servicePrincipal"],
        "conditionalAccessStatus": "notApplied", "flaggedForReview": False, "resourceTenantId": TENANT, "homeTenantId": TENANT,
    }  # fmt: skip
    body = {
        "time": micros(act.time), "resourceId": f"/tenants/{TENANT}/providers/Microsoft.aadiam", "operationName": "Sign-in activity",
        "operationVersion": "1.0", "category": "ServicePrincipalSignInLogs", "tenantId": TENANT,
        "resultType": str(properties["status"]["errorCode"]),
        "resultSignature": "FAILURE" if failed else "SUCCESS", "durationMs": 0, "callerIpAddress": act.ip,
        "correlationId": properties["correlationId"],
        "Level": 4, "location": where, "properties": properties,
    }  # fmt: skip
    return Emitted(act.time, "entra/signins", native, body)


def audit(act: Act, rng: random.Random) -> Emitted:
    """A change in the directory. `parameters`: the target with its `modifiedProperties`."""
    actor = act.actor
    _, name = act.operation
    native = f"Directory_{uuid(rng)}_{letters(rng, 5).upper()}_{rng.randrange(10**8)}"
    if actor.kind == "human":
        by: dict[str, Any] = {
            "user": {
                "id": actor.about["id"],
                "displayName": actor.name,
                "userPrincipalName": f"{actor.name}@acme.example",
                "ipAddress": act.ip,
                "roles": [],
            }
        }
    else:
        by = {
            "app": {
                "appId": actor.about["app"],
                "displayName": actor.name,
                "servicePrincipalId": actor.about["principal"],
                "servicePrincipalName": None,
            }
        }
    targets = (act.parameters or {}).get("targets") or [
        act.parameters or {"id": uuid(rng), "displayName": actor.about.get("store", "staff"), "type": "Group", "modifiedProperties": []}
    ]
    properties = {
        "id": native, "category": "ApplicationManagement" if act.parameters else "GroupManagement", "correlationId": uuid(rng),
        "result": "success" if act.outcome == "success" else "failure",
        "resultReason": "" if act.outcome == "success" else "Authorization_RequestDenied",
        "activityDisplayName": name, "activityDateTime": micros(act.time), "loggedByService": "Core Directory",
        "operationType": "Add" if name.startswith("Add") else "Update", "userAgent": None, "initiatedBy": by, "targetResources": targets,
        "additionalDetails": [{"key": "User-Agent", "value": act.agent}],
    }  # fmt: skip
    body = {
        "time": micros(act.time), "resourceId": f"/tenants/{TENANT}/providers/Microsoft.aadiam", "operationName": name,
        "operationVersion": "1.0",
        "category": "AuditLogs", "tenantId": TENANT, "resultSignature": "None", "durationMs": 0, "callerIpAddress": act.ip,
        "correlationId": properties["correlationId"], "Level": 4, "properties": properties,
    }  # fmt: skip
    return Emitted(act.time, "entra/audit", native, body)


def entra(act: Act, rng: random.Random) -> Emitted:
    return sign_in(act, rng) if act.operation[1] == "Sign-in activity" else audit(act, rng)
