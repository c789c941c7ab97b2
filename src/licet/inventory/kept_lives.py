"""Lifecycle events, as one step keeps them, and what becomes of credentials and identities by them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Final

from licet.events import LifecycleEvent
from licet.inventory.belongings import settle
from licet.inventory.counted import Counts
from licet.inventory.faces import same_as
from licet.inventory.first_said import FirstSaid
from licet.inventory.heard import unheard
from licet.inventory.life import life_of, place_of
from licet.inventory.marked import Marks
from licet.inventory.remembered import Numbers
from licet.inventory.rows import SELECT_CREDENTIAL, WorkloadEnds, credential_of, events_of, lifecycle_of
from licet.inventory.same_id import another_event

_INSERT: Final = "INSERT OR IGNORE INTO {} VALUES (?,?,?,?,?,?,?,?)"
_BOUND: Final = (  # that the credential is bound to another one by now ends nothing of what it was
    "SELECT uid FROM credentials WHERE workload=?1 OR uid IN (SELECT credential FROM lifecycle WHERE workload=?1)"
)
_NAMED: Final = "SELECT 1 FROM lifecycle WHERE (credential=?1 OR supersedes=?1) AND identity=?2 LIMIT 2"
_SET_ASIDE: Final = "SELECT body FROM unheard WHERE uid=?1 OR credential IN (?2,?3) OR supersedes IN (?2,?3)"
_NOTHING: Final = "\n"  # no credential is called so
_NEVER: Final = float("inf")
_BEINGS: Final = (
    "SELECT body FROM lifecycle WHERE identity=? AND kind IN ('created', 'deleted') AND time>0 AND credential=''"
    " ORDER BY time DESC, uid DESC"
)


class Lives:
    """What one step keeps of lifecycle events. `same_id`: how many have an id that another record has."""

    def __init__(self, db: sqlite3.Connection, numbers: Numbers, marks: Marks, counts: Counts) -> None:
        self._db, self._numbers, self._marks, self._counts = db, numbers, marks, counts
        self._first = FirstSaid(db, numbers, marks)
        self._since: dict[str, float] = {}  # by credential, the earliest of what is new of it
        self._runs: dict[str, float] = {}  # by workload that began or ended, the earliest of what is new of it
        self._beings: set[str] = set()
        self._aside: dict[str, LifecycleEvent] = {}  # by uid, what had no effect before
        self._contested: set[str] = set()
        self.same_id = 0

    def keep(self, events: Iterable[LifecycleEvent], *, anew: bool) -> tuple[int, int]:
        """How many of them are new, and how many are names of faces, which are in no count: each record has both. `anew`: one that stands
        there is replaced.
        """
        new = names = 0
        for event in events:
            kept, is_name = self._keep(event, anew=anew), bool(same_as(event))
            new += kept and not is_name
            names += is_name
        self._renew()
        return new, names

    def _keep(self, event: LifecycleEvent, *, anew: bool) -> bool:
        self._take_back(event)
        values = _row(event)
        if anew and (before := self._replaced(event, values[-1])) is not None:
            self._concerns(before)
            self._contested |= {before.credential, before.supersedes} - {""}
        if self._db.execute(_INSERT.format("lifecycle"), values).rowcount != 1:
            kept = self._db.execute("SELECT body FROM lifecycle WHERE uid=?", (event.uid,)).fetchone()[0]
            others = () if anew else another_event(event, kept)
            if not others:
                if not anew and event.digest and event.digest < lifecycle_of(kept).digest:  # in other bytes: no order decides which
                    self._db.execute("UPDATE lifecycle SET body=? WHERE uid=?", (values[-1], event.uid))
                    self._concerns(event)
                if not same_as(event):
                    self._counts.again(event)
                return False
            if len(others) > 1:  # it was the earlier one
                self._db.execute("DELETE FROM lifecycle WHERE uid=?", (event.uid,))
            is_kept = False
            for each in others:
                is_kept = self._keep(each, anew=False) or is_kept
            self.same_id += is_kept
            return is_kept
        self._counts.happened(event)
        self._marks.happened(event)
        self._concerns(event)
        return True

    def _replaced(self, event: LifecycleEvent, body: str) -> LifecycleEvent | None:
        """What stood there under the same uid and said something else; it is taken away."""
        found = self._db.execute("SELECT body FROM lifecycle WHERE uid=? AND body<>?", (event.uid, body)).fetchone()
        if found is None:
            return None
        self._db.execute("DELETE FROM lifecycle WHERE uid=?", (event.uid,))
        return lifecycle_of(found[0])

    def _take_back(self, event: LifecycleEvent) -> None:
        """What was set aside of its credentials is looked at again with it: what is new can show who issued them."""
        of = (event.credential or _NOTHING, event.supersedes or _NOTHING)
        for (body,) in self._db.execute(_SET_ASIDE, (event.uid, *of)).fetchall():
            each = lifecycle_of(body)
            self._aside[each.uid] = each
            self._db.execute("DELETE FROM unheard WHERE uid=?", (each.uid,))
            self._db.execute(_INSERT.format("lifecycle"), _row(each))
            self._marks.happened(each)
            for credential in {each.credential, each.supersedes} - {""}:
                self._since.setdefault(credential, _NEVER)

    def _concerns(self, event: LifecycleEvent) -> None:
        """Mark who is concerned, and what has to be looked at again at the end of the step."""
        if event.identity:
            self._marks.mark(self._numbers.subject(event.identity), event.time)
            if event.kind in ("created", "deleted") and event.time and not event.credential:
                self._beings.add(event.identity)
        for credential in sorted({event.credential, event.supersedes} - {""}):
            _, belongs = self._numbers.credential(credential)
            if event.identity and belongs != event.identity:
                self._contested.add(credential)
            self._since[credential] = min(self._since.get(credential, event.time), event.time)
            if event.identity and len(self._db.execute(_NAMED, (credential, event.identity)).fetchall()) == 1:
                self._marks.life(credential, self._numbers.subject(event.identity))
        self._first.lifecycle(event)
        if event.workload and event.kind in ("job_started", "job_ended"):  # what else happens in it is of whom it happens to
            self._runs[event.workload] = min(self._runs.get(event.workload, event.time), event.time)

    def _renew(self) -> None:
        """Once for each credential that something happened to, however much that was: each time, all of its life is read."""
        for workload, since in self._runs.items():
            for (subject,) in self._db.execute("SELECT subject FROM ran WHERE workload=?", (workload,)).fetchall():
                self._marks.mark(subject, since)
            for (uid,) in self._db.execute(_BOUND, (workload,)).fetchall():
                self._since[uid] = min(self._since.get(uid, since), since)
        events = {uid: events_of(self._db, uid) for uid in sorted(self._since)}
        aside = {each.uid: each for uid, told in events.items() for each in unheard(uid, told)}
        for uid, since in self._since.items():
            if since != _NEVER:
                self._marks.concerned(uid, since)
        for each in aside.values():
            self._db.execute("DELETE FROM lifecycle WHERE uid=?", (each.uid,))
            self._db.execute(_INSERT.format("unheard"), _row(each))
        for uid in self._aside.keys() ^ aside.keys():
            changed = self._aside.get(uid) or aside[uid]
            self._other_effect(changed)
            for credential in {changed.credential, changed.supersedes} - {"", *events}:  # of which nothing is new but that
                events[credential] = events_of(self._db, credential)
        ends = WorkloadEnds(self._db)
        for uid, told in events.items():
            self._renew_life(uid, [each for each in told if each.uid not in aside], ends)
        for uid in sorted(self._contested):
            settle(self._db, self._numbers, self._marks, uid)
        for uid in sorted(self._beings | self._marks.moved):
            self._renew_being(uid)
        self._since.clear()
        self._runs.clear()
        self._beings.clear()
        self._marks.moved.clear()
        self._contested.clear()
        self._aside.clear()

    def _other_effect(self, event: LifecycleEvent) -> None:
        """It has an effect now and had none, or the other way."""
        for credential in {event.credential, event.supersedes} - {""}:
            self._marks.concerned(credential, event.time)
            self._contested.add(credential)
            if event.identity:
                self._marks.mark(self._numbers.subject(event.identity), event.time)
                self._marks.life(credential, self._numbers.subject(event.identity))

    def _renew_life(self, uid: str, told: list[LifecycleEvent], ends: WorkloadEnds) -> None:
        """What became of it, into its row."""
        row = self._db.execute(f"{SELECT_CREDENTIAL} WHERE uid=?", (uid,)).fetchone()
        found = life_of(credential_of(row), told, ends)
        self._db.execute(
            "UPDATE credentials SET generation=?, supersedes=?, issued_by=?, issued=?, expires=?, rotated=?, revoked=?, ended=?,"
            " workload=?, status=? WHERE uid=?",
            (found.generation, found.supersedes, found.issued_by, found.issued, found.expires, found.rotated, found.revoked, found.ended,
             found.workload, found.status, uid),
        )  # fmt: skip

    def _renew_being(self, uid: str) -> None:
        """Whether an identity is there, by the last that is told of it, and since when. What is made or deleted under its name in another
        cluster than where it was seen first is another.
        """
        events = [lifecycle_of(body) for (body,) in self._db.execute(_BEINGS, (uid,))]
        if not events:
            return
        (home,) = self._db.execute("SELECT account FROM identities WHERE uid=?", (uid,)).fetchone()
        status, created = "unknown", 0.0
        for event in events:
            if event.outcome == "success" and (not home or not place_of(event) or event.account == home):
                status = status if status != "unknown" else "active" if event.kind == "created" else "deleted"
                if event.kind == "created":
                    created = event.time
                    break
        self._db.execute("UPDATE identities SET status=?, created=? WHERE uid=?", (status, created, uid))


def _row(event: LifecycleEvent) -> tuple[str, float, str, str, str, str, str, str]:
    body = json.dumps(event, ensure_ascii=True, separators=(",", ":"))
    return event.uid, event.time, event.kind, event.identity, event.credential, event.supersedes, event.workload, body
