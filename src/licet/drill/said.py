"""What the ledger has of drills: their records, and under whose key they stand.

A ledger can hold millions of records, of which few are drills'. `Mark` says how far it was read, and what was there: under the drills' key,
so that nobody else can move it. An older one, put back, only costs time; one that does not fit the book is not believed, and all is read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from licet.canonical import Plain
from licet.drill.keys import DrillKey, name_of, signed_by
from licet.ledger import LedgerFiles
from licet.ledger.enrolled import ENROL

COMMIT, REVEAL = "drill.commit", "drill.reveal"
DAY, SLOTS = "drill.day", "drill.slots"
"""Kinds of the ledger's records: of one drill, of the key; of a day that was drawn, and of one that is over."""

Record = Mapping[str, Any]
_NEEDLE: Final = b'"kind":"drill.'
_NEAR: Final = 256  # records that lie in one file of the ledger: what is so near is read in one go
_SIGNED: Final[Mapping[str, tuple[str, ...]]] = {
    COMMIT: ("drill", "commitment", "ends"), REVEAL: ("drill", "announced", "passed"),
    DAY: ("day", "time_of_day", "begins", "cells", "root"), SLOTS: ("day", "slots"),
}  # fmt: skip
KEPT: Final = (ENROL, DAY, SLOTS)
"""Kinds of those that are few, and always read."""


class Mark(NamedTuple):
    """How far the ledger was read for drills, and what was there, as the drills' key signed it.

    Attributes:
        upto: so many records were read.
        drills: SHA-256 in hex, chained over number, id and commitment of each that was committed to.
        keys: the numbers of the records that enrol keys, or speak of days.
        key: the name of the one that signed this.
    """

    upto: int
    drills: str
    keys: tuple[int, ...]
    key: str = ""
    signature: str = ""

    def said(self) -> dict[str, Plain]:
        """What is signed."""
        return {"upto": self.upto, "drills": self.drills, "keys": list(self.keys), "mark": 1}

    def signed(self, key: DrillKey) -> Mark:
        """The same under a key."""
        return self._replace(key=name_of(key.public), signature=key.sign(self.said()))


def chained(before: str, commits: Iterable[tuple[int, str, str]]) -> str:
    """The digest over these (number, id, commitment), behind one over those before; an empty text: there are none before."""
    digest = before
    for seq, drill, commitment in commits:
        digest = hashlib.sha256(f"{digest} {seq} {drill} {commitment}".encode()).hexdigest()
    return digest


def read_from(files: LedgerFiles, start: int) -> tuple[dict[int, Record], int]:
    """The drills' records from an index on, by their numbers, and how many records of any kind there are in all.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    found: dict[int, Record] = {}
    upto = start
    for line in files.records(start):
        upto += 1
        if _NEEDLE in line:
            found |= {int(record["seq"]): record for record in _read(line)}
    return found, upto


def read_at(files: LedgerFiles, numbers: Iterable[int]) -> dict[int, Record]:
    """The drills' records of these numbers.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    wanted = sorted({each for each in numbers if each > 0})
    found: dict[int, Record] = {}
    for first, last in _runs(wanted):
        for line in files.records(first - 1, last):
            if _NEEDLE in line:
                found |= {int(record["seq"]): record for record in _read(line)}
    return {seq: record for seq, record in found.items() if seq in set(wanted)} if len(found) > len(wanted) else found


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last of those that lie near each other."""
    if not numbers:
        return
    first = numbers[0]
    for earlier, later in pairwise(numbers):
        if later - earlier > _NEAR:
            yield first, earlier
            first = later
    yield first, numbers[-1]


def is_signed(record: Record, publics: Mapping[str, bytes]) -> bool:
    """Whether an enrolled key signed what the record says."""
    public = publics.get(str(record.get("key")))
    said: dict[str, Plain] = {name: record.get(name) for name in _SIGNED[str(record.get("kind"))]}
    return public is not None and signed_by(public, said, str(record.get("signature")))


def commits_of(records: Mapping[int, Record], publics: Mapping[str, bytes]) -> Iterator[tuple[int, str, str]]:
    """Number, id and commitment of each drill that an enrolled key committed to, in their order."""
    for seq, record in sorted(records.items()):
        if record.get("kind") == COMMIT and is_signed(record, publics):
            yield seq, str(record.get("drill")), str(record.get("commitment"))


def _read(line: bytes) -> Iterator[Record]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return
    if isinstance(found, dict) and type(found.get("seq")) is int and found.get("kind") in (ENROL, *_SIGNED):
        yield found
