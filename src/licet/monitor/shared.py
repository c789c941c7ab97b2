"""Credentials that several identities use: told of the credential, over all identities, and not of one identity's events.

Faces of one identity are one. Nobody is named as the one who did it: none of the uses of a shared credential is anybody's for certain.
"""

from __future__ import annotations

import sqlite3
from typing import Final, NamedTuple

from licet.clock import iso
from licet.inventory.faces import sure_face
from licet.monitor.codes import CODES
from licet.monitor.signal import Cited, Signal
from licet.monitor.stored import OF_SEVERAL, put, withdraw

_NAMED: Final = 8
_SEVERAL = "SELECT credential FROM holders GROUP BY credential HAVING count(*)>1"
_HOLDERS = (
    f"SELECT subject, identities.uid, iif({sure_face('identities')}, same_as, ''), identities.kind, holders.first FROM holders"  # noqa: S608
    " JOIN identities ON identities.id=subject WHERE credential=? ORDER BY holders.first, identities.uid"
)
_FIRST = "SELECT uid FROM uses WHERE subject=? AND time=? AND credential=? ORDER BY uid LIMIT 1"


class _Holder(NamedTuple):
    subject: int
    uid: str
    same_as: str
    kind: str
    first: float


def shared(db: sqlite3.Connection) -> int:
    """Write what is shared now, and take away what is not any more; how many signals changed."""
    found: dict[str, tuple[int, Signal]] = {}
    for (credential,) in db.execute(_SEVERAL).fetchall():
        if (told := _told(db, credential)) is not None:
            found[told[1].id] = told
    said = db.execute("SELECT DISTINCT subject FROM signals WHERE code='SHARED_CREDENTIAL'").fetchall()
    number = sum(withdraw(db, subject, ("SHARED_CREDENTIAL",), found, several=True) for (subject,) in said)
    return number + sum(put(db, subject, (signal,)) for subject, signal in found.values())


def _told(db: sqlite3.Connection, credential: int) -> tuple[int, Signal] | None:
    holders = [_Holder(*row) for row in db.execute(_HOLDERS, (credential,)).fetchall()]
    first: dict[str, _Holder] = {}
    for each in holders:
        if each.kind != "service":
            first.setdefault(each.same_as or each.uid, each)
    if len(first) < 2:
        return None
    uid = db.execute("SELECT uid FROM credentials WHERE id=?", (credential,)).fetchone()[0]
    owner = next(iter(first.values()))  # the first, as far as is known, whatever came into the inventory first
    cited = []
    for each in list(first.values())[:_NAMED]:
        use = db.execute(_FIRST, (each.subject, each.first, credential)).fetchone()
        if use is not None:
            cited.append(Cited(use[0], "first use", each.uid, each.first))
    names = list(first)[:_NAMED]
    about = CODES["SHARED_CREDENTIAL"]
    since = list(first.values())[1].first
    return owner.subject, Signal(
        about.name, alert=True, points=about.points, severity=about.severity, time=since, identity=owner.uid, credential=uid,
        value=OF_SEVERAL + " ".join(sorted(names)), observed=f"used by {len(first)} identities: {', '.join(names)}",
        expected="one identity",
        basis="lifecycle", evidence=tuple(cited), since=holders[0].first, sample=len(first),
        counter=(f"it was {names[0]}'s alone until {iso(since)}",), action=about.action,
    )  # fmt: skip
