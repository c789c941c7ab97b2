"""What stands in a ledger's folder, byte by byte, for a reader that believes nothing: bad content is an answer, not an error."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from licet.errors import LedgerError
from licet.ledger import layout
from licet.ledger.layout import BUNDLE
from licet.ledger.merkle import SIZE

_MAX_FILE = 1 << 28  # bytes; more than any file of a ledger can have


class Stored:
    """One folder. Every method says what it read; LedgerError only where the system does not let it read."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.bytes = 0
        if not self.path.is_dir():
            raise LedgerError(f"{self.path}: is no folder of a ledger; check the path")

    def read(self, name: str) -> bytes | None:
        """The bytes of a file; None if there is none.

        Raises:
            LedgerError: it cannot be read, or is no plain file.
        """
        try:
            descriptor = os.open(self.path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._unreadable(name, error) from error
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise LedgerError(f"{self.path / name}: is no plain file; put the ledger's own back")
            try:
                data = file.read(_MAX_FILE + 1)
            except OSError as error:
                raise self._unreadable(name, error) from error
        if len(data) > _MAX_FILE:
            raise LedgerError(f"{self.path / name}: is longer than any file of a ledger ({_MAX_FILE} bytes)")
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
        return self._widest(layout.bundle_name(number), width)

    def tile(self, level: int, number: int, width: int) -> tuple[str, bytes | None]:
        """The hash tile that has at least `width` hashes, or else the widest; by its name."""
        return self._widest(layout.tile_name(level, number), width)

    def segments(self) -> list[int]:
        """The indexes at which live segments begin, from 0."""
        found = (layout.live_first(name) for name in self.names(layout.LIVE))
        return [first for first in found if first is not None]

    def lines(self, first: int) -> tuple[list[bytes], bytes] | None:
        """The whole lines of a live segment, and what follows the last line feed. None if the segment is gone."""
        data = self.read(layout.live_name(first))
        if data is None:
            return None
        found = data.split(b"\n")
        torn = found.pop()
        return found, torn

    def _widest(self, full: str, width: int) -> tuple[str, bytes | None]:
        """A reader of a log that grows meanwhile finds a wider one where the one of its checkpoint was."""
        if width < BUNDLE and (data := self.read(exact := f"{full}.p/{width}")) is not None:
            return exact, data
        if (data := self.read(full)) is not None:
            return full, data
        widths = sorted(
            (int(name) for name in self.names(f"{full}.p") if name.isascii() and name.isdigit() and len(name) < 4), reverse=True
        )
        for each in widths:
            name = f"{full}.p/{each}"
            if (data := self.read(name)) is not None:
                return name, data
        return (f"{full}.p/{width}" if width < BUNDLE else full), None

    def _unreadable(self, name: str, error: OSError) -> LedgerError:
        return LedgerError(f"{self.path / name}: cannot be read: {error.strerror}; check path and rights")


def entries(data: bytes) -> tuple[list[bytes], bool]:
    """The entries of a bundle, and whether it ends where its last entry does."""
    found: list[bytes] = []
    add, at, end = found.append, 0, len(data)
    while at + 2 <= end:
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
