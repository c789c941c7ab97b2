"""Whose credentials are, kept up to date while events come."""

from __future__ import annotations

import sqlite3

from licet.inventory.marked import Marks
from licet.inventory.remembered import Numbers
from licet.inventory.whose import whose


def settle(db: sqlite3.Connection, numbers: Numbers, marks: Marks, credential: str) -> None:
    """Look whose a credential is. What happened to it before concerns that identity, and whose it was until now."""
    number, _ = numbers.credential(credential)
    identity = whose(db, number, credential)
    before = db.execute("SELECT identity FROM credentials WHERE id=?", (number,)).fetchone()[0]
    numbers.known.credentials[credential] = (number, identity)
    if identity != before:
        db.execute("UPDATE credentials SET identity=? WHERE id=?", (identity, number))
        for each in sorted({identity, before} - {""}):
            marks.life(credential, numbers.subject(each))
