"""Kubernetes audit events (audit.k8s.io/v1), at the level `Metadata`, and `RequestResponse` for RBAC."""

from __future__ import annotations

import random
from typing import Any

from benchmarks.identity_year.actors import Act, Emitted
from benchmarks.identity_year.drawn import micros, uuid

CODES = {"get": 200, "list": 200, "watch": 200, "create": 201, "update": 200, "patch": 200, "delete": 200}


def stream_of(cluster: str) -> str:
    return f"kubernetes/{cluster}"


def record(act: Act, rng: random.Random) -> Emitted:
    group, operation = act.operation
    verb, _, path = operation.partition("/")
    resource, _, sub = path.partition("/")
    about = act.actor.about
    namespace = act.target.partition("/")[0] if "/" in act.target else about.get("namespace", "")
    if resource.startswith("cluster"):
        namespace = ""
    named = act.target.rpartition("/")[2] or (f"{about.get('store', 'app')}-{rng.randrange(9)}" if verb not in ("list", "watch") else "")
    base = "/api/v1" if group == "core" else f"/apis/{group}/v1"
    uri = (
        base
        + (f"/namespaces/{namespace}" if namespace else "")
        + f"/{resource}"
        + (f"/{named}" if named else "")
        + (f"/{sub}" if sub else "")
    )
    user: dict[str, Any] = {"username": act.actor.uid}
    if act.actor.uid.startswith("system:serviceaccount:"):
        user["uid"] = about["uid"]
        user["groups"] = ["system:serviceaccounts", f"system:serviceaccounts:{act.actor.about['namespace']}", "system:authenticated"]
    else:
        user["groups"] = ["system:masters", "system:authenticated"] if act.interactive else ["system:authenticated"]
    extra: dict[str, list[str]] = {}
    if act.credential:
        extra["authentication.kubernetes.io/credential-id"] = [f"JTI={act.credential}"]
    if act.session:
        extra["authentication.kubernetes.io/pod-name"] = [act.session]
        extra["authentication.kubernetes.io/pod-uid"] = [act.workload]
        extra["authentication.kubernetes.io/node-name"] = [f"ip-{act.ip.replace('.', '-')}.eu-west-1.compute.internal"]
    if extra:
        user["extra"] = extra
    denied = act.outcome == "denied"
    native = uuid(rng)
    status: dict[str, Any] = {"metadata": {}, "code": 403 if denied else CODES.get(verb, 200)}
    if denied:
        status.update(
            status="Failure", reason="Forbidden", message=f'{resource} is forbidden: User "{act.actor.uid}" cannot {verb} resource'
        )
    parts = {"namespace": namespace, "name": named, "apiGroup": "" if group == "core" else group, "subresource": sub}
    reference = {"resource": resource, "apiVersion": "v1", **{key: value for key, value in parts.items() if value}}
    body: dict[str, Any] = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse" if act.parameters else "Metadata", "auditID": native,
        "stage": "ResponseComplete", "requestURI": uri, "verb": verb, "user": user, "sourceIPs": [act.ip], "userAgent": act.agent,
        "objectRef": reference, "responseStatus": status,
    }  # fmt: skip
    if act.parameters:
        body["requestObject"] = act.parameters
        if not denied:
            body["responseObject"] = act.parameters
    body["requestReceivedTimestamp"] = micros(act.time)
    body["stageTimestamp"] = micros(act.time + rng.random() / 50)
    body["annotations"] = {
        "authorization.k8s.io/decision": "forbid" if denied else "allow",
        "authorization.k8s.io/reason": ""
        if denied
        else f'RBAC: allowed by RoleBinding "{act.actor.name}/{namespace}" of Role "{act.actor.name}"',
    }
    body["annotations"].update(act.response or {})
    return Emitted(act.time, stream_of(act.account or act.actor.account), native, body)


def token(act: Act, rng: random.Random, node: str) -> Emitted:
    """The kubelet asks for a pod's token; the answer's id stands in the annotation."""
    native = uuid(rng)
    account = act.actor
    namespace = account.about["namespace"]
    body = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": native, "stage": "ResponseComplete",
        "requestURI": f"/api/v1/namespaces/{namespace}/serviceaccounts/{account.name}/token", "verb": "create",
        "user": {"username": f"system:node:{node}", "groups": ["system:nodes", "system:authenticated"]}, "sourceIPs": [act.ip],
        "userAgent": "kubelet/v1.31.2 (linux/amd64) kubernetes/4a22ba1",
        "objectRef": {"resource": "serviceaccounts", "namespace": namespace, "name": account.name, "apiVersion": "v1",
        "subresource": "token"},
        "responseStatus": {"metadata": {}, "code": 201}, "requestReceivedTimestamp": micros(act.time),
        "stageTimestamp": micros(act.time + 0.01),
        "annotations": {
            "authentication.kubernetes.io/issued-credential-id": f"JTI={act.credential}", "authorization.k8s.io/decision": "allow",
            "authorization.k8s.io/reason": "",
        },
    }  # fmt: skip
    return Emitted(act.time, stream_of(account.account), native, body)
