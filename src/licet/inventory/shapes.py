"""A use as a row: what many uses have in common stands once, as a shape, and long names once, as words."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from licet.events import UseEvent

_MOST = 200_000  # of each kind that are kept in memory

_CREDENTIAL, _WORD = "SELECT uid FROM credentials WHERE id=?", "SELECT word FROM words WHERE id=?"
INSERT = "INSERT OR IGNORE INTO uses VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
INSERT_NEW = "INSERT INTO uses VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
SELECT = (
    "SELECT time, uid, shape, credential, session, workload, ip, resource, name, network, intent, trace, digest, file, line FROM uses"
    " WHERE subject=? AND (time, uid) > (?, ?) AND time<=? ORDER BY time, uid LIMIT ?"
)


class Shape(NamedTuple):
    """What many uses have in common, in the order in which it is written down."""

    source: str
    operation: str
    outcome: str
    access: str
    credential_kind: str
    account: str
    region: str
    country: str
    agent: str
    interactive: bool
    resource_kind: str
    resource_account: str
    on_behalf_of: Sequence[str]
    error: str
    identity_kind: str


class Shapes:
    """Numbers of shapes and words, on one connection. What it remembers is forgotten with `forget`, after a step that was undone."""

    def __init__(self) -> None:
        self._shapes: dict[tuple[Any, ...], int] = {}
        self._words: dict[str, int] = {}
        self._read: dict[int, list[Any]] = {}
        self._told: dict[int, str] = {}
        self._uids: dict[int, str] = {}

    def forget(self) -> None:
        """Numbers given in a step that was undone are not valid."""
        self._shapes.clear()
        self._words.clear()
        self._read.clear()
        self._told.clear()
        self._uids.clear()

    def word(self, db: sqlite3.Connection, text: str) -> int:
        """The number of a text, given if it is new."""
        found = self._words.get(text)
        if found is None:
            found = _number(db, "words", "word", text)
            if len(self._words) >= _MOST:
                self._words.clear()
            self._words[text] = found
        return found

    def row(self, db: sqlite3.Connection, event: UseEvent, subject: int, credential: int) -> tuple[Any, ...]:
        """The row of `uses`."""
        (source, native_id, time, _, operation, outcome, access, identity_kind, identity_name, _, credential_kind, session, workload,
         account, region, ip, network, country, agent, interactive, resource, resource_kind, resource_account, on_behalf_of, intent,
         trace_id, error, digest, place) = event  # fmt: skip
        key = (
            source, operation, outcome, access, credential_kind, account, region, country, agent, interactive, resource_kind,
            resource_account, on_behalf_of, error, identity_kind,
        )  # fmt: skip
        shape = self._shapes.get(key)
        if shape is None:
            shape = _number(db, "shapes", "shape", json.dumps(key, ensure_ascii=True, separators=(",", ":")))
            if len(self._shapes) >= _MOST:
                self._shapes.clear()
            self._shapes[key] = shape
        file, _, line = place.rpartition(":")
        words = self._words.get
        return (
            subject, time, f"{source}/{native_id}", shape, credential, session, workload, ip, resource,
            words(identity_name) or self.word(db, identity_name), words(network) or self.word(db, network), intent, trace_id,
            bytes.fromhex(digest), words(file) or self.word(db, file), int(line) if line.isdecimal() else 0,
        )  # fmt: skip

    def event(self, db: sqlite3.Connection, identity: str, row: Sequence[Any]) -> UseEvent:
        """The event of a row of `SELECT`."""
        time, uid, number, credential, session, workload, ip, resource, name, network, intent, trace, digest, file, line = row
        shape = self._read.get(number)
        if shape is None:
            shape = json.loads(db.execute("SELECT shape FROM shapes WHERE id=?", (number,)).fetchone()[0])
            shape[12] = tuple(shape[12])
            if len(self._read) >= _MOST:
                self._read.clear()
            self._read[number] = shape
        words, uids = self._told, self._uids
        used = ""
        if credential:
            used = uids[credential] if credential in uids else _text(db, _CREDENTIAL, credential, uids)
        (source, operation, outcome, access, credential_kind, account, region, country, agent, interactive, resource_kind,
         resource_account, on_behalf_of, error, identity_kind) = shape  # fmt: skip
        event: UseEvent = tuple.__new__(UseEvent, (  # all of its fields
            source, uid[len(source) + 1 :], time, identity, operation, outcome, access, identity_kind,
            words[name] if name in words else _text(db, _WORD, name, words), used, credential_kind, session, workload, account, region, ip,
            words[network] if network in words else _text(db, _WORD, network, words), country, agent, interactive, resource, resource_kind,
            resource_account, on_behalf_of, intent, trace, error, digest.hex(),
            f"{words[file] if file in words else _text(db, _WORD, file, words)}:{line}",
        ))  # fmt: skip
        return event


def _text(db: sqlite3.Connection, query: str, number: int, known: dict[int, str]) -> str:
    found = str(db.execute(query, (number,)).fetchone()[0])
    if len(known) >= _MOST:
        known.clear()
    known[number] = found
    return found


def _number(db: sqlite3.Connection, table: str, column: str, text: str) -> int:
    made = db.execute(f"INSERT OR IGNORE INTO {table} ({column}) VALUES (?)", (text,))  # noqa: S608 - names of our own
    if made.rowcount == 1 and made.lastrowid is not None:
        return made.lastrowid
    found = db.execute(f"SELECT id FROM {table} WHERE {column}=?", (text,)).fetchone()  # noqa: S608 - names of our own
    return int(found[0])
