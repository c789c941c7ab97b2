"""Which sessions were given before: recordings of rotating logs overlap, and what is counted twice looks like more than it is."""

from __future__ import annotations

import json
import sqlite3
import weakref
from hashlib import blake2b

from licet.errors import StoreError
from licet.replay.sessions import Session


class Once:
    """Knows sessions again by id and content, in a private temporary file once they are many."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID")
        self._db.execute("BEGIN")
        weakref.finalize(self, self._db.close)
        self.again = 0
        """How many were given before."""

    def first(self, session: Session) -> bool:
        """Whether no session of the same id and content came before. Where it was read from is no content.

        Raises:
            StoreError: there is no room.
        """
        calls = [
            [call.tool, call.arguments, call.output, call.error, call.executed, call.turn, call.time, call.decided]
            for call in session.calls
        ]
        content = [session.id, session.suite, session.turns, calls, session.attacked, session.model, session.time]
        try:
            said = json.dumps(content, sort_keys=True, default=repr)
        except (ValueError, RecursionError):  # too deep, or a number too long: it counts, as nothing says that it was there before
            return True
        try:
            added = self._db.execute("INSERT OR IGNORE INTO seen VALUES (?)", (blake2b(said.encode(), digest_size=16).digest(),)).rowcount
        except sqlite3.Error as error:
            raise StoreError(f"{error}; make room, or name a folder that has some in SQLITE_TMPDIR") from error
        self.again += added == 0
        return added == 1
