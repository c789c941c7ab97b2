"""Which permissions an identity has used: the used side of granted against used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from licet.events import UseEvent

Permissions = dict[str, set[tuple[str, str]]]
"""For each identity, places and operations. A place is the account, and in Kubernetes `account/namespace` for what is in one; without
`--account`, the namespace alone."""

_READS: Final = ("get", "list", "watch")


def used_permissions(events: Iterable[UseEvent]) -> Permissions:
    """What each identity has used with success. What was denied or failed used no permission.

    Where one identity acted as another (Kubernetes' impersonation), the other's permissions were used, and of its own the one to
    impersonate.
    """
    return _collected(event for event in events if event.outcome == "success")


def needed_permissions(events: Iterable[UseEvent]) -> Permissions:
    """What each identity would need for all that it tried, denied or not: the basis of a first role for it.

    In Kubernetes, who reads a kind needs `get`, `list` and `watch` of it, as clients that cache do all three; audit2rbac does the same.
    """
    found = _collected(events)
    for permissions in found.values():
        permissions |= {wider for place, operation in permissions for wider in _read_together(place, operation)}
    return found


def _collected(events: Iterable[UseEvent]) -> Permissions:
    found: Permissions = {}
    for event in events:
        for who, place, operation in _of(event):
            found.setdefault(who, set()).add((place, operation))
    return found


def _of(event: UseEvent) -> Iterator[tuple[str, str, str]]:
    if event.source != "kubernetes":
        yield event.identity, event.account, event.operation
        return
    who, place = event.identity, event.account
    if event.on_behalf_of:
        acted_as = event.on_behalf_of[-1]
        kind = "serviceaccounts" if acted_as.startswith("system:serviceaccount:") else "users"
        yield who, place, f"core:impersonate/{kind}"
        who = acted_as
    first, _, rest = event.resource.partition("/")
    if first == "namespaces" and rest:
        place = "/".join(filter(None, (place, rest.partition("/")[0])))
    yield who, place, event.operation


def _read_together(place: str, operation: str) -> Iterator[tuple[str, str]]:
    group, _, rest = operation.partition(":")
    verb, slash, kind = rest.partition("/")
    if verb in _READS and slash and group != "nonresource":
        yield from ((place, f"{group}:{other}/{kind}") for other in _READS)
