"""What is remembered of the inventory between two steps, and the numbers that identities and credentials have in it."""

from __future__ import annotations

import sqlite3
from typing import Final

_MOST: Final = 200_000  # of each kind that are kept in memory
_IDENTITY: Final = (
    "INSERT OR IGNORE INTO identities (uid, kind, name, source, account, declared, third_party, same_as, same_confidence,"
    " created, first_seen, last_seen, uses, status) VALUES (?,'unknown','','','','{}',0,'',0,0,0,0,0,'unknown')"
)
_CREDENTIAL: Final = (
    "INSERT OR IGNORE INTO credentials (uid, kind, identity, name, shown, declared, generation, supersedes, issued_by, issued,"
    " expires, rotated, rotate_every, revoked, ended, workload, canary, first_seen, last_used, uses, status)"
    " VALUES (?,'','','','','{}',-1,'','',0,0,0,0,0,0,'',0,0,0,0,'unknown')"
)


class Known:
    """What is remembered, as long as nobody else writes into the inventory.

    Attributes:
        subjects: numbers of identities.
        credentials: their numbers, and whose they are.
        held: pairs of credential and subject that stand in `holders`.
        latest: by subject, when it was last seen.
        said: by uid and what is said of it, the time and the record that says it first.
        earliest: by a uid with all that a use says of it, the time of the earliest such use.
    """

    def __init__(self) -> None:
        self.subjects: dict[str, int] = {}
        self.credentials: dict[str, tuple[int, str]] = {}
        self.held: set[tuple[int, int]] = set()
        self.latest: dict[int, float] = {}
        self.said: dict[tuple[str, str], tuple[float, str]] = {}
        self.earliest: dict[tuple[str, ...], float] = {}
        self._version = -1

    def forget(self) -> None:
        """What a step that was undone, or somebody else, has made untrue."""
        for each in (self.subjects, self.credentials, self.held, self.latest, self.said, self.earliest):
            each.clear()

    def renew(self, db: sqlite3.Connection) -> bool:
        """Forget all if somebody else has written since, and say so (https://sqlite.org/pragma.html#pragma_data_version)."""
        version = db.execute("PRAGMA data_version").fetchone()[0]
        others = bool(version != self._version)
        if others:
            self.forget()
        self._version = version
        return others

    def bound(self) -> None:
        """Forget the most where there is too much of it."""
        for each in (self.subjects, self.credentials, self.said, self.earliest):
            if len(each) >= _MOST:
                each.clear()
        if len(self.held) >= _MOST or len(self.latest) >= _MOST:
            self.held.clear()
            self.latest.clear()


class Numbers:
    """The numbers of identities and credentials, given where they are new."""

    def __init__(self, db: sqlite3.Connection, known: Known) -> None:
        self._db, self.known = db, known

    def subject(self, uid: str) -> int:
        """The number of an identity."""
        found = self.known.subjects.get(uid)
        if found is None:
            self._db.execute(_IDENTITY, (uid,))
            found = int(self._db.execute("SELECT id FROM identities WHERE uid=?", (uid,)).fetchone()[0])
            self.known.subjects[uid] = found
        return found

    def credential(self, uid: str) -> tuple[int, str]:
        """The number of a credential, and the identity that it belongs to."""
        found = self.known.credentials.get(uid)
        if found is None:
            self._db.execute(_CREDENTIAL, (uid,))
            found = self._db.execute("SELECT id, identity FROM credentials WHERE uid=?", (uid,)).fetchone()
            self.known.credentials[uid] = found
        return found

    def latest(self, subject: int) -> float:
        """When a subject was last seen."""
        found = self.known.latest.get(subject)
        if found is None:
            found = float(self._db.execute("SELECT last_seen FROM identities WHERE id=?", (subject,)).fetchone()[0])
        return found
