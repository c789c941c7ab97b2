"""Signals as they lie in the inventory: as the body of a row, and by whom a row is written and taken away."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable
from typing import Final

from licet.inventory.store import Inventory
from licet.monitor.signal import Cited, Signal

OF_SEVERAL: Final = "identities "
"""What the value of SHARED_CREDENTIAL or APP_FIRST_RESOURCE begins with where it is about several identities, and so is no one's fold's."""
_SEVERAL: Final = ("SHARED_CREDENTIAL", "APP_FIRST_RESOURCE")

_PUT = (
    "INSERT INTO signals VALUES (?1,?2,?3,?4,?5,?6,'',?7) ON CONFLICT DO UPDATE SET subject=?2, time=?3, code=?4, alert=?5,"
    " points=?6, body=?7 WHERE body<>?7 OR subject<>?2"
)


def body_of(signal: Signal) -> str:
    """The column for it."""
    return json.dumps(signal, ensure_ascii=True, separators=(",", ":"))


def signal_of(body: str) -> Signal:
    """The signal of a row's body."""
    found = Signal(*json.loads(body))
    return found._replace(evidence=tuple(Cited(*each) for each in found.evidence), counter=tuple(found.counter))


def signals_of(inventory: Inventory, identity: str) -> list[Signal]:
    """The signals of one identity, oldest first."""
    query = "SELECT body FROM signals JOIN identities ON identities.id=subject WHERE uid=? ORDER BY time, signals.id"
    return [signal_of(body) for (body,) in inventory.rows(query, (identity,))]


def mark(db: sqlite3.Connection, subject: int) -> None:
    """The findings of this identity are to be made anew, and those that its signals stand in now."""
    db.execute("INSERT OR IGNORE INTO due VALUES (?)", (subject,))
    db.execute(
        "INSERT OR IGNORE INTO due SELECT identities.id FROM signals JOIN findings ON findings.id=signals.finding"
        " JOIN identities ON identities.uid=findings.identity WHERE subject=?",
        (subject,),
    )


def put(db: sqlite3.Connection, subject: int, signals: Iterable[Signal]) -> int:
    """Write signals; how many of them are new or say something else than before."""
    number = 0
    for each in signals:
        number += db.execute(_PUT, (each.id, subject, each.time, each.code, each.alert, each.points, body_of(each))).rowcount
    if number:
        mark(db, subject)
    return number


def withdraw(db: sqlite3.Connection, subject: int, codes: Collection[str], stay: Collection[str], *, several: bool = False) -> int:
    """Take away an identity's signals of these codes whose ids are not among those that stay; how many.

    Args:
        several: those that are about several identities; else those that are not.
    """
    number = 0
    mark(db, subject)
    for uid, code, body in db.execute("SELECT id, code, body FROM signals WHERE subject=?", (subject,)).fetchall():
        about = code in _SEVERAL and signal_of(body).value.startswith(OF_SEVERAL)
        if code in codes and uid not in stay and about == several:
            number += db.execute("DELETE FROM signals WHERE id=?", (uid,)).rowcount
    return number
