"""Rows of `inventory.db` and what they stand for."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from licet.events import LifecycleEvent
from licet.inventory.model import Credential, Declared, Identity

IDENTITY_COLUMNS = (
    "uid, kind, name, source, account, declared, third_party, same_as, same_confidence, created, first_seen, last_seen, uses, status"
)
CREDENTIAL_COLUMNS = (
    "uid, kind, identity, name, shown, declared, generation, supersedes, issued_by, issued, expires, rotated, rotate_every, revoked, ended,"
    " workload, canary, first_seen, last_used, uses, status"
)
SELECT_IDENTITY = f"SELECT {IDENTITY_COLUMNS} FROM identities"  # noqa: S608 - names of our own
SELECT_CREDENTIAL = f"SELECT {CREDENTIAL_COLUMNS} FROM credentials"  # noqa: S608 - names of our own


def identity_of(row: Sequence[Any]) -> Identity:
    """The identity of a row of `SELECT_IDENTITY`."""
    values = list(row)
    values[5], values[6] = declared_of(row[5]), bool(row[6])
    return Identity(*values)


def credential_of(row: Sequence[Any]) -> Credential:
    """The credential of a row of `SELECT_CREDENTIAL`."""
    values = list(row)
    values[5], values[16] = declared_of(row[5]), bool(row[16])
    return Credential(*values)


def lifecycle_of(body: str) -> LifecycleEvent:
    """The event of a row."""
    return LifecycleEvent(*json.loads(body))


def declared_of(text: str) -> Declared:
    """What was declared, out of its column."""
    found: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(text).items()}
    return Declared(**found)


def declared_text(said: Declared, before: Declared) -> str:
    """The column for what is declared now: what is empty in `said` stays as it was."""
    return json.dumps({each.name: value for each in fields(Declared) if (value := getattr(said, each.name) or getattr(before, each.name))})


def events_of(db: sqlite3.Connection, credential: str) -> list[LifecycleEvent]:
    """All that happened to one credential, and where it was superseded."""
    rows = db.execute("SELECT body FROM lifecycle WHERE credential=?1 OR supersedes=?1 ORDER BY time, uid", (credential,)).fetchall()
    return [lifecycle_of(row[0]) for row in rows]


def workload_ended(db: sqlite3.Connection, workload: str, since: float) -> float:
    """When a workload ended to which something was bound at `since`: an end before that is another run's, and who began anew since has not
    ended. 0: not that is known.
    """
    if not workload:
        return 0.0
    query = (
        "SELECT time, kind, body FROM lifecycle WHERE workload=? AND kind IN ('job_ended', 'job_started') AND time>=?"
        " ORDER BY time, kind DESC"
    )
    ended = 0.0
    for time, kind, body in db.execute(query, (workload, since)).fetchall():
        if lifecycle_of(body).outcome == "success":
            ended = (ended or time) if kind == "job_ended" else 0.0
    return ended
