"""Who is to be judged because of what a step writes, and from which time on."""

from __future__ import annotations

import sqlite3
from typing import Final

_DIRTY: Final = "INSERT INTO dirty VALUES (?1,?2) ON CONFLICT DO UPDATE SET since=min(since, ?2)"
_BEGAN: Final = (
    "SELECT min(time) FROM lifecycle WHERE credential=?1 OR supersedes=?1"
    " OR workload IN (SELECT workload FROM lifecycle WHERE credential=?1 AND workload<>'')"
)
_CONCERNED: Final = (
    "SELECT subject FROM holders JOIN credentials ON id=credential WHERE credentials.uid=?1"
    " UNION SELECT identities.id FROM lifecycle JOIN identities ON identities.uid=lifecycle.identity WHERE credential=?1 OR supersedes=?1"
    " UNION SELECT identities.id FROM credentials JOIN identities ON identities.uid=credentials.identity WHERE credentials.uid=?1"
)
_DONE_BY: Final = (  # and to whom: whoever is named with it, and whoever used the credential that it was done to
    "SELECT identities.id FROM lifecycle JOIN identities ON identities.uid=identity WHERE json_extract(body, '$[7]')=?1"
    " UNION SELECT subject FROM lifecycle JOIN credentials ON credentials.uid=lifecycle.credential"
    " JOIN holders ON holders.credential=credentials.id WHERE json_extract(body, '$[7]')=?1"
)
_ANEW: Final = float("-inf")


class Marks:
    """The marks of one step. `moved`: the uids of those of which it is said anew where they were seen first."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._since: dict[int, float] = {}
        self.moved: set[str] = set()

    def mark(self, subject: int, since: float) -> None:
        """This identity is to be judged, from this time on (seconds since the epoch)."""
        found = self._since.get(subject)
        if found is None or since < found:
            self._since[subject] = since

    def anew(self, subject: int) -> None:
        """All of this identity is to be judged again."""
        self._since[subject] = _ANEW

    def life(self, credential: str, subject: int) -> None:
        """All that happened to a credential concerns this identity from now on."""
        found = self._db.execute(_BEGAN, (credential,)).fetchone()[0]
        if found is not None:
            self.mark(subject, found)

    def concerned(self, credential: str, since: float) -> None:
        """What happens to a credential concerns whoever ever used it, and whoever is named with it: who came first does not matter."""
        for (subject,) in self._db.execute(_CONCERNED, (credential,)).fetchall():
            self.mark(subject, since)

    def done_by(self, uid: str) -> None:
        """What this identity did to others is another thing than before."""
        for (subject,) in self._db.execute(_DONE_BY, (uid,)).fetchall():
            self.anew(subject)

    def peers(self, subject: int) -> None:
        """It is no peer any more of those that it was a peer of: what was new to them is weighed again."""
        if self._db.execute("SELECT 1 FROM folds WHERE subject=?", (subject,)).fetchone() is not None:
            self._db.execute("INSERT OR IGNORE INTO due SELECT DISTINCT subject FROM signals WHERE alert=0")

    def write(self) -> None:
        """Write them down."""
        self._db.executemany(_DIRTY, self._since.items())
        self._since.clear()
