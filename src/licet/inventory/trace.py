"""One credential from its issuance through every use to its end, over all its versions, with where it came from.

What is missing is said and not passed over: an issuance that nobody recorded, uses before it, days on which its sources were silent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge
from typing import Final, NamedTuple

from licet.events import LifecycleEvent, UseEvent
from licet.inventory.life import status_at, status_with
from licet.inventory.lifeline import BEGINS, ENDS, Lifeline, Line
from licet.inventory.lineage import Made, events_of, made_by, made_with
from licet.inventory.model import Credential, CredentialStatus, Owner, Ownership
from licet.inventory.pauses import Pause, heard_until, pauses
from licet.inventory.rows import lifecycle_of
from licet.inventory.store import Inventory

GRACE: Final = 300.0
"""Seconds after an end within which a use is in time; as the monitor has it."""

SUMMED_FROM: Final = 200
"""Of so many uses or more, those of one day, place and outcome are one line, but for what the most can be done with."""

MOST_VERSIONS: Final = 200
_FIRST: Final = {**dict.fromkeys(BEGINS, 0), "granted": 0, "bound": 0, "job_started": 0}
_TOLD: Final = ("licet", "lifecycle", "declared")  # written when something happens, and so silent most of the time


class Hole(NamedTuple):
    """Something that is not known, in a sentence; of which version (empty: of all), and between which times (0: from the beginning)."""

    what: str
    credential: str
    since: float
    until: float
    said: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version: who it is with what became of it, its state now, how often it was used, and how often after its end.

    `ends`: the kinds and times of what ended it, in the order of time.
    """

    credential: Credential
    status: CredentialStatus
    uses: int
    late: int
    first_use: float
    last_use: float
    made: Made | None
    ends: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of one credential.

    Attributes:
        asked: the fingerprints that were asked for.
        versions: oldest first.
        lines: in the order of time.
        lineage: by whom and with which credential it was made, and that one, and so on up.
        children: what was made with it.
        holes: what is not known.
        heard: by source, until when (seconds since the epoch) something came of it: what happened later is not known.
        summed: whether uses are summed.
    """

    asked: tuple[str, ...]
    versions: tuple[Version, ...]
    lines: tuple[Line, ...]
    lineage: tuple[Made, ...] = ()
    children: tuple[Made, ...] = ()
    holes: tuple[Hole, ...] = ()
    owner: tuple[Owner, Ownership] | None = None
    heard: dict[str, float] = field(default_factory=dict)
    grace: float = GRACE
    summed: bool = False

    @property
    def late(self) -> int:
        """How many uses after an end there are."""
        return sum(each.late for each in self.versions)


def trace(inventory: Inventory, asked: Sequence[str], now: float, *, grace: float = GRACE, whole: bool = False) -> Trace:
    """All of that. `asked`: fingerprints that the inventory knows; `whole`: each use is a line of its own, however many there are.

    Raises:
        StoreError: the inventory cannot be read.
    """
    uids = _versions(inventory, asked)
    lives = {uid: found[0] for uid in uids if (found := inventory.life(uid)) is not None}
    summed = not whole and sum(each.uses for each in lives.values()) >= SUMMED_FROM
    lifelines = {uid: Lifeline(uid, grace, summed=summed) for uid in lives}
    holders = _holders(inventory, uids)
    lines: list[Line] = []
    sources: dict[tuple[str, str], None] = {}
    happened: Iterator[UseEvent | LifecycleEvent] = iter(_lifecycle(inventory, uids, holders))
    done: Iterator[UseEvent | LifecycleEvent] = _uses(inventory, lives, holders)
    for item in merge(happened, done, key=_order):
        if isinstance(item, UseEvent):
            sources[item.source, item.account] = None
            lines += lifelines[item.credential].used(item)
            continue
        for lifeline in _concerned(item, lifelines, holders):
            lines += lifeline.happened(item)
    for uid, lifeline in lifelines.items():
        lines += lifeline.flush()
        lines += _came(lives[uid], lines, now)
    lines.sort(key=_placed)
    made = {uid: made_by(inventory, uid) for uid in lives}
    versions = tuple(
        Version(each, _status(inventory, each, now), line.uses, line.late, line.first_use, line.last_use, made[uid], _ends(lines, uid))
        for uid, each in lives.items() for line in (lifelines[uid],)
    )  # fmt: skip
    own = next((version.credential.identity for version in versions if version.credential.identity), "")
    owners = (inventory.owner_of(each) for each in (*uids, own) if each)
    oldest = next((each for each in made.values() if each is not None), None)
    ends = [time for line in lines for time in (line.time, line.last)]
    heard = {source: heard_until(inventory, source) for source, _ in sources if source not in _TOLD}
    silent = [
        (source, pause) for source, account in sources if source not in _TOLD
        for pause in pauses(inventory, source, account, min(ends), max(ends))
    ]  # fmt: skip
    children = tuple(_child(inventory, each, now) for each in made_with(inventory, uids))
    return Trace(
        tuple(asked), versions, tuple(lines), _upwards(inventory, oldest), children,
        tuple(_holes(versions, lifelines, silent, grace)), next((each for each in owners if each is not None), None), heard, grace, summed,
    )  # fmt: skip


def _versions(inventory: Inventory, asked: Sequence[str]) -> list[str]:
    """All versions of what was asked for, oldest first: those that it superseded, and those that superseded it."""
    found: dict[str, None] = dict.fromkeys(asked)
    waiting = list(asked)
    while waiting and len(found) < MOST_VERSIONS:
        for event in events_of(inventory, [waiting.pop()]):
            if event.supersedes and event.outcome == "success":
                new = [each for each in (event.credential, event.supersedes) if each and each not in found]
                found |= dict.fromkeys(new)
                waiting += new
    rows = {uid: inventory.credential(uid) for uid in found}
    return sorted((uid for uid, row in rows.items() if row is not None), key=lambda uid: (_begun(rows[uid]), uid))


def _begun(row: Credential | None) -> float:
    return 0.0 if row is None else row.issued or row.first_seen


def _holders(inventory: Inventory, uids: Sequence[str]) -> dict[str, tuple[float, float]]:
    """By identity, the first and the last use of any of these versions."""
    marks = ",".join("?" * len(uids))
    found = inventory.rows(
        f"SELECT identities.uid, min(first), max(last) FROM holders JOIN identities ON identities.id=subject"  # noqa: S608 - marks only
        f" WHERE credential IN (SELECT id FROM credentials WHERE uid IN ({marks})) GROUP BY 1 ORDER BY 1",
        tuple(uids),
    )
    return {uid: (first, last) for uid, first, last in found}


def _uses(inventory: Inventory, lives: dict[str, Credential], holders: dict[str, tuple[float, float]]) -> Iterator[UseEvent]:
    each = [inventory.uses(uid, first, last) for uid, (first, last) in holders.items()]
    return (use for use in merge(*each, key=lambda use: (use.time, use.uid)) if use.credential in lives)


def _lifecycle(inventory: Inventory, uids: Sequence[str], holders: dict[str, tuple[float, float]]) -> list[LifecycleEvent]:
    """What happened to the versions, to what they were bound to, and to the whole of who used them."""
    found = {event.uid: event for event in events_of(inventory, uids)}
    marks = ",".join("?" * len(uids))
    rows = inventory.rows(
        "SELECT body FROM lifecycle WHERE kind IN ('job_started', 'job_ended') AND workload IN"  # noqa: S608 - marks only
        f" (SELECT workload FROM lifecycle WHERE credential IN ({marks}) AND workload<>''"
        " UNION SELECT workload FROM holders JOIN uses ON uses.subject=holders.subject AND uses.credential=holders.credential"
        f" WHERE holders.credential IN (SELECT id FROM credentials WHERE uid IN ({marks})) AND workload<>'')",
        (*uids, *uids),
    )
    found |= {event.uid: event for event in (lifecycle_of(body) for (body,) in rows)}
    for identity in holders:
        rows = inventory.rows(
            "SELECT body FROM lifecycle WHERE identity=? AND credential='' AND kind IN ('revoked','suspended','deleted','activated')",
            (identity,),
        )
        found |= {event.uid: event for event in (lifecycle_of(body) for (body,) in rows)}
    return sorted(found.values(), key=_order)


def _order(item: UseEvent | LifecycleEvent) -> tuple[float, str]:
    """As the monitor has it: of a revocation, an activation and a use at one moment the same is said."""
    return item.time, item.uid


def _placed(line: Line) -> tuple[float, int, str]:
    """Where a line is shown: at one moment, a credential is issued before it is used, and ends behind that."""
    return line.time, 1 if line.kind == "used" else _FIRST.get(line.kind, 2), line.uid


def _concerned(
    event: LifecycleEvent, lifelines: dict[str, Lifeline], holders: dict[str, tuple[float, float]]
) -> Iterator[Lifeline]:  # fmt: skip
    for uid, lifeline in lifelines.items():
        own = uid in (event.credential, event.supersedes)
        job = event.kind in ("job_started", "job_ended") and not event.credential
        whole = not (event.credential or event.workload or event.supersedes) and event.identity in holders
        if own or job or whole:
            yield lifeline


def _came(life: Credential, lines: Sequence[Line], now: float) -> Iterator[Line]:
    """The day of its expiry, where no event says that it came."""
    said = any(line.credential == life.uid and line.kind == "expired" for line in lines)
    ended = min((time for time in (life.revoked, life.ended) if time), default=math.inf)
    if life.expires and not said and life.expires <= now and life.expires < ended:
        yield Line(life.uid, "expired", life.expires, life.expires, "its time was up", uid=f"{life.uid}!expires")


def _ends(lines: Sequence[Line], uid: str) -> tuple[tuple[str, float], ...]:
    return tuple((line.kind, line.time) for line in lines if line.credential == uid and line.kind in ENDS and line.outcome == "success")


def _upwards(inventory: Inventory, made: Made | None) -> tuple[Made, ...]:
    found: list[Made] = []
    while made is not None and len(found) < 16 and all(made.uid != each.uid for each in found):
        found.append(made)
        made = made_by(inventory, made.credential) if made.credential else None
    return tuple(found)


def _child(inventory: Inventory, made: Made, now: float) -> Made:
    found = inventory.life(made.uid)
    if found is None:
        return made
    life = found[0]
    return made._replace(kind=life.kind, shown=life.shown, identity=life.identity, status=_status(inventory, life, now))


def _holes(
    versions: Sequence[Version], lifelines: dict[str, Lifeline], silent: Sequence[tuple[str, Pause]], grace: float
) -> Iterator[Hole]:  # fmt: skip
    for each in versions:
        uid, begun = each.credential.uid, lifelines[each.credential.uid].begun
        if not begun:
            yield Hole("issuance", uid, 0.0, each.first_use, "its issuance is not known: who made it, when, and with what")
        elif each.first_use and each.first_use < begun - grace:
            yield Hole("early", uid, each.first_use, begun, "it was used before it was issued")
    for source, (since, until) in silent:
        yield Hole("silence", "", since, until, f"nothing came of {source}: whether it was used then is not known")


def _status(inventory: Inventory, credential: Credential, now: float) -> CredentialStatus:
    whose = inventory.identity(credential.identity) if credential.identity else None
    return status_with(status_at(credential, now), whose.status if whose is not None else "unknown")
