"""One identity seen under several names: a face is a name of it, and stands under the name that says most.

Readers say so where a record has both names (an application's id and its service principal's object id): as a lifecycle event of kind
`created` whose reason begins with `same as`. It has no time, since it held before anybody wrote it down, and one id for each pair, so
that it is kept once however many records say it. No record of a log can make such an event: each has a time, and names nothing in its
reason.

Where no record has both names, what was done with them in a row can tell: then it is likely, and no more.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from licet.events import LifecycleEvent, UseEvent
from licet.inventory.model import Identity

SAME_AS: Final = "same as "
RECORDED: Final = 0.95
"""How sure a face is that one record with both names shows. Only what somebody declared is certain."""

GRANTED: Final = 0.7
"""How sure it is by a permission that one person added to both in a row."""

USED: Final = 0.5
"""How sure it is by the first use of an application, for whom had just granted what it used."""


def is_sure(identity: Identity) -> bool:
    """Whether it is a face that a record shows or somebody declared. Only such a one is judged as its whole: what is likely is shown, and
    each of the two is judged by itself.
    """
    return identity.same_as != "" and identity.same_confidence >= RECORDED


def sure_face(table: str) -> str:
    """The same in SQL, of a row of `identities`."""
    return f"({table}.same_as<>'' AND {table}.same_confidence>={RECORDED})"


_GRANTED_WITHIN: Final = 3_600.0
_USED_WITHIN: Final = 86_400.0
_NEAR: Final = 50  # grants of the same by the same that are looked at; among so many nothing stands alone
SCOPES: Final = {  # which operations a permission of Microsoft Graph is for, by how both begin
    "graph:Mail.": ("exchange:",), "graph:Calendars.": ("exchange:",), "graph:Contacts.": ("exchange:",),
    "graph:Files.": ("sharepoint:", "onedrive:"), "graph:Sites.": ("sharepoint:", "onedrive:"),
}  # fmt: skip


class Face(NamedTuple):
    """That `uid` is another name of `same_as`, how sure that is, and the uids of the events that show it."""

    uid: str
    same_as: str
    confidence: float
    evidence: tuple[str, ...] = ()


class FirstUse(NamedTuple):
    """The first use that was ever seen of an application: what it did, for whom, and the event's uid."""

    identity: str
    time: float
    operation: str
    on_behalf_of: tuple[str, ...]
    uid: str


def face(source: str, uid: str, same_as: str, *, account: str = "") -> LifecycleEvent:
    """That `uid` is another name of `same_as`."""
    return LifecycleEvent(source, f"{uid}={same_as}", 0.0, "created", uid, reason=SAME_AS + same_as, account=account)


def same_as(event: LifecycleEvent) -> str:
    """The uid that the event's identity stands under; empty if the event is about anything else."""
    if event.kind != "created" or event.time or event.credential or not event.reason.startswith(SAME_AS):
        return ""
    return event.reason.removeprefix(SAME_AS)


def tells_of_faces(uses: Iterable[UseEvent], lifecycle: Iterable[LifecycleEvent]) -> bool:
    """Whether something of this can show that two names are of one identity, or that they are not."""
    return any(each.kind == "scope_widened" or same_as(each) for each in lifecycle) or any(
        each.identity_kind == "oauth_app" and each.on_behalf_of for each in uses
    )


def faces_of(lifecycle: Iterable[LifecycleEvent], first_uses: Iterable[FirstUse] = ()) -> list[Face]:
    """Every name that stands under another, with the last of its line, so that nobody has to go on from there.

    Args:
        lifecycle: what `same_as` and the rules look at: kinds `created` and `scope_widened`.
        first_uses: of applications, of which nothing but uses may be known.
    """
    events = sorted(lifecycle, key=lambda event: (event.time, event.uid))
    shown: dict[str, dict[str, str]] = defaultdict(dict)
    for event in events:
        if (other := same_as(event)) and other != event.identity:
            shown[event.identity].setdefault(other, event.uid)
    # An application that has service principals in two tenants is two identities, and nobody can tell which of them its id means.
    direct = {uid: Face(uid, next(iter(others)), RECORDED, (*others.values(),)) for uid, others in shown.items() if len(others) == 1}
    named = shown.keys() | {other for others in shown.values() for other in others}
    widened = [
        event for event in events
        if event.kind == "scope_widened" and event.outcome == "success" and event.by
    ]  # fmt: skip
    granted = _by_grants([event for event in widened if event.identity not in named])
    asked = {each.uid for each in granted}
    unknown = (use for use in first_uses if use.identity not in named)
    for found in (*granted, *_by_use([event for event in widened if event.identity not in asked], unknown)):
        direct.setdefault(found.uid, found)
    return sorted(_last(found, direct) for found in direct.values())


def _by_grants(widened: list[LifecycleEvent]) -> list[Face]:
    """A person lets an application ask for a permission, and then grants the same permission to a service principal: it is that one's.

    Only where there is one of each; with two at the same time nobody can tell which is whose.
    """
    pairs: dict[tuple[str, str], tuple[str, ...]] = {}
    alike: dict[tuple[str, str], list[LifecycleEvent]] = defaultdict(list)
    for event in widened:
        alike[event.by, event.privilege].append(event)
    for events in alike.values():
        for at, asked in enumerate(events):
            for granted in events[at + 1 : at + 1 + _NEAR]:
                if granted.identity != asked.identity and granted.time - asked.time <= _GRANTED_WITHIN:
                    pairs[asked.identity, granted.identity] = (asked.uid, granted.uid)
    return [Face(*pair, GRANTED, evidence) for pair, evidence in _alone(pairs).items()]


def _by_use(widened: list[LifecycleEvent], first_uses: Iterable[FirstUse]) -> list[Face]:
    """An application that nobody has seen before uses what was just granted to a service principal, for whoever granted it."""
    changed = {event.identity for event in widened}
    granted: dict[str, list[LifecycleEvent]] = defaultdict(list)
    for event in widened:
        granted[event.by].append(event)
    pairs: dict[tuple[str, str], tuple[str, ...]] = {}
    for use in first_uses:
        for event in () if use.identity in changed else (each for person in use.on_behalf_of for each in granted.get(person, ())):
            meant = next((begins for scope, begins in SCOPES.items() if event.privilege.startswith(scope)), None)
            if meant and use.operation.startswith(meant) and 0 <= use.time - event.time <= _USED_WITHIN:
                pairs[use.identity, event.identity] = (event.uid, use.uid)
    return [Face(*pair, USED, evidence) for pair, evidence in _alone(pairs).items()]


def _alone(pairs: Mapping[tuple[str, str], tuple[str, ...]]) -> dict[tuple[str, str], tuple[str, ...]]:
    """The pairs of which neither stands in another."""
    times = Counter(name for pair in pairs for name in pair)
    return {pair: evidence for pair, evidence in pairs.items() if times[pair[0]] == times[pair[1]] == 1}


def _last(found: Face, direct: Mapping[str, Face]) -> Face:
    """With the end of the line that begins with it, and the confidence of its weakest link. A circle ends where it is met again."""
    seen, confidence, evidence, end = {found.uid}, found.confidence, list(found.evidence), found.same_as
    while end in direct and direct[end].same_as not in seen:
        seen.add(end)
        link = direct[end]
        confidence, end = min(confidence, link.confidence), link.same_as
        evidence += link.evidence
    return Face(found.uid, end, confidence, tuple(evidence))
