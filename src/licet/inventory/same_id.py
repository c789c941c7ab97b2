"""Records with an id that stands there already: one that came twice, or another with an old id, as a client of Kubernetes can choose it.

What came twice says the same, though another export may lay it out in another way, or tell more beside it. Another record is kept: the
earlier one, by time and digest, has the id, and the other the id with `~` and the first digits of its digest. So it does not matter which
of the two came first.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Final

from licet.events import LifecycleEvent

_DIGITS: Final = 16
_KEPT: Final = "SELECT shape, credential, workload, ip, resource, digest FROM uses WHERE subject=? AND time=? AND uid=?"


def another_use(db: sqlite3.Connection, insert: str, values: tuple[Any, ...]) -> bool:
    """Keep a use whose subject, time and uid stand there already, if it is another one, by the statement `insert`. Whether it was kept.

    `values`: its row.
    """
    subject, time, uid, shape, credential, _, workload, ip, resource, *_, digest, _, _ = values
    kept = db.execute(_KEPT, (subject, time, uid)).fetchone()
    if kept is None or not digest or not kept[5] or digest == kept[5]:
        return False
    if (credential, workload, ip, resource) == kept[1:5] and _done(db, shape) == _done(db, kept[0]):
        return False
    if digest > kept[5]:
        return db.execute(insert, (subject, time, _other(uid, digest.hex()), *values[3:])).rowcount == 1
    moved = "UPDATE OR IGNORE uses SET uid=?4 WHERE subject=?1 AND time=?2 AND uid=?3"
    if db.execute(moved, (subject, time, uid, _other(uid, kept[5].hex()))).rowcount != 1:
        return False
    return db.execute(insert, values).rowcount == 1


def another_event(event: LifecycleEvent, body: str) -> tuple[LifecycleEvent, ...]:
    """What is to be kept of a lifecycle event and the one of the same uid that stands there (`body`): nothing if they are one; the event
    with another id; or, if it is the earlier one, itself, and the other with another id in the place of what stands there.
    """
    kept = LifecycleEvent(*json.loads(body))
    if not event.digest or not kept.digest or _said(event) == _said(kept) or event.native_id.endswith(event.digest[:_DIGITS]):
        return ()
    if (event.time, event.digest) < (kept.time, kept.digest):
        return event, kept._replace(native_id=_other(kept.native_id, kept.digest))
    return (event._replace(native_id=_other(event.native_id, event.digest)),)


def _other(uid: str, digest: str) -> str:
    return f"{uid}~{digest[:_DIGITS]}"


def _done(db: sqlite3.Connection, shape: int) -> tuple[str, str]:
    """The operation and its outcome."""
    found = json.loads(db.execute("SELECT shape FROM shapes WHERE id=?", (shape,)).fetchone()[0])
    return found[1], found[2]


def _said(event: LifecycleEvent) -> tuple[Any, ...]:
    return (
        event.time, event.identity, event.credential, event.by, event.supersedes, event.generation, event.presented, event.workload,
        event.expires, event.privilege, event.outcome,
    )  # fmt: skip
