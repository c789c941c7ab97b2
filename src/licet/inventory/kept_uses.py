"""Uses, as one step keeps them: in the order in which they lie in the file, so that each page is looked for once."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final

from licet.events import UseEvent
from licet.inventory.belongings import settle
from licet.inventory.counted import Counts
from licet.inventory.first_said import FirstSaid
from licet.inventory.marked import Marks
from licet.inventory.remembered import Numbers
from licet.inventory.same_id import another_use
from licet.inventory.shapes import INSERT, INSERT_NEW, Shapes

_RAN: Final = "INSERT INTO ran VALUES (?1,?2,?3) ON CONFLICT DO UPDATE SET first=?3 WHERE first>?3"
_HELD: Final = "SELECT 1 FROM holders WHERE credential=? AND subject=?"

_Row = tuple[tuple[Any, ...], UseEvent]


class Uses:
    """What one step keeps of uses. `same_id`: how many have an id that another record has."""

    def __init__(self, db: sqlite3.Connection, shapes: Shapes, numbers: Numbers, marks: Marks, counts: Counts) -> None:
        self._db, self._shapes, self._numbers, self._marks, self._counts = db, shapes, numbers, marks, counts
        self.same_id = 0

    def keep(self, uses: Sequence[UseEvent]) -> int:
        """How many of them are new."""
        db, row = self._db, self._shapes.row
        heaps: dict[int, list[_Row]] = {}
        contested: set[str] = set()
        subjects, credentials = self._numbers.known.subjects, self._numbers.known.credentials
        for event in uses:
            identity, credential = event.identity, event.credential
            subject, number = subjects.get(identity) or self._numbers.subject(identity), 0
            if credential:
                number, belongs = credentials.get(credential) or self._numbers.credential(credential)
                if belongs != identity:
                    contested.add(credential)
            heap = heaps.get(subject)
            if heap is None:
                heaps[subject] = heap = []
            heap.append((row(db, event, subject, number), event))
        rows: list[_Row] = []
        for _, heap in sorted(heaps.items()):
            heap.sort(key=_place)  # most of it came in this order
            rows += heap
        FirstSaid(db, self._numbers, self._marks).uses(rows)
        new = self._insert(rows)
        self._count(new)
        for uid in sorted(contested):
            settle(db, self._numbers, self._marks, uid)
        return len(new)

    def _insert(self, rows: list[_Row]) -> list[_Row]:
        """Which of them are new; they are inserted. What is later than all that its subject has done cannot stand there already."""
        db = self._db
        new: list[_Row] = []
        certain: list[tuple[Any, ...]] = []
        subject, latest, before, at = 0, 0.0, "", 0.0
        for each in rows:
            values = each[0]
            if values[0] != subject:
                subject, before = values[0], ""
                latest = self._numbers.latest(subject)
            if values[2] != before or values[1] != at:
                before, at = values[2], values[1]
                if at > latest:
                    certain.append(values)
                    new.append(each)
                    continue
                if db.execute(INSERT, values).rowcount == 1:
                    new.append(each)
                    continue
            db.executemany(INSERT_NEW, certain)  # what it is like may be among them
            certain.clear()
            if another_use(db, INSERT, values):
                self.same_id += 1
                new.append(each)
            else:
                self._counts.again(each[1])
        db.executemany(INSERT_NEW, certain)
        return new

    def _count(self, new: Sequence[_Row]) -> None:
        seen: dict[tuple[int, int], list[float]] = {}  # by subject and credential: first, last, how many
        ran: dict[tuple[int, str], float] = {}
        used = self._counts.used
        for values, event in new:
            subject, time, credential = values[0], values[1], values[4]
            used(event)
            if event.workload and event.identity_kind != "service":
                ran.setdefault((subject, event.workload), time)  # they come in the order of time
            found = seen.get((subject, credential))
            if found is None:
                seen[subject, credential] = [time, time, 1]
            else:
                found[1] = time
                found[2] += 1
        self._sum(seen)
        # Where an identity ran, and since when: what becomes of that workload from then on concerns it, though no binding is told. Who is
        # new there needs no mark: what was before its first use is not its own, and from that on the use has marked it.
        self._db.executemany(_RAN, [(*where, first) for where, first in sorted(ran.items())])

    def _sum(self, seen: Mapping[tuple[int, int], Sequence[float]]) -> None:
        """How often, from when and until when who used what."""
        db, known = self._db, self._numbers.known
        for (subject, credential), (first, last, _) in seen.items():
            self._marks.mark(subject, first)
            known.latest[subject] = max(self._numbers.latest(subject), last)
            if not credential or (credential, subject) in known.held:
                continue
            known.held.add((credential, subject))
            if db.execute(_HELD, (credential, subject)).fetchone() is None:
                self._marks.life(db.execute("SELECT uid FROM credentials WHERE id=?", (credential,)).fetchone()[0], subject)
        db.executemany(
            "UPDATE identities SET first_seen=min(iif(first_seen=0, ?1, first_seen), ?1), last_seen=max(last_seen, ?2), uses=uses+?3"
            " WHERE id=?4",
            [(first, last, number, subject) for (subject, _), (first, last, number) in seen.items()],
        )
        db.executemany(
            "UPDATE credentials SET first_seen=min(iif(first_seen=0, ?1, first_seen), ?1), last_used=max(last_used, ?2), uses=uses+?3"
            " WHERE id=?4",
            [(first, last, number, credential) for (_, credential), (first, last, number) in seen.items() if credential],
        )
        db.executemany(
            "INSERT INTO holders VALUES (?1,?2,?3,?4,?5) ON CONFLICT DO UPDATE SET first=min(first, ?3), last=max(last, ?4), uses=uses+?5",
            [(credential, subject, first, last, number) for (subject, credential), (first, last, number) in seen.items() if credential],
        )


def _place(row: _Row) -> tuple[float, str, bytes]:
    """Where a use of a subject lies: by time and uid; of two of one uid the one with the smaller digest comes first."""
    values = row[0]
    return values[1], values[2], values[13]
