"""Privilege drift: what an identity may do, against what it does, against what it is for.

Three numbers: how many of its permissions were used; how many came in the window and were never used; how many operations were outside its
declared purpose. A permission is unused only if it is older than the window, the logs reach over the window, and it has been idle for
longer than the window and than three times its longest pause: rare jobs are no reason to take anything away. All is said as of the latest
event of the sources that would show its use, and not as of today: of a log that ended a year ago nothing is known since.

The window of 90 days is that of AWS's and Google's advisers, the grace of 14 days that of RepoKid (docs/inventory.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge
from typing import Final, Literal, NamedTuple, cast

from licet.clock import iso
from licet.escape import counted
from licet.events import AccessLevel, LifecycleEvent, UseEvent
from licet.inventory.faces import sure_face
from licet.inventory.model import Grant
from licet.inventory.permissions import ActionOf, Shown, covers, is_wide
from licet.inventory.rows import lifecycle_of
from licet.inventory.store import Inventory

DAY: Final = 86_400.0
WINDOW: Final = 90 * DAY
GRACE: Final = 14 * DAY
_LONGEST_PAUSE: Final = 3.0  # times
_MOST: Final = 10_000  # operations of one identity that are told apart
_NARROW: Final = 20  # operations that take the place of a pattern
_PAGE: Final = 1_000

Verdict = Literal["used", "unused", "young", "untold"]


@dataclass(slots=True)
class Tally:
    """How often something was used, when first and last, how long the longest pause was, and the last use; and how often it was denied."""

    uses: int = 0
    denied: int = 0
    first: float = 0.0
    last: float = 0.0
    pause: float = 0.0
    event: str = ""

    def add(self, event: UseEvent) -> None:
        """One more; they come in the order of time. What was denied is no use."""
        if event.outcome != "success":
            self.denied += event.outcome == "denied"
            return
        if self.uses:
            self.pause = max(self.pause, event.time - self.last)
        else:
            self.first = event.time
        self.uses, self.last, self.event = self.uses + 1, event.time, event.uid


class Held(NamedTuple):
    """A permission, held against what was used.

    Attributes:
        origin: whether the logs say that it was granted, or somebody declared it.
        why: of `young` and `untold`, a few words.
        operations: what was done by it, the most frequent first.
        event: the event that granted it; empty for what was declared.
    """

    grant: Grant
    origin: Literal["granted", "declared"]
    verdict: Verdict
    why: str
    tally: Tally
    operations: tuple[tuple[str, int], ...]
    event: str


class Proposal(NamedTuple):
    """What could be taken away: a permission, what would stand in its place (nothing: it goes), and why."""

    permission: str
    change: tuple[str, ...]
    evidence: str
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """What one identity, with all its names, may do and does.

    Attributes:
        as_of: the latest event of the sources that would show its uses; 0: there is none.
        since: from when on they reach.
        held: its permissions.
        added: those that came in the window, longer ago than the grace, and were never used.
        outside: operations outside the declared purpose within the window, with how often.
        purpose: what is declared that it is for.
    """

    identity: str
    as_of: float
    since: float
    window: float
    held: tuple[Held, ...]
    added: tuple[Held, ...]
    outside: tuple[tuple[str, Tally], ...]
    purpose: tuple[str, ...]
    proposals: tuple[Proposal, ...] = field(default=())

    def number(self, verdict: Verdict) -> int:
        """How many permissions are so."""
        return sum(each.verdict == verdict for each in self.held)


def drift(
    inventory: Inventory, uid: str, shown: Shown, action_of: ActionOf, *, now: float, window: float = WINDOW, grace: float = GRACE
) -> Drift:  # fmt: skip
    """What an identity may do, against what it does.

    Args:
        shown: what the logs show at all.
        action_of: the permission for an operation.
        now, window, grace: seconds.

    Raises:
        StoreError: the inventory cannot be read.
    """
    names = names_of(inventory, uid)
    found = _granted(inventory, names)
    purpose = tuple(dict.fromkeys(use for name in names if (known := inventory.identity(name)) for use in known.declared.uses))
    reach = _reach(inventory, names, {event.source for event in found.values()}, now)
    slots = [_Slot(event.privilege, event.access, event.by, event.time, event.uid) for event in found.values()]
    slots += [_Slot(use) for use in purpose if use not in found]
    outside: dict[str, Tally] = {}
    begin = reach.until - window
    where: dict[str, tuple[list[_Slot], bool]] = {}
    for event in _uses(inventory, names, reach.until):
        at = where.get(event.operation)
        if at is None:
            action = action_of(event.operation)
            of = [slot for slot in slots if covers(slot.permission, event.operation, action)]
            beside = bool(purpose) and not any(covers(use, event.operation, action) for use in purpose)
            at = (of, beside)
            if len(where) < _MOST:
                where[event.operation] = at
        for slot in at[0]:
            slot.add(event)
        if at[1] and event.outcome == "success" and event.time >= begin and (event.operation in outside or len(outside) < _MOST):
            outside.setdefault(event.operation, Tally()).add(event)
    by = _By(reach, shown, window, grace)
    held = tuple(_held(uid, slot, by) for slot in slots)
    return Drift(
        uid, reach.until, reach.since, window, held,
        tuple(each for each in held if not each.tally.uses and each.grant.granted >= begin and grace <= reach.until - each.grant.granted),
        tuple(sorted(outside.items(), key=lambda each: (-each[1].uses, each[0]))), purpose,
        tuple(_proposals(held, window, action_of)),
    )  # fmt: skip


def names_of(inventory: Inventory, uid: str) -> tuple[str, ...]:
    """The identity and its other faces."""
    found = f"SELECT uid FROM identities WHERE same_as=? AND uid<>? AND {sure_face('identities')} ORDER BY uid"  # noqa: S608
    return (uid, *(name for (name,) in inventory.rows(found, (uid, uid))))


def is_over_scoped(found: Drift) -> bool:
    """Whether it has a permission that it does not use."""
    return any(each.verdict == "unused" for each in found.held)


class _Reach(NamedTuple):
    since: float
    until: float


class _By(NamedTuple):
    reach: _Reach
    shown: Shown
    window: float
    grace: float


@dataclass(slots=True)
class _Slot:
    permission: str
    access: str = ""
    by: str = ""
    time: float = 0.0
    event: str = ""
    tally: Tally = field(default_factory=Tally)
    operations: dict[str, int] = field(default_factory=dict)

    def add(self, event: UseEvent) -> None:
        self.tally.add(event)
        if event.outcome == "success" and (event.operation in self.operations or len(self.operations) < _MOST):
            self.operations[event.operation] = self.operations.get(event.operation, 0) + 1


def _granted(inventory: Inventory, names: Sequence[str]) -> dict[str, LifecycleEvent]:
    """Which permissions it has by what happened, each with the event since which it has it without a break."""
    found: dict[str, LifecycleEvent] = {}
    for event in merge(*(_changes(inventory, name) for name in names), key=lambda each: (each.time, each.uid)):
        # Who may take a role on is no permission of the role.
        if event.outcome != "success" or not event.privilege or (event.source, event.privilege) == ("cloudtrail", "sts:AssumeRole"):
            continue
        if event.kind == "ungranted":
            found.pop(event.privilege, None)
        else:
            found.setdefault(event.privilege, event)
    return found


def _changes(inventory: Inventory, uid: str) -> Iterator[LifecycleEvent]:
    time, last = -math.inf, ""
    query = (
        "SELECT body, time, uid FROM lifecycle WHERE identity=? AND (time, uid)>(?, ?)"
        " AND kind IN ('granted', 'ungranted', 'scope_widened') ORDER BY time, uid LIMIT ?"
    )
    while page := inventory.rows(query, (uid, time, last, _PAGE)):
        yield from (lifecycle_of(body) for body, _, _ in page)
        _, time, last = page[-1]


def _reach(inventory: Inventory, names: Sequence[str], granted_by: set[str], now: float) -> _Reach:
    """From when until when there are logs that would show what it does: those that ever did, else those that say what it was granted."""
    places = [(known.source, known.account) for name in names if (known := inventory.identity(name)) and known.source]
    rows: list[tuple[float, float]] = []
    for source, account in places or [(source, "") for source in granted_by]:
        of_source = inventory.rows("SELECT first, last, account FROM sources WHERE source=?", (source,))
        own = [row for row in of_source if row[2] == account]
        rows += [(first, last) for first, last, _ in (own or of_source)]
    real = [(first, last) for first, last in rows if 0 < first <= last < math.inf]
    if not real:
        return _Reach(0.0, 0.0)
    return _Reach(min(first for first, _ in real), min(now, max(last for _, last in real)))


def _uses(inventory: Inventory, names: Sequence[str], until: float) -> Iterable[UseEvent]:
    """What it did and tried, in the order of time."""
    return merge(*(inventory.uses(name, until=until) for name in names), key=lambda each: each.time)


def _held(uid: str, slot: _Slot, by: _By) -> Held:
    verdict, why = _verdict(slot, by)
    access = cast("AccessLevel", slot.access)
    grant = Grant(
        uid, slot.permission, access=access, granted_by=slot.by, granted=slot.time, last_used=slot.tally.last, uses=slot.tally.uses
    )
    most = sorted(slot.operations.items(), key=lambda each: (-each[1], each[0]))
    return Held(grant, "granted" if slot.event else "declared", verdict, why, slot.tally, tuple(most), slot.event)


def _verdict(slot: _Slot, by: _By) -> tuple[Verdict, str]:
    tally, (reach, shown, window, grace) = slot.tally, by
    if tally.uses and tally.last >= reach.until - window:
        return "used", ""
    if not reach.until:
        return "untold", "no log here would show its use"
    if not tally.uses and (why := shown.why_not(slot.permission)):
        return "untold", why
    age = reach.until - max(slot.time, reach.since)
    if age <= grace:
        return "young", "is in its grace of 14 days" if slot.time >= reach.since else "logs reach over less than 14 days"
    if age <= window:
        return "young", "is younger than the window" if slot.time >= reach.since else "logs do not reach over the window"
    idle = reach.until - (tally.last if tally.uses else max(slot.time, reach.since))
    if idle > max(window, _LONGEST_PAUSE * tally.pause):
        return "unused", ""
    return "used", "rests no longer than it did before"


def _proposals(held: Sequence[Held], window: float, action_of: ActionOf) -> Iterator[Proposal]:
    for each in held:
        permission, tally = each.grant.privilege, each.tally
        events = tuple(filter(None, (each.event, tally.event)))
        if each.verdict == "unused":
            yield Proposal(permission, (), _evidence(each), events)
        elif each.verdict == "used" and is_wide(permission) and tally.last - tally.first >= window:
            narrow = {action_of(operation) for operation, _ in each.operations}
            if len(narrow) <= _NARROW:
                yield Proposal(permission, tuple(sorted(narrow)), _evidence(each), events)


def _evidence(each: Held) -> str:
    tally = each.tally
    vain = f"; {counted(tally.denied, 'time')} in vain" if tally.denied else ""
    if not tally.uses:
        return f"never used{vain}"
    days = f"on {_day(tally.first)}" if tally.uses == 1 else f"from {_day(tally.first)} to {_day(tally.last)}"
    pause = f", longest pause {tally.pause / DAY:.0f} d" if tally.uses > 1 else ""
    return f"used {counted(tally.uses, 'time')} {days}{pause}{vain}"


def _day(time: float) -> str:
    return iso(time)[:10]
