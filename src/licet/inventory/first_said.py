"""What an identity or a credential is, by the record that says it first, in the order of time and uid, and not of arrival.

Records of one identity can say different things of it: GitHub tells only in some whether an actor is a bot. What somebody declared comes
before all records.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from licet.events import LifecycleEvent, UseEvent
from licet.inventory.marked import Marks
from licet.inventory.remembered import Numbers

_FIELDS: Final = ("kind", "name", "source", "account")
_OF_CREDENTIAL: Final = "credential"
_SAID: Final = "INSERT INTO said VALUES (?1,?2,?3,?4,?5) ON CONFLICT DO UPDATE SET value=?3, time=?4, record=?5 WHERE (?4,?5)<(time,record)"
_STATED: Final = "INSERT OR REPLACE INTO said VALUES (?,?,?,?,'')"
_ALWAYS: Final = float("-inf")  # of what was declared
_BY_OTHERS: Final = ("service", "pipeline")  # what these do to others is judged by what they are


class FirstSaid:
    """What one step says of identities and credentials."""

    def __init__(self, db: sqlite3.Connection, numbers: Numbers, marks: Marks) -> None:
        self._db, self._numbers, self._marks = db, numbers, marks

    def uses(self, rows: Iterable[tuple[tuple[Any, ...], UseEvent]]) -> None:
        """Of uses. What a later one says again is known."""
        earliest = self._numbers.known.earliest
        for _, event in rows:
            said = (event.identity, event.identity_kind, event.identity_name, event.source, event.account)
            first = earliest.get(said)
            if first is None or event.time <= first:
                earliest[said] = event.time
                for field, value in zip(_FIELDS, said[1:], strict=True):
                    if value and value != "unknown":
                        self._said(event.identity, field, value, event)
            if event.credential_kind and event.credential:
                of = (event.credential, event.credential_kind)
                first = earliest.get(of)
                if first is None or event.time <= first:
                    earliest[of] = event.time
                    self._said(event.credential, _OF_CREDENTIAL, event.credential_kind, event)

    def lifecycle(self, event: LifecycleEvent) -> None:
        """Of the credential that an event is about."""
        if event.credential and event.credential_kind:
            self._said(event.credential, _OF_CREDENTIAL, event.credential_kind, event)

    def stated(self, uid: str, field: str, value: str) -> None:
        """What somebody declared; the last word of his holds."""
        self._numbers.known.said.pop((uid, field), None)
        self._db.execute(_STATED, (uid, field, value, _ALWAYS))
        self._changed(uid, field, value)

    def _said(self, uid: str, field: str, value: str, event: UseEvent | LifecycleEvent) -> None:
        said, known = (event.time, f"{event.uid}\n{event.digest}"), self._numbers.known.said
        first = known.get((uid, field))
        if first is not None and first <= said:
            return
        if self._db.execute(_SAID, (uid, field, value, *said)).rowcount == 1:
            known[uid, field] = said
            self._changed(uid, field, value)
        else:
            known[uid, field] = self._db.execute("SELECT time, record FROM said WHERE uid=? AND what=?", (uid, field)).fetchone()

    def _changed(self, uid: str, field: str, value: str) -> None:
        """Who is something else than he was is judged anew."""
        if field == _OF_CREDENTIAL:
            self._numbers.credential(uid)
            self._db.execute("UPDATE credentials SET kind=?2 WHERE uid=?1 AND kind<>?2", (uid, value))
            return
        subject = self._numbers.subject(uid)
        (before,) = self._db.execute(f"SELECT {field} FROM identities WHERE id=?", (subject,)).fetchone()  # noqa: S608 - one of our own words
        if before == value:
            return
        self._db.execute(f"UPDATE identities SET {field}=? WHERE id=?", (value, subject))  # noqa: S608 - one of our own words
        self._marks.anew(subject)
        if field == "account":
            self._marks.moved.add(uid)
        if field == "kind":
            self._marks.peers(subject)
            if before in _BY_OTHERS or value in _BY_OTHERS:
                self._marks.done_by(uid)
