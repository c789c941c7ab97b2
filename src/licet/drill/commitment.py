"""Commit and reveal: what a drill is, said before it begins so that nobody can read it, and read after it so that nobody can change it.

What is committed to is a salted SHA-256 over all that the drill is. The commitment stands in the ledger before the first record is let in;
salt and contents follow when the verdict is known. So nobody who judges events knows which are drills, and nobody can call misuse a drill
afterwards: its digest stands in no commitment that is older than it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from licet.canonical import Plain, canonical
from licet.drill.scenario import Record


class Announced(NamedTuple):
    """All that a drill is.

    Attributes:
        drill: its id, drawn.
        salt: 32 bytes in hex, drawn.
        seed: of the draws: who has it has the play.
        twin: it is the benign one.
        shadow: it was judged beside the live pipeline, acting as a real identity.
        identities: all that act or are acted on in it, as far as they were drawn for it.
        credentials: fingerprints of those.
        codes: what must come back.
        events: SHA-256 in hex over the digests of its records, in order, and how many there are (`number`).
        begins, ends: when the first record is let in, and until when the finding must be delivered (seconds since the epoch).
    """

    drill: str
    salt: str
    seed: str
    scenario: str
    source: str
    twin: bool
    shadow: bool
    identity: str
    credential: str
    identities: tuple[str, ...]
    credentials: tuple[str, ...]
    codes: tuple[str, ...]
    events: str
    number: int
    begins: float
    ends: float

    def plain(self) -> dict[str, Plain]:
        """As JSON has it."""
        return plain_of(self._asdict())

    @property
    def commitment(self) -> str:
        """What the ledger holds before the drill: SHA-256 in hex over the canonical form of all of it."""
        return hashlib.sha256(canonical(self.plain())).hexdigest()


def plain_of(fields: Mapping[str, Any]) -> dict[str, Plain]:
    """Fields as JSON has them: tuples are lists."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}


def announced_of(plain: dict[str, Plain]) -> Announced | None:
    """What was revealed; None if it is no such thing."""
    try:
        found = Announced(**{key: tuple(map(str, value)) if isinstance(value, list) else value for key, value in plain.items()})  # type: ignore[arg-type]
    except TypeError:
        return None
    of = (found.number, found.begins, found.ends, found.twin, found.shadow)
    fits = all(isinstance(each, int | float) for each in of) and all(
        isinstance(getattr(found, name), tuple) for name in ("identities", "credentials", "codes")
    )
    return found if fits else None


def digests(records: Collection[Record]) -> tuple[str, ...]:
    """The digest of each record, as intake makes it of the same bytes."""
    return tuple(hashlib.sha256(each.body).hexdigest() for each in records)


def events_of(digests: Collection[str]) -> str:
    """What is committed to of the records: one digest over theirs."""
    return hashlib.sha256("".join(digests).encode()).hexdigest()
