"""Spans, put together by session outside memory: a file of any size is read, and its sessions are handed out one after the other.

What is kept lies in a private temporary file of SQLite's, which has no name and is gone with the process; of little it makes none.
"""

from __future__ import annotations

import marshal
import sqlite3
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from licet.errors import StoreError

CACHE = 32 * 1024
"""KiB of memory before anything is written."""

MAX_ABOVE = 100
"""Spans between a call and the one that names the conversation."""

_SCHEMA = """
CREATE TABLE spans (
    id INTEGER PRIMARY KEY, trace TEXT, span TEXT, parent TEXT, session BLOB, named INTEGER, start BLOB, call INTEGER, told BLOB);
CREATE UNIQUE INDEX by_span ON spans (trace, span);
"""
_PAGE = 4_096  # bytes
_WAY = 2**64  # a start is a number of 64 bits, of either sign


@dataclass(frozen=True, slots=True)
class Told:
    """One span: where it stands, when it began (nanoseconds), the conversation that it names, whether it is a call, and all else it says.

    `what` is made of texts, numbers, lists and dictionaries.
    """

    trace: str
    span: str
    parent: str
    conversation: str
    start: int
    is_call: bool
    what: Any = None


class Grouping:
    """Takes spans, each once, in any order. `cache`: KiB of memory before anything is written."""

    def __init__(self, cache: int = CACHE) -> None:
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute(f"PRAGMA page_size={_PAGE}")
        for setting in ("journal_mode=OFF", "synchronous=OFF", "temp_store=FILE", f"cache_size={-cache}"):
            self._db.execute(f"PRAGMA {setting}")
        self._db.executescript(_SCHEMA)
        self._db.execute("BEGIN")
        weakref.finalize(self, self._db.close)

    def add(self, told: Told) -> bool:
        """Take a span; False if one of the same id came before, as happens where spans are delivered at least once.

        Raises:
            StoreError: there is no room for it.
        """
        row = (
            told.trace, told.span, told.parent, _bytes(told.conversation or told.trace), bool(told.conversation),
            (told.start + _WAY).to_bytes(9, "big"), told.is_call, marshal.dumps(told.what),
        )  # fmt: skip
        keep = "INSERT OR IGNORE INTO spans (trace, span, parent, session, named, start, call, told) VALUES (?,?,?,?,?,?,?,?)"
        try:
            return self._db.execute(keep, row).rowcount == 1
        except sqlite3.Error as error:
            raise _no_room(error) from error

    def sessions(self) -> Iterator[tuple[str, list[Told]]]:
        """Each session with a call, by the first of its calls and then by name: its name, and all its spans as they came.

        Raises:
            StoreError: there is no room for putting them in order.
        """
        try:
            yield from self._sessions()
        except sqlite3.Error as error:
            raise _no_room(error) from error

    def _sessions(self) -> Iterator[tuple[str, list[Told]]]:
        self._settle()
        each = "SELECT session FROM spans WHERE call GROUP BY session ORDER BY min(start), session"
        for (session,) in self._db.execute(each):
            rows = self._db.execute("SELECT trace, span, parent, start, call, told FROM spans WHERE session=? ORDER BY id", (session,))
            yield (
                session.decode("utf-8", "surrogatepass"),
                [
                    Told(trace, span, parent, "", int.from_bytes(start, "big") - _WAY, bool(call), marshal.loads(told))  # noqa: S302 - our own
                    for trace, span, parent, start, call, told in rows
                ],
            )

    def _settle(self) -> None:
        """Give every span its session: the conversation that is named nearest above it, else its trace."""
        self._db.execute("CREATE INDEX IF NOT EXISTS by_name ON spans (trace) WHERE named")
        last = ""
        while some := self._db.execute(
            "SELECT DISTINCT trace FROM spans WHERE named AND trace>? ORDER BY trace LIMIT 1000", (last,)
        ).fetchall():
            for (last,) in some:
                self._settle_trace(last)
        self._db.execute("CREATE INDEX IF NOT EXISTS by_session ON spans (session, call, start)")

    def _settle_trace(self, trace: str) -> None:
        rows = self._db.execute("SELECT span, parent, CASE WHEN named THEN session ELSE x'' END FROM spans WHERE trace=?", (trace,))
        above = {span: (parent, session) for span, parent, session in rows}
        found = ((_conversation(span, above), trace, span) for span, (_, own) in above.items() if not own)
        self._db.executemany("UPDATE spans SET session=? WHERE trace=? AND span=?", [each for each in found if each[0]])


def _no_room(error: sqlite3.Error) -> StoreError:
    return StoreError(f"spans cannot be kept in a temporary file: {error}; make room, or name a folder that has some in SQLITE_TMPDIR")


def _conversation(span: str, above: dict[str, tuple[str, bytes]]) -> bytes:
    for _ in range(MAX_ABOVE):
        parent, conversation = above.get(span, ("", b""))
        if conversation or not parent:
            return conversation
        span = parent
    return b""


def _bytes(text: str) -> bytes:
    """As bytes, in the order of the text: a lone surrogate is no text for SQLite."""
    return text.encode("utf-8", "surrogatepass")
