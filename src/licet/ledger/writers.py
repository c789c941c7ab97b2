"""Who writes: one file for each living writer, held by a lock that the system lets go when its process dies, however it dies.

A writer's file says from which record on its calls may be without an outcome, so that whoever comes after need not read the whole ledger.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from licet.errors import LedgerError
from licet.machine import open_own

_WIDTH = 20  # digits


class Presence:
    """A writer's own file, held as long as this is."""

    def __init__(self, folder: Path, writer: str, since: int) -> None:
        self._file = folder / writer
        self._descriptor = open_own(self._file, os.O_RDWR | os.O_CREAT | os.O_EXCL, LedgerError)
        self._since = -1
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.note(since)
        except OSError:
            self.leave(settled=True)
            raise

    def note(self, since: int) -> None:
        """Every call of this writer whose intent stands before this record (its `seq`) has its outcome.

        Raises:
            OSError: it cannot be written; then the earlier number stands, which asks for more reading and nothing else.
        """
        if since != self._since:
            os.pwrite(self._descriptor, f"{since:0{_WIDTH}d}\n".encode(), 0)
            self._since = since

    def leave(self, *, settled: bool) -> None:
        """Go. What is not settled is left for whoever comes after."""
        if settled:
            self._file.unlink(missing_ok=True)
        os.close(self._descriptor)

    def forget(self) -> None:
        """Let go of a copy that a forked child has; the parent's stands."""
        os.close(self._descriptor)


@dataclass(frozen=True, slots=True)
class Dead:
    """A writer that has died. `since`: from which record (`seq`) on its calls may be without an outcome."""

    writer: str
    since: int
    file: Path
    descriptor: int

    def buried(self, *, settled: bool) -> None:
        """Let go of it; `settled`: for ever."""
        if settled:
            self.file.unlink(missing_ok=True)
        os.close(self.descriptor)


def dead(folder: Path) -> list[Dead]:
    """The writers that have died, held against others who look; to be called while the ledger's lock is held."""
    found = []
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
            continue
        since = int(text) if text.isdigit() else 1  # died before it could say: then everything is looked through
        found.append(Dead(file.name, since, file, descriptor))
    return found
