"""Reading a ledger's folder: records, hashes, checkpoint. Nothing is written, nothing is believed: that is for `verify.py`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from licet.errors import LedgerError
from licet.ledger import layout, tiles
from licet.ledger.layout import BUNDLE, MAX_ENTRY
from licet.ledger.merkle import SIZE, Subtree, leaf_hash
from licet.ledger.note import MAX_NOTE

_MAX_BUNDLE = BUNDLE * (MAX_ENTRY + 2)  # bytes
_WIDTHS = frozenset(map(str, range(1, BUNDLE)))  # of what is not full


class LedgerFiles:
    """The folder of one ledger. Each method reads what stands there now; a ledger that is being written to can be read."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def checkpoint(self) -> str | None:
        """The newest signed note; None if there is none.

        Raises:
            LedgerError: it cannot be read, or is no text.
        """
        return self._text(layout.CHECKPOINT)

    def key(self) -> str | None:
        """The verifier key that lies with the records; who trusts nobody has one from elsewhere. None if there is none.

        Raises:
            LedgerError: it cannot be read, or is no text.
        """
        return self._text(layout.KEY)

    def segments(self) -> list[int]:
        """The indexes at which live segments begin."""
        try:
            names = [each.name for each in (self.path / layout.LIVE).iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unreadable(layout.LIVE, error) from error
        return sorted(first for first in map(layout.live_first, names) if first is not None)

    def records(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes of each whole record from index `start` on: what a leaf is made of. Up to `stop`, or the end of what stands there.

        Raises:
            LedgerError: a file cannot be read or is not in its form, or a record before the last is missing.
        """
        at = start
        while stop is None or at < stop:
            live = [first for first in self.segments() if first <= at]
            source = self._live(live[-1], at - live[-1]) if live else self._bundled(at)
            begun = at
            try:
                for record in source:
                    yield record
                    at += 1
                    if at == stop:
                        return
            except FileNotFoundError:  # a segment that was sealed meanwhile: its records stand in bundles now
                continue
            if at == begun:
                return

    def size(self) -> int:
        """How many whole records stand there.

        Raises:
            LedgerError: a file cannot be read.
        """
        segments = self.segments()
        if segments:
            try:
                return segments[-1] + sum(1 for _ in self._live(segments[-1], 0))
            except FileNotFoundError:
                return self.size()
        return sum(1 for _ in self.records())

    def tiles(self, size: int) -> tiles.Tiles:
        """The hash tiles of the tree of `size`: of what is not there as a tile, from what it is made of."""

        def read(level: int, number: int, width: int) -> bytes:
            partial = (size >> 8 * (level + 1)) == number
            names = [layout.tile_name(level, number)]
            if partial:
                names.append(layout.tile_name(level, number, (size >> 8 * level) % BUNDLE))
            for name in names:
                found = self._bytes(name, BUNDLE * SIZE + 1)
                if found is not None and len(found) >= width * SIZE:
                    return found[: width * SIZE]
            raise LedgerError(f"{self.path / names[-1]}: is missing, or too short; the records have what it is made of")

        return read

    def leaves(self, level: int, number: int, width: int) -> bytes:
        """What `tiles` gives, made from the records.

        Raises:
            LedgerError: there are not so many records.
        """
        if level == 0:
            first = number * BUNDLE
            hashes = [leaf_hash(record) for record in self.records(first, first + width)]
            if len(hashes) != width:
                raise LedgerError(f"{self.path}: record {first + len(hashes) + 1} is missing")
            return b"".join(hashes)
        return b"".join(tiles.fold(self.leaves(level - 1, number * BUNDLE + at, BUNDLE)) for at in range(width))

    def subtree(self, size: int) -> Subtree:
        """The hashes over ranges of leaves of the tree of `size`, for the proofs of `merkle.py`, from the hash tiles.

        The answer raises LedgerError where the tiles do not have one.
        """
        read = self.tiles(size)
        return lambda low, high: tiles.subtree(low, high, read)

    def _live(self, first: int, skip: int) -> Iterator[bytes]:
        name = self.path / layout.live_name(first)
        try:
            with open(name, "rb", opener=_plainly) as file:
                number = 0
                while line := file.readline(MAX_ENTRY + 2):
                    if len(line) > MAX_ENTRY + 1:
                        raise LedgerError(f"{name}: line {number + 1} is longer than any record can be ({MAX_ENTRY} bytes)")
                    if not line.endswith(b"\n"):
                        return  # being written, or torn: it does not count
                    if number >= skip:
                        yield line[:-1]
                    number += 1
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._unreadable(layout.live_name(first), error) from error

    def _bundled(self, at: int) -> Iterator[bytes]:
        """The records of the bundle that index `at` stands in, from there on."""
        number, skip = divmod(at, BUNDLE)
        data = self._bytes(layout.bundle_name(number), _MAX_BUNDLE)
        if data is None:
            data, name = self._partial(number)
        else:
            name = layout.bundle_name(number)
        yield from entries(data or b"", str(self.path / name))[skip:BUNDLE]

    def _partial(self, number: int) -> tuple[bytes | None, str]:
        folder = layout.bundle_name(number) + ".p"
        try:
            names = [each.name for each in (self.path / folder).iterdir()]
        except OSError:
            names = []
        for width in sorted((int(each) for each in names if each in _WIDTHS), reverse=True):
            name = layout.bundle_name(number, width)
            if (data := self._bytes(name, _MAX_BUNDLE)) is not None:
                return data, name
        return None, folder

    def _text(self, name: str) -> str | None:
        data = self._bytes(name, MAX_NOTE)
        try:
            return None if data is None else data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise LedgerError(f"{self.path / name}: is not text") from error

    def _bytes(self, name: str, limit: int) -> bytes | None:
        try:
            with open(self.path / name, "rb", opener=_plainly) as file:
                data = file.read(limit + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unreadable(name, error) from error
        if len(data) > limit:
            raise LedgerError(f"{self.path / name}: is longer than it can be ({limit} bytes)")
        return data

    def _unreadable(self, name: str, error: OSError) -> LedgerError:
        return LedgerError(f"{self.path / name}: cannot be read: {error.strerror}; check path and rights")


def entries(data: bytes, name: str) -> list[bytes]:
    """The records of an entry bundle: each behind its length in two bytes, the higher first.

    Raises:
        LedgerError: the bundle ends inside a record; `name` is the file.
    """
    found: list[bytes] = []
    at, end = 0, len(data)
    while at < end:
        stop = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > end or stop > end:
            raise LedgerError(f"{name}: ends inside its entry {len(found) + 1}")
        found.append(data[at + 2 : stop])
        at = stop
    return found


def _plainly(path: str, flags: int) -> int:
    """Never through a link, and never held up by a pipe in a file's place."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
