"""The deny list in SQL, and which tokens an entry is about."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from licet.records import Mark, Revocation

# What a task issued is over minutes later; the entry stays, so that a late use of it is told as one.
KEPT = 7 * 86_400.0
ENDED = "the task ended"
"""The reason of the entries that the end of a task makes, for it and those below it."""
REVOKE_FAMILY = f"""WITH RECURSIVE line(id) AS (SELECT ?1 UNION SELECT tasks.id FROM tasks JOIN line ON tasks.parent=line.id)
                    INSERT INTO revoked SELECT 'task', id, ?2, ?3, '{ENDED}', ?4 FROM line WHERE true
                    ON CONFLICT (kind, value) DO UPDATE SET until=max(until, excluded.until),
                    time=iif(until>excluded.time, time, excluded.time), reason=iif(until>excluded.time, reason, excluded.reason),
                    by=iif(until>excluded.time, by, excluded.by)"""
"""As `TokenState.revoke`: an entry that holds stays, as long as the later of both; one that is over gives way."""


def revoked_in(db: sqlite3.Connection, marks: Sequence[Mark], now: float) -> Revocation | None:
    """The first of the marks that is on the deny list at `now`."""
    query = "SELECT kind, value, time, until, reason, by FROM revoked WHERE kind=? AND value=? AND until>?"
    for mark in marks:
        row = db.execute(query, (*mark, now)).fetchone()
        if row is not None:
            return revocation_of(row)
    return None


def revocation_of(row: tuple[Any, ...]) -> Revocation:
    """An entry of the deny list."""
    kind, value, time, until, reason, by = row
    return Revocation((kind, value), time, until, reason, by)


def issued_query(mark: Mark) -> str:
    """How many tokens calls were given that carry a mark: a query with two values, the mark's and a time. Empty for a key: no call says."""
    kind, _ = mark
    if kind == "key":
        return ""
    if kind == "jti":
        return "SELECT count(DISTINCT jti) FROM calls WHERE jti=? AND started>=?"
    # Whoever delegated a task stands in its tokens too (`act`), and so does the task at the top (`txn`).
    first = "SELECT id FROM tasks WHERE agent=?" if kind == "agent" else "SELECT ?"
    return f"""WITH RECURSIVE line(id) AS ({first} UNION SELECT tasks.id FROM tasks JOIN line ON tasks.parent=line.id)
               SELECT count(DISTINCT jti) FROM calls WHERE task_id IN line AND jti<>'' AND started>=?"""
