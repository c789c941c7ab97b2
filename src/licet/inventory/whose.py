"""Whose a credential is: whom somebody declared; else who used it first or to whom it was issued, whichever is earlier by (time, uid);
else whom the earliest event that names it names. So it does not matter in which order the events came.

What Licet's own calls tell comes behind all others: spans are anybody's to send, and who sends them owns nothing that others tell of.
"""

from __future__ import annotations

import sqlite3
from typing import Final

_DECLARED: Final = "SELECT declared_for FROM credentials WHERE id=?"
_USED: Final = (  # `agent:NAME` is what no source but Licet's own calls an identity
    "SELECT ?2, first, (SELECT min(uid) FROM uses WHERE uses.subject=holders.subject AND time=first"
    " AND uses.credential=holders.credential) AS of, identities.uid FROM holders"
    " JOIN identities ON identities.id=subject WHERE credential=?1 AND (identities.uid GLOB 'agent:*')=?2"
    " AND first=(SELECT min(first) FROM holders JOIN identities ON identities.id=subject WHERE credential=?1"
    " AND (identities.uid GLOB 'agent:*')=?2) ORDER BY of LIMIT 1"
)
_ISSUED: Final = (
    "SELECT uid GLOB 'licet/*' AS own, time, uid, identity FROM lifecycle WHERE credential=? AND identity<>''"
    " AND kind IN ('issued', 'rotated') ORDER BY own, time, uid LIMIT 1"
)
_TOLD: Final = (
    "SELECT identity FROM lifecycle WHERE (credential=?1 OR supersedes=?1) AND identity<>'' ORDER BY uid GLOB 'licet/*', time, uid LIMIT 1"
)


def whose(db: sqlite3.Connection, number: int, uid: str) -> str:
    """The uid of the identity that a credential belongs to, by its number and uid; empty if nothing says it."""
    declared = db.execute(_DECLARED, (number,)).fetchone()[0]
    if declared:
        return str(declared)
    queries = ((_USED, (number, 0)), (_USED, (number, 1)), (_ISSUED, (uid,)))
    found = [row for query, values in queries if (row := db.execute(query, values).fetchone()) is not None]
    if found:
        return str(min(found)[3])
    told = db.execute(_TOLD, (uid,)).fetchone()
    return str(told[0]) if told is not None else ""
