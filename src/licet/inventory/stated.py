"""What somebody declared of identities and credentials, as one step keeps it. Empty fields change nothing."""

from __future__ import annotations

import sqlite3

from licet.inventory.belongings import settle
from licet.inventory.fingerprints import is_fingerprint
from licet.inventory.first_said import FirstSaid
from licet.inventory.marked import Marks
from licet.inventory.model import Credential, Identity, Ownership
from licet.inventory.remembered import Numbers
from licet.inventory.rows import SELECT_CREDENTIAL, SELECT_IDENTITY, credential_of, declared_text, identity_of


class Stated:
    """What one step declares."""

    def __init__(self, db: sqlite3.Connection, numbers: Numbers, marks: Marks) -> None:
        self._db, self._numbers, self._marks = db, numbers, marks
        self._first = FirstSaid(db, numbers, marks)

    def identity(self, said: Identity) -> None:
        """What somebody said of an identity."""
        subject = self._numbers.subject(said.uid)
        for field, value in (("kind", said.kind), ("name", said.name), ("account", said.account)):
            if value and value != "unknown":
                self._first.stated(said.uid, field, value)
        row = self._db.execute(f"{SELECT_IDENTITY} WHERE id=?", (subject,)).fetchone()
        before = identity_of(row)
        after = (
            declared_text(said.declared, before.declared), said.third_party or before.third_party, said.same_as or before.same_as,
            said.same_confidence or before.same_confidence,
        )  # fmt: skip
        if after == tuple(row[5:9]):
            return
        self._db.execute("UPDATE identities SET declared=?, third_party=?, same_as=?, same_confidence=? WHERE id=?", (*after, subject))
        self._marks.anew(subject)

    def ownership(self, said: Ownership) -> None:
        """Who somebody said answers for an identity or a credential. Said again, it is confirmed anew, and nobody is judged by that."""
        before = self._db.execute(
            "SELECT owner, confidence FROM ownerships WHERE identity=? AND source=?", (said.identity, said.source)
        ).fetchone()
        self._db.execute(
            "INSERT OR REPLACE INTO ownerships VALUES (?,?,?,?,?,?)",
            (said.identity, said.source, said.owner, said.confidence, said.time, said.by),
        )
        if before != (said.owner, said.confidence) and not is_fingerprint(said.identity):  # credentials have owners too
            self._marks.anew(self._numbers.subject(said.identity))

    def credential(self, said: Credential) -> None:
        """What somebody said of a credential."""
        number, belongs = self._numbers.credential(said.uid)
        if said.kind:
            self._first.stated(said.uid, "credential", said.kind)
        row = self._db.execute(f"{SELECT_CREDENTIAL} WHERE uid=?", (said.uid,)).fetchone()
        before = credential_of(row)
        after = (
            said.name or before.name, said.shown or before.shown, declared_text(said.declared, before.declared),
            said.rotate_every or before.rotate_every, said.canary or before.canary,
        )  # fmt: skip
        if said.identity:
            self._db.execute("UPDATE credentials SET declared_for=? WHERE id=?", (said.identity, number))
        if said.identity and said.identity != belongs:
            settle(self._db, self._numbers, self._marks, said.uid)
            if belongs:
                self._marks.anew(self._numbers.subject(belongs))
        elif after == (*row[3:6], row[12], row[16]):
            return
        self._db.execute("UPDATE credentials SET name=?, shown=?, declared=?, rotate_every=?, canary=? WHERE uid=?", (*after, said.uid))
        self._marks.concerned(said.uid, float("-inf"))
        if identity := said.identity or belongs:
            self._marks.anew(self._numbers.subject(identity))
