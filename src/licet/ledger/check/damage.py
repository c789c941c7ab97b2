"""Where the byte pass found the records not to be what was signed, or their copies to disagree: which, and what was done to them.

The signed root decides what the true leaf hashes are: those of bundles, of live segments or of hash tiles, whichever lead to it. Where none
does, whoever wrote the records wrote the tiles too; then numbers and links are what is left to go by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from licet.ledger.check.faults import Fault
from licet.ledger.check.links import by_links, link_of, told
from licet.ledger.check.naming import Difference, difference
from licet.ledger.check.scan import Live, Scan, root_over
from licet.ledger.check.stored import Stored, entries, hashes
from licet.ledger.layout import BUNDLE, live_name
from licet.ledger.merkle import SIZE, leaf_hash
from licet.ledger.tiles import fold

_GAP = 1_000  # tiles of which nothing stands at all, neither records nor hashes
_IN_BUNDLES, _IN_LIVE = " in the entry bundles", " in the live segments"


@dataclass(slots=True)
class Damage:
    """What was done, and the records that stand behind those that are signed. `true`: whether the true leaf hashes are known.

    `last`: the leaf hash of the last signed record, where it is known.
    """

    faults: list[Fault] = field(default_factory=list)
    tail: list[bytes] = field(default_factory=list)
    true: bool = True
    last: bytes | None = None


def look(stored: Stored, live: Live, seen: Scan, root: bytes) -> Damage:
    """Name what stands otherwise than it was signed.

    Raises:
        LedgerError: a file cannot be read.
    """
    whole = seen.roots.get(seen.size) == root
    faults = [Fault("tiles", f"{name}: {why}") for name, why in seen.bad_tiles] if whole else []
    if whole and not seen.bad_bundles and not seen.bad_live:
        tail, gap = _tail(stored, live, seen.size)
        return Damage([*faults, *gap], tail, last=seen.last or None)
    copies = _Copies(stored, live, seen.size)
    true = copies.true(root)
    if true is None:
        return _unknown(copies, live, seen.size)
    leaves, unknown = true
    for number in unknown:
        faults += copies.within(number, leaves)
    faults += copies.missing()
    bundled = _signed(leaves, copies.bundled_leaves(), copies.bundled())
    lived = _signed(leaves, copies.live_leaves(), live.all(), live.start) if live.firsts else None
    if lived is not None and lived.faults(0) == bundled.faults(0) and live.start == 0:
        faults += lived.faults(seen.size)  # both copies alike: no need to say it twice
    else:
        faults += bundled.faults(seen.size, _IN_BUNDLES)
        faults += lived.faults(seen.size, _IN_LIVE) if lived is not None else []
    if not faults and seen.bad_bundles:
        faults += [
            Fault("malformed", f"{name}: does not end where its last entry does, or has another number of them")
            for name in seen.bad_bundles
        ]
    if not faults and seen.bad_live:
        faults.append(Fault("malformed", f"live/: {live.odd or 'the segments do not join'}"))
    beyond = lived.beyond if lived is not None else bundled.beyond
    records = live.all() if lived is not None else copies.bundled()
    if not whole:
        faults += [Fault("tiles", f"{name}: {why}") for name, why in copies.bad_tiles(leaves, unknown)]
    return Damage(faults, records[len(records) - beyond :], last=leaves[-1] if leaves else None)


class _Copies:
    """The two or three forms in which the same records stand, as leaf hashes by tile."""

    def __init__(self, stored: Stored, live: Live, size: int) -> None:
        self._stored, self._live, self._size = stored, live, size
        self._full, self._rest = divmod(size, BUNDLE)
        self._rows: list[list[bytes]] = []
        self._absent: list[tuple[int, str]] = []
        number = nothing = 0
        while nothing <= _GAP:  # a forged size must not make us look for more than stand there
            name, data = stored.bundle(number, self._rest if number == self._full and self._rest else BUNDLE)
            if data is None:
                if number >= self._full + bool(self._rest):
                    break
                self._absent.append((number, name))
                nothing += not (live.get(number * BUNDLE, 1) or stored.tile(0, number, self._width(number))[1])
            self._rows.append(entries(data)[0] if data is not None else [])
            number += 1
        self._lived = live.all()

    def bundled(self) -> list[bytes]:
        """The records of all bundles."""
        return [record for row in self._rows for record in row]

    def bundled_leaves(self) -> list[bytes]:
        """Their leaf hashes; those of a bundle that is missing as a file, which is said apart, are taken from elsewhere."""
        return [leaf for number in range(len(self._rows)) for leaf in self._leaves_of(number)]

    def live_leaves(self) -> list[bytes]:
        """The leaf hashes of all live records."""
        return [leaf_hash(record) for record in self._lived]

    def missing(self) -> list[Fault]:
        """Bundles that are not there, and the live segments have their records."""
        return [
            Fault("tiles", f"{name}: is missing; the live segments have its records")
            for number, name in self._absent
            if self._lives(number)
        ]

    def true(self, root: bytes) -> tuple[list[bytes], list[int]] | None:
        """The leaf hashes that lead to this root, and the tiles of which only the root is known. None: nothing leads to it."""
        bundled = [[leaf_hash(record) for record in row] for row in self._rows]
        live = [[leaf_hash(record) for record in self._live.get(number * BUNDLE, self._width(number))] for number in range(self._count())]
        tiles = [hashes(self._stored.tile(0, number, self._width(number))[1] or b"") for number in range(self._count())]
        ways = [
            [self._row(way, number) for number in range(self._count())]
            for way in ([bundled], [tiles], [live, bundled], [live, tiles], [bundled, tiles], [tiles, bundled])
        ]
        heads = [[fold(b"".join(row)) if row is not None else b"" for row in way[: self._full]] for way in ways]
        heads += [self._upper()] if self._count() >= self._full else []
        rests = [way[-1] if self._rest else [] for way in ways] if self._count() else [[]]
        for head in heads:
            if len(head) != self._full or b"" in head:
                continue
            for rest in rests:
                if rest is not None and root_over(head, rest) == root:
                    return self._spread(head, rest, ways)
        return None

    def within(self, number: int, leaves: Sequence[bytes]) -> list[Fault]:
        """What was done in a full tile of which only the root is known."""
        first = number * BUNDLE
        records = self._live.get(first, BUNDLE) or self._rows[number]
        found = by_links(records, first=first, after=leaves[first - 1] if first else None)
        return found or [Fault("altered", f"at least one of records {first + 1} to {first + BUNDLE} was altered", first + 1)]

    def bad_tiles(self, leaves: Sequence[bytes], unknown: Sequence[int]) -> list[tuple[str, str]]:
        """Hash tiles of level 0 that do not hold the true hashes."""
        found = []
        for number in range(self._count()):
            name, data = self._stored.tile(0, number, self._width(number))
            row = leaves[number * BUNDLE : number * BUNDLE + self._width(number)]
            if data is None:
                found.append((name, "is missing"))
            elif number in unknown or data[: len(row) * SIZE] != b"".join(row):
                found.append((name, "does not hold the hashes of what was signed"))
        return found

    def _leaves_of(self, number: int) -> list[bytes]:
        row = self._rows[number]
        if not row and number < self._count() and self._lives(number):
            row = self._live.get(number * BUNDLE, self._width(number))
        return [leaf_hash(record) for record in row]

    def _lives(self, number: int) -> bool:
        return len(self._live.get(number * BUNDLE, self._width(number))) == self._width(number)

    def _spread(self, heads: list[bytes], rest: list[bytes], ways: list[list[list[bytes] | None]]) -> tuple[list[bytes], list[int]]:
        leaves: list[bytes] = []
        unknown = []
        for number, head in enumerate(heads):
            rows = [way[number] for way in ways]
            row = next((each for each in rows if each is not None and fold(b"".join(each)) == head), None)
            if row is None:
                unknown.append(number)
                row = next((each for each in rows if each is not None), [b""] * BUNDLE)
            leaves += row
        return leaves + rest, unknown

    def _upper(self) -> list[bytes]:
        """The roots of the full tiles, as the tiles of level 1 have them."""
        found: list[bytes] = []
        for number in range(-(-self._full // BUNDLE)):
            width = min(BUNDLE, self._full - number * BUNDLE)
            row = hashes(self._stored.tile(1, number, width)[1] or b"")[:width]
            found += row
            if len(row) < width:
                break
        return found

    def _row(self, sources: list[list[list[bytes]]], number: int) -> list[bytes] | None:
        """The first of the sources that has all of a tile."""
        width = self._width(number)
        return next((each[number][:width] for each in sources if number < len(each) and len(each[number]) >= width), None)

    def _width(self, number: int) -> int:
        return BUNDLE if number < self._full else self._rest

    def _count(self) -> int:
        """Of how many tiles there can be anything."""
        return min(self._full + bool(self._rest), len(self._rows))


def _unknown(copies: _Copies, live: Live, size: int) -> Damage:
    """Nothing leads to the signed root."""
    bundled, lived = copies.bundled(), live.all()
    records = lived if live.firsts and live.start == 0 else bundled[: live.start] + lived if live.start <= len(bundled) else bundled
    faults = by_links(records, least=size)
    if records[: len(bundled)] != bundled:
        faults += [each for each in by_links(bundled, where=_IN_BUNDLES) if each.code not in {fault.code for fault in faults}]
    if not faults and len(records) < size:
        faults.append(Fault("truncated", f"{size} records were signed, and {len(records)} stand there"))
    if not faults:
        faults.append(
            Fault("altered", "the records agree among themselves, and lead to another root than the signed one: they were written anew")
        )
    return Damage(faults, true=False)


def _signed(leaves: Sequence[bytes], stand: Sequence[bytes], records: Sequence[bytes], first: int = 0) -> Difference:
    """What was done to those of the records that were signed. The first that is linked to the last signed one begins those that are not,
    so that one of them is not taken for another in its place. `first`: the index of the first of them.
    """
    found = difference(leaves[first:], stand, first)
    if not leaves or not found.altered or found.altered[-1] != len(leaves) or len(stand) != len(records):
        return found
    link = link_of(leaves[-1])
    behind = next((at for at, record in enumerate(records) if link.encode() in record and told(record)[1] == link), len(records))
    if behind == len(records):
        return found
    found = difference(leaves[first:], stand[:behind], first)
    found.removed += range(len(leaves) - found.cut + 1, len(leaves) + 1)
    found.cut, found.beyond = 0, found.beyond + len(records) - behind
    return found


def _tail(stored: Stored, live: Live, size: int) -> tuple[list[bytes], list[Fault]]:
    """The records behind the signed ones: live, and before those in what bundles have more of; and what is wrong with where they stand."""
    found: list[bytes] = []
    end = live.start if live.firsts else None
    while end is None or size + len(found) < end:
        number, skip = divmod(size + len(found), BUNDLE)
        data = stored.bundle(number, BUNDLE)[1]
        row = entries(data)[0][skip:] if data is not None else []
        if not row:
            break
        found += row if end is None else row[: end - size - len(found)]
    if not live.firsts:
        return found, []
    if live.start > size + len(found):
        why = f"live/: {live_name(live.start)} begins at index {live.start}, and only {size + len(found)} records stand before it"
        return found, [Fault("malformed", why)]
    return found + live.get(max(size, live.start), max(0, live.end - size)), []
