"""The tree as tiles of 256 hashes: what has to be kept of it to go on, and to prove anything about it. No file is touched here.

A tile of level 0 holds leaf hashes, one of level 1 the roots of full tiles of level 0, and so on (C2SP tlog-tiles v0.1.0).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from licet.ledger.layout import BUNDLE
from licet.ledger.merkle import EMPTY, SIZE, node_hash

Tiles = Callable[[int, int, int], bytes]
"""The first hashes of a tile, by level, number and how many: what trees are read from."""

_BITS = 8  # of BUNDLE


def fold(hashes: bytes) -> bytes:
    """The root of a complete subtree over joined hashes, whose number is a power of two."""
    row = hashes
    while len(row) > SIZE:
        row = b"".join([node_hash(row[at : at + SIZE], row[at + SIZE : at + 2 * SIZE]) for at in range(0, len(row), 2 * SIZE)])
    return row


class Growing:
    """A tree that grows at its right edge: of each level the hashes of the tile that is not full yet."""

    def __init__(self, size: int = 0, edge: list[bytes] | None = None) -> None:
        self.size = size
        self._edge = [bytearray(each) for each in edge or []]

    @classmethod
    def of(cls, size: int, tiles: Tiles) -> Growing:
        """The tree of `size`, by its tiles."""
        edge, rest, level = [], size, 0
        while rest:
            width = rest % BUNDLE
            edge.append(tiles(level, rest // BUNDLE, width) if width else b"")
            rest, level = rest // BUNDLE, level + 1
        return cls(size, edge)

    def append(self, leaf: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Add a leaf hash; level, number and content of each tile that is full with it. To be read to its end."""
        self.size += 1
        level, added = 0, leaf
        while True:
            if level == len(self._edge):
                self._edge.append(bytearray())
            edge = self._edge[level]
            edge += added
            if len(edge) < BUNDLE * SIZE:
                return
            full = bytes(edge)
            edge.clear()
            yield level, (self.size >> _BITS * (level + 1)) - 1, full
            level, added = level + 1, fold(full)

    def partials(self) -> Iterator[tuple[int, int, bytes]]:
        """Level, number and content of each tile that is not full."""
        for level, edge in enumerate(self._edge):
            if edge:
                yield level, self.size >> _BITS * (level + 1), bytes(edge)

    def root(self) -> bytes:
        """The root hash."""
        found = b""
        for edge in self._edge:
            for part in reversed(_complete(bytes(edge))):
                found = node_hash(fold(part), found) if found else fold(part)
        return found or EMPTY


def subtree(low: int, high: int, tiles: Tiles) -> bytes:
    """The hash over the leaves from `low` up to `high`: for the proofs of `merkle.py`, which ask for those that a proof has."""
    if low == high:
        return EMPTY
    count = high - low
    if count & (count - 1) or low % count:
        middle = low + (1 << (count - 1).bit_length() - 1)
        return node_hash(subtree(low, middle, tiles), subtree(middle, high, tiles))
    level = (count.bit_length() - 1) // _BITS
    first, nodes = low >> _BITS * level, count >> _BITS * level
    at = first % BUNDLE
    return fold(tiles(level, first // BUNDLE, at + nodes)[at * SIZE : (at + nodes) * SIZE])


def _complete(hashes: bytes) -> list[bytes]:
    """Joined hashes, cut into as few complete subtrees as there are, the largest first."""
    parts, at, count = [], 0, len(hashes) // SIZE
    while count:
        take = 1 << count.bit_length() - 1
        parts.append(hashes[at * SIZE : (at + take) * SIZE])
        at, count = at + take, count - take
    return parts
