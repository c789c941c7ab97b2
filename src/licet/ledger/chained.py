"""What one record holds of the one before it; and reading on from a record that is known, never past one that does not follow."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import TypeAlias

from licet.canonical import canonical
from licet.ledger.layout import MAX_ENTRY
from licet.ledger.merkle import leaf_hash
from licet.ledger.sealer import AlteredError

Place: TypeAlias = tuple[int, int, str]
"""The bytes of a segment up to the end of a record; that record's `seq`; and its `link`. One tuple: no signal can come in between."""
_CHUNK = 1 << 20  # bytes


def link(line: bytes) -> str:
    """What the next record holds of this one: its leaf hash."""
    return "sha256:" + leaf_hash(line).hex()


def next_link(line: bytes, seq: int, before: str, where: str) -> str:
    """The link of what stands as record `seq` behind the one whose link is `before`.

    Raises:
        AlteredError: it is no record, or not that one.
    """
    try:
        record = json.loads(line)
        plain = type(record) is dict and canonical(record) == line and len(line) <= MAX_ENTRY
    except (ValueError, RecursionError):
        plain = False
    if not plain or type(record.get("seq")) is not int or type(record.get("prev")) is not str or type(record.get("kind")) is not str:
        raise AlteredError(where, seq, "is not a record")
    if record["seq"] != seq:
        raise AlteredError(where, seq, f"says that it is record {record['seq']}")
    if record["prev"] != before:
        raise AlteredError(where, seq, "does not name the one before it")
    return link(line)


def led_on(lines: Iterable[bytes], seq: int, before: str, where: str) -> tuple[int, str]:
    """Where the `lines` behind record `seq` lead: number and link of the last.

    Raises:
        AlteredError: one does not follow.
    """
    for line in lines:
        before = next_link(line, seq + 1, before, where)
        seq += 1
    return seq, before


def read_on(file: int, known: Place, end: int, where: str) -> tuple[Place, bytes]:
    """The last record up to byte `end` of a segment, from the one that is known; and what is torn after it.

    Raises:
        AlteredError: a line does not follow the one before it, or is longer than any.
    """
    size, seq, before = known
    at, rest = size, b""
    while at < end and (chunk := os.pread(file, min(_CHUNK, end - at), at)):
        at += len(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        seq, before = led_on(lines, seq, before, where)
        size = at - len(rest)
        if len(rest) > MAX_ENTRY:
            raise AlteredError(where, seq + 1, "is not a record: it is longer than any")
    return (size, seq, before), rest


def bytes_of(file: int, lines: int) -> int | None:
    """How many bytes the first `lines` of a segment are; None if there are not so many."""
    at = 0
    while lines:
        chunk = os.pread(file, _CHUNK, at)
        if not chunk:
            return None
        if (found := chunk.count(b"\n")) < lines:
            lines -= found
            at += len(chunk)
            continue
        return at + len(chunk) - len(chunk.split(b"\n", lines)[lines])
    return at
