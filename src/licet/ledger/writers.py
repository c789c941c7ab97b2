"""Who writes: one file for each living writer, held by a lock that the system lets go when its process dies, however it dies.

A writer's file says from which record on its calls may be without an outcome, so that whoever comes after need not read the whole ledger.
The files stand in the folder of keys: who can only write the ledger's cannot make us forget who died.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from licet.errors import LedgerError
from licet.ledger.signer import sync_folder
from licet.machine import open_own

INTENT, OUTCOME = "call.intent", "call.outcome"
_WIDTH = 20  # digits


class Presence:
    """A writer's own file, held from `hold` on as long as this is."""

    def __init__(self, folder: Path, writer: str) -> None:
        self._file, self._descriptor, self._since = folder / writer, -1, -1
        self.held = False

    def hold(self, since: int) -> None:
        """Take the file, and note `since`. It may be there: its writer has closed the ledger, and goes on. May be tried again.

        Raises:
            LedgerError: it cannot be opened.
            OSError: it cannot be written; or somebody settles just now what was left.
        """
        while True:
            self._close()  # of an attempt before, which was interrupted
            self._descriptor = open_own(self._file, os.O_RDWR | os.O_CREAT, LedgerError)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(self._descriptor).st_nlink:
                break  # else settled and taken away just now
        self.note(since)
        # On the disk before the first record: a power cut must not leave that without its writer.
        os.fsync(self._descriptor)
        sync_folder(self._file.parent)
        self.held = True

    def note(self, since: int) -> None:
        """Every call of this writer whose intent stands before this record (its `seq`) has its outcome.

        Raises:
            OSError: it cannot be written; then the earlier number stands, which asks for more reading and nothing else.
        """
        if since != self._since:
            os.pwrite(self._descriptor, f"{since:0{_WIDTH}d}\n".encode(), 0)
            self._since = since

    def leave(self, *, settled: bool) -> None:
        """Go. What is not settled is left for whoever comes after; so is the file of a forked child's parent."""
        if settled:
            self._file.unlink(missing_ok=True)
        self._close()

    def _close(self) -> None:
        self.held, self._since = False, -1
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Dead:
    """A writer that has died. `since`: from which record (`seq`) on its calls may be without an outcome; 0: it wrote none."""

    writer: str
    since: int
    file: Path
    descriptor: int

    def buried(self, *, settled: bool) -> None:
        """Let go of it; `settled`: for ever."""
        if settled:
            self.file.unlink(missing_ok=True)
        os.close(self.descriptor)


def dead(folder: Path, own: str) -> tuple[list[Dead], bool]:
    """The writers that have died, held against others who look; and whether any but `own` lives.

    To be called while the ledger's lock is held.
    """
    found, others = [], False
    for file in sorted(folder.iterdir()):
        try:
            descriptor = open_own(file, os.O_RDWR, LedgerError)
        except LedgerError:
            if os.path.lexists(file):
                raise
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            text = os.pread(descriptor, _WIDTH, 0)
        except BlockingIOError:
            os.close(descriptor)
            others |= file.name != own
            continue
        except OSError:
            os.close(descriptor)
            raise
        # It says so before its first record. What says something else is damaged: then everything is looked through.
        since = 0 if not text else int(text) if text.isdigit() and len(text) == _WIDTH else 1
        found.append(Dead(file.name, since, file, descriptor))
    return found, others


@dataclass(frozen=True, slots=True)
class Abandoned:
    """What writers that have died left.

    `intents`: the records of those calls for which there is no outcome. `ended`: of calls that run nowhere any more, though somebody
    thinks so, the status of their outcome; "unknown" if there is not even an intent, for then nobody else lives.
    """

    intents: list[dict[str, Any]]
    ended: dict[str, str]


def left_by(writers: set[str], lines: Iterable[bytes], path: str, running: Sequence[str], *, alone: bool) -> Abandoned:
    """What the `writers` left in the records from the first on that may matter. `alone`: nobody else lives.

    Raises:
        LedgerError: a line is no record.
    """
    intents: dict[str, dict[str, Any]] = {}
    statuses: dict[str, str] = {}
    for line in lines:
        if b'"kind":"call.' not in line:
            continue
        record = _parsed(line, path)
        if record["kind"] == INTENT and record["writer"] in writers:
            intents[record["call"]] = record
        elif record["kind"] == OUTCOME:
            intents.pop(record["call"], None)
            if record["writer"] in writers:
                statuses[record["call"]] = str(record.get("status"))
    ended = {call: statuses.get(call, "unknown") for call in running if call in statuses or (alone and call not in intents)}
    return Abandoned(list(intents.values()), ended)


def _parsed(line: bytes, path: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
        return {**record, "kind": str(record["kind"]), "writer": str(record.get("writer")), "call": str(record["call"])}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise LedgerError(f"{path}: a line is not a record; `licet ledger verify` says which") from error
