"""Who is who in a cluster: the uids of users, service accounts and pods, and whether a record bears out the name that it shows.

A pod is of one cluster, which is in its uid where it is known: the same names stand in others, and what ends there ends nothing here.
A user's name is whatever a certificate says. Only the API server's own authenticators put the groups beside it that service accounts,
nodes and the server itself have; without them, such a name is somebody else's.
Source: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/ and .../authentication/, .../node/
"""

from __future__ import annotations

from typing import Final

from licet.ingest.fields import raw_in, uid_of
from licet.ingest.recognised import Place, Record, Unreadable, part

AWS_KEY: Final = "accessKeyId"
"""EKS tells the access key with which somebody came in: the same that CloudTrail shows."""
CREDENTIAL_ID: Final = "authentication.kubernetes.io/credential-id"
CERTIFICATE: Final = "X509SHA256="
"""What the id of a certificate begins with."""
ACCOUNT: Final = "system:serviceaccount:"
NODE: Final = "system:node:"
_SERVER: Final = "system:apiserver"
_GROUPS: Final = ((ACCOUNT, "system:serviceaccounts"), (NODE, "system:nodes"), (_SERVER, "system:masters"))
"""What each name begins with, and the group that who is called so has."""


def pod(namespace: str, name: str, place: Place) -> str:
    """The uid of a pod as a workload, by its names as they stand in the record."""
    return uid_of(f"pod:{in_cluster(f'{namespace}/{name}', place)}", place)


def in_cluster(name: str, place: Place) -> str:
    """A name that other clusters have too, with the cluster if that is known."""
    return f"{place.account}/{name}" if place.account else name


def account_uid(namespace: str, name: str, place: Place) -> str:
    """The name that a service account acts by; empty without one."""
    return uid_of(f"{ACCOUNT}{namespace}:{name}", place) if name else ""


def user_uid(name: str, record: Record, place: Place) -> str:
    """The uid of a user that is spoken of, by its name in this cluster; empty for an empty one."""
    if not name or name.startswith("system:"):
        return uid_of(name, place)
    is_aws = name.startswith("arn:aws") and part(part(record, "user"), "extra").get(AWS_KEY)
    return uid_of(name if is_aws else f"k8s:{name}", place)


def acting_uid(record: Record, place: Place) -> str:
    """The uid of who authenticated; empty if nobody did.

    Raises:
        Unreadable: the record's `user` is not as users are.
    """
    user = part(record, "user")
    name = raw_in(user, "username")
    return user_uid(name, record, place) if _is_borne_out(name, user) else uid_of(f"k8s:{name}", place)


def _is_borne_out(name: str, user: Record) -> bool:
    """Whether who is called so has the group that belongs to the name. A record that has no groups at all says nothing of it."""
    wanted = next((group for begin, group in _GROUPS if name.startswith(begin)), "")
    if not wanted:
        return True
    shown = part(user, "extra").get(CREDENTIAL_ID)
    if name.startswith(ACCOUNT) and isinstance(shown, list) and any(str(each).startswith(CERTIFICATE) for each in shown):
        return False  # service accounts have tokens
    groups = user.get("groups")
    if groups is None:
        return True
    if not isinstance(groups, list):
        raise Unreadable("is no list of texts", "user.groups")
    return wanted in groups
