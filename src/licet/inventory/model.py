"""Owner, identity, workload, credential, grant, environment: what the inventory holds of each. Frozen; empty is not known.

The model is that of OCSF 1.8's user, `programmatic_credential` and `ai_agent` as far as it goes. Times are seconds since the epoch,
0 where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from licet.events import AccessLevel, IdentityKind

OwnerSource = Literal["confirmed", "manifest", "imported", "issuer", "creator", "tag"]
"""Where it is known from who owns something, the surest first: said by a person here, by the manifest, by an import, by whoever issued
the credential, by who created the identity, by a tag."""

CONFIDENCE: Mapping[OwnerSource, float] = {
    "confirmed": 1.0, "manifest": 1.0, "imported": 0.8, "issuer": 0.5, "creator": 0.4, "tag": 0.3,
}  # fmt: skip

MACHINES: Final = ("service_account", "role", "oauth_app", "bot", "ai_agent", "pipeline")
"""The kinds of identities that need an owner. A platform's own services and people do not; of what is not known, nothing is said."""

_CLUSTERS_OWN: Final = frozenset(f"system:serviceaccount:kube-system:{name}" for name in (
    "attachdetach-controller", "bootstrap-signer", "certificate-controller", "clusterrole-aggregation-controller",
    "cronjob-controller", "daemon-set-controller", "deployment-controller", "disruption-controller", "endpoint-controller",
    "endpointslice-controller", "endpointslicemirroring-controller", "ephemeral-volume-controller", "expand-controller",
    "generic-garbage-collector", "horizontal-pod-autoscaler", "job-controller", "legacy-service-account-token-cleaner",
    "namespace-controller", "node-controller", "persistent-volume-binder", "pod-garbage-collector", "pv-protection-controller",
    "pvc-protection-controller", "replicaset-controller", "replication-controller", "resource-claim-controller",
    "resourcequota-controller", "root-ca-cert-publisher", "route-controller", "selinux-warning-controller",
    "service-account-controller", "service-cidrs-controller", "service-controller", "statefulset-controller", "token-cleaner",
    "ttl-after-finished-controller", "ttl-controller", "validatingadmissionpolicy-status-controller",
    "volumeattributesclass-protection-controller",
))  # fmt: skip
"""The controllers of Kubernetes itself: those of `kube-controller-manager --use-service-account-credentials`, and no others of that
namespace. https://kubernetes.io/docs/reference/access-authn-authz/rbac/#controller-roles
"""

CredentialStatus = Literal["active", "suspended", "superseded", "revoked", "expired", "ended", "deleted", "unknown"]
IdentityStatus = Literal["active", "deleted", "unknown"]


def needs_owner(uid: str, kind: str) -> bool:
    """Whether somebody has to answer for an identity: a machine's, and not a part of the platform. They are watched like others."""
    return kind in MACHINES and uid not in _CLUSTERS_OWN


@dataclass(frozen=True, slots=True)
class Owner:
    """Who answers for an identity. `uid` is what it is called in the manifest or the import."""

    uid: str
    name: str = ""
    contact: str = ""
    kind: str = "team"


@dataclass(frozen=True, slots=True)
class Ownership:
    """That an owner answers for an identity: from where that is known, how surely (0 to 1), and when somebody confirmed it."""

    identity: str
    owner: str
    source: OwnerSource
    confidence: float
    time: float
    by: str = ""


@dataclass(frozen=True, slots=True)
class Declared:
    """What an identity or a credential is for, as somebody declared it. Empty: nothing was declared, so that nothing is outside.

    `uses` are patterns of `service:operation`, with `*` at their end only; `networks` CIDR; `regions` names.
    """

    environment: str = ""
    purpose: str = ""
    uses: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody or something that acts. `uid` as the source names it; `same_as` is the uid under which it stands, if it is another face
    of one identity, and `same_confidence` how sure that is.
    """

    uid: str
    kind: IdentityKind = "unknown"
    name: str = ""
    source: str = ""
    account: str = ""
    declared: Declared = field(default_factory=Declared)
    third_party: bool = False
    same_as: str = ""
    same_confidence: float = 0.0
    created: float = 0.0
    first_seen: float = 0.0
    last_seen: float = 0.0
    uses: int = 0
    status: IdentityStatus = "unknown"


@dataclass(frozen=True, slots=True)
class Credential:
    """What an identity authenticates with, by its keyed fingerprint (`uid`, `cred:` and hex); never its value.

    `shown` is what may be printed of the id that logs show (its last four characters), so that a person finds it elsewhere.
    """

    uid: str
    kind: str = ""
    identity: str = ""
    name: str = ""
    shown: str = ""
    declared: Declared = field(default_factory=Declared)
    generation: int = -1
    supersedes: str = ""
    issued_by: str = ""
    issued: float = 0.0
    expires: float = 0.0
    rotated: float = 0.0
    rotate_every: float = 0.0
    revoked: float = 0.0
    ended: float = 0.0
    workload: str = ""
    canary: bool = False
    first_seen: float = 0.0
    last_used: float = 0.0
    uses: int = 0
    status: CredentialStatus = "unknown"


@dataclass(frozen=True, slots=True)
class Grant:
    """A permission of an identity: `service:operation`, or the name of a role or policy. `last_used` and `uses` count successful uses."""

    identity: str
    privilege: str
    resource: str = ""
    environment: str = ""
    access: AccessLevel = ""
    granted_by: str = ""
    granted: float = 0.0
    removed: float = 0.0
    expires: float = 0.0
    last_used: float = 0.0
    uses: int = 0


@dataclass(frozen=True, slots=True)
class Workload:
    """Something that runs for a time, to which credentials can be bound."""

    uid: str
    identity: str = ""
    started: float = 0.0
    ended: float = 0.0


@dataclass(frozen=True, slots=True)
class Environment:
    """A set of accounts, clusters and organisations that belong together (`prod`)."""

    uid: str
    accounts: tuple[str, ...] = ()
