"""Events taken back by their digests, as if they had never come in: those of a drill, once it is over.

What else came of the same identities stays: it is kept anew, and judged from its first event on. An identity or credential of which nothing
is left goes, with what was declared of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from licet.events import LifecycleEvent
from licet.inventory.declared import SOURCE as DECLARED
from licet.inventory.rows import lifecycle_of
from licet.inventory.store import Inventory

_SOURCE: Final = "SELECT * FROM sources WHERE source=? AND account=?"
_ALL: Final = float("-inf")
_ANEW: Final = (
    "INSERT OR REPLACE INTO dirty SELECT id, ? FROM identities WHERE uid=? AND EXISTS (SELECT 1 FROM signals WHERE subject=identities.id)"
)


class Counted(NamedTuple):
    """A source and account before something came in: how many uses that will be, and the row that it had; None: it had none."""

    source: str
    account: str
    ours: int
    row: Sequence[Any] | None


class Concerned(NamedTuple):
    """What is taken back.

    Attributes:
        digests: of records, hex.
        identities, credentials: that were drawn for it, and are nobody's; of credentials the fingerprints.
        workloads: of which only what those records say of their beginning and end goes.
        shared: uses of platforms' own services, who stay: uid of the service, time and uid of the use.
        environments, edges: that were declared for it.
        sources: as `counted` had them before the first record came in.
    """

    digests: Collection[str]
    identities: Collection[str]
    credentials: Collection[str]
    workloads: Collection[str] = ()
    shared: Collection[tuple[str, float, str]] = ()
    environments: Collection[str] = ()
    edges: Collection[tuple[str, str]] = ()
    sources: Iterable[Counted] = ()


def counted(inventory: Inventory, ours: Mapping[tuple[str, str], int]) -> list[Counted]:
    """How much came of each source and account until now. `ours`: how many uses of it are about to come."""
    return [Counted(*pair, number, next(iter(inventory.rows(_SOURCE, pair)), None)) for pair, number in sorted(ours.items())]


def retract(inventory: Inventory, concerned: Concerned) -> int:
    """Take the events back, and mark whose they were to be judged anew; how many other events of theirs there are.

    Raises:
        StoreError: the inventory cannot be written.
    """
    wanted = frozenset(concerned.digests)
    uses = [each for uid in concerned.identities for each in inventory.uses(uid)]
    lifecycle = _lifecycle(inventory, concerned, wanted)
    left = [each for each in uses if each.digest not in wanted]
    stays = [each for each in lifecycle if each.digest not in wanted and each.source != DECLARED]
    with inventory.step() as db:
        for uid in concerned.identities:
            for (subject,) in db.execute("SELECT id FROM identities WHERE uid=?", (uid,)).fetchall():
                _identity(db, subject, uid)
        for uid, time, use in concerned.shared:
            db.execute("DELETE FROM uses WHERE subject=(SELECT id FROM identities WHERE uid=?) AND time=? AND uid=?", (uid, time, use))
            db.execute("UPDATE identities SET uses=uses-1 WHERE uid=?", (uid,))
            db.execute(_ANEW, (_ALL, uid))
        for uid in concerned.credentials:
            for (number,) in db.execute("SELECT id FROM credentials WHERE uid=?", (uid,)).fetchall():
                db.execute("DELETE FROM holders WHERE credential=?", (number,))
            db.execute("DELETE FROM credentials WHERE uid=?", (uid,))
            db.execute("DELETE FROM said WHERE uid=?", (uid,))
            db.execute("DELETE FROM probes WHERE credential=?", (uid,))
        for table in ("lifecycle", "unheard"):
            db.executemany(f"DELETE FROM {table} WHERE uid=?", [(each.uid,) for each in lifecycle])  # noqa: S608 - a name of ours
        db.executemany("DELETE FROM environments WHERE uid=?", [(each,) for each in concerned.environments])
        db.executemany("DELETE FROM edges WHERE origin=? AND target=?", concerned.edges)
        for was in concerned.sources:
            _source(db, was)
    inventory.forget()
    if left or stays:
        inventory.keep(left, stays)
    return len(left) + len(stays)


def forget(inventory: Inventory, identities: Collection[str]) -> None:
    """After those were judged anew: take away the ones of which nothing is left. What was found of them is told as withdrawn."""
    with inventory.step() as db:
        for uid in identities:
            for (subject,) in db.execute("SELECT id FROM identities WHERE uid=?", (uid,)).fetchall():
                used = db.execute("SELECT 1 FROM uses WHERE subject=? LIMIT 1", (subject,)).fetchone()
                told = db.execute("SELECT 1 FROM lifecycle WHERE identity=? LIMIT 1", (uid,)).fetchone()
                if used is None and told is None:
                    for table in ("folds", "dirty", "due", "signals"):
                        db.execute(f"DELETE FROM {table} WHERE subject=?", (subject,))  # noqa: S608 - names of our own
                    db.execute("DELETE FROM said WHERE uid=?", (uid,))
                    db.execute("DELETE FROM identities WHERE id=?", (subject,))
    inventory.forget()


def _identity(db: sqlite3.Connection, subject: int, uid: str) -> None:
    for table in ("uses", "holders", "ran", "folds"):
        db.execute(f"DELETE FROM {table} WHERE subject=?", (subject,))  # noqa: S608 - names of our own
    db.execute("DELETE FROM ownerships WHERE identity=?", (uid,))
    db.execute("DELETE FROM said WHERE uid=?", (uid,))
    db.execute(
        "UPDATE identities SET kind='unknown', name='', source='', account='', declared='{}', third_party=0, same_as='', same_confidence=0,"
        " created=0, first_seen=0, last_seen=0, uses=0, status='unknown' WHERE id=?",
        (subject,),
    )
    db.execute("INSERT OR REPLACE INTO dirty VALUES (?,?)", (subject, _ALL))


def _lifecycle(inventory: Inventory, concerned: Concerned, wanted: Collection[str]) -> list[LifecycleEvent]:
    """All that is told of those who were drawn, and of workloads by the same records."""
    found: dict[str, LifecycleEvent] = {}
    for table in ("lifecycle", "unheard"):
        for name in (*concerned.identities, *concerned.credentials):
            rows = inventory.rows(f"SELECT body FROM {table} WHERE identity=?1", (name,))  # noqa: S608 - names of our own
            rows += inventory.rows(f"SELECT body FROM {table} WHERE credential=?1", (name,))  # noqa: S608
            rows += inventory.rows(f"SELECT body FROM {table} WHERE supersedes=?1", (name,))  # noqa: S608
            found |= {event.uid: event for (body,) in rows for event in [lifecycle_of(body)]}
    for workload in concerned.workloads:
        rows = inventory.rows("SELECT body FROM lifecycle WHERE workload=?", (workload,))
        found |= {event.uid: event for (body,) in rows for event in [lifecycle_of(body)] if event.digest in wanted}
    return list(found.values())


def _source(db: sqlite3.Connection, was: Counted) -> None:
    """As it was. Where others' records came meanwhile, only ours are taken off: when those came is not known apart from ours."""
    now = db.execute("SELECT events FROM sources WHERE source=? AND account=?", (was.source, was.account)).fetchone()
    if now is None:
        return
    before = was.row[4] if was.row is not None else 0
    if now[0] - was.ours != before:
        db.execute("UPDATE sources SET events=events-? WHERE source=? AND account=?", (was.ours, was.source, was.account))
    elif was.row is None:
        for table in ("sources", "live"):
            db.execute(f"DELETE FROM {table} WHERE source=? AND account=?", (was.source, was.account))  # noqa: S608 - names of our own
    else:
        db.execute(f"INSERT OR REPLACE INTO sources VALUES ({','.join('?' * len(was.row))})", was.row)  # noqa: S608 - question marks
