"""Where a record came to on its way from the entrance to an owner. What is missing names the hop that is dead.

Nothing is stamped into records, which would mark them: each hop is read off what the pipeline itself keeps.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from licet.inventory.rows import lifecycle_of
from licet.inventory.store import Inventory
from licet.monitor.kept import Kept

HOPS: Final = ("emitted", "received", "normalised", "attributed", "evaluated", "alerted", "delivered")
"""In their order. `emitted`: handed to the entrance. `received`: the inventory has the record, by its digest. `normalised`: with an
operation and a time. `attributed`: to the identity, and the credential. `evaluated`: the identity was judged since. `alerted`: a finding of
the identity is there. `delivered`: a sink said that it has it."""


class Reached(NamedTuple):
    """How far a drill came.

    Attributes:
        hop: the last of `HOPS` that all of its records reached.
        lost: digests of records that are not there.
        sources: by source, how many records are not there.
    """

    hop: str
    lost: tuple[str, ...] = ()
    sources: Mapping[str, int] = {}

    def has(self, hop: str) -> bool:
        """Whether it came so far."""
        return HOPS.index(self.hop) >= HOPS.index(hop)


class Sent(NamedTuple):
    """What was let in of one source: the digests of its records, and those of the misuse itself among them."""

    source: str
    digests: list[str]
    live: set[str]


def reached(  # noqa: PLR0917 - what there is of one drill
    inventory: Inventory, sent: Sequence[Sent], identity: str, credential: str, findings: Sequence[Kept], delivered: Collection[str],
    names: Collection[str] = (),
) -> Reached:  # fmt: skip
    """How far the records of a drill came.

    Args:
        identity, credential: to which the misuse is to be attributed; empty where it is about a source, or uses none.
        findings: of the identity.
        delivered: ids of the findings that the sink has.
        names: identities under which its records are looked for first.
    """
    known = found_of(inventory, [digest for each in sent for digest in each.digests], names)
    missing = {each.source: sum(digest not in known for digest in each.digests) for each in sent}
    lost = tuple(digest for each in sent for digest in each.digests if digest not in known)
    if lost:
        return Reached("emitted", lost, {source: number for source, number in missing.items() if number})
    live = [event for each in sent for digest in each.live for event in known[digest]]
    if not all(found.does for found in live):
        return Reached("received")
    # One act at least, where there is any, is that identity's, and one is with that credential: a chain has others' acts in it too.
    if live and not (identity in ("", *(each.identity for each in live)) and credential in ("", *(each.credential for each in live))):
        return Reached("normalised")
    if identity and inventory.rows("SELECT 1 FROM dirty JOIN identities ON id=subject WHERE uid=?", (identity,)):
        return Reached("attributed")
    if not findings:
        return Reached("evaluated")
    return Reached("delivered" if all(each.finding.id in delivered for each in findings) else "alerted")


class Event(NamedTuple):
    """What the inventory made of a record: which event, what was done, and by whom or to whom."""

    uid: str
    does: str
    identity: str
    credential: str


def found_of(inventory: Inventory, digests: Collection[str], names: Collection[str]) -> dict[str, list[Event]]:
    """What the inventory made of records, by their digest: a record can be a use, and what it changed.

    Args:
        names: identities under which they are looked for; those that are not there are looked for everywhere.
    """
    wanted = set(digests)
    found: dict[str, list[Event]] = {}
    for name in names:
        for happened in inventory.lifecycle_of(name):
            if happened.digest in wanted:
                found.setdefault(happened.digest, []).append(Event(happened.uid, happened.kind, happened.identity, happened.credential))
    for name in names:
        for use in inventory.uses(name):
            if use.digest in wanted:
                found.setdefault(use.digest, []).append(Event(use.uid, use.operation, use.identity, use.credential))
    for digest in wanted - found.keys():
        if (event := _anywhere(inventory, digest)) is not None:
            found[digest] = [event]
    return found


_USE: Final = (
    "SELECT uses.uid, json_extract(shapes.shape, '$[1]'), identities.uid, coalesce(credentials.uid, '') FROM uses"
    " JOIN shapes ON shapes.id=uses.shape JOIN identities ON identities.id=subject"
    " LEFT JOIN credentials ON credentials.id=uses.credential WHERE digest=? LIMIT 1"
)


def _anywhere(inventory: Inventory, digest: str) -> Event | None:
    """Goes through all there is: for what is not where it should be."""
    for row in inventory.rows(_USE, (bytes.fromhex(digest),)):
        return Event(*row)
    for (body,) in inventory.rows("SELECT body FROM lifecycle WHERE instr(body, ?) LIMIT 1", (digest,)):
        happened = lifecycle_of(body)
        return Event(happened.uid, happened.kind, happened.identity, happened.credential)
    return None
