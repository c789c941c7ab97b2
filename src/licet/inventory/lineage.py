"""By whom and with which credential a credential was made: the record of its issuance is a use of the credential that made it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from licet.events import LifecycleEvent
from licet.inventory.lifeline import BEGINS
from licet.inventory.rows import lifecycle_of
from licet.inventory.store import Inventory

MOST_CHILDREN: Final = 100


class Made(NamedTuple):
    """That `uid` was made at `time` by an identity, with a credential (empty: not known), as the event `event` says.

    Attributes:
        with_shown: what may be printed of that credential's id.
        kind, shown, identity, status: of what was made, where that is asked for.
    """

    uid: str
    time: float
    by: str
    credential: str
    event: str
    with_shown: str = ""
    kind: str = ""
    shown: str = ""
    identity: str = ""
    status: str = ""


def events_of(inventory: Inventory, uids: Sequence[str]) -> list[LifecycleEvent]:
    """All that happened to these credentials, and where they were superseded, in the order of time and uid."""
    found: dict[str, LifecycleEvent] = {}
    for uid in uids:
        for (body,) in inventory.rows("SELECT body FROM lifecycle WHERE credential=?1 OR supersedes=?1", (uid,)):
            event = lifecycle_of(body)
            found[event.uid] = event
    return sorted(found.values(), key=lambda event: (event.time, event.uid))


def made_by(inventory: Inventory, uid: str) -> Made | None:
    """How a credential was made; None: that is not known."""
    begun = [event for event in events_of(inventory, (uid,)) if _begins(event, uid)]
    if not begun:
        return None
    event = next((each for each in begun if each.by), begun[0])
    use = f"{event.source}/{event.native_id.partition('#')[0]}"
    found = inventory.rows(
        "SELECT credentials.uid FROM uses JOIN credentials ON credentials.id=uses.credential"
        " WHERE subject=(SELECT id FROM identities WHERE uid=?) AND time=? AND uses.uid=?",
        (event.by or event.identity, event.time, use),
    )
    with_what = found[0][0] if found and found[0][0] != uid else ""
    by_what = inventory.credential(with_what) if with_what else None
    return Made(uid, event.time, event.by, with_what, event.uid, by_what.shown if by_what is not None else "")


def made_with(inventory: Inventory, uids: Sequence[str]) -> tuple[Made, ...]:
    """What was made with these credentials, oldest first; at most `MOST_CHILDREN`."""
    marks = ",".join("?" * len(uids))
    rows = inventory.rows(
        f"SELECT body, credentials.uid FROM holders JOIN uses ON uses.subject=holders.subject AND uses.credential=holders.credential"  # noqa: S608 - marks only
        f" AND uses.time BETWEEN first AND last JOIN lifecycle ON lifecycle.uid IN (uses.uid||'!issued', uses.uid||'#2!issued')"
        f" JOIN credentials ON credentials.id=holders.credential WHERE credentials.uid IN ({marks})"
        f" ORDER BY lifecycle.time, lifecycle.uid LIMIT {MOST_CHILDREN}",
        tuple(uids),
    )
    found = []
    for body, parent in rows:
        event = lifecycle_of(body)
        if event.outcome == "success" and event.credential and event.credential not in uids:
            found.append(Made(event.credential, event.time, event.by, parent, event.uid))
    return tuple(found)


def _begins(event: LifecycleEvent, uid: str) -> bool:
    return event.credential == uid and event.kind in BEGINS and event.outcome == "success" and event.time > 0
