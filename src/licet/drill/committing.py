"""What the ledger and the book are told: before a drill that there is one, and after it what it was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from licet.canonical import Plain
from licet.clock import iso
from licet.drill.audit import COMMIT, ENROL, REVEAL
from licet.drill.book import Result
from licet.drill.commitment import Announced
from licet.drill.keys import DrillKey, name_of
from licet.drill.live import Drill, Live


def enrolled(live: Live) -> None:
    """That the key is the drills' key stands in the ledger before the first drill."""
    name = name_of(live.key.public)
    if live.book.key() != name:
        said: dict[str, Plain] = {"key": name, "public": live.key.public.hex()}
        seq = live.ledger.append(ENROL, signed(said, live.key), time=iso(live.clock.now()), durable=True)
        live.book.enrol(name, live.key.public, seq)


def signed(said: dict[str, Plain], key: DrillKey) -> dict[str, Plain]:
    """What is said, with the name of the key and its signature."""
    return said | {"key": name_of(key.public), "signature": key.sign(said)}


def _committed(announced: Announced, key: DrillKey) -> dict[str, Plain]:
    """What the ledger says of a drill before it: nothing that tells what it is, or whether it is a twin."""
    return signed({"drill": announced.drill, "commitment": announced.commitment, "ends": announced.ends}, key)


def commit(live: Live, drills: Sequence[Drill]) -> None:
    """Say in the ledger that they are about to be, before the first record is let in."""
    for each in drills:
        now = live.clock.now()
        seq = live.ledger.append(COMMIT, _committed(each.announced, live.key), time=iso(now))
        live.book.committed(each.announced.drill, each.announced.commitment, now, each.announced.ends, seq)
    live.ledger.sync()


def reveal(live: Live, drills: Iterable[tuple[Drill, Result]]) -> None:
    """Say what they were, and what came of them."""
    for each, result in drills:
        said: dict[str, Plain] = {"drill": each.announced.drill, "announced": each.announced.plain(), "passed": result.passed}
        seq = live.ledger.append(REVEAL, signed(said, live.key), time=iso(live.clock.now()))
        live.book.revealed(each.announced, each.records, result, live.key, seq)
    live.ledger.sync()
