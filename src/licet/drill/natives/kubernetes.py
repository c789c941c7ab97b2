"""Audit events of a Kubernetes API server, audit.k8s.io/v1 (kubernetes.io/docs/reference/config-api/apiserver-audit.v1).

At level `Metadata`, as most clusters log; what grants something at `RequestResponse`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from licet.drill.scenario import Record, line
from licet.drill.stage import Stage, micros

_EXTRA = "authentication.kubernetes.io/"
_DONE = {"create": 201}
_KUBELET = "kubelet/v1.31.2 (linux/amd64) kubernetes/4a22ba1"


class Account(NamedTuple):
    """A service account in a pod. `uid` is the name that it acts by; `number` what the cluster numbers it with."""

    cluster: str
    namespace: str
    name: str
    number: str
    pod: str
    pod_number: str
    node: str
    network: str
    program: str

    @property
    def uid(self) -> str:
        """`system:serviceaccount:NAMESPACE:NAME`."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    @property
    def groups(self) -> list[str]:
        """Of which it is by what it is."""
        return ["system:serviceaccounts", f"system:serviceaccounts:{self.namespace}", "system:authenticated"]


def account(stage: Stage) -> Account:
    """A service account, drawn, or the real one that the stage has."""
    actor = stage.actor
    if actor is not None and actor.uid.startswith("system:serviceaccount:") and actor.uid.count(":") == 3:
        cluster, (namespace, name) = actor.account, actor.uid.split(":")[2:]
    else:
        cluster, namespace, name = cluster_name(stage), stage.name(), stage.name()
    network = stage.home()
    return Account(
        cluster, namespace, name, stage.uuid(), pod(stage, name), stage.uuid(),
        f"ip-{stage.at_home(network).replace('.', '-')}.eu-west-1.compute.internal", network,
        f"{stage.name().rpartition('-')[0]}/v{stage.rng.randrange(1, 4)}.{stage.rng.randrange(30)}.{stage.rng.randrange(9)} (linux/amd64)"
        f" kubernetes/{stage.rng.getrandbits(28):07x}",
    )  # fmt: skip


def cluster_name(stage: Stage) -> str:
    """What a cluster is called."""
    return f"eks-{stage.name()}"


def pod(stage: Stage, name: str) -> str:
    """What a pod of a deployment is called."""
    return f"{name}-{stage.letters(10, 'bcdfghjklmnpqrstvwxz2456789')}-{stage.letters(5, 'bcdfghjklmnpqrstvwxz2456789')}"


def jti(stage: Stage) -> str:
    """The id of a token, as the API server writes it."""
    return f"JTI={stage.uuid()}"


def called(
    stage: Stage, who: Account, time: float, operation: str, credential: str, *, name: str = "", namespace: str = "", cluster: str = "",
    address: str = "", program: str = "", denied: bool = False, body: Mapping[str, Any] | None = None, live: bool = False,
) -> tuple[Record, str]:  # fmt: skip
    """A request of a service account with the token of its pod, and the record's id.

    Args:
        operation: `group:verb/kinds`, where the group of `/api/v1` is `core`.
        credential: as `jti` gives it.
        name, namespace: of what it is about, if that is another namespace than its own; `-`: of none.
        cluster: where it was done, if elsewhere.
        body: the object that was sent and stored.
    """
    user = {
        "username": who.uid, "uid": who.number, "groups": who.groups,
        "extra": {
            f"{_EXTRA}credential-id": [credential], f"{_EXTRA}node-name": [who.node], f"{_EXTRA}pod-name": [who.pod],
            f"{_EXTRA}pod-uid": [who.pod_number],
        },
    }  # fmt: skip
    return _event(
        stage, time, user, operation, address or stage.at_home(who.network), program or who.program, name=name,
        namespace="" if namespace == "-" else namespace or who.namespace, cluster=cluster or who.cluster, denied=denied, body=body,
        live=live,
    )  # fmt: skip


def by_hand(
    stage: Stage, person: str, time: float, operation: str, *, name: str = "", namespace: str = "", cluster: str, denied: bool = False,
    body: Mapping[str, Any] | None = None, live: bool = False,
) -> tuple[Record, str]:  # fmt: skip
    """A request of a person, who came in by an identity provider, and the record's id."""
    user = {"username": person, "groups": ["platform-team", "system:authenticated"]}
    program = f"kubectl/v1.{stage.rng.randrange(28, 34)}.{stage.rng.randrange(6)} (darwin/arm64) kubernetes/{stage.rng.getrandbits(28):07x}"
    return _event(
        stage, time, user, operation, stage.at_home(stage.home()), program, name=name, namespace=namespace, cluster=cluster, denied=denied,
        body=body, live=live,
    )  # fmt: skip


def by_nobody(
    stage: Stage, time: float, operation: str, *, name: str = "", namespace: str, cluster: str, address: str = "", denied: bool = False,
    live: bool = False,
) -> tuple[Record, str]:  # fmt: skip
    """A request of somebody who did not say who he is, and the record's id."""
    user = {"username": "system:anonymous", "groups": ["system:unauthenticated"]}
    return _event(
        stage, time, user, operation, address or stage.stranger(), stage.strange_program(), name=name, namespace=namespace,
        cluster=cluster, denied=denied, live=live,
    )  # fmt: skip


def person(stage: Stage) -> str:
    """What a person is called by the identity provider."""
    return f"{stage.letters(1, 'abcdefghijklmnoprstuvw')}.{stage.letters(7, 'aeiourstlnm')}@{stage.name().rpartition('-')[0]}.example"


def token(stage: Stage, who: Account, time: float, credential: str) -> tuple[Record, str]:
    """The node asks for the token of a pod; the answer's id stands in the annotation."""
    user = {"username": f"system:node:{who.node}", "groups": ["system:nodes", "system:authenticated"]}
    return _event(
        stage, time, user, "core:create/serviceaccounts/token", stage.at_home(who.network), _KUBELET, name=who.name,
        namespace=who.namespace, cluster=who.cluster, notes={f"{_EXTRA}issued-credential-id": credential},
    )  # fmt: skip


def admin_binding(who: Account) -> dict[str, Any]:
    """A ClusterRoleBinding that gives a service account everything."""
    return {
        "kind": "ClusterRoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": f"{who.name}-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": who.name, "namespace": who.namespace}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    }  # fmt: skip


def _event(  # noqa: PLR0917
    stage: Stage, time: float, user: Mapping[str, Any], operation: str, address: str, program: str, *, name: str, namespace: str,
    cluster: str, denied: bool = False, body: Mapping[str, Any] | None = None, notes: Mapping[str, str] | None = None, live: bool = False,
) -> tuple[Record, str]:  # fmt: skip
    group, _, rest = operation.partition(":")
    verb, _, path = rest.partition("/")
    kind, _, sub = path.partition("/")
    native = stage.uuid()
    code = 403 if denied else _DONE.get(verb, 200)
    status: dict[str, Any] = {"metadata": {}, "code": code}
    if denied:
        status |= {"status": "Failure", "reason": "Forbidden", "message": f'{kind} is forbidden: User "{user["username"]}" cannot {verb}'}
    space = "" if kind.startswith("cluster") else namespace
    about = {"namespace": space, "name": name, "apiGroup": "" if group == "core" else group, "subresource": sub}
    uri = "/".join(part for part in (
        "/api/v1" if group == "core" else f"/apis/{group}/v1", f"namespaces/{space}" if space else "", kind,
        name if verb != "create" or sub else "", sub,
    ) if part)  # fmt: skip
    reason = "" if denied else f'RBAC: allowed by RoleBinding "{name or kind}/{space}" of Role "{kind}"'
    record: dict[str, Any] = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse" if body else "Metadata", "auditID": native,
        "stage": "ResponseComplete", "requestURI": uri, "verb": verb, "user": user, "sourceIPs": [address], "userAgent": program,
        "objectRef": {"resource": kind, "apiVersion": "v1", **{key: value for key, value in about.items() if value}},
        "responseStatus": status,
    }  # fmt: skip
    if body:
        record["requestObject"] = body
        if not denied:
            record["responseObject"] = body
    record |= {
        "requestReceivedTimestamp": micros(time), "stageTimestamp": micros(time + 0.002 + stage.rng.random() / 50),
        "annotations": {
            "authorization.k8s.io/decision": "forbid" if denied else "allow", "authorization.k8s.io/reason": reason, **(notes or {}),
        },
    }  # fmt: skip
    return Record("kubernetes", line(record), time, cluster, live), native
