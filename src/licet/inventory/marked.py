"""Who is to be judged because of what a step writes, and from which time on."""

from __future__ import annotations

import sqlite3
from typing import Final

from licet.events import LifecycleEvent

_DIRTY: Final = "INSERT INTO dirty VALUES (?1,?2) ON CONFLICT DO UPDATE SET since=min(since, ?2)"
_BEGAN: Final = "SELECT min(time) FROM lifecycle WHERE credential=?1 OR supersedes=?1"
_BOUND: Final = "SELECT DISTINCT workload FROM lifecycle WHERE credential=? AND workload<>''"
_RAN: Final = "SELECT min(time) FROM lifecycle WHERE workload=?"
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
        self._ran: dict[str, float] = {}
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
            workloads = [workload for (workload,) in self._db.execute(_BOUND, (credential,)).fetchall()]
            self.mark(subject, min([found, *map(self._began, workloads)]))

    def happened(self, event: LifecycleEvent) -> None:
        """Something that was written down."""
        if event.workload in self._ran:
            self._ran[event.workload] = min(self._ran[event.workload], event.time)

    def _began(self, workload: str) -> float:
        """The earliest of what is told of it. Each is read once, as thousands of credentials can be bound to one."""
        found = self._ran.get(workload)
        if found is None:
            found = self._ran[workload] = float(self._db.execute(_RAN, (workload,)).fetchone()[0])
        return found

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
