"""What an application does that is likely another name of one whose scope was just widened: told beside that, and not by joining the two.

Names that are only likely of one identity are judged each by itself: none has the owner, the purpose or the habits of the other, since who
acts chooses when he acts, and so could choose whose name he stands under. But the first use that was ever seen of an application, of what
somebody had just granted, and for that very person, belongs to the change.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from licet.events import LifecycleEvent
from licet.inventory.faces import RECORDED, USED, Face
from licet.inventory.rows import lifecycle_of
from licet.monitor.codes import CODES
from licet.monitor.signal import Cited, Signal
from licet.monitor.stored import OF_SEVERAL, put, signal_of, withdraw
from licet.monitor.world import DAY

_CODE: Final = "APP_FIRST_RESOURCE"
_CHANGES: Final = ("APP_SCOPE_WIDENED", "APP_CREDENTIAL_ADDED")
_AFTER: Final = 7 * DAY
_USE: Final = (
    "SELECT time, json_extract(shapes.shape, '$[1]') FROM uses JOIN shapes ON shapes.id=uses.shape JOIN identities ON identities.id=subject"
    " WHERE identities.uid=? AND time=first_seen AND uses.uid=?"
)


class _Use(NamedTuple):
    uid: str
    identity: str
    time: float
    operation: str


def likely(db: sqlite3.Connection, faces: Sequence[Face]) -> int:
    """Write what likely names did after a change, and take away what is not so any more; how many signals changed.

    Args:
        faces: all that were found, as `licet.inventory.joined.join` gives them.
    """
    found: dict[str, tuple[int, Signal]] = {}
    for face in faces:
        if face.confidence != USED or (told := _told(db, face, _others(face, faces))) is None:
            continue
        found[told[1].id] = told
    said = db.execute("SELECT DISTINCT subject FROM signals WHERE code=?", (_CODE,)).fetchall()
    number = sum(withdraw(db, subject, (_CODE,), found, several=True) for (subject,) in said)
    return number + sum(put(db, subject, (signal,)) for subject, signal in found.values())


def _others(face: Face, faces: Iterable[Face]) -> list[str]:
    """Who changed, if it is one with it: the identity that it is likely a name of, and the other likely names of that."""
    others = [each.uid for each in faces if each.same_as == face.same_as and each.uid != face.uid and each.confidence < RECORDED]
    return [face.same_as, *sorted(others)]


def _told(db: sqlite3.Connection, face: Face, others: Sequence[str]) -> tuple[int, Signal] | None:
    granted, used = face.evidence[:2]
    row = db.execute("SELECT body FROM lifecycle WHERE uid=?", (granted,)).fetchone()
    use = db.execute(_USE, (face.uid, used)).fetchone()
    if row is None or use is None:
        return None
    grant, first = lifecycle_of(row[0]), _Use(used, face.uid, *use)
    for uid in others:
        subject = db.execute("SELECT id FROM identities WHERE uid=?", (uid,)).fetchone()
        if subject is not None and (changes := _changes(db, subject[0], first.time)):
            return subject[0], _signal(uid, face, changes, grant, first)
    return None


def _changes(db: sqlite3.Connection, subject: int, until: float) -> list[Signal]:
    """What alerts of it, within a week before."""
    rows = db.execute("SELECT body FROM signals WHERE subject=? AND alert=1 AND time<=? AND time>=?", (subject, until, until - _AFTER))
    found = [signal_of(body) for (body,) in rows.fetchall()]
    return sorted((each for each in found if each.code in _CHANGES), key=lambda each: (each.time, each.id))


def _signal(uid: str, face: Face, changes: Sequence[Signal], grant: LifecycleEvent, use: _Use) -> Signal:
    about = CODES[_CODE]
    cited = {each.evidence[0].uid: each.evidence[0] for each in changes}
    cited[grant.uid] = Cited(grant.uid, "wider scope", grant.identity, grant.time)
    return Signal(
        _CODE, alert=True, points=about.points, severity=about.severity, time=use.time, identity=uid, credential="",
        value=f"{OF_SEVERAL}{face.same_as} {use.identity} {use.uid}",
        observed=f"{use.operation}: the first use that was seen of {use.identity}, for {grant.by}, who had granted {grant.privilege};"
        f" likely it is another name ({face.confidence:g})",
        expected="what it used before the change", basis="lifecycle",
        evidence=(*cited.values(), Cited(use.uid, "use", use.identity, use.time)), since=changes[0].time, action=about.action,
    )  # fmt: skip
