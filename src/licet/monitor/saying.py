"""How a detector says something: the same thing again is the same signal, which then cites one event more, up to a bound.

What alerted and was silent for more than a day is said anew, as another signal; so is what was forgotten because too much else was said.
Neither changes when the one before began.

What was said does not come to say less: what alerts stays, whatever is done later under the same name, and so do the most points and the
highest severity, with the words of the event that had it. What has points only, and is of other events, is another signal beside it.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from licet.events import LifecycleEvent, UseEvent
from licet.monitor.codes import CODES
from licet.monitor.detector import State
from licet.monitor.signal import Basis, Cited, Signal
from licet.records import Severity

MOST_CITED: Final = 64
"""Events that one signal cites; what comes after them is the same again."""

AGAIN: Final = 26 * 3_600.0
"""Seconds of silence after which the same thing is another: a day, and what a job of each day may be late."""

_MOST_SAID = 256  # different things of which one detector remembers, for one identity, that it said them, where they only have points
_MOST_ALERTED = 1_024  # and of those that alerted, which the others never drive out
_TIME, _OBSERVED, _EXPECTED, _ROWS, _ALERT, _LAST, _MORE, _POINTS, _SEVERITY, _RAISED = range(10)
ALERTED: Final = _ALERT
"""Where it stands, of what is kept of something that was said, whether that alerted."""


def row(event: UseEvent | LifecycleEvent, role: str) -> list[Any]:
    """An event, as it is kept in a state to be cited later: uid, role, time, and of a use, whose it is."""
    return [event.uid, role, event.time, event.identity] if isinstance(event, UseEvent) else [event.uid, role, event.time]


def keep(into: dict[str, Any], key: str, value: Any, most: int) -> None:
    """Put it in, and let the oldest go where there are too many."""
    into.pop(key, None)
    into[key] = value
    if len(into) > most:
        del into[next(iter(into))]


def say(
    state: State, code: str, *, value: str, time: float, observed: str, expected: str, basis: Basis, cited: list[list[Any]],
    credential: str = "", alert: bool = True, points: float | None = None, severity: Severity | None = None, since: float = 0.0,
    sample: int = 0, counter: tuple[str, ...] = (), action: str = "",
) -> tuple[Signal, ...]:  # fmt: skip
    """The signal, with all that it cited before; nothing where it says nothing new.

    Args:
        state: the detector's; what was said is kept in it under `said`.
        code: of `CODES`, which has what is not given here.
        value: what it is about. With code and credential it tells what is the same thing again; time and words are of the first.
        time: when what is said began to be so.
        cited: as `row` makes them.
        since, sample, counter, alert, points, severity, action: see `Signal`.
    """
    said = state.setdefault("said", {})
    about = CODES[code]
    points, severity = about.points if points is None else points, severity or about.severity
    told = _Told(code, credential, value, basis, since, sample, counter, action or about.action)
    key = f"{code} {credential} {value}"
    if alert and not _is_raised(said.get(key), cited):
        key = f"{key} {_ALONE}"
    known = said.get(key)
    if known is None or (known[_ALERT] and time - known[_LAST] > AGAIN):
        forgotten = [key] if known is not None else []
        known = [time, observed, expected, [list(each) for each in cited], alert, time, 0, points, severity, False]
        said.pop(key, None)
        said[key] = known
        return (*(each for uid in forgotten + _too_many(said) for each in _open(state, uid)), _signal(known, told))
    rows = known[_ROWS]
    new = [each for each in cited if all(each[0] != old[0] for old in rows)]
    raised = alert and not known[_ALERT] and not known[_RAISED]
    if not new and not raised:
        return ()
    room = MOST_CITED - len(rows)
    known[_LAST] = time
    known[_MORE] += len(new) > room
    known[_RAISED] |= raised
    known[_POINTS] = max(known[_POINTS], points)
    if raised or _RANK[severity] > _RANK[known[_SEVERITY]]:
        known[_SEVERITY], known[_OBSERVED], known[_EXPECTED] = severity, observed, expected
        if room <= 0 and new:
            rows[-1] = list(new[-1])  # the worst is cited, however much came before
            return (_signal(known, told),)
    if room <= 0:
        state.setdefault(_OPEN, {})[key] = (known, told)
        return ()
    rows.extend(list(each) for each in new[:room])
    return (_signal(known, told),)


def _is_raised(known: list[Any] | None, cited: list[list[Any]]) -> bool:
    """Whether what had points only alerts now: as the same events, with others beside them, say so."""
    if known is None:
        return False
    uids = {each[0] for each in cited}
    return bool(known[_RAISED]) or all(each[0] in uids for each in known[_ROWS])


def rest(state: State) -> tuple[Signal, ...]:
    """After the last event of a fold: the signals that were seen again and cite no more, with how often and when."""
    return tuple(_signal(*each) for each in state.pop(_OPEN, {}).values())


_OPEN: Final = "open"  # only within a fold, see `rest`
_ALONE: Final = "alone"  # what alerts is kept apart from what has points, as later words of the one must not be the other's
_RANK: Final[dict[str, int]] = {"info": 0, "low": 1, "medium": 2, "high": 3, "critical": 4}


class _Told(NamedTuple):
    code: str
    credential: str
    value: str
    basis: Basis
    since: float
    sample: int
    counter: tuple[str, ...]
    action: str


def _open(state: State, key: str) -> tuple[Signal, ...]:
    found = state.get(_OPEN, {}).pop(key, None)
    return () if found is None else (_signal(*found),)


def _too_many(said: dict[str, list[Any]]) -> list[str]:
    """Forget the oldest where there are too many: of what alerted only among itself."""
    if len(said) <= _MOST_SAID:
        return []
    alerted = sum(each[_ALERT] for each in said.values())
    drop = alerted > _MOST_ALERTED
    if not drop and len(said) - alerted <= _MOST_SAID:
        return []
    oldest = next(key for key, each in said.items() if each[_ALERT] == drop)
    del said[oldest]
    return [oldest]


def _signal(known: list[Any], told: _Told) -> Signal:
    evidence = tuple(
        Cited(uid, role, more[0] if more else "", when, more[1] if len(more) > 1 else "") for uid, role, when, *more in known[_ROWS]
    )
    return Signal(
        told.code, known[_ALERT] or known[_RAISED], known[_POINTS], known[_SEVERITY], known[_TIME], "", told.credential, told.value,
        known[_OBSERVED], known[_EXPECTED], told.basis, evidence, told.since, told.sample, told.counter, told.action,
        last=known[_LAST] if known[_MORE] else 0.0, more=known[_MORE], begun=known[_TIME] if known[_ALERT] else 0.0,
    )  # fmt: skip
