"""Events taken back by their digests, as if they had never come in: those of a drill, once it is over.

What else came of the same identities stays, and they are judged anew from their first event on. What the inventory has summed up of those who
are left is counted again; an identity or credential of which nothing is left goes, with what was declared of it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

from licet.inventory.declared import SOURCE as DECLARED
from licet.inventory.rows import lifecycle_of
from licet.inventory.store import Inventory

_SOURCE: Final = "SELECT * FROM sources WHERE source=? AND account=?"


class Concerned(NamedTuple):
    """What is taken back.

    Attributes:
        digests: of records, hex.
        identities: under which those events lie.
        credentials: fingerprints that they name.
        drawn: those of both that are nobody's: they go when nothing is left of them.
        environments, edges: that were declared for it.
        sources: as `sources_of` had them before the first record came in.
    """

    digests: Collection[str]
    identities: Collection[str]
    credentials: Collection[str]
    drawn: Collection[str]
    environments: Collection[str]
    sources: Iterable[tuple[str, str, Sequence[Any] | None]]


def sources_of(inventory: Inventory, pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str, Sequence[Any] | None]]:
    """How much came of each source and account until now, to be put back as it was."""
    return [(*pair, next(iter(inventory.rows(_SOURCE, pair)), None)) for pair in sorted(set(pairs))]


def retract(inventory: Inventory, concerned: Concerned) -> int:
    """Take the events back, and mark whose they were to be judged anew; how many there were.

    Raises:
        StoreError: the inventory cannot be written; nothing was taken back.
    """
    wanted = frozenset(concerned.digests)
    with inventory.step() as db:
        gone = 0
        subjects = [row for uid in concerned.identities for row in db.execute("SELECT id FROM identities WHERE uid=?", (uid,)).fetchall()]
        for (subject,) in subjects:
            mine = db.execute("SELECT time, uid, digest FROM uses WHERE subject=?", (subject,)).fetchall()
            ours = [(subject, time, uid) for time, uid, digest in mine if digest.hex() in wanted]
            db.executemany("DELETE FROM uses WHERE subject=? AND time=? AND uid=?", ours)
            db.execute("DELETE FROM folds WHERE subject=?", (subject,))
            db.execute("INSERT OR REPLACE INTO dirty VALUES (?,?)", (subject, float("-inf")))
            gone += len(ours)
        for table in ("lifecycle", "unheard"):
            gone += _lifecycle(db, table, concerned, wanted)
        return gone


def _lifecycle(db: sqlite3.Connection, table: str, concerned: Concerned, wanted: Collection[str]) -> int:
    names = [*concerned.identities, *concerned.credentials]
    drawn = frozenset(concerned.drawn)
    found: set[str] = set()
    for name in names:
        rows = db.execute(f"SELECT uid, body FROM {table} WHERE identity=?1 OR credential=?1 OR supersedes=?1", (name,)).fetchall()  # noqa: S608
        for uid, body in rows:
            event = lifecycle_of(body)
            declared = event.source == DECLARED and (event.identity in drawn or event.credential in drawn)
            if event.digest in wanted or declared:
                found.add(uid)
    for digest in wanted:  # of workloads alone
        found.update(uid for (uid,) in db.execute(f"SELECT uid FROM {table} WHERE identity='' AND credential='' AND instr(body, ?)", (digest,)))  # noqa: S608
    db.executemany(f"DELETE FROM {table} WHERE uid=?", [(uid,) for uid in found])  # noqa: S608 - a name of ours
    return len(found)
