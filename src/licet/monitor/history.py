"""The events of one identity in the order of time and uid, out of the inventory, in memory that does not grow with their number."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from heapq import merge

from licet.events import LifecycleEvent
from licet.inventory.rows import lifecycle_of
from licet.inventory.store import Inventory
from licet.monitor.fold import Item, merged

_PAGE = 1_000
_MINE = "(SELECT uid FROM credentials WHERE identity=?1)"
_BOUND = f"(SELECT workload FROM lifecycle WHERE credential IN {_MINE} AND workload<>'')"  # noqa: S608 - texts of our own
_OTHERS = (
    f"SELECT body FROM lifecycle WHERE (credential IN {_MINE} OR supersedes IN {_MINE} OR workload IN {_BOUND}) AND identity<>?1"  # noqa: S608 - texts of our own
    " AND time>?2 ORDER BY time, uid"
)
_OWN = "SELECT body, time, uid FROM lifecycle WHERE identity=?1 AND (time, uid)>(?2, ?3) ORDER BY time, uid LIMIT ?4"


def history(inventory: Inventory, identity: str, after: float = -math.inf) -> Iterator[Item]:
    """All that an identity did, and that happened to it and its credentials, later than `after` (seconds since the epoch)."""
    return merged(inventory.uses(identity, math.nextafter(after, math.inf)), _lifecycle(inventory, identity, after))


def _lifecycle(inventory: Inventory, identity: str, after: float) -> Iterable[LifecycleEvent]:
    # What names the identity can be very much (each session of a role is one); what names only its credentials is little.
    others = [lifecycle_of(body) for (body,) in inventory.rows(_OTHERS, (identity, after))]
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
