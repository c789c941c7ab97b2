"""`inventory.db`: all that is known of identities, owners and credentials, and what was done with them.

Intake writes uses and lifecycle events, in steps that hold the reader's place too: what a step kept is kept once, whatever is cut off.
Each identity of which something new came is marked, with the time of the earliest of it, until the monitor has judged it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from licet.events import LifecycleEvent, UseEvent
from licet.inventory.faces import sure_face
from licet.inventory.life import life_of
from licet.inventory.model import Credential, Environment, Identity, Owner, Ownership
from licet.inventory.remembered import Known
from licet.inventory.rows import SELECT_CREDENTIAL, SELECT_IDENTITY, WorkloadEnds, credential_of, events_of, identity_of, lifecycle_of
from licet.inventory.schema import MIGRATIONS, SCHEMA, VERSION
from licet.inventory.shapes import SELECT, Shapes
from licet.inventory.step import Kept, Refused, Step
from licet.store.files import translated
from licet.store.opened import SqliteFile

FILE = "inventory.db"
ALL_TIME = (float("-inf"), float("inf"))
_PAGE = 2_000  # uses that are read at once
_BUSY_SECONDS = 30.0  # intake and monitor take turns with long steps
_CACHE_KIB = 64 * 1024


class Inventory(SqliteFile):
    """The inventory in the file `path`, created with mode 0600. Use it from any thread.

    Raises:
        StoreError: the file cannot be opened, is not ours alone, or is of another version.
    """

    def __init__(self, path: str | Path, *, busy_seconds: float = _BUSY_SECONDS, reading: bool = False) -> None:
        self._shapes = Shapes()
        self._known = Known()
        super().__init__(path, SCHEMA, VERSION, busy_seconds=busy_seconds, migrations=MIGRATIONS, reading=reading)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        super()._prepare(connection)
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")

    # intake

    def keep(
        self, uses: Sequence[UseEvent], lifecycle: Sequence[LifecycleEvent] = (), *, shown: Mapping[str, str] | None = None,
        cursors: Iterable[tuple[str, str, Mapping[str, Any]]] = (), refused: Iterable[tuple[str, Refused]] = (),
        passed: Mapping[str, int] | None = None, now: float = 0.0,
    ) -> Kept:  # fmt: skip
        """Keep events, and where their readers stand, in one step. What is there already is passed over.

        Args:
            uses, lifecycle: in any order.
            shown: by fingerprint, what may be printed of a credential's id.
            cursors: source, path, and where its reader stands after these.
            refused: by source, what was refused on the way.
            passed: by source, how many records were none of our affair.
            now: when (seconds since the epoch).

        Raises:
            StoreError: nothing was kept.
        """
        try:
            with self.step() as db:
                step = Step(db, self._shapes, self._known)
                kept = step.keep(uses, lifecycle)
                for uid, text in (shown or {}).items():
                    db.execute("UPDATE credentials SET shown=? WHERE uid=? AND shown=''", (text, uid))
                for source, refusal in refused:
                    db.execute(
                        "INSERT INTO refusals VALUES (?1,?2,?3,?4,?5) ON CONFLICT DO UPDATE SET number=number+?5, line=min(line, ?4)",
                        (source, *refusal),
                    )
                step.count(passed or {}, now)
                step.close()
                for source, path, body in cursors:
                    db.execute("INSERT OR REPLACE INTO cursors VALUES (?,?,?)", (source, path, json.dumps(body)))
        except BaseException:
            self._shapes.forget()
            self._known.forget()
            raise
        return kept

    def cursor(self, source: str, path: str) -> dict[str, Any] | None:
        """Where the reader of this path stood; None: it never read it."""
        found = self.rows("SELECT body FROM cursors WHERE source=? AND path=?", (source, path))
        return json.loads(found[0][0]) if found else None

    # what was declared

    def declare(
        self, *, identities: Iterable[Identity] = (), credentials: Iterable[Credential] = (), owners: Iterable[Owner] = (),
        ownerships: Iterable[Ownership] = (), environments: Iterable[Environment] = (), edges: Iterable[tuple[str, str]] = (),
        lifecycle: Iterable[LifecycleEvent] = (),
    ) -> None:  # fmt: skip
        """Keep what somebody declared of identities and credentials; what was seen of them stays. Whoever is concerned by what is
        not as it was is judged anew.

        Empty fields of what is handed in change nothing. Times of a credential's life that were declared are lifecycle events of the source
        `declared`; one of the same id takes the place of what was declared before.
        """
        try:
            with self.step() as db:
                step = Step(db, self._shapes, self._known)
                for owner in owners:
                    db.execute(
                        "INSERT INTO owners VALUES (?1,?2,?3,?4) ON CONFLICT DO UPDATE SET name=iif(?2='', name, ?2),"
                        " contact=iif(?3='', contact, ?3), kind=iif(?4='team', kind, ?4)",
                        (owner.uid, owner.name, owner.contact, owner.kind),
                    )
                for identity in identities:
                    step.stated.identity(identity)
                for credential in credentials:
                    step.stated.credential(credential)
                step.keep((), list(lifecycle), anew=True)
                for own in ownerships:
                    step.stated.ownership(own)
                step.close()
                changed = 0
                for each in environments:
                    said = (each.uid, json.dumps(each.accounts))
                    changed += db.execute(
                        "INSERT INTO environments VALUES (?1,?2) ON CONFLICT DO UPDATE SET accounts=?2 WHERE accounts<>?2", said
                    ).rowcount
                for pair in edges:
                    changed += db.execute("INSERT OR IGNORE INTO edges VALUES (?,?)", pair).rowcount
                if changed:  # they concern everybody
                    db.execute("INSERT OR REPLACE INTO dirty SELECT id, ? FROM identities", (float("-inf"),))
        except BaseException:
            self._known.forget()
            raise

    # reading

    def forget(self) -> None:
        """Forget what is remembered of rows between two steps: somebody on this floor has written others."""
        self._known.forget()
        self._shapes.forget()

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query; for rooms on this floor and above."""
        return self._read(query, values)

    def identity(self, uid: str) -> Identity | None:
        """One identity, or None."""
        found = self.rows(f"{SELECT_IDENTITY} WHERE uid=?", (uid,))
        return identity_of(found[0]) if found else None

    def identities(self, after: str = "", limit: int = 1_000) -> list[Identity]:
        """Identities by uid, page by page: those behind `after`."""
        found = self.rows(f"{SELECT_IDENTITY} WHERE uid>? ORDER BY uid LIMIT ?", (after, limit))
        return [identity_of(row) for row in found]

    def credential(self, uid: str) -> Credential | None:
        """One credential as its row has it; `life` says what became of it."""
        found = self.rows(f"{SELECT_CREDENTIAL} WHERE uid=?", (uid,))
        return credential_of(found[0]) if found else None

    def credentials_of(self, identity: str) -> list[Credential]:
        """The credentials of an identity, oldest first."""
        found = self.rows(f"{SELECT_CREDENTIAL} WHERE identity=? ORDER BY first_seen, uid", (identity,))
        return [credential_of(row) for row in found]

    def owner_of(self, identity: str) -> tuple[Owner, Ownership] | None:
        """Who answers for an identity by the surest word of those that somebody stated: its own, else that of the identity that it is
        another name of, as a record shows or somebody declared.
        """
        found = self.rows(
            "SELECT ownerships.identity, owner, source, confidence, time, by, name, contact, kind FROM ownerships"  # noqa: S608 - texts of our own
            " LEFT JOIN owners ON owners.uid=owner WHERE ownerships.source IN ('confirmed', 'manifest', 'imported')"
            f" AND ownerships.identity IN (?, (SELECT same_as FROM identities WHERE uid=? AND {sure_face('identities')}))"
            " ORDER BY ownerships.identity=? DESC, confidence DESC, time DESC LIMIT 1",
            (identity, identity, identity),
        )
        if not found:
            return None
        uid, owner, source, confidence, time, by, name, contact, kind = found[0]
        return Owner(owner, name or "", contact or "", kind or "team"), Ownership(uid, owner, source, confidence, time, by)

    def uses(self, identity: str, since: float = ALL_TIME[0], until: float = ALL_TIME[1]) -> Iterator[UseEvent]:
        """The uses of an identity in the order of time and uid, both ends included. Read in pages, so that memory does not grow."""
        found = self.rows("SELECT id FROM identities WHERE uid=?", (identity,))
        last = ""
        while found:
            with self._lock, translated(self._path):
                db = self._db()
                page = db.execute(SELECT, (found[0][0], since, last, until, _PAGE)).fetchall()
                events = [self._shapes.event(db, identity, row) for row in page]
            yield from events
            if len(page) < _PAGE:
                return
            since, last = page[-1][0], page[-1][1]

    def lifecycle_of(self, identity: str) -> list[LifecycleEvent]:
        """All that happened to an identity and its credentials, and the beginnings and ends of what they are bound to and of where it ran,
        in the order of time and uid.
        """
        mine = (  # those that it ever used, that are named with it, or that were declared its own
            "SELECT credentials.uid FROM credentials WHERE identity=?1 UNION SELECT credentials.uid FROM holders"
            " JOIN identities ON identities.id=subject JOIN credentials ON credentials.id=holders.credential WHERE identities.uid=?1"
            " UNION SELECT credential FROM lifecycle WHERE identity=?1 AND credential<>''"
            " UNION SELECT supersedes FROM lifecycle WHERE identity=?1 AND supersedes<>''"
        )
        bound = (
            "SELECT workload FROM lifecycle WHERE credential IN mine AND workload<>''"
            " UNION SELECT workload FROM ran JOIN identities ON identities.id=subject WHERE identities.uid=?1"
        )
        found = self.rows(
            f"WITH mine (credential) AS ({mine}) SELECT body FROM lifecycle WHERE identity=?1 OR credential IN mine"  # noqa: S608 - texts of our own
            f" OR supersedes IN mine OR (kind IN ('job_started', 'job_ended') AND workload IN ({bound})) ORDER BY time, uid",
            (identity,),
        )
        return [lifecycle_of(row[0]) for row in found]

    def life(self, uid: str) -> tuple[Credential, list[LifecycleEvent]] | None:
        """A credential with what became of it, and the events that say so; None: nobody ever saw it."""
        known = self.credential(uid)
        if known is None:
            return None
        events = events_of(self._db(), uid)
        return life_of(known, events, WorkloadEnds(self._db())), events

    def dirty(self) -> list[tuple[str, float]]:
        """The identities of which something came that the monitor has not judged, with the time of the earliest of it."""
        return [(uid, since) for uid, since in self.rows("SELECT uid, since FROM dirty JOIN identities ON id=subject ORDER BY subject")]

    def environments(self) -> list[Environment]:
        """The declared environments."""
        return [Environment(uid, tuple(json.loads(accounts))) for uid, accounts in self.rows("SELECT uid, accounts FROM environments")]

    def edges(self) -> frozenset[tuple[str, str]]:
        """From which environment into which one may go."""
        return frozenset((origin, target) for origin, target in self.rows("SELECT origin, target FROM edges"))
