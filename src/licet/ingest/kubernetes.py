"""Audit events of a Kubernetes API server: audit.k8s.io/v1, from level Metadata on.

A user's name is whatever a certificate or an identity provider says, so it is `k8s:` and the name: it must not be the ARN or the agent of
another source. Names that begin with `system:` stay as they are where the record bears them out, and ARNs where EKS tells of the key.

Where a record tells who authenticated and for whom (impersonation), the first is the identity and the second `on_behalf_of`. Pods are
workloads by cluster, namespace and name, as the deletion of one is logged without its uid at level Metadata; the uid is the use's session.
Source: https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/ and .../reference/labels-annotations-taints/audit-annotations/
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Final

from licet.events import AccessLevel, IdentityKind, LifecycleEvent, UseEvent, UseOutcome
from licet.ingest.documents import Unfit, is_unread, without
from licet.ingest.fields import address_of, agent_of, clean, id_of, interactive_agent, name_in, network_of, parts, raw_in, time_of
from licet.ingest.kubernetes_changes import changes
from licet.ingest.kubernetes_names import ACCOUNT, AWS_KEY, CERTIFICATE, CREDENTIAL_ID, NODE, acting_uid, pod, user_uid
from licet.ingest.recognised import Place, Recognised, Record, Source, Unreadable, part, text, without_body

_TIMES: Final = ("requestReceivedTimestamp", "stageTimestamp", "timestamp")
_EXTRA: Final = "authentication.kubernetes.io/"
_STALE: Final = "authentication.k8s.io/stale-token"
_DECISION: Final = "authorization.k8s.io/decision"

_READS: Final = frozenset({"get", "list", "watch", "head", "options"})
_ADMIN_VERBS: Final = frozenset({"impersonate", "bind", "escalate", "approve", "sign"})
_ADMIN_GROUPS: Final = frozenset({"rbac.authorization.k8s.io", "certificates.k8s.io", "admissionregistration.k8s.io"})
_ADMIN_RESOURCES: Final = frozenset({
    "secrets", "pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers", "pods/proxy", "nodes/proxy", "services/proxy",
    "serviceaccounts/token",
})  # fmt: skip
"""Whatever the verb: with a WebSocket, `exec` is a `get`; who may watch secrets reads them."""
BODIES: Final = ("requestObject", "responseObject")
_PLATFORM: Final = frozenset({
    "system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy", "system:cloud-controller-manager",
})  # fmt: skip
"""Who is the platform itself, beside its nodes. Another name that begins with `system:` can stand in anybody's certificate.
https://kubernetes.io/docs/reference/access-authn-authz/rbac/#core-component-roles
"""
_ASKS: Final = frozenset({"authentication.k8s.io", "authorization.k8s.io"})
"""Reviews: created to ask something, which changes nothing."""


def read(record: Record, place: Place) -> Recognised:
    """One audit event, a list of them (`EventList`), or one in the envelope of Azure's diagnostic log."""
    listed = record.get("items")
    if listed is not None and record.get("kind") == "EventList":
        return _read_all(parts(record, "items"), place)
    if "auditID" not in record and "properties" in record:
        return read(_enveloped(record), place)
    stage = text(record, "stage")
    if stage == "RequestReceived":
        return Recognised(passed="before the response")
    if stage not in ("", "ResponseStarted", "ResponseComplete", "Panic"):
        raise Unreadable("is no stage", "stage")
    verb = name_in(record, "verb")
    if not verb:
        if "auditID" not in record and record.get("kind") != "Event":
            raise Unreadable("is no audit event of Kubernetes")
        raise Unreadable("is missing", "verb")
    identity = acting_uid(record, place)
    if not identity:
        if part(record, "responseStatus").get("code") == 401:
            return Recognised(passed="nobody was authenticated")
        raise Unreadable("is missing", "user.username")
    time = _time(record)
    native = id_of(text(record, "auditID"), record, place)
    # What has begun to be answered is in use: a watch or a session is complete in days, or never. Both stages tell of one use.
    stage = "ResponseComplete" if stage == "ResponseStarted" else stage
    use = _use(record, place, (f"{native}/{stage}" if stage else native, time, identity, verb))
    changed, refused = changes(record, use, place)
    found = Recognised((use,), _stale(record, use) + changed, refused=refused)
    return without_body(found) if refused or is_unread(record) else found


def _use(record: Record, place: Place, found: tuple[str, float, str, str]) -> UseEvent:
    native, time, identity, verb = found
    user = part(record, "user")
    target = part(record, "objectRef")
    if target:
        group = name_in(target, "apiGroup")
        kind = name_in(target, "resource")
        if sub := name_in(target, "subresource"):
            kind = f"{kind}/{sub}"
        operation = f"{group or 'core'}:{verb}/{kind}"
        resource = _resource(name_in(target, "namespace"), kind, name_in(target, "name"))
        access = access_of(group, verb, kind)
    else:
        kind, resource = "", clean(text(record, "requestURI").partition("?")[0])
        operation = f"nonresource:{verb}{'/'.join(resource.split('/', 3)[:3])}"
        access = "read" if verb in _READS else "write"
    ip = _first(record, "sourceIPs", -1)
    ip = address_of(ip) if ip else ""
    agent = text(record, "userAgent")
    credential, session, workload = "", "", ""
    if extra := part(user, "extra"):
        credential = _first(extra, CREDENTIAL_ID) or _first(extra, AWS_KEY)
        if running := _first(extra, f"{_EXTRA}pod-name"):
            workload = pod(_namespace_of(raw_in(user, "username")), running, place)
        session = clean(_first(extra, f"{_EXTRA}pod-uid") or _first(extra, "sessionName"))
    impersonated = record.get("impersonatedUser")
    on_behalf_of = (user_uid(raw_in(part(record, "impersonatedUser"), "username"), record, place),) if impersonated else ()
    outcome, error = _outcome(record)
    return UseEvent(
        "kubernetes", native, time, identity, operation, outcome, access,
        identity_kind=_kind_of(identity),
        identity_name=identity.rpartition(":")[2] if identity.startswith("system:") else identity.removeprefix("k8s:"),
        credential=place.fingerprint(credential) if credential else "",
        credential_kind=_credential_kind(credential),
        session=session,
        workload=workload,
        account=place.account,
        ip=ip,
        network=network_of(ip) if ip else "",
        agent=agent_of(agent) if agent else "",
        interactive=interactive_agent(agent) or (kind in ("pods/exec", "pods/attach") and "tty=true" in text(record, "requestURI")),
        resource=resource,
        resource_kind=kind,
        on_behalf_of=on_behalf_of,
        error=error,
    )  # fmt: skip


def _time(record: Record) -> float:
    key = _TIMES[0]
    if record.get(key) is None:  # the two others are those of older servers
        key = next((other for other in _TIMES if record.get(other) is not None), key)
    return time_of(record.get(key), key)


@lru_cache(8_192)
def access_of(group: str, verb: str, kind: str) -> AccessLevel:
    """What a verb on a kind (`pods`, `pods/exec`) of an API group lets somebody do."""
    if kind in _ADMIN_RESOURCES or verb in _ADMIN_VERBS:
        return "admin"
    if verb in _READS or group in _ASKS:
        return "read"
    return "admin" if group in _ADMIN_GROUPS or kind == "serviceaccounts" else "write"


def _outcome(record: Record) -> tuple[UseOutcome, str]:
    status = part(record, "responseStatus")
    code = status.get("code")
    if code is not None and (not isinstance(code, int) or isinstance(code, bool)):
        raise Unreadable("is no number", "responseStatus.code")
    error = name_in(status, "reason") or (str(code) if code is not None and code >= 400 else "")
    decision = part(record, "annotations").get(_DECISION)
    if decision == "forbid" or code in (401, 403):
        return "denied", error or "forbidden"
    if record.get("stage") == "Panic" or (code is not None and code >= 400):
        return "failed", error or "panic"
    return "success", ""


def _stale(record: Record, use: UseEvent) -> tuple[LifecycleEvent, ...]:
    """The API server says by itself that a token is older than it should be, and since when: it takes it for a while all the same."""
    said = text(part(record, "annotations"), _STALE)
    if not said or not use.credential:
        return ()
    seconds = said.rpartition(":")[2].strip()
    if not (seconds.isascii() and seconds.isdecimal() and len(seconds) < 10):
        return ()
    # The same is said at each use of the token, and is kept once.
    since, reason = float(int(use.time) - int(seconds)), "the API server calls the token stale: it should have been renewed by then"
    return (
        LifecycleEvent(
            "kubernetes", f"stale/{use.credential}/{since:.0f}", since, "expired", identity=use.identity, credential=use.credential,
            credential_kind=use.credential_kind, account=use.account, reason=reason,
        ),
    )  # fmt: skip


def _read_all(items: list[Record], place: Place) -> Recognised:
    if any("items" in item or "properties" in item for item in items):
        raise Unreadable("is a list in a list", "items")
    read_all = [read(item, place) for item in items]
    uses = tuple(use for found in read_all for use in found.uses)
    lifecycle = tuple(event for found in read_all for event in found.lifecycle)
    refused = tuple(wrong for found in read_all for wrong in found.refused)
    return Recognised(uses, lifecycle, "" if uses else "a list without a completed request", refused)


def _enveloped(record: Record) -> Record:
    inner = text(part(record, "properties"), "log")
    if not inner:
        raise Unreadable("is missing", "auditID")
    try:
        found = json.loads(inner)
    except (ValueError, RecursionError) as error:
        try:
            found = without(inner, BODIES)
        except Unfit:
            raise Unreadable("is no JSON", "properties.log") from error
    if not isinstance(found, dict) or "properties" in found:
        raise Unreadable("is no audit event", "properties.log")
    return found if any(found.get(key) for key in _TIMES) else {**found, "timestamp": record.get("time")}


def _resource(namespace: str, kind: str, name: str) -> str:
    path = f"namespaces/{namespace}/{kind}" if namespace and kind != "namespaces" else kind
    return f"{path}/{name}" if name else path


def _first(record: Record, key: str, at: int = 0) -> str:
    """The first text of a list, as `extra` has them; empty without one.

    Of `sourceIPs` the last (`at`: -1) is asked for: it is the other end of the connection, which the API server itself saw. All before it
    are what the client wrote into `X-Forwarded-For` and `X-Real-Ip`, and prove nothing. Behind a proxy it is the proxy's address.
    """
    found = record.get(key)
    if found is None or found == []:
        return ""
    one = found[at] if isinstance(found, list) else None
    if not isinstance(one, str):
        raise Unreadable("is no list of texts", key)
    return one


def _kind_of(identity: str) -> IdentityKind:
    if identity.startswith(ACCOUNT):
        return "service_account"
    return "service" if identity in _PLATFORM or identity.startswith(NODE) else "unknown"


def _credential_kind(credential: str) -> str:
    if not credential:
        return ""
    if credential.startswith(CERTIFICATE):
        return "client_certificate"
    if credential.startswith(("AKIA", "ASIA")):
        return "access_key" if credential.startswith("AKIA") else "temporary_key"
    return "service_account_token"


def _namespace_of(identity: str) -> str:
    return identity.split(":", 3)[2] if identity.startswith(ACCOUNT) and identity.count(":") >= 3 else ""


SOURCE: Final = Source("kubernetes", "Kubernetes audit", read, lag=300.0, records=("items",), bodies=BODIES)
"""`lag`: a webhook backend sends its batches at least every 30 seconds; log shippers need minutes."""
