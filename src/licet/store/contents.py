"""The contents of calls that the manifest opts in to: beside the ledger, which has their digests, so that they can be deleted.

Each value stands under the number of its record (`seq`) and a name (`argument.body`, `output`, `intent`), with a random key of its own. The
record holds the HMAC of the value under that key. When both are gone, the record's digest says nothing any more, and all proofs still hold.
"""

from __future__ import annotations

import hmac
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from licet.canonical import Plain, canonical
from licet.errors import StoreError
from licet.pseudonym import content_digest
from licet.store.opened import SqliteFile
from licet.store.purge import STEP_ROWS, STEP_SECONDS, Purge, give_back, shrink

BUSY_SECONDS = 1.0  # a call waits no longer for another process; then its contents are not kept
SCHEMA_VERSION = 1
KEY_BYTES = 16
_COLUMNS = "seq, name, key, value, task, principal, time"
_MANY = 500  # values of one query

_SCHEMA = """
CREATE TABLE IF NOT EXISTS contents (
    seq INTEGER, name TEXT, key BLOB, value TEXT, task TEXT, principal TEXT, time REAL, PRIMARY KEY (seq, name));
CREATE INDEX IF NOT EXISTS contents_by_task ON contents (task);
CREATE INDEX IF NOT EXISTS contents_by_principal ON contents (principal);
CREATE INDEX IF NOT EXISTS contents_by_time ON contents (time);
"""


@dataclass(frozen=True, slots=True)
class Content:
    """One value, before its record has a number: `form` is its RFC 8785 text."""

    name: str
    key: bytes
    form: str

    @property
    def digest(self) -> str:
        """What the record holds of it."""
        return content_digest(self.key, self.form.encode())


@dataclass(frozen=True, slots=True)
class KeptContent:
    """One value as it was read back. Whoever can write the file can have written anything here: ask `matches` first."""

    seq: int
    name: str
    key: Any  # bytes
    form: Any  # text
    task: str
    principal: str
    time: float

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether it is what the record says, to the letter."""
        contents = record.get("contents")
        recorded = contents.get(self.name) if isinstance(contents, dict) else None
        if not isinstance(recorded, str) or not isinstance(self.key, bytes) or not isinstance(self.form, str):
            return False
        digest = content_digest(self.key, self.form.encode("utf-8", "replace"))
        return hmac.compare_digest(recorded.encode("utf-8", "replace"), digest.encode())

    @property
    def value(self) -> Plain:
        """The value; what is no JSON, as a text that says so."""
        try:
            value: Plain = json.loads(self.form)
        except (TypeError, ValueError, RecursionError):
            return "(not readable)"
        return value


def content(name: str, value: Plain) -> Content:
    """A value with a new key of its own.

    Raises:
        ValueError: it is not JSON.
    """
    return Content(name, os.urandom(KEY_BYTES), canonical(value).decode())


class ContentsStore(SqliteFile):
    """The contents in the file `path`. A value that is not there was purged, or could never be kept: neither is a failure.

    Raises:
        StoreError: the file cannot be opened, is not ours alone, or is of another version.
    """

    def __init__(self, path: str | Path, *, busy_seconds: float = BUSY_SECONDS, reading: bool = False) -> None:
        super().__init__(path, _SCHEMA, SCHEMA_VERSION, busy_seconds=busy_seconds, reading=reading)

    def keep(self, seq: int, contents: Sequence[Content], *, task: str, principal: str, time: float) -> None:
        """Keep the values of record `seq`, in one step. `time`: that of the record, in seconds since the epoch.

        Raises:
            StoreError: they could not be kept.
        """
        # A ledger that was put back from a copy gives a number again; the newer record is the one that stands.
        insert = f"INSERT OR REPLACE INTO contents ({_COLUMNS}) VALUES (?,?,?,?,?,?,?)"
        rows = [(seq, each.name, each.key, each.form, task, principal, time) for each in contents]
        with self.step() as db:
            db.executemany(insert, rows)

    def of(self, seq: int) -> Sequence[KeptContent]:
        """The contents of one record, by name."""
        return self._kept("WHERE seq=? ORDER BY name", (seq,))

    def of_task(self, task_id: str) -> Sequence[KeptContent]:
        """The contents of the records of one task, in their order."""
        return self._kept("WHERE task=? ORDER BY seq, name", (task_id,))

    def all(self) -> Iterator[KeptContent]:
        """Everything, in the order of the records; read in parts, so that nobody waits for it."""
        last: tuple[int, str] = (-1, "")
        # What is no number or no name is not ours, and no record speaks of it.
        where = "typeof(seq)='integer' AND typeof(name)='text' AND (seq, name) > (?,?)"
        while some := self._kept(f"WHERE {where} ORDER BY seq, name LIMIT {_MANY}", last):
            yield from some
            last = (some[-1].seq, some[-1].name)

    def tasks_like(self, prefix: str, limit: int = 10) -> Sequence[str]:
        """The ids of tasks with contents that begin with `prefix`, at most `limit` of them."""
        if not (prefix.isascii() and prefix.isalnum()):
            return []  # no id; and what cannot be encoded cannot be asked for
        query = "SELECT DISTINCT task FROM contents WHERE task>=? AND task<? ORDER BY task LIMIT ?"
        return [row[0] for row in self._read(query, (prefix, prefix + "\U0010ffff", limit))]

    def tasks_of(self, principal: str) -> Sequence[str]:
        """The ids of the tasks of a principal that have contents."""
        return [row[0] for row in self._read("SELECT DISTINCT task FROM contents WHERE principal=? ORDER BY task", (principal,))]

    def _kept(self, where: str, values: Sequence[Any]) -> Sequence[KeptContent]:
        return [KeptContent(*row) for row in self._read(f"SELECT {_COLUMNS} FROM contents {where}", values)]

    def purgeable(self, purge: Purge) -> int:
        """How many values there are to go."""
        return sum(int(self._read(f"SELECT count(*) FROM contents WHERE {where}", values)[0][0]) for where, values in _chosen(purge))

    def purge(self, purge: Purge) -> Iterator[int]:
        """Delete values and their keys; each answer is how many one step, which is one transaction, has taken away."""
        for where, values in _chosen(purge):
            while some := self._read(f"SELECT rowid FROM contents WHERE {where} LIMIT {STEP_ROWS}", values):
                with self.step() as db:
                    deleted = sum(db.execute("DELETE FROM contents WHERE rowid=?", row).rowcount for row in some)
                yield deleted
                give_back(self, STEP_SECONDS)

    def shrink(self, *, compact: bool = False) -> Iterator[str]:
        """See `Store.shrink`."""
        return shrink(self, compact=compact)


class ContentsCopy(ContentsStore):
    """The contents in a copy that is evidence: not a byte of it changes, and no file is made beside it, whatever state it was copied in.

    `without_log`: a log, `-wal`, was copied with it; to read that is to write, so that what stands in it alone is not seen.

    Raises:
        StoreError: the file cannot be opened, or is of another version.
    """

    def _open(self) -> sqlite3.Connection:
        path = Path(self._path).absolute()
        if not path.is_file():  # a pipe would hold us up
            raise StoreError(f"{path}: is no plain file")
        # Nobody writes a copy. What somebody may be writing must not be opened so (https://sqlite.org/uri.html#uriimmutable).
        found = self._connect(f"{path.as_uri()}?mode=ro&immutable=1", self._look)
        log = Path(f"{path}-wal")
        self.without_log = log.is_file() and log.stat().st_size > 0
        return found


def _chosen(purge: Purge) -> Iterator[tuple[str, tuple[Any, ...]]]:
    if purge.tasks is None:
        yield "time<?", (purge.before,)
        return
    for start in range(0, len(purge.tasks), _MANY):
        some = purge.tasks[start : start + _MANY]
        yield f"task IN ({','.join('?' * len(some))})", tuple(some)
