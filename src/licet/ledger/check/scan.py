"""The byte pass: every stored byte is read once, each record hashed as a leaf, and the tree held against tiles and checkpoints.

Two SHA-256 a record, and no JSON. What is odd is only noted here; `naming.py` and `damage.py` say what was done.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from licet.ledger.check.stored import Stored, entries
from licet.ledger.layout import BUNDLE, live_name, partial_tiles, tile_name
from licet.ledger.merkle import EMPTY, SIZE, Frontier, node_hash
from licet.ledger.tiles import fold

Progress = Callable[[int, int], None]
"""Called with how many records were looked at, and of how many."""


class Live:
    """The live segments as they were when this was made."""

    def __init__(self, stored: Stored) -> None:
        self.firsts: list[int] = []
        self._lines: list[list[bytes]] = []
        self.torn = b""
        self.odd = ""  # what is wrong with their form; what stands behind that was not looked at
        for first in stored.segments():
            found = stored.lines(first)
            if found is None:  # sealed and taken away meanwhile, and so were those before it
                self.firsts, self._lines, self.torn = [], [], b""
                continue
            if self.firsts and (self.end != first or self.torn):
                self.odd = self._parted(first)
            self.firsts.append(first)
            self._lines.append(found[0])
            self.torn = found[1]
            if found[2]:
                self.odd = found[2]
                break

    def _parted(self, first: int) -> str:
        if self.torn:
            return f"{live_name(self.firsts[-1])} ends inside a line, and another follows"
        return f"{live_name(first)} does not begin where the one before it ends, at index {self.end}"

    @property
    def count(self) -> int:
        """How many whole lines there are. Names of files say any numbers: what is counted is only this."""
        return sum(map(len, self._lines))

    @property
    def start(self) -> int:
        """The index of the first record, from 0."""
        return self.firsts[0] if self.firsts else 0

    @property
    def end(self) -> int:
        """The index behind the last record."""
        return self.firsts[-1] + len(self._lines[-1]) if self.firsts else 0

    def all(self) -> list[bytes]:
        """Every whole line, in the order of the files."""
        return [line for lines in self._lines for line in lines]

    def get(self, first: int, count: int) -> list[bytes]:
        """The records from index `first` on, as many as stand here."""
        found: list[bytes] = []
        at = first
        while len(found) < count:
            segment = bisect_right(self.firsts, at) - 1
            if segment < 0:
                break
            offset = at - self.firsts[segment]
            taken = self._lines[segment][offset : offset + count - len(found)]
            if not taken:
                break
            found += taken
            at += len(taken)
        return found


@dataclass(slots=True)
class Scan:
    """What the byte pass saw of the first `size` records.

    `roots`: the root for each size that was asked for, as far as there were so many. `bad_bundles`, `bad_live`, `bad_tiles`: by name, what
    is not as it should be; of tiles, which record it begins with. `last`: the leaf hash of record `size`.
    """

    size: int
    records: int = 0
    roots: dict[int, bytes] = field(default_factory=dict)
    bad_bundles: list[str] = field(default_factory=list)
    bad_live: bool = False
    bad_tiles: list[tuple[str, str]] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    last: bytes = b""


def scan(stored: Stored, live: Live, size: int, marks: Iterable[int], progress: Progress | None = None) -> Scan:
    """Read the records under a checkpoint of `size`, and all tiles.

    Raises:
        LedgerError: a file cannot be read.
    """
    found = Scan(size, bad_live=bool(live.odd))
    wanted: dict[int, list[int]] = {}
    for mark in {*marks, size}:
        if mark <= size:
            wanted.setdefault(mark // BUNDLE, []).append(mark)
    tree = Frontier()
    for number in range(-(-size // BUNDLE)):
        first = number * BUNDLE
        width = min(BUNDLE, size - first)
        row = _row(stored, live, number, width, found)
        joined = b"".join([sha256(b"\0" + record).digest() for record in row])
        name, tile = stored.tile(0, number, width)
        if tile is None or not _agrees(tile, joined, name):
            found.bad_tiles.append(
                (name, "is missing" if tile is None else f"does not hold the hashes of records {first + 1} to {first + width}")
            )
        for mark in wanted.pop(number, ()):
            if mark - first <= len(row):
                found.roots[mark] = _root([*tree.hashes, *_frontier(joined[: (mark - first) * SIZE])])
        found.records += len(row)
        found.last = joined[-SIZE:]
        if len(row) < width:
            break
        if width == BUNDLE:
            head = fold(joined)
            found.heads.append(head)
            tree.append(head)
        if progress is not None and number % 64 == 63:
            progress(first + width, size)
    if found.records == size:
        for mark in wanted.pop(size // BUNDLE, ()):  # a size that is whole tiles
            found.roots[mark] = _root(tree.hashes)
        _check_upper(stored, found)
    if live.firsts and live.end < size:
        found.bad_live = True
    return found


def _row(stored: Stored, live: Live, number: int, width: int, found: Scan) -> list[bytes]:
    """The records of one tile: from its bundle, or, where that has not all of them, from the live segments."""
    first = number * BUNDLE
    name, data = stored.bundle(number, width)
    row, whole = entries(data) if data is not None else ([], False)
    if not whole or len(row) < width or len(row) > _width_of(name):
        found.bad_bundles.append(name)
    row = row[:width]
    if live.firsts and first + width > live.start:
        skip = max(0, live.start - first)
        lived = live.get(first + skip, width - skip)
        if lived != row[skip : skip + len(lived)]:
            if len(row) < width and not skip and len(lived) == width:
                return lived
            found.bad_live = True
    return row


def _width_of(name: str) -> int:
    _, partial, width = name.partition(".p/")
    return int(width) if partial else BUNDLE


def _agrees(tile: bytes, joined: bytes, name: str) -> bool:
    """Whether a tile begins with these hashes, and is as long as its name says."""
    return tile[: len(joined)] == joined and len(tile) == SIZE * _width_of(name)


def _check_upper(stored: Stored, found: Scan) -> None:
    level, row = 1, found.heads
    while row:
        joined = b"".join(row)
        above = []
        for number in range(-(-len(row) // BUNDLE)):
            part = joined[number * BUNDLE * SIZE : (number + 1) * BUNDLE * SIZE]
            width = len(part) // SIZE
            name, tile = stored.tile(level, number, width)
            if tile is None or not _agrees(tile, part, name):
                found.bad_tiles.append((name, "is missing" if tile is None else "does not hold the hashes of the tiles below it"))
            if width == BUNDLE:
                above.append(fold(part))
        level, row = level + 1, above


def _frontier(joined: bytes) -> tuple[bytes, ...]:
    tree = Frontier()
    for at in range(0, len(joined), SIZE):
        tree.append(joined[at : at + SIZE])
    return tree.hashes


def _root(peaks: list[bytes] | tuple[bytes, ...]) -> bytes:
    """The root over complete subtrees, the largest first."""
    if not peaks:
        return EMPTY
    found = peaks[-1]
    for left in reversed(peaks[:-1]):
        found = node_hash(left, found)
    return found


def root_over(heads: list[bytes], rest: list[bytes]) -> bytes:
    """The root over the roots of full tiles, and the leaf hashes behind them."""
    tree = Frontier()
    for head in heads:
        tree.append(head)
    return _root([*tree.hashes, *_frontier(b"".join(rest))])


def expected_partials(size: int) -> list[str]:
    """The names of the hash tiles that are not full under a checkpoint of `size`."""
    return [tile_name(level, number, width) for level, number, width in partial_tiles(size)]
