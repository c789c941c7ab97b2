"""Who answers for an identity: by all that is known of it, the surest word first.

What somebody said (`confirmed`, `manifest`, `imported`) stands in the inventory. Who made an identity, or issued its credentials, is read
off what happened to it: it is a guess with little confidence, is shown as such, and nothing is judged by it. A maker that is a machine is
itself somebody's; one that is deleted, or that nobody owns, is no owner.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from licet.events import LifecycleEvent
from licet.inventory.faces import is_sure
from licet.inventory.model import CONFIDENCE, Identity, Owner, Ownership, OwnerSource
from licet.inventory.store import Inventory

CONFIRMED_WITHIN: Final = 90 * 86_400.0
"""Seconds: who was said to be the owner longer ago is not confirmed any more."""

STATED: Final = ("confirmed", "manifest", "imported")
"""Sources of ownerships by which identities are judged: a tag is set by whoever may write it, and the rest is guessed."""

STATED_SQL: Final = "ownerships.source IN ('confirmed', 'manifest', 'imported')"
"""The same of a row of `ownerships`."""

_DEPTH: Final = 4  # makers of makers that are followed
_MOST: Final = 200  # makers of one identity that are looked at
_BY, _OUTCOME = (LifecycleEvent._fields.index(name) for name in ("by", "outcome"))
_SAID: Final = (
    "SELECT ownerships.identity, owner, source, confidence, time, by, name, contact, kind FROM ownerships LEFT JOIN owners"
    " ON owners.uid=owner WHERE ownerships.identity=? ORDER BY confidence DESC, time DESC, source"
)
_CREATED: Final = (
    f"SELECT json_extract(body, '$[{_BY}]'), min(time) FROM lifecycle WHERE identity=?1 AND kind='created' AND time>0 AND credential=''"  # noqa: S608 - numbers of our own
    f" AND json_extract(body, '$[{_OUTCOME}]')='success' GROUP BY 1 ORDER BY 2 LIMIT ?2"
)
_ISSUED: Final = "SELECT issued_by, max(issued) FROM credentials WHERE identity=?1 AND issued_by<>'' GROUP BY 1 ORDER BY 2 DESC LIMIT ?2"


def owners_of(inventory: Inventory, uid: str) -> list[tuple[Owner, Ownership]]:
    """Everybody who may answer for an identity or a credential, of each owner once: who was said to be it, the surest first, behind that
    who was said to be the owner of the identity that it is another face of, and then guesses.

    Raises:
        StoreError: the inventory cannot be read.
    """
    return _distinct(uid, _known(inventory, uid, _DEPTH, frozenset({uid})))


def stated(inventory: Inventory, uid: str) -> tuple[Owner, Ownership] | None:
    """Who answers for it by what somebody said; None: nobody said it."""
    return next((found for found in _distinct(uid, _said(inventory, uid)) if is_stated(found[1])), None)


def is_stated(own: Ownership) -> bool:
    """Whether somebody said so, and it is no guess."""
    return own.source in STATED


def confirmed(own: Ownership, now: float) -> bool:
    """Whether somebody said so in the last 90 days (`now`: seconds since the epoch)."""
    return is_stated(own) and now - own.time <= CONFIRMED_WITHIN


def _known(inventory: Inventory, uid: str, depth: int, seen: frozenset[str]) -> Iterator[tuple[Owner, Ownership]]:
    yield from _said(inventory, uid)
    for source, query in (("issuer", _ISSUED), ("creator", _CREATED)):
        for by, time in inventory.rows(query, (uid, _MOST)):
            if by and by not in seen:
                yield from _made(inventory, (uid, source, by, time), depth, seen)  # type: ignore[arg-type]


def _said(inventory: Inventory, uid: str) -> Iterator[tuple[Owner, Ownership]]:
    known = inventory.identity(uid)
    for of in dict.fromkeys((uid, known.same_as if known is not None and is_sure(known) else "")):
        for row in inventory.rows(_SAID, (of,)) if of else ():
            *said, name, contact, kind = row
            yield Owner(said[1], name or "", contact or "", kind or "team"), Ownership(*said)


def _made(
    inventory: Inventory, made: tuple[str, OwnerSource, str, float], depth: int, seen: frozenset[str]
) -> Iterator[tuple[Owner, Ownership]]:  # fmt: skip
    """A person who made it, or who owns the machine that did."""
    uid, source, by, time = made
    maker = inventory.identity(by)
    if maker is None or maker.status == "deleted" or not depth:
        return
    sure = CONFIDENCE[source]
    if maker.kind == "human":
        yield _person(maker), Ownership(uid, maker.uid, source, sure, time, by)
        return
    above = _distinct(by, _known(inventory, by, depth - 1, seen | {by}))
    if above:
        owner, own = above[0]
        yield owner, Ownership(uid, owner.uid, source, sure * own.confidence, time, by)


def _person(maker: Identity) -> Owner:
    return Owner(maker.uid, maker.name, kind="person")


def _distinct(uid: str, found: Iterator[tuple[Owner, Ownership]]) -> list[tuple[Owner, Ownership]]:
    ordered = sorted(found, key=lambda each: (not is_stated(each[1]), each[1].identity != uid, -each[1].confidence))
    once: dict[str, tuple[Owner, Ownership]] = {}
    for each in ordered:
        once.setdefault(each[0].uid, each)
    return list(once.values())
