"""Rows of `inventory.db` and what they stand for."""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_left
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
_RUNS = (
    "SELECT time, kind FROM lifecycle WHERE workload=? AND kind IN ('job_ended', 'job_started') AND json_extract(body, '$[16]')='success'"
    " ORDER BY time, kind DESC"
)
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


class WorkloadEnds:
    """When workloads ended, each read once: thousands of credentials can have been bound to one, one after the other. What comes after that
    is not seen.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._known: dict[str, list[float]] = {}

    def __call__(self, workload: str, since: float) -> float:
        """When a workload ended to which something was bound at `since`: an end before that is another run's, and who began anew since has
        not ended. 0: not that is known.
        """
        if not workload:
            return 0.0
        ends = self._known.get(workload)
        if ends is None:
            ends = self._known[workload] = self._after_its_last_start(workload)
        at = bisect_left(ends, since)
        return ends[at] if at < len(ends) else 0.0

    def _after_its_last_start(self, workload: str) -> list[float]:
        """Who began and ended at one time has ended."""
        ends: list[float] = []
        for time, kind in self._db.execute(_RUNS, (workload,)):
            if kind == "job_started":
                ends.clear()
            else:
                ends.append(time)
        return ends
