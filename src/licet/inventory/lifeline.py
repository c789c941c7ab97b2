"""One credential's life as lines in the order of time: what happened to it, and each use, held against its ends. Pure.

The ends are those of the monitor: revoked, suspended or deleted, until it is taken up again; superseded by a new version; its job over; its
day come; the whole identity suspended or deleted. Of several that a use is late by, the one that says most is said. A job ends what was
bound to it before, and where no binding is told, what was used in it before; one that starts again runs anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from licet.events import LifecycleEvent, UseEvent
from licet.inventory.life import first_to_end, let_in, place_of, stopper, teller, undone_by, until_by

BEGINS: Final = ("issued", "created", "rotated")
"""What a life begins with."""

ENDS: Final = ("superseded", "revoked", "suspended", "deleted", "job_ended", "expired")
"""The kinds of lines with which it ends, or may."""

Late = Literal["", "grace", "after", "denied", "failed"]
"""Of a use: in time; after its end, within the grace; after its end, and it still authenticated; tried after its end, in vain."""

_MOST_FIRST: Final = ("revoked", "whole", "ended", "expires", "rotated")  # a revocation says more than a rotation long before it
_DAY: Final = 86_400
_MOST_JOBS: Final = 100_000  # in which one credential is used, and of which the first use is known
_NAMED: Final = 3  # operations that a line of many uses names
_MOST_NAMES: Final = 1_000  # of operations and of programs of a line


class End(NamedTuple):
    """That it ended: when (seconds since the epoch), how (`revoked`), and by which event."""

    time: float
    what: str
    uid: str


class Line(NamedTuple):
    """Something that happened to it, or uses of one kind.

    Attributes:
        kind: of the lifecycle event, `superseded`, or `used`.
        time, last: of the first and the last of them; seconds since the epoch.
        what: operations, or what is to be said of the event.
        number: of uses; 0 of what is none.
        after: of a use that is late, seconds from the end to the first of them; `ended`: how it had ended.
        uid: of the event, or of the first use.
    """

    credential: str
    kind: str
    time: float
    last: float
    what: str
    number: int = 0
    outcome: str = "success"
    identity: str = ""
    account: str = ""
    region: str = ""
    network: str = ""
    ip: str = ""
    agent: str = ""
    late: Late = ""
    after: float = 0.0
    ended: str = ""
    uid: str = ""


@dataclass(slots=True)
class _Sum:
    first: UseEvent
    end: End | None
    number: int = 0
    last: float = 0.0
    ips: set[str] = field(default_factory=set)
    operations: Counter[str] = field(default_factory=Counter)
    agents: Counter[str] = field(default_factory=Counter)


_Key = tuple[object, ...]


class Lifeline:
    """One version of a credential. Feed it events in the order of time; it gives lines.

    Args:
        uid: the credential's fingerprint.
        grace: seconds after an end within which a use is in time: clock skew, and the source's lag.
        summed: whether uses of one day, place and outcome are one line; each operation that changes rights, credentials or logging, or
            reads secrets, has one of its own.
    """

    def __init__(self, uid: str, grace: float, *, summed: bool) -> None:
        self.uid, self.uses, self.late = uid, 0, 0
        self.first_use = self.last_use = 0.0
        self.begun = 0.0
        self._grace, self._summed = grace, summed
        self._rotated: dict[str, End] = {}  # by cluster, else empty, as all that it tells of is for what is used there
        self._over: dict[str, dict[str, End]] = {}  # and by who told of it
        self._days: dict[str, dict[str, tuple[float, End]]] = {}
        self._jobs: dict[str, list[End]] = {}
        self._held: dict[tuple[str, str], float] = {}
        self._stops: dict[str, dict[str, End]] = {}
        self._whole: dict[tuple[str, str], dict[str, End]] = {}  # and by identity, and where its name is its own
        self._bound: dict[str, tuple[str, float]] = {}
        self._issued: tuple[str, str, str, float] | None = None
        self._sums: dict[_Key, _Sum] = {}
        self._day = 0

    def happened(self, event: LifecycleEvent) -> Iterator[Line]:
        """A lifecycle event that concerns it."""
        said = (event.kind, event.by, event.workload, event.expires)
        if event.kind == "issued" and said == self._issued:  # a token that several calls share is told of with each of them
            return
        yield from self.flush()
        if event.kind == "issued" and event.credential == self.uid:
            self._issued = said
        if event.outcome == "success":
            self._note(event)
        kind = "superseded" if event.supersedes == self.uid else event.kind
        if event.time and self._is_told(event):  # what has no time held before anybody wrote it down
            yield Line(
                self.uid, kind, event.time, event.time, _said(event, self.uid), outcome=event.outcome, identity=event.by,
                account=event.account, uid=event.uid,
            )  # fmt: skip

    def used(self, event: UseEvent) -> Iterator[Line]:
        """A use of it."""
        self.first_use, self.last_use = self.first_use or event.time, event.time
        self.uses += 1
        end = self.end_at(event.time, event)
        late = _late(event, end, self._grace)
        self.late += late == "after"
        if not self._summed:
            yield self._line(_Sum(event, end, 1, event.time, {event.ip}, Counter((event.operation,)), Counter((event.agent,))), late)
            return
        if (day := int(event.time // _DAY)) != self._day:
            yield from self.flush()
            self._day = day
        telling = event.operation if event.access == "admin" else ""
        key = (event.identity, event.account, event.region, event.network or event.ip, event.outcome, late, end and end.uid, telling)
        found = self._sums.get(key)
        if found is None:
            found = self._sums[key] = _Sum(event, end)
        found.number += 1
        found.last = event.time
        if len(found.ips) < 2:
            found.ips.add(event.ip)
        if event.agent in found.agents or len(found.agents) < _MOST_NAMES:
            found.agents[event.agent] += 1
        if event.operation in found.operations or len(found.operations) < _MOST_NAMES:
            found.operations[event.operation] += 1

    def flush(self) -> Iterator[Line]:
        """The lines of what is summed up to here."""
        for key, found in self._sums.items():
            yield self._line(found, key[5])
        self._sums.clear()

    def end_at(self, time: float, use: UseEvent) -> End | None:
        """The end that a use at this time is late by; None: it had not ended, as far as the events until now say."""
        place = place_of(use)
        # Who uses it outside of all clusters ends with it in each.
        places = ("", place) if place else {*self._stops, *self._days, *self._rotated, *self._over, *self._bound}
        stops = [end for place in places for end in self._stops.get(place, {}).values()]
        days = {who: day for place in places for who, day in self._days.get(place, {}).items()}
        first = first_to_end({who: (said, end.time) for who, (said, end) in days.items()})
        known = {
            "revoked": _first(stops), "whole": _first(self._whole_of(use)), "ended": self._job_over(use, places),
            "expires": None if first is None else days[first][1], "rotated": _first(self._rotated.get(place) for place in places),
        }  # fmt: skip
        before = [end for word in _MOST_FIRST if (end := known.get(word)) is not None and end.time < time]
        late = (end for end in before if time - end.time > self._grace)
        return next(late, None) or min(before, default=None)

    def _whole_of(self, use: UseEvent) -> list[End]:
        """The ends of its identity there, and those that hold everywhere."""
        return [end for place in dict.fromkeys(("", place_of(use))) for end in self._whole.get((use.identity, place), {}).values()]

    def _job_over(self, use: UseEvent, places: Iterable[str]) -> End | None:
        """The end of the job that it is bound to, else of the one that it is used in, from its first use there on."""
        over = _first(end for place in places for end in self._over.get(place, {}).values())
        if over is not None:
            return over
        bound = [each for place in places if (each := self._bound.get(place)) is not None]
        if bound:
            return _first(self._over_since(*each) for each in bound)
        if not use.workload:
            return None
        key = (use.workload, use.session or self.uid)
        if key not in self._held:
            if use.outcome == "success" and len(self._held) < _MOST_JOBS:
                self._held[key] = use.time
            return None
        return self._over_since(use.workload, self._held[key])

    def _over_since(self, workload: str, since: float) -> End | None:
        return next((end for end in self._jobs.get(workload, ()) if end.time >= since), None)

    def _is_told(self, event: LifecycleEvent) -> bool:
        """Whether it gets a line. Of jobs that only used it there can be very many, where uses are summed."""
        if event.credential or event.supersedes or not event.workload:
            return True
        if self._bound:
            return any(event.workload == workload for workload, _ in self._bound.values())
        return not self._summed and event.kind == "job_ended" and any(workload == event.workload for workload, _ in self._held)

    def _note(self, event: LifecycleEvent) -> None:
        kind, time = event.kind, event.time
        if event.supersedes == self.uid:
            self._rotated.setdefault(place_of(event), End(time, "superseded", event.uid))
            return
        if kind == "job_ended" and event.workload:
            self._jobs.setdefault(event.workload, []).append(End(time, "at the end of its job", event.uid))
        elif kind == "job_started" and event.workload in self._jobs:
            self._jobs[event.workload] = [end for end in self._jobs[event.workload] if end.time >= time]
        if event.credential == self.uid:
            self._note_own(event)
        elif not event.credential and event.identity:
            if kind in ("revoked", "suspended", "deleted"):
                stops = self._whole.setdefault((event.identity, place_of(event)), {})
                stops.setdefault(stopper(event), End(time, f"{kind} with its identity", event.uid))
            elif kind in ("activated", "created"):
                undone_by(event, self._whole.get((event.identity, place_of(event)), {}))

    def _note_own(self, event: LifecycleEvent) -> None:
        kind, place, end = event.kind, place_of(event), End(event.time, event.kind, event.uid)
        if kind in BEGINS:
            self.begun = self.begun or event.time
        if kind in ("revoked", "suspended", "deleted"):
            self._stops.setdefault(place, {}).setdefault(stopper(event), end)
        elif kind == "activated":
            undone_by(event, self._stops.get(place, {}))
        elif kind == "job_ended":
            self._over.setdefault(place, {}).setdefault(teller(event), end._replace(what="at the end of its job"))
        else:
            if (until := until_by(event)) is not None:
                self._days.setdefault(place, {})[teller(event)] = event.time, End(until, "expired", event.uid)
            if event.workload:
                self._over.get(place, {}).pop(teller(event), None)
                self._bound[place] = event.workload, event.time

    def _line(self, found: _Sum, late: object) -> Line:
        use, end = found.first, found.end
        return Line(
            self.uid, "used", use.time, found.last, _most(found.operations, _NAMED), found.number, use.outcome,
            use.identity, use.account, use.region, use.network, use.ip if len(found.ips) == 1 else "", _most(found.agents, 1),
            late=_LATE[str(late)], after=use.time - end.time if end else 0.0, ended=end.what if end else "", uid=use.uid,
        )  # fmt: skip


def _first(ends: Iterable[End | None]) -> End | None:
    return min((end for end in ends if end is not None), key=lambda end: (end.time, end.uid), default=None)


def _most(names: Counter[str], number: int) -> str:
    """Those that came most often, and how many more there are."""
    named = [name for name, _ in names.most_common(number)]
    return ", ".join(named) + (f" and {len(names) - len(named):,} more" if len(names) > len(named) else "")


_LATE: Final[dict[str, Late]] = {"": "", "grace": "grace", "after": "after", "denied": "denied", "failed": "failed"}


def _late(event: UseEvent, end: End | None, grace: float) -> Late:
    if end is None:
        return ""
    if not let_in(event):
        return "denied" if event.outcome == "denied" else "failed"
    return "after" if event.time - end.time > grace else "grace"


def _said(event: LifecycleEvent, uid: str) -> str:
    parts = ["its identity"] if not (event.credential or event.workload) else []
    if event.supersedes == uid:
        parts.append(f"by {event.credential or 'a new version'}")
    elif event.supersedes:
        parts.append(f"takes the place of {event.supersedes}")
    if event.generation >= 0:
        shown = f", {event.presented} was shown" if event.presented >= 0 else ""
        parts.append(f"generation {event.generation}{shown}")
    if event.workload:
        parts.append(f"job {event.workload}")
    if event.by:
        parts.append(f"by {event.by}")
    if event.outcome != "success":
        parts.append(f"tried, and {event.outcome}")
    if event.reason:
        parts.append(event.reason)
    return "; ".join(parts)
