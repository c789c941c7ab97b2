"""What an audit event of Kubernetes says of credentials, identities, grants and pods that it changes.

Who was granted something stands in the request's body, which the log has from level Request on; issued tokens and ended pods are in it at
level Metadata too. What is deleted as a collection is named by the answer only (level RequestResponse).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import parse_qsl

from licet.events import AccessLevel, LifecycleEvent, LifecycleKind, UseEvent
from licet.ingest.fields import clean, name_in, parts, raw_in, time_of, uid_of
from licet.ingest.forms import told_of
from licet.ingest.kubernetes_names import account_uid, in_cluster, pod, user_uid
from licet.ingest.recognised import Place, Record, Unreadable, part, text

_ISSUED_ID: Final = "authentication.kubernetes.io/issued-credential-id"
_ACCOUNT_OF_SECRET: Final = "kubernetes.io/service-account.name"  # noqa: S105 - the annotation's name
_TOKEN_SECRET: Final = "kubernetes.io/service-account-token"  # noqa: S105 - the type's name
_DELETES: Final = ("delete", "deletecollection")
_VERBS: Final = ("create", "update", "patch", *_DELETES)
_DRY: Final = "All"
_BAD_ESCAPE: Final = re.compile("%(?![0-9A-Fa-f]{2})")
_LEVELS: Final[dict[str, AccessLevel]] = {"cluster-admin": "admin", "admin": "admin", "edit": "write", "view": "read"}
"""The roles that each cluster has (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#user-facing-roles)."""


def changes(record: Record, use: UseEvent, place: Place) -> tuple[tuple[LifecycleEvent, ...], tuple[tuple[str, str], ...]]:
    """What the request changed, or was to change: a denied one is there too, and its `outcome` says so. A dry run changes nothing.

    With it, cause and key of what is not as its kind has it. A client writes bodies as it likes: the use is one whatever they hold.
    """
    find = _OF.get(use.resource_kind)
    if find is None or _verb(use) not in _VERBS:
        return (), ()
    found: list[LifecycleEvent] = []
    refused: tuple[tuple[str, str], ...] = ()
    try:
        if not _is_dry(record, use):
            for one, of in _each(record, use):
                found.extend(find(one, of, place))  # what was found before something is wrong stays
    except Unreadable as error:
        refused = ((error.cause, error.key),)
    return tuple(
        event._replace(native_id=f"{use.native_id}#{number}") if number > 1 else event for number, event in enumerate(found, 1)
    ), refused


def _each(record: Record, use: UseEvent) -> Iterator[tuple[Record, UseEvent]]:
    """Each thing that a request is about, as a request of its own. Which ones `deletecollection` deleted, the answer alone tells."""
    if _verb(use) != "deletecollection":
        yield record, use
        return
    answer = record.get("responseObject")
    of = use._replace(operation=use.operation.replace(":deletecollection/", ":delete/", 1))
    for item in parts(answer, "items") if isinstance(answer, dict) else ():
        about = part(item, "metadata")
        target = {**part(record, "objectRef"), "name": about.get("name")}
        if about.get("namespace") is not None:
            target["namespace"] = about["namespace"]
        yield {**record, "objectRef": target, "responseObject": item, "requestObject": None}, of


def _is_dry(record: Record, use: UseEvent) -> bool:
    """Whether the server was told to change nothing; what leaves a doubt is a change. A token is issued by a dry run too.

    Who deletes has the options in a body, if there is one, and then those of the address do not count; a log that holds no body does not
    tell that there was none. Of an address Go leaves out what has a bad escape or a `;`, and so another server may see it otherwise.
    """
    if use.resource_kind == "serviceaccounts/token":
        return False
    if _verb(use) in _DELETES:
        body = record.get("requestObject")
        return isinstance(body, dict) and body.get("dryRun") == [_DRY]
    query = text(record, "requestURI").partition("?")[2]
    if ";" in query or _BAD_ESCAPE.search(query) is not None:
        return False
    return [value for key, value in parse_qsl(query, keep_blank_values=True) if key == "dryRun"] == [_DRY]


def _event(use: UseEvent, kind: LifecycleKind, **fields: Any) -> LifecycleEvent:
    event = LifecycleEvent(use.source, use.native_id, use.time, kind, by=use.identity, account=use.account, outcome=use.outcome)
    return event._replace(**fields)


def _verb(use: UseEvent) -> str:
    return use.operation.partition(":")[2].partition("/")[0]


def _body(record: Record, key: str) -> Record:
    """The object that was stored, if the log has it, else the one that was sent; a patch may be a list, and then there is none."""
    for body in ("responseObject", "requestObject"):
        found = record.get(body)
        if isinstance(found, dict) and found.get(key) is not None:
            return found
    return {}


def _target(record: Record) -> tuple[Record, str]:
    """What the request is about, and its name as it stands there: where the request had none, it is in what was stored."""
    target = part(record, "objectRef")
    return target, raw_in(target, "name") or raw_in(part(_body(record, "metadata"), "metadata"), "name")


def _token(record: Record, use: UseEvent, place: Place) -> Iterator[LifecycleEvent]:
    if _verb(use) != "create":
        return
    target = part(record, "objectRef")
    namespace = raw_in(target, "namespace")
    account = account_uid(namespace, raw_in(target, "name"), place)
    shown = text(part(record, "annotations"), _ISSUED_ID)
    credential = told_of(use.source, shown, place.fingerprint)
    spec = part(_body(record, "spec"), "spec")
    bound = part(spec, "boundObjectRef")
    workload = pod(namespace, raw_in(bound, "name"), place) if bound.get("kind") == "Pod" and bound.get("name") else ""
    expires = _expires(record, spec, use.time)
    kind = "service_account_token"
    yield _event(use, "issued", identity=account, credential=credential, credential_kind=kind, workload=workload, expires=expires)
    if workload and credential:
        yield _event(use, "bound", identity=account, credential=credential, credential_kind=kind, workload=workload)


def _expires(record: Record, spec: Record, issued: float) -> float:
    """When the token ends: as it was issued, else as it was asked for."""
    ends = part(_body(record, "status"), "status").get("expirationTimestamp")
    if ends is not None:
        return time_of(ends, "responseObject.status.expirationTimestamp")
    seconds = spec.get("expirationSeconds")
    if seconds is None:
        return 0.0
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 < seconds < 2**32:
        raise Unreadable("is no number of seconds", "requestObject.spec.expirationSeconds")
    return issued + seconds


def _pod(record: Record, use: UseEvent, place: Place) -> Iterator[LifecycleEvent]:
    target, name = _target(record)
    if not name:
        return  # a name that the server makes up is not in the log of the creation at level Metadata
    workload = pod(raw_in(target, "namespace"), name, place)
    verb = _verb(use)
    if verb == "delete":
        yield _event(use, "job_ended", workload=workload)
    elif verb == "create":
        account = raw_in(part(_body(record, "spec"), "spec"), "serviceAccountName")
        identity = account_uid(raw_in(target, "namespace"), account, place)
        yield _event(use, "job_started", workload=workload, identity=identity)


def _account(record: Record, use: UseEvent, place: Place) -> Iterator[LifecycleEvent]:
    target, name = _target(record)
    if name and _verb(use) in ("create", "delete"):
        kind: LifecycleKind = "created" if _verb(use) == "create" else "deleted"
        yield _event(use, kind, identity=account_uid(raw_in(target, "namespace"), name, place))


def _secret(record: Record, use: UseEvent, place: Place) -> Iterator[LifecycleEvent]:
    """A secret that holds a token for good. Nothing of it but names is looked at."""
    body = _body(record, "type")
    if body.get("type") != _TOKEN_SECRET or _verb(use) not in ("create", "delete"):
        return
    target, name = _target(record)
    namespace = raw_in(target, "namespace")
    account = raw_in(part(part(body, "metadata"), "annotations"), _ACCOUNT_OF_SECRET)
    kind: LifecycleKind = "issued" if _verb(use) == "create" else "revoked"
    yield _event(
        use, kind, identity=account_uid(namespace, account, place),
        credential=place.fingerprint(f"secret:{in_cluster(f'{namespace}/{name}', place)}"), credential_kind="service_account_secret",
        reason="a token in a secret, which does not expire",
    )  # fmt: skip


def _binding(record: Record, use: UseEvent, place: Place) -> Iterator[LifecycleEvent]:
    body = _body(record, "subjects")
    role = part(body, "roleRef") or part(_body(record, "roleRef"), "roleRef")
    privilege = name_in(role, "name")
    kind: LifecycleKind = "ungranted" if _verb(use) == "delete" else "granted"
    access = _LEVELS.get(privilege, "admin" if "*" in privilege or privilege.startswith("system:controller:") else "")
    for subject in parts(body, "subjects"):
        yield _event(use, kind, identity=_subject(subject, record, place), privilege=privilege, access=access, reason=use.resource)


def _subject(subject: Record, record: Record, place: Place) -> str:
    kind, name = subject.get("kind"), raw_in(subject, "name")
    if kind == "ServiceAccount":
        return account_uid(raw_in(subject, "namespace"), name, place)
    return uid_of(f"group:{name}", place) if kind == "Group" else user_uid(name, record, place)


def _role(record: Record, use: UseEvent, place: Place) -> Iterator[LifecycleEvent]:
    """A role that is given everything: granted to the role, as the log does not say who has it."""
    if _verb(use) == "delete":
        return
    body = _body(record, "rules")
    target, name = _target(record)
    space = raw_in(target, "namespace")
    for rule in parts(body, "rules"):
        verbs, kinds, groups = (_words(rule, key) for key in ("verbs", "resources", "apiGroups"))
        if kinds and ("*" in verbs or "*" in kinds):
            group = "*" if "*" in groups else (groups[0] if groups else "") or "core"
            privilege = f"{group}:{'*' if '*' in verbs else verbs[0] if verbs else ''}/{'*' if '*' in kinds else kinds[0]}"
            called = in_cluster(f"{space}/{name}" if space else name, place)
            identity = uid_of(f"{'role' if space else 'clusterrole'}:{called}", place)
            yield _event(use, "granted", identity=identity, privilege=privilege, access="admin", reason=use.resource)


def _words(rule: Record, key: str) -> list[str]:
    found = rule.get(key)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        raise Unreadable("is no list of texts", f"rules.{key}")
    return [clean(word) for word in found]


_OF: Final[dict[str, Callable[[Record, UseEvent, Place], Iterator[LifecycleEvent]]]] = {
    "serviceaccounts/token": _token,
    "pods": _pod,
    "serviceaccounts": _account,
    "secrets": _secret,
    "rolebindings": _binding,
    "clusterrolebindings": _binding,
    "roles": _role,
    "clusterroles": _role,
}
