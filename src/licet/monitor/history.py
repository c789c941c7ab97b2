"""The events of one identity in the order of time and uid, out of the inventory, in memory that does not grow with their number."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from heapq import merge
from typing import Final

from licet.events import LifecycleEvent
from licet.inventory.faces import sure_face
from licet.inventory.rows import lifecycle_of
from licet.inventory.store import Inventory
from licet.monitor.fold import Item, merged

FACES: Final = (
    f"SELECT id, uid FROM identities WHERE same_as=?1 AND uid<>?1 AND {sure_face('identities')}"  # noqa: S608 - our own words
    f" AND (SELECT NOT {sure_face('whole')} FROM identities AS whole WHERE uid=?1) ORDER BY uid"
)
"""The other names of one that stands for itself."""

_PAGE = 1_000
# Of credentials that it ever used, that are named with it, or that were declared its own; and the beginnings and ends of workloads, from
# when one of these was bound there, or it ran there. What else happened in a workload happened to others who share it, and what was before
# is another's. So what a binding or a use brings with it is never earlier than that itself, by which the identity is marked.
_OTHERS = (
    "WITH mine (credential) AS (SELECT credentials.uid FROM credentials WHERE identity=?1"
    " UNION SELECT credentials.uid FROM holders JOIN identities ON identities.id=subject JOIN credentials"
    " ON credentials.id=holders.credential WHERE identities.uid=?1"
    " UNION SELECT credential FROM lifecycle WHERE identity=?1 AND credential<>''"
    " UNION SELECT supersedes FROM lifecycle WHERE identity=?1 AND supersedes<>'')"
    ", there (workload, since) AS (SELECT workload, time FROM lifecycle WHERE credential IN mine AND workload<>''"
    " UNION ALL SELECT workload, first FROM ran JOIN identities ON identities.id=subject WHERE identities.uid=?1)"
    ", since (workload, time) AS (SELECT workload, min(since) FROM there GROUP BY workload)"
    " SELECT body, time, uid FROM lifecycle WHERE (credential IN mine OR supersedes IN mine) AND identity<>?1 AND time>?2"
    " UNION SELECT body, lifecycle.time, uid FROM since CROSS JOIN lifecycle ON lifecycle.workload=since.workload"
    " WHERE kind IN ('job_started', 'job_ended') AND identity<>?1 AND lifecycle.time>=since.time AND lifecycle.time>?2"
    " ORDER BY 2, 3"
)
_OWN = "SELECT body, time, uid FROM lifecycle WHERE identity=?1 AND (time, uid)>(?2, ?3) ORDER BY time, uid LIMIT ?4"


def history(inventory: Inventory, identity: str, after: float = -math.inf) -> Iterator[Item]:
    """All that an identity did under all its names, and that happened to it and its credentials, later than `after` (seconds since the
    epoch). What concerns two of its names is told once.
    """
    names = faces(inventory, identity)
    if len(names) == 1:
        return _of_name(inventory, identity, after, names)
    return _once(merge(*(_of_name(inventory, name, after, names) for name in names), key=lambda each: (each.time, each.uid)))


def faces(inventory: Inventory, identity: str) -> list[str]:
    """All names of an identity, its own first."""
    return [identity, *(uid for _, uid in inventory.rows(FACES, (identity,)))]


def _once(items: Iterable[Item]) -> Iterator[Item]:
    before = ""
    for item in items:
        if (uid := item.uid) != before:
            yield item
        before = uid


def _of_name(inventory: Inventory, name: str, after: float, names: Collection[str]) -> Iterator[Item]:
    return merged(inventory.uses(name, math.nextafter(after, math.inf)), _lifecycle(inventory, name, after, names))


def _lifecycle(inventory: Inventory, identity: str, after: float, names: Collection[str]) -> Iterable[LifecycleEvent]:
    # What names the identity can be very much (each session of a role is one); what names only its credentials is little.
    # It stands in the history of everybody who has the credential, but as what happened to whom it names only in that one's.
    found = (lifecycle_of(body) for body, _, _ in inventory.rows(_OTHERS, (identity, after)))
    others = [each if not each.identity or each.identity in names else each._replace(identity="") for each in found]
    own = _own(inventory, identity, after)
    return merge(own, others, key=lambda each: (each.time, each.uid)) if others else own


def _own(inventory: Inventory, identity: str, after: float) -> Iterator[LifecycleEvent]:
    time, last = math.nextafter(after, math.inf), ""
    while True:
        page = inventory.rows(_OWN, (identity, time, last, _PAGE))
        for body, _, _ in page:
            yield lifecycle_of(body)
        if len(page) < _PAGE:
            return
        _, time, last = page[-1]
