"""Log records as six services write them, with no field that none of them has. Nothing of it is of a real company."""

from __future__ import annotations

import gzip
import json
import uuid
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PROD, STAGE = "111122223333", "222233334444"
TENANT = "6f0d4d5c-3a57-4f0e-9d2b-8a1f6c2e7b90"
GRAPH = "00000003-0000-0000-c000-000000000000"
BROWSER = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36"
READS = ("Get", "List", "Describe", "Query", "Scan")


def made_up(text: str) -> str:
    """An id that is always the same for the same text."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{text}.acme.example"))


def utc(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Logs:
    """What the services would have written until `end`; what is later is left out."""

    def __init__(self, end: float) -> None:
        self._end = end
        self._of: defaultdict[str, list[tuple[float, dict[str, Any]]]] = defaultdict(list)

    def _note(self, stream: str, time: float, record: dict[str, Any]) -> None:
        if time <= self._end:
            self._of[stream].append((time, record))

    def _id(self, stream: str) -> str:
        return made_up(f"{stream} {len(self._of[stream])}")

    def aws(
        self, time: float, who: str, key: str, call: str, *, ip: str, agent: str, account: str = PROD, into: str = "",
        parameters: dict[str, Any] | None = None, answer: dict[str, Any] | None = None, denied: bool = False,
    ) -> None:  # fmt: skip
        """A call of AWS. `who`: `user/NAME` or `role/NAME`; `into`: the account whose thing it touches."""
        kind, _, name = who.partition("/")
        service, _, did = call.partition(":")
        principal, session = made_up(who)[:8].upper(), f"i-0{made_up(who).replace('-', '')[:16]}"
        arn = f"arn:aws:iam::{account}:{who}"
        if kind == "user":
            identity: dict[str, Any] = {"type": "IAMUser", "principalId": f"AIDA{principal}", "arn": arn, "userName": name}
        else:
            issuer = {"type": "Role", "principalId": f"AROA{principal}", "arn": arn, "accountId": account, "userName": name}
            identity = {
                "type": "AssumedRole", "principalId": f"AROA{principal}:{session}",
                "arn": f"arn:aws:sts::{account}:assumed-role/{name}/{session}", "sessionContext": {"sessionIssuer": issuer},
            }  # fmt: skip
        record = {
            "eventVersion": "1.11", "userIdentity": identity | {"accountId": account, "accessKeyId": key}, "eventTime": utc(time),
            "eventSource": f"{service}.amazonaws.com", "eventName": did, "awsRegion": "eu-west-1", "sourceIPAddress": ip,
            "userAgent": agent, "requestParameters": parameters, "responseElements": answer, "eventID": self._id("cloudtrail"),
            "readOnly": did.startswith(READS), "eventType": "AwsApiCall", "recipientAccountId": into or account,
        }  # fmt: skip
        if denied:
            record |= {"errorCode": "AccessDenied", "errorMessage": f"User: {arn} is not authorized to perform: {call}"}
        self._note("cloudtrail", time, record)

    def kubernetes(  # noqa: PLR0917
        self, time: float, cluster: str, account: str, token: str, verb: str, resource: str, *, pod: str, ip: str
    ) -> None:  # fmt: skip
        """A request of a service account (`namespace:name`) to the API server of a cluster."""
        namespace, _, name = account.partition(":")
        group, _, kind = resource.rpartition("/")
        at = "/api/v1" if not group else f"/apis/{group}/v1"
        self._note(f"kubernetes/{cluster}", time, {
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": self._id(f"kubernetes/{cluster}"),
            "stage": "ResponseComplete", "requestURI": f"{at}/namespaces/{namespace}/{kind}", "verb": verb,
            "user": {
                "username": f"system:serviceaccount:{account}", "groups": ["system:serviceaccounts", "system:authenticated"],
                "extra": {
                    "authentication.kubernetes.io/credential-id": [f"JTI={token}"],
                    "authentication.kubernetes.io/pod-name": [pod], "authentication.kubernetes.io/pod-uid": [made_up(pod)],
                },
            },
            "sourceIPs": [ip], "userAgent": f"{name}/v1.9 (linux/amd64)",
            "objectRef": {"resource": kind, "namespace": namespace, "apiVersion": "v1"} | ({"apiGroup": group} if group else {}),
            "responseStatus": {"metadata": {}, "code": 200 if verb in ("get", "list", "watch", "patch") else 201},
            "requestReceivedTimestamp": utc(time), "stageTimestamp": utc(time),
            "annotations": {"authorization.k8s.io/decision": "allow"},
        })  # fmt: skip

    def _cluster(  # noqa: PLR0917
        self, time: float, cluster: str, user: str, agent: str, verb: str, target: dict[str, str], more: dict[str, Any]
    ) -> None:  # fmt: skip
        """A request of the cluster itself."""
        self._note(f"kubernetes/{cluster}", time, {
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": self._id(f"kubernetes/{cluster}"),
            "stage": "ResponseComplete", "requestURI": f"/api/v1/namespaces/{target['namespace']}/{target['resource']}/{target['name']}",
            "verb": verb, "user": {"username": user, "groups": ["system:authenticated"]}, "sourceIPs": ["10.40.0.2"], "userAgent": agent,
            "objectRef": target | {"apiVersion": "v1"}, "responseStatus": {"metadata": {}, "code": 200},
            "requestReceivedTimestamp": utc(time), "stageTimestamp": utc(time), **more,
        })  # fmt: skip

    def pod_began(self, time: float, cluster: str, account: str, token: str, pod: str) -> None:
        """The node asks for the token of a new pod."""
        namespace, _, name = account.partition(":")
        wanted = {"expirationSeconds": 86_400, "boundObjectRef": {"kind": "Pod", "name": pod, "uid": made_up(pod)}}
        target = {"resource": "serviceaccounts", "namespace": namespace, "name": name, "subresource": "token"}
        annotations = {"authentication.kubernetes.io/issued-credential-id": f"JTI={token}", "authorization.k8s.io/decision": "allow"}
        self._cluster(time, cluster, "system:node:node-3", "kubelet/v1.31.2", "create", target,
                      {"level": "Request", "requestObject": {"spec": wanted}, "annotations": annotations})  # fmt: skip

    def pod_ended(self, time: float, cluster: str, namespace: str, pod: str) -> None:
        """The cluster's own controller takes a pod away that was replaced."""
        target = {"resource": "pods", "namespace": namespace, "name": pod}
        self._cluster(time, cluster, "system:serviceaccount:kube-system:replicaset-controller", "kube-controller-manager/v1.31.2", "delete",
                      target, {"annotations": {"authorization.k8s.io/decision": "allow"}})  # fmt: skip

    def github(self, time: float, actor: str, action: str, *, bot: bool, ip: str, agent: str, **more: Any) -> None:
        """An event of the organisation's audit log."""
        self._note("github", time, {
            "@timestamp": int(time * 1000), "_document_id": self._id("github").replace("-", "")[:22], "action": action, "actor": actor,
            "actor_is_bot": bot, "actor_ip": ip, "user_agent": agent, "org": "acme", **more,
        })  # fmt: skip

    def okta(
        self, time: float, actor: dict[str, str], event: str, *, ip: str, agent: str, targets: tuple[dict[str, str], ...] = ()
    ) -> None:
        """An event of the System Log. `actor`: its `id`, `type` and `alternateId`."""
        self._note("okta", time, {
            "uuid": self._id("okta"), "published": utc(time), "eventType": event, "version": "0", "severity": "INFO", "actor": actor,
            "client": {"id": None if actor["type"] == "User" else actor["id"], "ipAddress": ip, "userAgent": {"rawUserAgent": agent}},
            "outcome": {"result": "SUCCESS", "reason": None}, "target": list(targets), "transaction": {"type": "WEB", "detail": {}},
        })  # fmt: skip

    def sign_in(self, time: float, name: str, secret: str, *, ip: str, country: str = "IE") -> None:
        """An application signs in to Microsoft Graph by itself, with the secret whose id is given."""
        self._note("entra", time, {
            "id": self._id("entra"), "createdDateTime": utc(time), "appId": made_up(f"app {name}"), "appDisplayName": name,
            "servicePrincipalId": made_up(f"principal {name}"), "servicePrincipalName": name, "servicePrincipalCredentialKeyId": secret,
            "clientCredentialType": "clientSecret", "ipAddress": ip, "status": {"errorCode": 0}, "isInteractive": False,
            "resourceDisplayName": "Microsoft Graph", "resourceId": GRAPH, "location": {"countryOrRegion": country},
            "signInEventTypes": ["servicePrincipal"], "resourceTenantId": TENANT,
        })  # fmt: skip

    def directory(
        self, time: float, person: str, activity: str, target: dict[str, Any], changed: dict[str, tuple[str, str]], *, ip: str
    ) -> None:
        """A change in the directory, done by a person."""
        properties = [
            {"displayName": name, "oldValue": json.dumps(old), "newValue": json.dumps(new)} for name, (old, new) in changed.items()
        ]
        self._note("entra", time, {
            "id": f"Directory_{self._id('entra')}", "activityDateTime": utc(time), "activityDisplayName": activity, "result": "success",
            "category": "ApplicationManagement", "loggedByService": "Core Directory", "tenantId": TENANT,
            "initiatedBy": {"user": {"id": made_up(person), "userPrincipalName": person, "displayName": person, "ipAddress": ip}},
            "targetResources": [target | {"modifiedProperties": properties}],
            "additionalDetails": [{"key": "User-Agent", "value": BROWSER}],
        })  # fmt: skip

    def graph(self, time: float, name: str, path: str, *, ip: str) -> None:
        """A request of an application to Microsoft Graph."""
        self._note("entra", time, {
            "TimeGenerated": utc(time), "RequestId": self._id("entra"), "AppId": made_up(f"app {name}"),
            "ServicePrincipalId": made_up(f"principal {name}"), "RequestMethod": "GET", "RequestUri": f"https://graph.microsoft.com/v1.0{path}",
            "ResponseStatusCode": 200, "IPAddress": ip, "UserAgent": f"{name}/3.1", "TenantId": TENANT,
        })  # fmt: skip

    def mail(self, time: float, who: str, owner: str, operation: str, *, ip: str, application: str = "") -> None:
        """Something was done in a mailbox, by a person or, if one is named, by an application."""
        record = {
            "CreationTime": utc(time)[:-1], "Id": self._id("m365"), "Operation": operation, "OrganizationId": TENANT, "RecordType": 50,
            "ResultStatus": "Succeeded", "UserType": 0, "Workload": "Exchange", "UserId": who, "ClientIPAddress": ip,
            "ClientInfoString": f"Client=OWA;{BROWSER}", "MailboxOwnerUPN": owner,
        }  # fmt: skip
        if application:
            record |= {"UserType": 5, "ClientAppId": made_up(f"app {application}"), "ClientInfoString": "Client=REST;;"}
        self._note("m365", time, record)

    def vault(self, time: float, kind: str, credential: str, by: str, reason: str) -> None:
        """What the place that hands out keys says of one (docs/credentials.md has this format)."""
        self._note("vault", time, {"id": self._id("vault"), "time": utc(time), "kind": kind, "credential": credential, "by": by,
                                   "reason": reason})  # fmt: skip

    def write(self, folder: Path) -> int:
        """All of it, as it would be delivered: CloudTrail in compressed documents of a month, else a record a line. How many records."""
        for stream, noted in sorted(self._of.items()):
            records = [record for _, record in sorted(noted, key=lambda row: row[0])]
            if stream == "cloudtrail":
                months: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
                for record in records:
                    months[record["eventTime"][:7]].append(record)
                (folder / stream).mkdir(parents=True)
                for month, its in months.items():
                    (folder / stream / f"{month}.json.gz").write_bytes(gzip.compress(json.dumps({"Records": its}).encode(), mtime=0))
                continue
            path = folder / f"{stream}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        return sum(map(len, self._of.values()))
