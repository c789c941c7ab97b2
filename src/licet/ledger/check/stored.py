"""What stands in a ledger's folder, byte by byte, for a reader that believes nothing: bad content is an answer, not an error."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

from licet.errors import LedgerError
from licet.ledger import layout
from licet.ledger.layout import BUNDLE, MAX_ENTRY, SEGMENT
from licet.ledger.merkle import SIZE
from licet.ledger.note import MAX_NOTE

_MAX_TILE, _MAX_BUNDLE = BUNDLE * SIZE, BUNDLE * (2 + MAX_ENTRY)  # bytes
_BLOCK = 1 << 22  # bytes of a live segment that are read at once


class Stored:
    """One folder. Every method says what it read; LedgerError only where the system does not let it read.

    `gone`: it may be missing, and then has nothing.
    """

    def __init__(self, path: str | Path, *, gone: bool = False) -> None:
        self.path = Path(path)
        self.bytes = 0
        if not gone and not self.path.is_dir():
            raise LedgerError(f"{self.path}: is no folder of a ledger; check the path")

    def read(self, name: str, limit: int = MAX_NOTE) -> bytes | None:
        """The bytes of a file; None if there is none. Of one that is longer than `limit`, one byte more than that: it is not in its form.

        Raises:
            LedgerError: it cannot be read, or is no plain file.
        """
        file = self._open(name)
        if file is None:
            return None
        with file:
            return self._some(file, name, limit + 1)

    def _open(self, name: str) -> BinaryIO | None:
        try:
            descriptor = os.open(self.path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._unreadable(name, error) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise LedgerError(f"{self.path / name}: is no plain file; put the ledger's own back")
        return os.fdopen(descriptor, "rb")

    def _some(self, file: BinaryIO, name: str, count: int) -> bytes:
        try:
            data = file.read(count)
        except OSError as error:
            raise self._unreadable(name, error) from error
        self.bytes += len(data)
        return data

    def names(self, folder: str) -> list[str]:
        """The names in a folder, in order; none if it is not there.

        Raises:
            LedgerError: it cannot be read.
        """
        try:
            return sorted(each.name for each in (self.path / folder).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise self._unreadable(folder, error) from error

    def bundle(self, number: int, width: int) -> tuple[str, bytes | None]:
        """The entry bundle that has at least `width` entries, or else the widest; by its name."""
        return self._widest(layout.bundle_name(number), width, _MAX_BUNDLE)

    def tile(self, level: int, number: int, width: int) -> tuple[str, bytes | None]:
        """The hash tile that has at least `width` hashes, or else the widest; by its name."""
        return self._widest(layout.tile_name(level, number), width, _MAX_TILE)

    def segments(self) -> list[int]:
        """The indexes at which live segments begin, from 0."""
        found = (layout.live_first(name) for name in self.names(layout.LIVE))
        return [first for first in found if first is not None]

    def lines(self, first: int) -> tuple[list[bytes], bytes, str] | None:
        """The whole lines of a live segment, what follows the last line feed, and why not all of it was read: a file of holes says that it
        is any size, and costs nobody anything. None if the segment is gone.

        Raises:
            LedgerError: it cannot be read, or is no plain file.
        """
        file = self._open(layout.live_name(first))
        if file is None:
            return None
        found: list[bytes] = []
        torn = b""
        with file:
            while block := self._some(file, layout.live_name(first), _BLOCK):
                whole = (torn + block).split(b"\n")
                torn = whole.pop()
                if max(map(len, whole), default=0) > MAX_ENTRY or len(torn) > MAX_ENTRY:
                    whole = list(takewhile(_fits, whole))
                    found += whole
                    where = f"line {len(found) + 1} of {layout.live_name(first)}"
                    return found, b"", f"{where} is longer than a record can be ({MAX_ENTRY:,} bytes)"
                found += whole
                if len(found) > SEGMENT:
                    return found[:SEGMENT], b"", f"{layout.live_name(first)} has more than {SEGMENT:,} lines"
        return found, torn, ""

    def _widest(self, full: str, width: int, limit: int) -> tuple[str, bytes | None]:
        """A reader of a log that grows meanwhile finds a wider one where the one of its checkpoint was."""
        if width < BUNDLE and (data := self.read(exact := f"{full}.p/{width}", limit)) is not None:
            return exact, data
        if (data := self.read(full, limit)) is not None:
            return full, data
        widths = sorted(
            (int(name) for name in self.names(f"{full}.p") if name.isascii() and name.isdigit() and len(name) < 4), reverse=True
        )
        for each in widths:
            name = f"{full}.p/{each}"
            if (data := self.read(name, limit)) is not None:
                return name, data
        return (f"{full}.p/{width}" if width < BUNDLE else full), None

    def _unreadable(self, name: str, error: OSError) -> LedgerError:
        return LedgerError(f"{self.path / name}: cannot be read: {error.strerror}; check path and rights")


def _fits(line: bytes) -> bool:
    return len(line) <= MAX_ENTRY


def entries(data: bytes) -> tuple[list[bytes], bool]:
    """The entries of a bundle, and whether it ends where its last entry does. No more are read than tell that there are too many."""
    found: list[bytes] = []
    add, at, end = found.append, 0, len(data)
    for _ in range(2 * BUNDLE):
        if at + 2 > end:
            break
        stop = at + 2 + (data[at] << 8 | data[at + 1])
        if stop > end:
            return found, False
        add(data[at + 2 : stop])
        at = stop
    return found, at == end


def hashes(data: bytes) -> list[bytes]:
    """Joined hashes, apart. What is too short at the end is left out."""
    return [data[at : at + SIZE] for at in range(0, len(data) - SIZE + 1, SIZE)]


def rows(stored: Stored) -> Iterator[tuple[int, list[bytes]]]:
    """Each entry bundle that is there, whole or not: number and entries."""
    number = 0
    while (data := stored.bundle(number, BUNDLE)[1]) is not None:
        yield number, entries(data)[0]
        number += 1
