"""What records say of themselves: each holds its number and the leaf hash of the one before it. No file is touched here.

It is what there is for records that no checkpoint covers yet, and where neither tiles nor records lead to a signed root. Whoever can write
the ledger can make numbers and links anew; only what is signed he cannot.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from typing import Any

from licet.ledger.check.faults import Fault, numbered
from licet.ledger.check.naming import Difference, difference
from licet.ledger.merkle import leaf_hash

FIRST = "sha256:" + "0" * 64
"""What the first record has in the place of a link."""


def link_of(leaf: bytes) -> str:
    """What the next record holds of a record, by its leaf hash."""
    return "sha256:" + leaf.hex()


def told(record: bytes) -> tuple[int, str]:
    """Number and link that a record holds; 0 and nothing where it has none that can be read."""
    try:
        found: Any = json.loads(record)
    except (ValueError, RecursionError):
        return 0, ""
    if not isinstance(found, dict):
        return 0, ""
    number, link = found.get("seq"), found.get("prev")
    return (number if type(number) is int and number > 0 else 0), (link if type(link) is str else "")


def by_links(
    records: Sequence[bytes], *, first: int = 0, after: bytes | None = None, least: int = 0, where: str = "", unsigned: bool = False
) -> list[Fault]:
    """What was done to records, by what they say of themselves; empty where it all agrees.

    `first`: the index of the first; `after`: the leaf hash of the record before it (None: of any); `least`: how many there must be in all;
    `unsigned`: none must be, so that what is none at the end was put there, and is no record that was changed.
    """
    useless = _useless(records) if unsigned else 0
    if useless:
        return [*by_links(records[:-useless], first=first, after=after, where=where), *_no_records(first + len(records), useless, where)]
    again = [first + at + 1 for at, record in enumerate(records) if 0 < told(record)[0] <= first]
    if again:  # from before those that are looked at
        records = [record for record in records if not 0 < told(record)[0] <= first]
    if not records and least <= first:
        return Difference(doubled=again).faults(0, where)
    leaves = [leaf_hash(record) for record in records]
    holds = [told(record) for record in records]
    good = [
        after is None if at == 0 and first and after is None else link == (link_of(leaves[at - 1]) if at else _before(first, after))
        for at, (_, link) in enumerate(holds)
    ]
    numbers: list[int] = []
    altered: set[int] = set()
    for at, (number, _) in enumerate(holds):
        expected = (numbers[-1] if at else first) + 1
        linked = good[at] and not (at == 0 and first == 0 and number > 1)
        if linked and number != expected:
            altered.add(expected)  # the record before it is as it was when this one was linked to it: so its number is not its own
        numbers.append(expected if linked else number)
    labels: list[Hashable] = [number or f"none {at}" for at, number in enumerate(numbers)]
    count = _count(numbers, first, len(records))
    found = difference(range(first + 1, count + 1), labels, first)
    broken = [at for at in range(len(records)) if not good[at] and (numbers[at] == (numbers[at - 1] if at else first) + 1)]
    named = set(found.altered) | altered
    skip = -1
    for at in broken:
        if at == skip:
            continue
        if at == 0 or at + 1 in broken:  # its own link was changed: then the next one's, to it, does not hold either
            named.add(numbers[at])
            skip = at + 1
        elif numbers[at - 1] not in named:
            named.add(numbers[at - 1])
    found.altered, found.doubled = sorted(named), [*again, *found.doubled]
    found.cut += max(0, least - count)  # a forged size may be any
    return found.faults(max(least, count), where)


def _before(first: int, after: bytes | None) -> str:
    return FIRST if first == 0 else link_of(after or b"")


def _useless(records: Sequence[bytes]) -> int:
    """How many at the end are no records at all."""
    return next((at for at, record in enumerate(reversed(records)) if told(record) != (0, "")), len(records))


def _no_records(last: int, count: int, where: str) -> list[Fault]:
    numbers = list(range(last - count + 1, last + 1))
    return [Fault("malformed", f"what stands as {numbered(numbers)} is no record{where}", numbers[0])]


def _count(numbers: Sequence[int], first: int, stand: int) -> int:
    """How many records there were: a removed one leaves a gap before the last, one that is there twice none, a changed digit anything."""
    expected = first + stand
    last = numbers[-1] if numbers and numbers[-1] <= first + 2 * stand + 1_000 else 0
    return max(last, max((number for number in numbers if number <= expected), default=0)) if last else expected
